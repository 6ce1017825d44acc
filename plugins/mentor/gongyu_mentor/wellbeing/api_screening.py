"""Screening results over HTTP: thin handlers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath, QueryParameter

from gongyu.web import Call, ProblemError
from gongyu_mentor.people import schools_as
from gongyu_mentor.wellbeing import results, screening
from gongyu_mentor.wellbeing.grounds import GROUNDS
from gongyu_mentor.wellbeing.schemas import FigureOut, LevelOut, OwnResult, Plan, ResultOut

__all__ = ["SCREENING_ROUTES"]

KEEP, READ, IMPORT, FIGURES = (
    "mentor.wellbeing.keep",
    "mentor.wellbeing.read",
    "mentor.screening.import",
    "mentor.screening.figures",
)
File = Annotated[str, QueryParameter(min_length=1, max_length=200, description="The file's name, for the findings.")]
Digest = Annotated[str, QueryParameter(pattern="^[0-9a-f]{64}$", description="`digest` of the plan.")]
Reason = Annotated[
    Literal["risk", "referral", "guardian", "handover"],
    QueryParameter(description="Why; it is written down. A choice of facts, since words do not belong in an address."),
]


@post(
    "/wellbeing/schools/{school:uuid}/screenings/plan",
    permission=IMPORT,
    keyless=True,
    operation_id="mentor_plan_screenings",
    summary="Look at a file of screening results: what it would add, and what is wrong by row and column",
    status_code=200,
)
async def plan_screenings(call: Call, school: FromPath[UUID], request: Request[Any, Any, Any], file: File) -> Plan:
    _counsellor_of(call, school)
    return await screening.plan(
        await call.context(), school=school, content=await request.body(), file=file, language=call.language
    )


@post(
    "/wellbeing/schools/{school:uuid}/screenings",
    permission=IMPORT,
    operation_id="mentor_take_screenings",
    summary="Take in the file that was looked at: all of its rows, or none",
)
async def take_screenings(
    call: Call, school: FromPath[UUID], request: Request[Any, Any, Any], file: File, digest: Digest
) -> Plan:
    _counsellor_of(call, school)
    return await screening.apply(
        await call.context(),
        school=school,
        content=await request.body(),
        file=file,
        digest=digest,
        by=call.principal.person,
        language=call.language,
    )


def _counsellor_of(call: Call, school: UUID) -> None:
    if school not in schools_as(call.principal, "counselor"):
        raise ProblemError("not-found")


@get(
    "/wellbeing/screenings/mine",
    permission=KEEP,
    operation_id="mentor_read_my_screenings",
    summary="A pupil's own scores, with how to take them",
)
async def my_screenings(call: Call) -> list[OwnResult]:
    call.opened_record(call.actor, ground="oneself")
    return await results.own_results(await call.context(), student=call.principal.person, language=call.language)


@get(
    "/wellbeing/students/{student:uuid}/screenings",
    permission=READ,
    operation_id="mentor_read_screenings",
    summary="A pupil's results, for the counsellor who has the case",
)
async def read_screenings(call: Call, student: FromPath[UUID]) -> list[ResultOut]:
    found, right = await results.results_of(
        await call.context(), call.principal, student=student, language=call.language
    )
    call.opened_record(f"person:{student}", ground=GROUNDS[right.ground].en, what="screening")
    return found


@get(
    "/wellbeing/students/{student:uuid}/screenings/as-lead",
    permission=READ,
    operation_id="mentor_read_screenings_as_lead",
    summary="A pupil's results case by case, for the school's lead, with a reason",
)
async def read_screenings_as_lead(call: Call, student: FromPath[UUID], reason: Reason) -> list[ResultOut]:
    found = await results.results_of_lead(await call.context(), call.principal, student=student, language=call.language)
    call.opened_record(f"person:{student}", ground=GROUNDS["lead"].en, what="screening", reason=reason)
    return found


@get(
    "/wellbeing/schools/{school:uuid}/levels",
    permission=READ,
    operation_id="mentor_list_levels",
    summary="The pupils whose last level is not normal, for a school's counsellors and its lead",
)
async def list_levels(call: Call, school: FromPath[UUID]) -> list[LevelOut]:
    found = await results.levels_of(await call.context(), call.principal, school=school)
    for one in found:
        call.opened_record(f"person:{one.student}", what="level")
    return found


@get(
    "/wellbeing/figures",
    permission=FIGURES,
    operation_id="mentor_read_screening_figures",
    summary="How many pupils by level, of one's schools; none about fewer than ten",
)
async def read_figures(call: Call) -> list[FigureOut]:
    return await results.figures_for(await call.context(), call.principal)


SCREENING_ROUTES = [
    plan_screenings,
    take_screenings,
    my_screenings,
    read_screenings,
    read_screenings_as_lead,
    list_levels,
    read_figures,
]
