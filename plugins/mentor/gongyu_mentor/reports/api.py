"""Mandatory reports over HTTP: thin handlers."""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.plugin import SignedIn, Text
from gongyu.web import Call, Limit, Page, ProblemError
from gongyu_mentor.letters.offices import desk_of
from gongyu_mentor.reports import handling, opening
from gongyu_mentor.reports.kinds import KINDS, PAPER
from gongyu_mentor.reports.schemas import (
    Addition,
    KindOut,
    KindsOut,
    MyReport,
    NewReport,
    ReportMade,
    ReportOut,
    ReportRow,
    StepIn,
    SuspectsIn,
)

__all__ = ["ROUTES"]

HANDLE = "mentor.report.handle"
ADULTS = SignedIn("every adult who is with children must report harm, and needs nobody's leave")
MADE = SignedIn("one's own report, or one on one's desk; filtered in the query")


def _adult(call: Call) -> UUID:
    if any(one.role == "student" for one in call.principal.memberships):
        text = Text(
            zh="请告诉一位你信任的大人，或写悄悄话；也可拨打求助电话",
            en="tell a grown-up you trust, or write a letter; the lines for help are there too",
        )
        raise ProblemError("forbidden", text)
    return call.principal.person


@get("/reports/kinds", permission=ADULTS, operation_id="mentor_list_report_kinds", summary="What is to be reported")
async def list_kinds(call: Call) -> KindsOut:
    kinds = [KindOut(name, title.pick(call.language)) for name, title in KINDS.items()]
    return KindsOut(kinds, PAPER.pick(call.language))


@post("/reports", permission=ADULTS, operation_id="mentor_make_report", summary="Report harm to a pupil: who, and what")
async def make_report(call: Call, data: JSONBody[NewReport]) -> ReportMade:
    made, due_at = await opening.make(await call.context(), report=data, by=_adult(call))
    return ReportMade(id=made, due_at=due_at, paper=PAPER.pick(call.language))


@get("/reports/mine", permission=ADULTS, operation_id="mentor_list_my_reports", summary="The reports one has made")
async def list_my_reports(call: Call) -> list[MyReport]:
    return await handling.made_by(await call.context(), call.principal.person)


@post(
    "/reports/{report:uuid}/additions",
    permission=MADE,
    operation_id="mentor_add_to_report",
    summary="Add to a report; what stands is never changed",
    status_code=204,
)
async def add_to_report(call: Call, report: FromPath[UUID], data: JSONBody[Addition]) -> None:
    await handling.add(await call.context(), report, desk=desk_of(call.principal), words=data.words)


@post(
    "/reports/{report:uuid}/suspects",
    permission=MADE,
    operation_id="mentor_name_suspects",
    summary="Name people under suspicion: from now on they see nothing of it",
    status_code=204,
)
async def name_suspects(call: Call, report: FromPath[UUID], data: JSONBody[SuspectsIn]) -> None:
    await handling.suspect(await call.context(), report, desk=desk_of(call.principal), suspects=data.suspects)


@get("/reports", permission=HANDLE, operation_id="mentor_list_reports", summary="The reports on one's desk")
async def list_reports(call: Call, limit: Limit = 50, after: FromQuery[UUID | None] = None) -> Page[ReportRow]:
    found = await handling.reports_of(await call.context(), desk=desk_of(call.principal), limit=limit + 1, after=after)
    for one in found[:limit]:
        call.opened_record(_subject(one), report=str(one.id))
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


@get("/reports/{report:uuid}", permission=HANDLE, operation_id="mentor_read_report", summary="A report and its steps")
async def read_report(call: Call, report: FromPath[UUID]) -> ReportOut:
    found = await handling.read(await call.context(), report, desk=desk_of(call.principal), language=call.language)
    call.opened_record(_subject(found), report=str(report))
    return found


def _subject(row: ReportRow) -> str:
    return f"person:{row.student}" if row.student else f"report:{row.id}"


@post(
    "/reports/{report:uuid}/steps",
    permission=HANDLE,
    operation_id="mentor_take_report_step",
    summary="Note a step: taken up, police informed, guardians informed or not and why, closed",
    status_code=204,
)
async def take_step(call: Call, report: FromPath[UUID], data: JSONBody[StepIn]) -> None:
    await handling.take_step(await call.context(), report, desk=desk_of(call.principal), step=data)
    call.opened_record(f"report:{report}", step=data.what)


ROUTES = [
    list_kinds,
    make_report,
    list_my_reports,
    add_to_report,
    name_suspects,
    list_reports,
    read_report,
    take_step,
]
