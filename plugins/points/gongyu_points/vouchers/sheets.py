"""What became of the sheets: for whoever printed them, and for the school."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.database.reading import within_orgs
from gongyu.plugin import District
from gongyu.web import Call, Page, Paged, ProblemError
from gongyu_points.books import read
from gongyu_points.models import Entry, Note, Reason, Term
from gongyu_points.notes import opened
from gongyu_points.vouchers.models import Sheet, Voucher
from gongyu_points.vouchers.schemas import CountOut, SheetOut, VoucherOut

__all__ = ["Head", "head", "of_school", "own", "sheet_of", "vouchers_of"]

_TODAY: Final = sa.bindparam("today", type_=sa.Date())
#: What holds a voucher says what it is; what nothing holds is open while it is taken somewhere.
_state: Final = sa.case(
    (Entry.kind == "deposit", "deposited"),
    (Entry.kind == "void", "void"),
    (sa.or_(Sheet.expires_on < _TODAY, Term.state != "open"), "expired"),
    else_="open",
)


def _counted() -> sa.Select[*tuple[Any, ...]]:
    figures: list[sa.ColumnElement[int]] = []
    for name in ("deposited", "void", "expired", "open"):
        worth = sa.func.coalesce(sa.func.sum(Voucher.points).filter(_state == name), 0)
        figures.append(sa.func.count().filter(_state == name).label(f"{name}_vouchers"))
        figures.append(sa.cast(worth, BIGINT).label(f"{name}_points"))
    return (
        sa.select(Sheet, Reason.code, Note.text, *figures, _PLACE)
        .join(Reason, Reason.id == Sheet.reason_id)
        .join(Term, Term.id == Sheet.term_id)
        .join(Voucher, Voucher.sheet_id == Sheet.id)
        .outerjoin(Entry, Entry.id == Voucher.entry_id)
        .outerjoin(Note, Note.operation == Sheet.id)
        .group_by(Sheet.id, Reason.code, Note.operation)
    )


def _out(row: asyncpg.Record | Mapping[str, Any], seals: Seals) -> SheetOut:
    counts = {
        name: CountOut(row[f"{name}_vouchers"], row[f"{name}_points"])
        for name in ("deposited", "void", "expired", "open")
    }
    printed = CountOut(sum(one.vouchers for one in counts.values()), sum(one.points for one in counts.values()))
    return SheetOut(
        id=row["id"],
        term=row["term_id"],
        printer=row["printer"],
        org=row["org_id"],
        reason=row["code"],
        note=opened(seals, row["id"], row["text"]),
        printed_at=row["at"],
        expires_on=row["expires_on"],
        printed=printed,
        **counts,
    )


_PLACE: Final = sa.cast(-sa.func.extract("epoch", Sheet.at) * 1_000_000, BIGINT).label("place")
_PRINTER: Final = sa.bindparam("printer", type_=sa.Uuid())


def _as_it_is(row: asyncpg.Record) -> asyncpg.Record:
    return row


_OWN: Final = Paged(_counted().where(Sheet.printer == _PRINTER), key=[_PLACE, Sheet.id], row=_as_it_is)
_OF_SCHOOL: Final = Paged(_counted().where(within_orgs(Sheet.org_id)), key=[_PLACE, Sheet.id], row=_as_it_is)
_ONE: Final = _counted().where(Sheet.id == sa.bindparam("sheet", type_=sa.Uuid()))


async def own(call: Call, *, limit: int, cursor: str | None, today: date) -> Page[SheetOut]:
    """What the caller printed, newest first."""
    printer = call.principal.person
    page = await _OWN.page(call, limit=limit, cursor=cursor, printer=printer, today=today)
    return Page([_out(row, call.seals) for row in page.items], page.next)


async def of_school(call: Call, *, limit: int, cursor: str | None, today: date) -> Page[SheetOut]:
    """What was printed where the caller's permission holds, newest first."""
    orgs = None if call.orgs is None else list(call.orgs)
    page = await _OF_SCHOOL.page(call, limit=limit, cursor=cursor, orgs=orgs, today=today)
    return Page([_out(row, call.seals) for row in page.items], page.next)


class Head(NamedTuple):
    """Whose a sheet is, and what its paper says; the note as it is sealed."""

    printer: UUID
    org: UUID | None
    school: str
    reason_zh: str
    reason_en: str
    note: bytes | None
    expires_on: date


async def head(connection: AsyncConnection, district: District, *, sheet: UUID) -> Head:
    """Of a sheet.

    Raises:
        ProblemError: `not-found`.
    """
    rows = await read(
        connection,
        district,
        "SELECT s.printer, s.org_id, coalesce(o.name, ''), r.zh, r.en, n.text, s.expires_on "
        "FROM {s}.points_sheet AS s JOIN {s}.points_reason AS r ON r.id = s.reason_id "
        "LEFT JOIN {s}.org AS o ON o.id = s.org_id "
        "LEFT JOIN {s}.points_note AS n ON n.operation = s.id WHERE s.id = $1::uuid",
        sheet,
    )
    if not rows:
        raise ProblemError("not-found")
    return Head(*rows[0])


async def sheet_of(connection: AsyncConnection, seals: Seals, *, sheet: UUID, today: date) -> SheetOut:
    """A sheet with its counts; it must be there."""
    row = (await connection.execute(_ONE, {"sheet": sheet, "today": today})).mappings().one()
    return _out({str(name): value for name, value in row.items()}, seals)


async def vouchers_of(connection: AsyncConnection, *, sheet: UUID, today: date) -> list[VoucherOut]:
    """Each voucher by its number: where it is, never whose purse it went to."""
    found = (
        sa.select(Voucher.number, Voucher.points, _state.label("state"))
        .join(Sheet, Sheet.id == Voucher.sheet_id)
        .join(Term, Term.id == Sheet.term_id)
        .outerjoin(Entry, Entry.id == Voucher.entry_id)
        .where(Sheet.id == sheet)
        .order_by(Voucher.number)
    )
    return [VoucherOut(*row) for row in await connection.execute(found, {"today": today})]
