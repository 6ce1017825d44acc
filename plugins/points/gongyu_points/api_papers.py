"""Statements and class views to take home, and the statements of what is not a purse, over HTTP."""

from datetime import date, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from gongyu.printing.workbook import XLSX
from gongyu.text import Text
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu_points import papers, statements
from gongyu_points.calendar import today_of
from gongyu_points.schemas import EntryOut
from gongyu_points.seeing import require_account, require_class, require_student

__all__ = ["ROUTES"]

_READ: Final = "points.statement.read"
_YEAR: Final = timedelta(days=366)
#: Within these days every clock of the world can say when a day begins; nobody's points are older or younger.
_DAYS: Final = (date(1900, 1, 1), date(2999, 12, 31))

Since = Annotated[date | None, QueryParameter(description="First day; a year before the last where it is left out.")]
Until = Annotated[date | None, QueryParameter(description="Last day; today where it is left out.")]
Of = Annotated[UUID | None, QueryParameter(description="Of a quota: which term's; the latest where it is left out.")]


def _file(content: bytes, name: str, media_type: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _require_days(**days: date | None) -> None:
    first, last = _DAYS
    expected = Text(zh="应在 {first} 与 {last} 之间", en="a day from {first} to {last} is expected")
    wrong = [name for name, day in days.items() if day is not None and not first <= day <= last]
    if wrong:
        raise ProblemError("invalid", errors=[(name, expected.format(first=first, last=last)) for name in wrong])


async def _statement(call: Call, student: UUID, since: date | None, until: date | None) -> papers.Statement:
    today = today_of(call)
    await require_student(call, student, today=today)
    _require_days(since=since, until=until)
    ends = until or today
    return await papers.statement(
        await call.db(),
        call.district,
        call.seals,
        student=student,
        begins=since or ends - _YEAR,
        ends=ends,
        now=call.now,
        language=call.language,
    )


@get(
    "/students/{student:uuid}/statement.pdf",
    permission=_READ,
    operation_id="points_print_statement",
    title=Text(zh="学生的积分对账单（PDF）", en="A student's statement on paper (PDF)"),
)
async def print_statement(
    call: Call, student: FromPath[UUID], since: Since = None, until: Until = None
) -> Response[bytes]:
    content = await papers.as_pdf(await _statement(call, student, since, until), now=call.now)
    return _file(content, "statement.pdf", "application/pdf")


@get(
    "/students/{student:uuid}/statement.xlsx",
    permission=_READ,
    operation_id="points_export_statement",
    title=Text(zh="学生的积分明细（Excel）", en="A student's statement (Excel)"),
)
async def export_statement(
    call: Call, student: FromPath[UUID], since: Since = None, until: Until = None
) -> Response[bytes]:
    content = await papers.as_workbook(await _statement(call, student, since, until))
    return _file(content, "statement.xlsx", XLSX)


@get(
    "/classes/{class_id:uuid}/equity.xlsx",
    permission=_READ,
    operation_id="points_export_class",
    title=Text(zh="班里谁还没有得到过（Excel）", en="Who in a class never gets any (Excel)"),
)
async def export_class(call: Call, class_id: FromPath[UUID]) -> Response[bytes]:
    today = today_of(call)
    await require_class(call, class_id, today=today)
    content = await papers.class_workbook(await call.db(), call.district, class_id=class_id, today=today)
    return _file(content, "class.xlsx", XLSX)


@get(
    "/accounts/{owner:uuid}/statement",
    permission=_READ,
    operation_id="points_list_account",
    title=Text(
        zh="额度、预算或书坊驿站的明细与逐笔余额",
        en="A quota's, a budget's or a shop's entries with the balance after each",
    ),
)
async def list_account(
    call: Call, owner: FromPath[UUID], term: Of = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[EntryOut]:
    account, own = await require_account(call, owner, term=term)
    page = await statements.statement(call, account=account, limit=limit, cursor=cursor)
    # An office sees figures here. What was said of a pupil it reads with the pupil, where it is theirs to see.
    return page if own else Page([msgspec.structs.replace(entry, note="") for entry in page.items], page.next)


ROUTES = [list_account, print_statement, export_statement, export_class]
