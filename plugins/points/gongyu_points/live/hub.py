"""One reader of new entries for each district and process, however many screens watch.

It is woken by the signal that follows every commit which left entries (`gongyu.events.outbox.announce`), in whichever
process that commit happened, and looks for itself every few seconds, because a signal may be lost. So nothing is shown
before its commit, and the write transaction itself tells nobody: a NOTIFY in it costs 60 % of the throughput.

Entries are numbered when written and seen when committed, so a lower number may appear after a higher one. Each look
therefore goes back a second behind the look before, and every few seconds half a minute, longer than any write of the
books takes; what was sent already is left out.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from gongyu.events.outbox import TOPIC
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu_points.books import account_id, read

__all__ = ["Hub", "Lagging", "Moved", "Watch", "moves_after", "newest"]

log = structlog.get_logger("gongyu.points.live")

_BACK_SECONDS: Final = 30
_SHORT_SECONDS: Final = 1
_LOOK_SECONDS: Final = 5
#: Between two looks. Under load every look finds more, instead of more looks being made.
_GAP_SECONDS: Final = 0.04
_QUEUE: Final = 200
_MOST: Final = 1000
_LOOK_MOST: Final = 20_000


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


# Whatever was entered meanwhile, and of it what is on these purses: a school's screen shows thousands, and to ask for
# each of them apart takes longer than to look at what a second brought.
_MOVES: Final = """
WITH late AS (SELECT * FROM {s}.points_entry WHERE seq > $2::bigint)
SELECT e.seq, e.id, e.kind, e.points, e.debit, e.credit, r.code, e.at, a.posted, a.owner_id, a.id AS account
  FROM (SELECT late.*, mine.id AS account FROM late JOIN unnest($1::uuid[]) AS mine(id) ON mine.id = late.credit
        UNION ALL
        SELECT late.*, mine.id FROM late JOIN unnest($1::uuid[]) AS mine(id) ON mine.id = late.debit) AS e
  JOIN {s}.points_account AS a ON a.id = e.account
  LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
 ORDER BY e.seq LIMIT $3::bigint"""

_TOP: Final = "SELECT coalesce(max(seq), 0) AS top FROM {s}.points_entry"

# Where the numbers stood half a minute before an entry, or before now. Going back stops at the first that is as old: a
# write that began before it and was numbered after it has long been committed.
_BEFORE: Final = """
SELECT coalesce((SELECT e.seq FROM {s}.points_entry AS e
                  WHERE ($1::bigint IS NULL OR e.seq <= $1::bigint)
                    AND e.at < coalesce((SELECT at FROM {s}.points_entry WHERE seq = $1::bigint), now())
                               - make_interval(secs => $2::int)
                  ORDER BY e.seq DESC LIMIT 1), 0) AS low"""


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


async def newest(platform: Platform, district: District) -> int:
    """The number of the newest entry; 0 where there is none."""
    async with platform.database.read(district) as connection:
        ((top,),) = await read(connection, district, _TOP)
    return int(top)


async def moves_after(
    platform: Platform, district: District, *, students: Iterable[UUID], last: int | None
) -> list[Moved]:
    """What came since entry `last` (0: since the first), and half a minute before it; since half a minute before now
    where it is None.

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
            self.lag()
        else:
            self.waiting.put_nowait(moved)

    def lag(self) -> None:
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


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
        woken, looks = self._woken[district.slug], _Looks(self._platform, district, self._watching[district.slug])
        while True:
            try:
                await looks.look()
            except Exception:  # the database is away, say: the next look finds what came meanwhile
                log.exception("looking for new entries failed", district=district.slug)
                await asyncio.sleep(1)
            await asyncio.sleep(_GAP_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), _LOOK_SECONDS)
            woken.clear()


class _Looks:
    """The looks of one reader, each behind the one before, however long ago that was."""

    def __init__(self, platform: Platform, district: District, watching: dict[UUID, set[Watch]]) -> None:
        self._platform, self._district, self._watching = platform, district, watching
        #: When looks were, and what the newest number then was; the first is at least half a minute before the last.
        self._stood: deque[tuple[float, int]] = deque()
        self._sent: dict[tuple[int, UUID], float] = {}
        self._wide = 0.0

    async def look(self) -> None:
        now = time.monotonic()
        wide = now - self._wide >= _LOOK_SECONDS
        async with self._platform.database.read(self._district) as connection:
            ((top,),) = await read(connection, self._district, _TOP)
            if not self._stood:
                ((low,),) = await read(connection, self._district, _BEFORE, None, _BACK_SECONDS)
                self._stood.append((now - _BACK_SECONDS, low))
            low = self._number(_BACK_SECONDS if wide else _SHORT_SECONDS)
            rows = await read(connection, self._district, _MOVES, list(self._watching), low, _LOOK_MOST)
        self._stood.append((now, top))
        self._wide = now if wide else self._wide
        if len(rows) == _LOOK_MOST:
            for watch in {watch for watches in self._watching.values() for watch in watches}:
                watch.lag()
        for row in rows:
            if self._sent.setdefault((row.seq, row.account), now) == now:
                for watch in self._watching.get(row.account, ()):
                    watch.put(_moved(row))
        for key in [key for key, when in self._sent.items() if when < now - 3 * _BACK_SECONDS]:
            del self._sent[key]

    def _number(self, seconds: float) -> int:
        """The newest number so long before the last look."""
        then = self._stood[-1][0]
        while len(self._stood) > 1 and self._stood[1][0] <= then - _BACK_SECONDS:
            self._stood.popleft()
        return max((number for when, number in self._stood if when <= then - seconds), default=self._stood[0][1])
