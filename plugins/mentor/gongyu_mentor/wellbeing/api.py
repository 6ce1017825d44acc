"""The wellbeing curve over HTTP: thin handlers."""

from datetime import date
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.plugin import Public, SignedIn
from gongyu.web import Call
from gongyu_mentor.wellbeing import curve, tasks, wishes
from gongyu_mentor.wellbeing.api_cases import CASE_ROUTES
from gongyu_mentor.wellbeing.api_screening import SCREENING_ROUTES
from gongyu_mentor.wellbeing.grounds import GROUNDS
from gongyu_mentor.wellbeing.schemas import (
    Curve,
    EntryMade,
    HelpOut,
    MentorEntry,
    Mine,
    OpeningOut,
    StepIn,
    StudentEntry,
    TaskOut,
    WishLine,
)

__all__ = ["ROUTES"]

KEEP, READ, ANSWER = "mentor.wellbeing.keep", "mentor.wellbeing.read", "mentor.wish.answer"
HELP = Public("whoever needs help must find it without signing in")
TASKS = SignedIn("tasks for oneself, or for one's child at home; filtered in the query")


@get("/help", permission=HELP, operation_id="mentor_help_lines", summary="Where help is at any hour")
async def help_lines(call: Call) -> HelpOut:
    return HelpOut(list(call.settings.help_lines))


@post("/wellbeing/entries", permission=KEEP, operation_id="mentor_keep_mood", summary="A pupil's mood, in one tap")
async def keep_mood(call: Call, data: JSONBody[StudentEntry]) -> EntryMade:
    made = await curve.by_student(await call.context(), student=call.principal.person, entry=data)
    call.opened_record(call.actor, ground="oneself")
    return made


@get("/wellbeing/mine", permission=KEEP, operation_id="mentor_read_my_curve", summary="A pupil's own curve and wishes")
async def read_my_curve(call: Call, since: FromQuery[date | None] = None, until: FromQuery[date | None] = None) -> Mine:
    call.opened_record(call.actor, ground="oneself")
    return await curve.mine(await call.context(), student=call.principal.person, since=since, until=until)


@get(
    "/wellbeing/openings",
    permission=KEEP,
    operation_id="mentor_list_openings",
    summary="Who opened one's record, when, and by which right",
)
async def list_openings(call: Call) -> list[OpeningOut]:
    call.opened_record(call.actor, ground="oneself")
    return await curve.openings(await call.context(), student=call.principal.person, language=call.language)


@get(
    "/wellbeing/students/{student:uuid}",
    permission=READ,
    operation_id="mentor_read_curve",
    summary="A pupil's curve, for their mentor of today or the counsellor who has the case",
)
async def read_curve(
    call: Call,
    student: FromPath[UUID],
    since: FromQuery[date | None] = None,
    until: FromQuery[date | None] = None,
) -> Curve:
    found, right = await curve.curve_of(
        await call.context(), call.principal, student=student, since=since, until=until, language=call.language
    )
    call.opened_record(f"person:{student}", ground=GROUNDS[right.ground].en, what="curve")
    return found


@post(
    "/wellbeing/students/{student:uuid}/entries",
    permission=READ,
    operation_id="mentor_note_mood",
    summary="An entry by the mentor of today",
)
async def note_mood(call: Call, student: FromPath[UUID], data: JSONBody[MentorEntry]) -> EntryMade:
    made = await curve.by_mentor(await call.context(), call.principal, student=student, entry=data)
    call.opened_record(f"person:{student}", ground=GROUNDS["mentor"].en, entry=str(made.id))
    return made


@get(
    "/wellbeing/wishes",
    permission=ANSWER,
    operation_id="mentor_list_wishes",
    summary="The pupils who want to talk to one, most urgent first",
)
async def list_wishes(call: Call) -> list[WishLine]:
    found = await wishes.waiting(await call.context(), call.principal)
    for one in found:
        call.opened_record(f"person:{one.student}", ground=f"asked as {one.who}", wish=str(one.id))
    return found


@post(
    "/wellbeing/wishes/{wish:uuid}",
    permission=ANSWER,
    operation_id="mentor_answer_wish",
    summary="Seen, arranged, talked: the pupil sees each step",
    status_code=204,
)
async def answer_wish(call: Call, wish: FromPath[UUID], data: JSONBody[StepIn]) -> None:
    student = await wishes.answer(await call.context(), call.principal, wish, step=data)
    call.opened_record(f"person:{student}", ground="asked by the pupil", wish=str(wish), step=data.step)


@get(
    "/wellbeing/tasks", permission=TASKS, operation_id="mentor_list_care_tasks", summary="What one is to do for a pupil"
)
async def list_tasks(call: Call) -> list[TaskOut]:
    found = await tasks.mine(await call.context(), call.principal)
    for one in found:
        call.opened_record(
            f"person:{one.student}", ground=f"task for {one.audience}", action="mentor.care_task.read", task=str(one.id)
        )
    return found


@post(
    "/wellbeing/tasks/{task:uuid}/done",
    permission=TASKS,
    operation_id="mentor_do_care_task",
    summary="A task is done",
    status_code=204,
)
async def do_task(call: Call, task: FromPath[UUID]) -> None:
    student = await tasks.done(await call.context(), call.principal, task)
    call.opened_record(f"person:{student}", ground="task", action="mentor.care_task.done", task=str(task))


ROUTES = [
    help_lines,
    keep_mood,
    read_my_curve,
    list_openings,
    read_curve,
    note_mood,
    list_wishes,
    answer_wish,
    list_tasks,
    do_task,
    *CASE_ROUTES,
    *SCREENING_ROUTES,
]
