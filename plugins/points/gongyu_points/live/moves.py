"""What came into purses or left them, as a screen is told of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu_points.books import account_id, read

__all__ = ["BACK_SECONDS", "Lagging", "Moved", "moves_after", "moves_of", "newest", "number_before"]

#: Longer than any write of the books takes. Entries are numbered when written and seen when committed, so a lower
#: number may appear after a higher one, but not so long after it.
BACK_SECONDS: Final = 30
_MOST: Final = 1000


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Something came into a purse or left it. The same entry may be told again after a reconnect: go by `entry`."""

    seq: str
    entry: UUID
    student: UUID
    kind: str
    points: int
    reason: str | None
    at: datetime
    balance: int


class Lagging(Exception):  # noqa: N818 - not an error: the screen reads the purse anew
    """So much happened that a screen would not follow."""


_TOP: Final = "SELECT coalesce(max(seq), 0) AS top FROM {s}.points_entry"

# Where the numbers stood half a minute before an entry, or before now: at the first, going back, that is as old.
_BEFORE: Final = """
SELECT coalesce((SELECT e.seq FROM {s}.points_entry AS e
                  WHERE ($1::bigint IS NULL OR e.seq <= $1::bigint)
                    AND e.at < coalesce((SELECT at FROM {s}.points_entry WHERE seq = $1::bigint), now())
                               - make_interval(secs => $2::int)
                  ORDER BY e.seq DESC LIMIT 1), 0) AS low"""

_AFTER: Final = """
SELECT DISTINCT e.seq
  FROM unnest($1::uuid[]) AS mine(id)
 CROSS JOIN LATERAL ((SELECT seq FROM {s}.points_entry WHERE credit = mine.id AND seq > $2 ORDER BY seq LIMIT $3)
                     UNION ALL
                     (SELECT seq FROM {s}.points_entry WHERE debit = mine.id AND seq > $2 ORDER BY seq LIMIT $3)) AS e
 ORDER BY e.seq LIMIT $3"""

_MOVES: Final = """
SELECT e.seq, e.id, e.kind, e.points, e.debit, r.code, e.at, a.posted, a.owner_id, a.id AS account
  FROM {s}.points_entry AS e
 CROSS JOIN LATERAL (VALUES (e.debit), (e.credit)) AS side(account)
  JOIN {s}.points_account AS a ON a.id = side.account AND a.kind = 'purse'
  LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
 WHERE e.seq = ANY ((SELECT $1::bigint[])::bigint[])
 ORDER BY e.seq"""


async def newest(platform: Platform, district: District) -> int:
    """The number of the newest entry; 0 where there is none."""
    async with platform.database.read(district) as connection:
        ((top,),) = await read(connection, district, _TOP)
    return int(top)


async def number_before(connection: AsyncConnection, district: District, last: int | None) -> int:
    """The newest number half a minute before entry `last`, or before now; 0 where there is none."""
    ((low,),) = await read(connection, district, _BEFORE, last, BACK_SECONDS)
    return int(low)


async def moves_of(connection: AsyncConnection, district: District, numbers: Sequence[int]) -> list[tuple[UUID, Moved]]:
    """What entries of these numbers did, in their order: each purse's account with what it is told."""
    return [
        (
            row.account,
            Moved(
                seq=str(row.seq),  # beyond 2^53 on a cluster (R9)
                entry=row.id,
                student=row.owner_id,
                kind=row.kind,
                points=-row.points if row.debit == row.account else row.points,
                reason=row.code,
                at=row.at,
                balance=row.posted,
            ),
        )
        for row in await read(connection, district, _MOVES, numbers)
    ]


async def moves_after(
    platform: Platform, district: District, *, students: Iterable[UUID], last: int | None
) -> list[Moved]:
    """What came since entry `last` (0: since the first), and half a minute before it; since half a minute before now
    where it is None.

    Raises:
        Lagging: Too much to tell one by one.
    """
    accounts = {account_id("purse", owner=student) for student in students}
    async with platform.database.read(district) as connection:
        low = await number_before(connection, district, last)
        numbers = [row.seq for row in await read(connection, district, _AFTER, list(accounts), low, _MOST + 1)]
        if len(numbers) > _MOST:
            raise Lagging
        moves = await moves_of(connection, district, numbers)
    return [moved for account, moved in moves if account in accounts]
