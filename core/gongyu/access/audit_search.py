"""Looking into the audit log, and taking it out: for the audit administrator and the yearly report."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access import audit
from gongyu.access.models import AuditLine

__all__ = ["AuditQuery", "LoggedLine", "export", "search"]


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; what is left out does not narrow.

    Attributes:
        action: An action, or a whole area such as `sign_in.*`.
        begins: Lines from this moment on.
        ends: Lines before this moment.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None


class LoggedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is shown and exported; the hash lets it be matched with the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    ground: str
    details: dict[str, Any]
    hash: str


def _matching(query: AuditQuery) -> sa.Select[Any]:
    table = AuditLine.__table__
    found = sa.select(*(column for column in table.columns if column.name != "previous"))
    if query.actor is not None:
        found = found.where(AuditLine.actor == query.actor)
    if query.subject is not None:
        found = found.where(AuditLine.subject == query.subject)
    if query.action is not None:
        area = query.action.removesuffix("*")
        whole = area == query.action
        found = found.where(AuditLine.action == area if whole else AuditLine.action.startswith(area, autoescape=True))
    if query.begins is not None:
        found = found.where(AuditLine.at >= query.begins)
    if query.ends is not None:
        found = found.where(AuditLine.at < query.ends)
    return found


def _line(row: Mapping[Any, Any]) -> LoggedLine:
    return LoggedLine(
        seq=row["seq"],
        at=row["at"].astimezone(UTC),
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        ground=row["ground"],
        details=row["details"],
        hash=row["hash"].hex(),
    )


async def search(
    connection: AsyncConnection, query: AuditQuery, *, limit: int = 50, before: int | None = None
) -> list[LoggedLine]:
    """Matching lines, newest first; `before` (the last number seen) asks for the next page."""
    found = _matching(query).order_by(AuditLine.seq.desc()).limit(limit)
    if before is not None:
        found = found.where(AuditLine.seq < before)
    return [_line(row) for row in (await connection.execute(found)).mappings()]


async def export(
    connection: AsyncConnection, query: AuditQuery, *, form: Literal["csv", "jsonl"]
) -> AsyncIterator[bytes]:
    """Matching lines, oldest first, in pieces: a year of a district does not fit in memory.

    The CSV is for spreadsheets: UTF-8 with a BOM, which Excel wants, and no cell that it would run as a formula
    (OWASP CSV injection).
    """
    if form == "csv":
        yield b"\xef\xbb\xbf" + _csv_row(list(LoggedLine.__struct_fields__))
    async for row in audit.pages(connection, _matching(query)):
        line = _line(row)
        if form == "jsonl":
            yield msgspec.json.encode(line) + b"\n"
        else:
            cells = msgspec.structs.asdict(line) | {"at": line.at.isoformat()}
            cells["details"] = msgspec.json.encode(line.details, order="sorted").decode()
            yield _csv_row([_harmless(str(cell)) for cell in cells.values()])


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _csv_row(cells: list[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()
