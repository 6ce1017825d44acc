"""Cases, leads and emergency openings over HTTP: thin handlers."""

from uuid import UUID

from litestar import get, post, put
from litestar.params import FromPath, JSONBody

from gongyu.plugin import SignedIn
from gongyu.web import Call
from gongyu_mentor.wellbeing import breaking, cases
from gongyu_mentor.wellbeing.schemas import (
    BreakGlassIn,
    BreakGlassOut,
    CaseIn,
    CaseLine,
    CaseOut,
    LeadsIn,
    NoteIn,
    PlanIn,
    PlanOut,
)

__all__ = ["CASE_ROUTES"]

ASK, CARE, LEADS, GLASS = "mentor.case.ask", "mentor.case.care", "mentor.lead.name", "mentor.glass.break"
PLAN = SignedIn("the plan of a case, for its owner, the school's lead and the pupil; filtered in the query")


@post(
    "/wellbeing/cases",
    permission=ASK,
    operation_id="mentor_ask_for_counsellor",
    summary="Ask that a counsellor looks after a pupil: the pupil, the mentor, or anybody at school in a crisis",
    status_code=204,
)
async def ask_for_counsellor(call: Call, data: JSONBody[CaseIn]) -> None:
    student = await cases.ask(await call.context(), call.principal, asked=data)
    call.opened_record(f"person:{student}", ground=data.ground, asked=True)


@get("/wellbeing/cases", permission=CARE, operation_id="mentor_list_cases", summary="Cases to take, and one's own")
async def list_cases(call: Call) -> list[CaseLine]:
    found = await cases.waiting(await call.context(), call.principal)
    for one in found:
        call.opened_record(f"person:{one.student}", case=str(one.id))
    return found


@post(
    "/wellbeing/cases/{case:uuid}/take",
    permission=CARE,
    operation_id="mentor_take_case",
    summary="Take a case",
    status_code=204,
)
async def take_case(call: Call, case: FromPath[UUID]) -> None:
    student = await cases.take(await call.context(), call.principal, case)
    call.opened_record(f"person:{student}", case=str(case), taken=True)


@get("/wellbeing/cases/{case:uuid}", permission=CARE, operation_id="mentor_read_case", summary="One's own case")
async def read_case(call: Call, case: FromPath[UUID]) -> CaseOut:
    found = await cases.read(await call.context(), call.principal, case)
    call.opened_record(f"person:{found.student}", ground="has the case", case=str(case))
    return found


@post(
    "/wellbeing/cases/{case:uuid}/notes",
    permission=CARE,
    operation_id="mentor_note_case",
    summary="Add a note to one's own case",
    status_code=204,
)
async def note_case(call: Call, case: FromPath[UUID], data: JSONBody[NoteIn]) -> None:
    student = await cases.note(await call.context(), call.principal, case, words=data.words)
    call.opened_record(f"person:{student}", ground="has the case", case=str(case))


@post(
    "/wellbeing/cases/{case:uuid}/plan",
    permission=CARE,
    operation_id="mentor_plan_case",
    summary="Say who is to do what",
)
async def plan_case(call: Call, case: FromPath[UUID], data: JSONBody[PlanIn]) -> PlanOut:
    made = await cases.plan(await call.context(), call.principal, case, item=data)
    call.opened_record(f"case:{case}", ground="has the case", plan=str(made.id))
    return made


@post(
    "/wellbeing/cases/{case:uuid}/close",
    permission=CARE,
    operation_id="mentor_close_case",
    summary="Close one's own case",
    status_code=204,
)
async def close_case(call: Call, case: FromPath[UUID]) -> None:
    student = await cases.close(await call.context(), call.principal, case)
    call.opened_record(f"person:{student}", ground="has the case", case=str(case), closed=True)


@get(
    "/wellbeing/students/{student:uuid}/plan",
    permission=PLAN,
    operation_id="mentor_read_plan",
    summary="Referral and plan of a pupil",
)
async def read_plan(call: Call, student: FromPath[UUID]) -> list[PlanOut]:
    found = await cases.plan_of(await call.context(), call.principal, student)
    call.opened_record(f"person:{student}", ground="plan of the case", action="mentor.case.plan")
    return found


@put(
    "/wellbeing/schools/{school:uuid}/leads",
    permission=LEADS,
    operation_id="mentor_name_leads",
    summary="Name the one or two who lead mental health at a school",
    status_code=204,
)
async def name_leads(call: Call, school: FromPath[UUID], data: JSONBody[LeadsIn]) -> None:
    await breaking.name_leads(await call.context(), call.principal, school=school, people=data.people)
    for one in data.people:
        call.opened_record(f"person:{one}", action="mentor.lead.named")


@post(
    "/wellbeing/break-glass",
    permission=GLASS,
    operation_id="mentor_ask_break_glass",
    summary="Ask to open a pupil's record in an emergency; a second person must approve",
)
async def ask_break_glass(call: Call, data: JSONBody[BreakGlassIn]) -> BreakGlassOut:
    asked = await breaking.ask(await call.context(), call.principal, asked=data)
    call.opened_record(f"person:{data.student}", ground="asked for", glass=str(asked.id))
    return asked


@get(
    "/wellbeing/break-glass",
    permission=GLASS,
    operation_id="mentor_list_break_glass",
    summary="What was asked for within the day",
)
async def list_break_glass(call: Call) -> list[BreakGlassOut]:
    return await breaking.waiting(await call.context(), call.principal)


@post(
    "/wellbeing/break-glass/{glass:uuid}/approve",
    permission=GLASS,
    operation_id="mentor_approve_break_glass",
    summary="Approve what another asked for; it ends after a day",
    status_code=200,
)
async def approve_break_glass(call: Call, glass: FromPath[UUID]) -> BreakGlassOut:
    given = await breaking.approve(await call.context(), call.principal, glass)
    call.opened_record(f"person:{given.student}", ground="approved", glass=str(glass), asked_by=str(given.asked_by))
    return given


CASE_ROUTES = [
    ask_for_counsellor,
    list_cases,
    take_case,
    read_case,
    note_case,
    plan_case,
    close_case,
    read_plan,
    name_leads,
    ask_break_glass,
    list_break_glass,
    approve_break_glass,
]
