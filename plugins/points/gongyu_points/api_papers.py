"""Statements and class views to take home, over HTTP."""

from datetime import date, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from gongyu.printing.workbook import XLSX
from gongyu.text import Text
from gongyu.web import Call
from gongyu_points import papers
from gongyu_points.seeing import require_class, require_student

__all__ = ["ROUTES"]

_READ: Final = "points.statement.read"
_YEAR: Final = timedelta(days=366)

Since = Annotated[date | None, QueryParameter(description="First day; a year before the last where it is left out.")]
Until = Annotated[date | None, QueryParameter(description="Last day; today where it is left out.")]


def _today(call: Call) -> date:
    return call.now.astimezone(ZoneInfo(call.district.timezone)).date()


def _file(content: bytes, name: str, media_type: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


async def _statement(call: Call, student: UUID, since: date | None, until: date | None) -> papers.Statement:
    today = _today(call)
    await require_student(call, student, today=today)
    ends = until or today
    return await papers.statement(
        await call.db(),
        call.district,
        call.seals,
        student=student,
        begins=since or ends - _YEAR,
        ends=ends,
        now=call.now,
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
    today = _today(call)
    await require_class(call, class_id, today=today)
    content = await papers.class_workbook(await call.db(), call.district, class_id=class_id, today=today)
    return _file(content, "class.xlsx", XLSX)


ROUTES = [print_statement, export_statement, export_class]
