"""What people take home: a student's statement as Excel or on paper, and a class's equity view as Excel."""

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.plugin import District, Text
from gongyu.printing import workbook
from gongyu.printing.document import MissingGlyphError, render
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_points import statements
from gongyu_points.books import KINDS, account_id, read
from gongyu_points.notes import opened

__all__ = ["Statement", "as_pdf", "as_workbook", "class_workbook", "statement"]

_TEMPLATE: Final = Path(__file__).with_name("statement.typ")

# The balance is added up over everything until the period ends, before what comes ahead of it is cut away.
_ALL: Final = """
SELECT * FROM (
  SELECT e.seq, e.at, e.kind, e.operation, n.text AS note, coalesce(r.zh, '') AS zh, coalesce(r.en, '') AS en,
         CASE WHEN e.credit = $1::uuid THEN e.points ELSE -e.points END AS points,
         sum(CASE WHEN e.credit = $1::uuid THEN e.points ELSE -e.points END) OVER (ORDER BY e.seq)::bigint AS balance
    FROM {s}.points_entry AS e LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
    LEFT JOIN {s}.points_note AS n ON n.operation = e.operation
   WHERE $1::uuid IN (e.debit, e.credit) AND e.at < $3::timestamptz) AS lined
 WHERE at >= $2::timestamptz ORDER BY seq"""

_BROUGHT: Final = """
SELECT coalesce(sum(CASE WHEN credit = $1::uuid THEN points ELSE -points END), 0)::bigint AS points
  FROM {s}.points_entry WHERE $1::uuid IN (debit, credit) AND at < $2::timestamptz"""

_WHO: Final = """
SELECT p.name, coalesce(min(o.name), '') AS school
  FROM {s}.person AS p
  LEFT JOIN {s}.membership AS m ON m.person_id = p.id AND m.role = 'student'
        AND m.begins_on <= $2::date AND (m.ends_on IS NULL OR m.ends_on >= $2::date)
  LEFT JOIN {s}.org AS o ON o.id = m.org_id
 WHERE p.id = $1::uuid GROUP BY p.name"""


class _Line(msgspec.Struct, frozen=True):
    day: str
    what: str
    income: str
    outgo: str
    balance: int


class Statement(msgspec.Struct, frozen=True):
    """A student's purse over a period, oldest first, as people read it; `balance` is the one at its end."""

    name: str
    school: str
    period: str
    balance: int
    lines: list[_Line]
    made: str


async def statement(
    connection: AsyncConnection,
    district: District,
    seals: Seals,
    *,
    student: UUID,
    begins: date,
    ends: date,
    now: datetime,
    language: Language,
) -> Statement:
    """Gather a statement; who may read it has been settled.

    Args:
        connection: For reading.
        district: Whose books.
        seals: That open the notes.
        student: Whose purse.
        begins: The first day, by the district's clock.
        ends: The last.
        now: When the paper is made.
        language: What the lines are in.

    Raises:
        ProblemError: `not-found`.
    """
    zone = ZoneInfo(district.timezone)
    since = datetime.combine(begins, datetime.min.time(), zone)
    until = datetime.combine(date.fromordinal(ends.toordinal() + 1), datetime.min.time(), zone)
    who = await read(connection, district, _WHO, student, ends)
    if not who:
        raise ProblemError("not-found")
    purse = account_id("purse", owner=student)
    rows = await read(connection, district, _ALL, purse, since, until)
    lines = [
        _Line(
            day=f"{row.at.astimezone(zone):%Y-%m-%d}",
            what=_what(
                KINDS[row.kind].pick(language),
                Text(zh=row.zh, en=row.en).pick(language),
                opened(seals, row.operation, row.note),
            ),
            income=str(row.points) if row.points > 0 else "",
            outgo=str(-row.points) if row.points < 0 else "",
            balance=row.balance,
        )
        for row in rows
    ]
    balance = lines[-1].balance if lines else (await read(connection, district, _BROUGHT, purse, until))[0].points
    made = f"{district.name}　{now.astimezone(zone):%Y-%m-%d %H:%M}"
    return Statement(who[0].name, who[0].school, f"{begins} – {ends}", balance, lines, made)


def _what(*said: str) -> str:
    return "　".join(filter(None, said))


async def as_pdf(statement: Statement, *, now: datetime) -> bytes:
    """On paper.

    Raises:
        MissingGlyphError: A name has a character that no font can draw.
    """
    return await asyncio.to_thread(_printed, statement, now)


def _printed(statement: Statement, now: datetime) -> bytes:
    """A name is printed as it is, or not at all. What somebody once wrote beside an entry can be changed by nobody, and
    must not keep a pupil from their statement: a character of it without a glyph is told by its code point.
    """
    title = f"德育积分对账单 {statement.name}"
    try:
        return render(_TEMPLATE, statement, title=title, created=now)
    except MissingGlyphError as error:
        if not all(one.where.startswith("/lines/") for one in error.missing):
            raise
        told = str.maketrans({one.character: f"[{one.code_point}]" for one in error.missing})
        lines = [msgspec.structs.replace(line, what=line.what.translate(told)) for line in statement.lines]
        return render(_TEMPLATE, msgspec.structs.replace(statement, lines=lines), title=title, created=now)


async def as_workbook(statement: Statement) -> bytes:
    """As a sheet."""
    columns = [
        Text(zh="日期", en="date"),
        Text(zh="摘要", en="what for"),
        Text(zh="收入", en="in"),
        Text(zh="支出", en="out"),
        Text(zh="余额", en="balance"),
    ]
    rows = [
        (line.day, line.what, *(int(side) if side else None for side in (line.income, line.outgo)), line.balance)
        for line in statement.lines
    ]
    table = workbook.Table(statement.name, columns, rows, widths=(12, 40, 8, 8, 8))
    return await asyncio.to_thread(workbook.render, table)


async def class_workbook(connection: AsyncConnection, district: District, *, class_id: UUID, today: date) -> bytes:
    """Who has not been seen this term, in the class list's order: no sums to compare."""
    view = await statements.class_view(connection, district, class_id=class_id, today=today)
    zone = ZoneInfo(district.timezone)
    columns = [
        Text(zh="姓名", en="name"),
        Text(zh="本学期得到次数", en="times rewarded this term"),
        Text(zh="最近一次", en="last time"),
    ]
    rows = [
        (one.name, one.awards, f"{one.last.astimezone(zone):%Y-%m-%d}" if one.last else None) for one in view.pupils
    ]
    table = workbook.Table("全班 class", columns, rows, widths=(16, 24, 14))
    return await asyncio.to_thread(workbook.render, table)
