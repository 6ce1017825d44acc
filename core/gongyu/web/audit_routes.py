"""Looking into the audit log over HTTP; taking a part of it out is written into it."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import Router, get
from litestar.params import FromQuery, Parameter
from litestar.response import Stream

from gongyu.access import audit
from gongyu.access.audit_search import AuditQuery, Line, export, search
from gongyu.text import Text
from gongyu.web.call import Call
from gongyu.web.door import NO_STORE
from gongyu.web.paging import Cursor, Limit, Page
from gongyu.web.problems import ProblemError

__all__ = ["audit_routes"]

_READ: Final = "district.audit.read"
_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

Word = Annotated[str | None, Parameter(max_length=200)]


@get("/", permission=_READ, operation_id="search_audit", summary="Lines of the audit log, newest first")
async def search_audit(
    call: Call,
    *,
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    begins: FromQuery[datetime | None] = None,
    ends: FromQuery[datetime | None] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Line]:
    """`action` may name a whole area, such as `sign_in.*`."""
    query = _query(actor, action, subject, begins, ends)
    before = None
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):  # noqa: PLR2004 - a number of 64 bits
            raise ProblemError("bad-cursor", Text(zh="请从第一页重新开始", en="start again from the first page"))
        before = int(cursor)
    lines = await search(await call.db(), query, limit=limit + 1, before=before)
    shown = lines[:limit]
    return Page(shown, str(shown[-1].seq) if len(lines) > limit else None)


@get(
    "/export", permission=_READ, operation_id="export_audit", summary="A part of the audit log as a file, oldest first"
)
async def export_audit(
    call: Call,
    *,
    form: FromQuery[Literal["csv", "jsonl"]] = "csv",
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    begins: FromQuery[datetime | None] = None,
    ends: FromQuery[datetime | None] = None,
) -> Stream:
    query = _query(actor, action, subject, begins, ends)
    asked = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
    await audit.append(
        call.platform.database,
        call.district,
        action="audit.exported",
        actor=call.actor,
        ground=_READ,
        details={"form": form, **asked},
    )
    headers = {**NO_STORE, "content-disposition": f'attachment; filename="audit-{call.district.slug}.{form}"'}
    return Stream(export(await call.db(), query, form=form), media_type=_MEDIA[form], headers=headers)


def _query(
    actor: str | None, action: str | None, subject: str | None, begins: datetime | None, ends: datetime | None
) -> AuditQuery:
    naive = [name for name, moment in (("begins", begins), ("ends", ends)) if moment and moment.tzinfo is None]
    if naive:
        text = Text(zh="应为带时区的时间", en="a time that names its zone is expected")
        raise ProblemError("invalid", errors=[(name, text) for name in naive])
    return AuditQuery(actor=actor, action=action, subject=subject, begins=begins, ends=ends)


def audit_routes() -> Router:
    return Router("/audit", route_handlers=[search_audit, export_audit], tags=["audit"])
