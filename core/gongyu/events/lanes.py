"""A lane: work that is done key by key, each key by one runner at a time, when woken or when its time has come."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from gongyu.events.clock import Clock, spread
from gongyu.host.isolation import said

__all__ = ["Lane"]

log = structlog.get_logger("gongyu.worker")


class Lane:
    """Runs `run(key)` for woken keys, at most `width` of them at once and never two of one key.

    A key woken while it runs or rests is run once more afterwards, so no waking is lost. Among the waiting keys one is
    drawn by lot: processes that were woken by the same signals then do different things, and a key with a long backlog,
    which asks again and again, does not make the others wait.

    Args:
        name: For the log.
        run: Does what is due for a key, and says whether it left more that is due now; it may set a time for its key.
        rest: Seconds that a key with nothing more to do is left alone, so that what comes every millisecond is found
            together and not each by a round of its own.
        width: How many keys at once.
        clock: What times are measured by.
        horizon: Times further off are left to the sweep that passes by regularly anyway, so that the number of timers
            does not grow with the number of districts.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[str], Awaitable[bool]],
        *,
        width: int,
        rest: float = 0,
        clock: Clock,
        horizon: timedelta,
    ) -> None:
        self._name, self._run, self._width, self._clock, self._horizon = name, run, width, clock, horizon
        self._rest = rest
        self._waiting: list[str] = []
        self._something = asyncio.Semaphore(0)
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._serve(), name=f"{self._name} {n}") for n in range(self._width)]

    async def stop(self, seconds: float) -> None:
        """Take no new key, let the running ones end, and cut off what takes longer than this."""
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for _ in self._tasks:
            self._something.release()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, key: str) -> None:
        """Something is to be done for this key now."""
        if self._closing:
            return
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.append(key)
            self._something.release()

    def at(self, key: str, moment: datetime | None) -> None:
        """Something is to be done for this key then; an earlier time asked for before stands."""
        if moment is None or self._closing:
            return
        wait = (moment - self._clock()).total_seconds()
        if wait <= 0:
            self.wake(key)
            return
        if wait > self._horizon.total_seconds():
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + wait:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_later(wait, self._time_has_come, key)

    def _time_has_come(self, key: str) -> None:
        del self._timers[key]
        self.wake(key)

    async def _serve(self) -> None:
        while True:
            await self._something.acquire()
            if self._closing:
                return
            drawn = random.randrange(len(self._waiting))  # noqa: S311 - spreads load
            key = self._waiting.pop(drawn)
            self._running.add(key)
            more = False
            try:
                more = await self._run(key)
                self._failures.pop(key, None)
            # The lane must outlive every trouble of one key, the database's absence above all.
            except Exception as error:  # noqa: BLE001 - as said
                failures = self._failures[key] = self._failures.get(key, 0) + 1
                wait = min(0.5 * 2**failures, 20)
                log.warning("will try again", lane=self._name, key=key, error=said(error), again_in=wait)
                self.at(key, self._clock() + spread(wait))
            if more:
                self._again.add(key)
                self._rested(key)
            else:
                asyncio.get_running_loop().call_later(self._rest, self._rested, key)

    def _rested(self, key: str) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.wake(key)
