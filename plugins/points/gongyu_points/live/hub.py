"""One reader of new entries for each district and process, however many screens watch.

It is woken by the signal that follows every commit which left entries (`gongyu.events.outbox.announce`), in whichever
process that commit happened, and looks for itself every few seconds, because a signal may be lost. So nothing is shown
before its commit, and the write transaction itself tells nobody: a NOTIFY in it costs 60 % of the throughput.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final
from uuid import UUID

import structlog

from gongyu.events.outbox import TOPIC
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu_points.books import account_id, read
from gongyu_points.live.moves import BACK_SECONDS, Moved, moves_of, number_before
from gongyu_points.live.unread import ENDLESS, Range, left_of

__all__ = ["Hub", "Watch"]

log = structlog.get_logger("gongyu.points.live")

_LOOK_SECONDS: Final = 5
#: Between two looks. Under load every look finds more, instead of more looks being made.
_GAP_SECONDS: Final = 0.04
_QUEUE: Final = 200
_LOOK_MOST: Final = 5000


# Of all purses, since a school's screen shows thousands: which of the entries concern a screen is seen faster here. In
# the index's order, without which statistics of a quiet hour make the planner read the whole table.
_UNREAD: Final = """
SELECT e.seq, e.debit, e.credit
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) AS unread(low, high)
 CROSS JOIN LATERAL (SELECT seq, debit, credit FROM {s}.points_entry
                      WHERE seq BETWEEN unread.low AND unread.high ORDER BY seq LIMIT $3) AS e
 ORDER BY e.seq"""


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
        woken, looks = self._woken[district.slug], _Looks(self._platform, district, self._watching[district.slug])
        while True:
            more = False
            try:
                more = await looks.look()
            except Exception:  # the database is away, say: the next look finds what came meanwhile
                log.exception("looking for new entries failed", district=district.slug)
                await asyncio.sleep(1)
            await asyncio.sleep(_GAP_SECONDS)
            if not more:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), _LOOK_SECONDS)
            woken.clear()


class _Looks:
    """The looks of one reader."""

    def __init__(self, platform: Platform, district: District, watching: Mapping[UUID, set[Watch]]) -> None:
        self._platform, self._district, self._watching = platform, district, watching
        self._unread: list[Range] = []

    async def look(self) -> bool:
        """Put what is new before the screens, and say whether there is more of it."""
        now = time.monotonic()
        async with self._platform.database.read(self._district) as connection:
            if not self._unread:
                self._unread = [Range(await number_before(connection, self._district, None) + 1, ENDLESS, now)]
            lows, highs, _ = zip(*self._unread, strict=True)
            rows = await read(connection, self._district, _UNREAD, list(lows), list(highs), _LOOK_MOST)
            # Asked after the rows came: a screen that opens from here on reads them for itself.
            watched = [row.seq for row in rows if row.debit in self._watching or row.credit in self._watching]
            for account, moved in await moves_of(connection, self._district, watched) if watched else ():
                for watch in self._watching.get(account, ()):
                    watch.put(moved)
        numbers = [row.seq for row in rows]
        self._unread = left_of(self._unread, numbers, now=now, patience=BACK_SECONDS)
        return len(rows) >= _LOOK_MOST
