"""What people see of the books: statements with a running balance, purses, quotas, and who never gets any."""

from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.districts.registry import DistrictState
from gongyu.plugin import District
from gongyu.web import Call, Page, Paged
from gongyu_points.books import account_id, read
from gongyu_points.models import Account, Budget, Entry, Note, Reason
from gongyu_points.notes import opened
from gongyu_points.schemas import BudgetOut, ClassOut, EntryOut, PupilOut, PurseOut, QuotaOut, TermOut
from gongyu_points.settings import PointsSettings, of_schools
from gongyu_points.terms import LATEST, quotas

__all__ = ["budgets", "class_view", "latest", "purse", "quota", "statement", "terms"]


def _lined() -> sa.Subquery:
    """The entries of one account with the balance after each; it is added up before the page is cut out."""
    account = sa.bindparam("account", type_=sa.Uuid())
    shared = (Entry.seq, Entry.id, Entry.operation, Entry.kind, Entry.reason_id, Entry.reverses, Entry.at)
    left = sa.select(*shared, (-Entry.points).label("points")).where(Entry.debit == account)
    came = sa.select(*shared, Entry.points.label("points")).where(Entry.credit == account)
    side = sa.union_all(left, came).subquery("side")
    balance = sa.cast(sa.func.sum(side.c.points).over(order_by=side.c.seq), BIGINT).label("balance")
    newest_first = (-side.c.seq).label("place")
    return sa.select(side, balance, newest_first).subquery("lined")


_LINES: Final = _lined()
_TAKEN_BACK: Final = sa.select(Entry.reverses.label("entry")).where(Entry.reverses.is_not(None)).subquery("taken_back")


def _out(row: asyncpg.Record, seals: Seals) -> EntryOut:
    return EntryOut(
        seq=str(row["seq"]),  # beyond 2^53 on a cluster (R9)
        id=row["id"],
        operation=row["operation"],
        kind=row["kind"],
        points=row["points"],
        balance=row["balance"],
        reason=row["code"],
        note=opened(seals, row["operation"], row["text"]),
        reverses=row["reverses"],
        reversed=row["entry"] is not None,
        at=row["at"],
    )


def _as_it_is(row: asyncpg.Record) -> asyncpg.Record:
    return row


_STATEMENT: Final = Paged(
    sa.select(_LINES, Reason.code, _TAKEN_BACK.c.entry, Note.text)
    .outerjoin(Reason, Reason.id == _LINES.c.reason_id)
    .outerjoin(_TAKEN_BACK, _TAKEN_BACK.c.entry == _LINES.c.id)
    .outerjoin(Note, Note.operation == _LINES.c.operation),
    key=[_LINES.c.place],
    row=_as_it_is,
)


async def statement(call: Call, *, account: UUID, limit: int, cursor: str | None) -> Page[EntryOut]:
    """The entries of an account, newest first."""
    page = await _STATEMENT.page(call, limit=limit, cursor=cursor, account=account)
    return Page([_out(row, call.seals) for row in page.items], page.next)


_EARNED: Final = """
SELECT r.dimension, r.code, sum(e.points)::bigint AS points
  FROM {s}.points_entry AS e JOIN {s}.points_reason AS r ON r.id = e.reason_id
  LEFT JOIN {s}.points_entry AS back ON back.reverses = e.id
 WHERE e.credit = $1::uuid AND e.kind IN ('award', 'deposit') AND back.id IS NULL
 GROUP BY r.dimension, r.code ORDER BY r.dimension, r.code"""


async def purse(connection: AsyncConnection, district: District, *, student: UUID) -> PurseOut:
    """Spendable and earned; a student who never got any has an empty purse, not none."""
    account = account_id("purse", owner=student)
    stored = await read(connection, district, "SELECT posted FROM {s}.points_account WHERE id = $1::uuid", account)
    by_dimension: dict[str, int] = {}
    by_reason: dict[str, int] = {}
    for dimension, code, points in await read(connection, district, _EARNED, account):
        by_dimension[dimension] = by_dimension.get(dimension, 0) + points
        by_reason[code] = points
    return PurseOut(student, stored[0].posted if stored else 0, sum(by_reason.values()), by_dimension, by_reason)


_QUOTA: Final = """
SELECT t.id AS term, c.ends_on, a.posted AS left_over, g.points AS granted
  FROM {s}.points_term AS t
  LEFT JOIN {s}.academic_session AS c ON c.id = t.id
  LEFT JOIN {s}.points_account AS a ON a.kind = 'quota' AND a.term_id = t.id AND a.owner_id = $1::uuid
  LEFT JOIN {s}.points_entry AS g ON g.credit = a.id AND g.kind = 'grant'
 WHERE t.state = 'open'"""

_BUDGETS: Final = """
SELECT b.id, b.title, b.term_id, b.org_id, b.holder_id, g.points, a.posted FROM {s}.points_budget AS b
  JOIN {s}.points_account AS a ON a.kind = 'budget' AND a.owner_id = b.id AND a.term_id = b.term_id
  JOIN {s}.points_entry AS g ON g.id = b.id
 WHERE b.holder_id = $1::uuid AND b.term_id = $2::uuid ORDER BY b.title, b.id"""


async def quota(
    connection: AsyncConnection, state: DistrictState, *, giver: UUID, settings: PointsSettings, today: date
) -> QuotaOut:
    """What one may still give.

    Args:
        connection: The district's.
        state: The district.
        giver: Who.
        settings: With the denominations of the giver's schools.
        today: The district's date.
    """
    worth: list[int] = list(settings.denominations)
    rows = await read(connection, state.district, _QUOTA, giver)
    if not rows:
        return QuotaOut(None, None, 0, 0, worth, [])
    term, ends_on, left, granted = rows[0]
    if granted is None:  # they came after the term had opened, and get theirs when they first give
        base, own = state.settings["points"], of_schools(state)
        wanted = await quotas(connection, settings=base, schools=own, today=today, person=giver)
        left = granted = wanted.get(giver, 0)
    budgets = [BudgetOut(*row) for row in await read(connection, state.district, _BUDGETS, giver, term)]
    return QuotaOut(term, ends_on, granted, left, worth, budgets)


async def latest(connection: AsyncConnection, district: District) -> UUID | None:
    """The term that runs, else the last one."""
    ((term,),) = await read(connection, district, f"SELECT {LATEST} AS term")
    return None if term is None else UUID(str(term))


def _budget(row: asyncpg.Record) -> BudgetOut:
    *said, _ = row
    return BudgetOut(*said)


# The grant has the budget's own id.
_HOLDER: Final[Any] = sa.bindparam("holder", type_=sa.Uuid())
_NEWEST: Final = (-Entry.seq).label("place")
_GRANTED: Final = Paged(
    sa.select(
        Budget.id,
        Budget.title,
        Budget.term_id,
        Budget.org_id,
        Budget.holder_id,
        Entry.points,
        Account.posted,
        _NEWEST,
    )
    .join(Entry, Entry.id == Budget.id)
    .join(Account, Account.id == Entry.credit)
    .where(sa.or_(_HOLDER.is_(None), Budget.holder_id == _HOLDER)),
    key=[_NEWEST],
    row=_budget,
)


async def budgets(call: Call, *, holder: UUID | None, limit: int, cursor: str | None) -> Page[BudgetOut]:
    """Budgets of all terms, newest first; of one holder, or everybody's."""
    return await _GRANTED.page(call, limit=limit, cursor=cursor, holder=holder)


_PUPILS: Final = """
SELECT p.id AS student, p.name, count(e.id) AS awards, max(e.at) AS last
  FROM {s}.enrolment AS m
  JOIN {s}.person AS p ON p.id = m.person_id
  LEFT JOIN {s}.points_account AS a ON a.kind = 'purse' AND a.owner_id = p.id
  LEFT JOIN {s}.points_entry AS e ON e.credit = a.id AND e.kind IN ('award', 'deposit')
        AND e.term_id = {latest}
        AND NOT EXISTS (SELECT 1 FROM {s}.points_entry AS back WHERE back.reverses = e.id)
 WHERE m.class_id = $1::uuid AND m.role = 'student' AND m.begins_on <= $2::date
   AND (m.ends_on IS NULL OR m.ends_on >= $2::date)
 GROUP BY p.id, p.name, m.number ORDER BY m.number NULLS LAST, p.name, p.id""".replace("{latest}", LATEST)


async def class_view(connection: AsyncConnection, district: District, *, class_id: UUID, today: date) -> ClassOut:
    """How often each pupil was rewarded in the latest term, in the order of the class list: no ranking, no sums."""
    pupils = [PupilOut(*row) for row in await read(connection, district, _PUPILS, class_id, today)]
    return ClassOut(class_id, pupils, sum(1 for pupil in pupils if pupil.awards == 0))


async def terms(connection: AsyncConnection, district: District) -> list[TermOut]:
    rows = await read(
        connection,
        district,
        "SELECT id, title, state, opened_at, closed_at FROM {s}.points_term ORDER BY opened_at DESC, id",
    )
    return [TermOut(*row) for row in rows]
