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
from gongyu.printing.document import render
from gongyu.web import ProblemError
from gongyu_points import statements
from gongyu_points.books import account_id, read
from gongyu_points.notes import opened

__all__ = ["Statement", "as_pdf", "as_workbook", "class_workbook", "statement"]

_TEMPLATE: Final = Path(__file__).with_name("statement.typ")

_KINDS: Final = {
    "award": Text(zh="奖励", en="award"),
    "deposit": Text(zh="积分券入账", en="voucher"),
    "redeem": Text(zh="兑换", en="spent"),
    "hold": Text(zh="下单暂扣", en="held for an order"),
    "release": Text(zh="退回", en="given back"),
    "reverse": Text(zh="冲正", en="reversed"),
    "expire": Text(zh="学期结转清零", en="expired"),
}

# The balance is added up over everything before the period is cut out.
_ALL: Final = """
SELECT * FROM (
  SELECT e.seq, e.at, e.kind, e.operation, n.text AS note, coalesce(r.zh, '') AS zh, coalesce(r.en, '') AS en,
         CASE WHEN e.credit = $1::uuid THEN e.points ELSE -e.points END AS points,
         sum(CASE WHEN e.credit = $1::uuid THEN e.points ELSE -e.points END) OVER (ORDER BY e.seq)::bigint AS balance
    FROM {s}.points_entry AS e LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
    LEFT JOIN {s}.points_note AS n ON n.operation = e.operation
   WHERE $1::uuid IN (e.debit, e.credit)) AS lined
 WHERE at >= $2::timestamptz AND at < $3::timestamptz ORDER BY seq"""

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
    """A student's purse over a period, oldest first, as people read it."""

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
) -> Statement:
    """Gather a statement; who may read it has been settled.

    Raises:
        ProblemError: `not-found`.
    """
    zone = ZoneInfo(district.timezone)
    since = datetime.combine(begins, datetime.min.time(), zone)
    until = datetime.combine(date.fromordinal(ends.toordinal() + 1), datetime.min.time(), zone)
    who = await read(connection, district, _WHO, student, ends)
    if not who:
        raise ProblemError("not-found")
    rows = await read(connection, district, _ALL, account_id("purse", owner=student), since, until)
    lines = [
        _Line(
            day=f"{row.at.astimezone(zone):%Y-%m-%d}",
            what=_what(row.kind, row.zh, opened(seals, row.operation, row.note)),
            income=str(row.points) if row.points > 0 else "",
            outgo=str(-row.points) if row.points < 0 else "",
            balance=row.balance,
        )
        for row in rows
    ]
    balance = (await statements.purse(connection, district, student=student)).balance
    made = f"{district.name}　{now.astimezone(zone):%Y-%m-%d %H:%M}"
    return Statement(who[0].name, who[0].school, f"{begins} – {ends}", balance, lines, made)


def _what(kind: str, reason: str, note: str) -> str:
    named = _KINDS.get(kind)
    return "　".join(filter(None, [named.zh if named else kind, reason, note]))


async def as_pdf(statement: Statement, *, now: datetime) -> bytes:
    """On paper.

    Raises:
        MissingGlyphError: A name or note has a character that no font can draw.
    """
    title = f"德育积分对账单 {statement.name}"
    return await asyncio.to_thread(render, _TEMPLATE, statement, title=title, created=now)


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
