"""One reader of new entries for each district and process, however many screens watch.

It is woken by the signal that follows every commit which left an event (`gongyu.events.outbox.announce`), in whichever
process that commit happened, and looks for itself every few seconds, because a signal may be lost. So nothing is shown
before its commit, and the write transaction itself tells nobody: a NOTIFY in it costs 60 % of the throughput.

Entries are numbered when written and seen when committed, so a lower number may appear after a higher one. Each look
therefore goes back to where the numbers stood half a minute ago, longer than any write of the books takes, and leaves
out what was sent already.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from gongyu.events.outbox import TOPIC
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu_points.books import account_id, read

__all__ = ["Hub", "Lagging", "Moved", "Watch", "moves_after"]

log = structlog.get_logger("gongyu.points.live")

_BACK_SECONDS: Final = 30
_LOOK_SECONDS: Final = 5
#: Between two looks. Under load every look finds more, instead of more looks being made.
_GAP_SECONDS: Final = 0.04
_QUEUE: Final = 200
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


_MOVES: Final = """
SELECT e.seq, e.id, e.kind, e.points, e.debit, e.credit, r.code, e.at, a.posted, a.owner_id, a.id AS account
  FROM unnest($1::uuid[]) AS mine(id)
  JOIN {s}.points_account AS a ON a.id = mine.id
  JOIN LATERAL (SELECT * FROM {s}.points_entry AS c WHERE c.credit = a.id AND c.seq > $2::bigint
                UNION ALL SELECT * FROM {s}.points_entry AS d WHERE d.debit = a.id AND d.seq > $2::bigint) AS e ON true
  LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
 ORDER BY e.seq LIMIT $3::bigint"""

_TOP: Final = "SELECT coalesce(max(seq), 0) AS top FROM {s}.points_entry"

# Where the numbers stood half a minute before an entry, or before now for 0.
_BEFORE: Final = """
SELECT coalesce(min(e.seq) - 1, (SELECT coalesce(max(seq), 0) FROM {s}.points_entry)) AS low
  FROM (SELECT seq, at FROM {s}.points_entry WHERE $1::bigint = 0 OR seq <= $1::bigint ORDER BY seq DESC LIMIT 20000)
       AS e
 WHERE e.at > coalesce((SELECT at FROM {s}.points_entry WHERE seq = $1::bigint), now())
              - make_interval(secs => $2::int)"""


def _moved(row: Any) -> Moved:  # noqa: ANN401 - a row
    return Moved(
        seq=str(row.seq),  # beyond 2^53 on a cluster (R9)
        entry=row.id,
        student=row.owner_id,
        kind=row.kind,
        points=-row.points if row.debit == row.account else row.points,
        reason=row.code,
        at=row.at,
        balance=row.posted,
    )


async def moves_after(platform: Platform, district: District, *, students: Iterable[UUID], last: int) -> list[Moved]:
    """What came since entry `last`, and half a minute before it; since half a minute before now where `last` is 0.

    Raises:
        Lagging: Too much to tell one by one.
    """
    accounts = [account_id("purse", owner=student) for student in students]
    async with platform.database.read(district) as connection:
        ((low,),) = await read(connection, district, _BEFORE, last, _BACK_SECONDS)
        rows = await read(connection, district, _MOVES, accounts, low, _MOST + 1)
    if len(rows) > _MOST:
        raise Lagging
    return [_moved(row) for row in rows]


class Watch:
    """One screen: the purses it shows, and what has not been sent yet; None tells it to read the purses anew."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Moved | None] = asyncio.Queue(_QUEUE)

    def put(self, moved: Moved) -> None:
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(None)
        else:
            self.waiting.put_nowait(moved)


class Hub:
    """The screens of one process, by district."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._watching: dict[str, dict[UUID, set[Watch]]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        platform.signals.on(TOPIC, self._wake)

    async def _wake(self, slug: str) -> None:
        """An empty payload: signals may have been missed by all."""
        for name in [slug] if slug else list(self._woken):
            if event := self._woken.get(name):
                event.set()

    @contextlib.asynccontextmanager
    async def watching(self, district: District, students: Iterable[UUID]) -> AsyncGenerator[Watch]:
        """A screen, as long as it is open."""
        watch, accounts = Watch(), [account_id("purse", owner=student) for student in students]
        mine = self._watching.setdefault(district.slug, {})
        for account in accounts:
            mine.setdefault(account, set()).add(watch)
        if district.slug not in self._readers:
            self._woken[district.slug] = asyncio.Event()
            self._readers[district.slug] = asyncio.create_task(self._read(district), name=f"live {district.slug}")
        try:
            yield watch
        finally:
            for account in accounts:
                mine[account].discard(watch)
                if not mine[account]:
                    del mine[account]
            if not mine and (reader := self._readers.pop(district.slug, None)):
                reader.cancel()

    async def _read(self, district: District) -> None:
        """Look whenever woken, until nobody watches any more."""
        woken, mine = self._woken[district.slug], self._watching[district.slug]
        stood: deque[tuple[float, int]] = deque()
        sent: dict[tuple[int, UUID], float] = {}
        while True:
            try:
                await self._look(district, mine, stood, sent)
            except Exception:  # the database is away, say: the next look finds what came meanwhile
                log.exception("looking for new entries failed", district=district.slug)
                await asyncio.sleep(1)
            await asyncio.sleep(_GAP_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), _LOOK_SECONDS)
            woken.clear()

    async def _look(
        self,
        district: District,
        mine: Mapping[UUID, set[Watch]],
        stood: deque[tuple[float, int]],
        sent: dict[tuple[int, UUID], float],
    ) -> None:
        now = time.monotonic()
        async with self._platform.database.read(district) as connection:
            ((top,),) = await read(connection, district, _TOP)
            if not stood:
                ((low,),) = await read(connection, district, _BEFORE, 0, _BACK_SECONDS)
                stood.append((now - _BACK_SECONDS, low))
            while len(stood) > 1 and stood[1][0] <= now - _BACK_SECONDS:
                stood.popleft()
            stood.append((now, top))
            rows = await read(connection, district, _MOVES, list(mine), stood[0][1], 100_000)
        for key in [key for key, when in sent.items() if when < now - 3 * _BACK_SECONDS]:
            del sent[key]
        for row in rows:
            if sent.setdefault((row.seq, row.account), now) == now:
                for watch in mine.get(row.account, ()):
                    watch.put(_moved(row))
