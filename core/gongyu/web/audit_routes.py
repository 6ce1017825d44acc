"""Looking into the audit log over HTTP; taking a part of it out is written into it."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import Router, get
from litestar.params import Parameter
from litestar.response import Stream

from gongyu.access import audit
from gongyu.access.audit_search import AuditQuery, LoggedLine, export, search
from gongyu.text import Text
from gongyu.web import Call
from gongyu.web.door import NO_STORE
from gongyu.web.paging import Cursor, Limit, Page
from gongyu.web.problems import ProblemError

__all__ = ["audit_routes"]

_READ: Final = "district.audit.read"
_EXPORT: Final = "district.audit.export"
_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

Word = Annotated[str | None, Parameter(max_length=200)]
#: Read by hand: a time without its zone, or the word "null", would pass for one otherwise.
Moment = Annotated[str | None, Parameter(max_length=64, schema_extra={"format": "date-time"})]


@get("/", permission=_READ, operation_id="search_audit", summary="Lines of the audit log, newest first")
async def search_audit(
    call: Call,
    *,
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    begins: Moment = None,
    ends: Moment = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[LoggedLine]:
    """`action` may name a whole area, such as `sign_in.*`."""
    query = _query(actor, action, subject, begins, ends)
    _note(call, "audit.searched", query)
    before = None
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):  # noqa: PLR2004 - a number of 64 bits
            raise ProblemError("bad-cursor", Text(zh="请从第一页重新开始", en="start again from the first page"))
        before = int(cursor)
    lines = await search(await call.db(), query, limit=limit + 1, before=before)
    shown = lines[:limit]
    return Page(shown, str(shown[-1].seq) if len(lines) > limit else None)


@get(
    "/export.csv",
    permission=_EXPORT,
    operation_id="export_audit_csv",
    summary="A part of the audit log for a spreadsheet, oldest first",
    media_type="text/csv",
)
async def export_csv(
    call: Call,
    *,
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    begins: Moment = None,
    ends: Moment = None,
) -> Stream:
    return await _export(call, "csv", _query(actor, action, subject, begins, ends))


@get(
    "/export.jsonl",
    permission=_EXPORT,
    operation_id="export_audit_jsonl",
    summary="A part of the audit log for a program, a line each, oldest first",
    media_type="application/x-ndjson",
)
async def export_jsonl(
    call: Call,
    *,
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    begins: Moment = None,
    ends: Moment = None,
) -> Stream:
    return await _export(call, "jsonl", _query(actor, action, subject, begins, ends))


async def _export(call: Call, form: Literal["csv", "jsonl"], query: AuditQuery) -> Stream:
    _note(call, "audit.exported", query, _EXPORT, form=form)
    headers = {**NO_STORE, "content-disposition": f'attachment; filename="audit-{call.district.slug}.{form}"'}
    return Stream(export(await call.db(), query, form=form), media_type=_MEDIA[form], headers=headers)


def _note(call: Call, action: str, query: AuditQuery, ground: str = _READ, **details: object) -> None:
    """That the log was looked into, and for what. Not by `opened_record`: both call things `action` and `subject`."""
    asked = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
    call.openings.append(audit.Line(action=action, actor=call.actor, ground=ground, details=details | asked))


def _query(
    actor: str | None, action: str | None, subject: str | None, begins: str | None, ends: str | None
) -> AuditQuery:
    errors: list[tuple[str, Text]] = []
    moments = [_moment(name, said, errors) for name, said in (("begins", begins), ("ends", ends))]
    if errors:
        raise ProblemError("invalid", errors=errors)
    return AuditQuery(actor=actor, action=action, subject=subject, begins=moments[0], ends=moments[1])


def _moment(name: str, said: str | None, errors: list[tuple[str, Text]]) -> datetime | None:
    if said is None:
        return None
    try:
        moment: datetime = msgspec.convert(said, Annotated[datetime, msgspec.Meta(tz=True)])
    except msgspec.ValidationError:
        expected = Text(
            zh="应为带时区的时间，如 2026-09-01T08:00:00Z",
            en="a time with its zone is expected, such as 2026-09-01T08:00:00Z",
        )
        errors.append((name, expected))
        return None
    return moment


def audit_routes() -> Router:
    return Router("/audit", route_handlers=[search_audit, export_csv, export_jsonl], tags=["audit"])
