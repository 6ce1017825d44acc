"""Awards that arrive while a commit is under way are written together by the next one.

One mentor's quota takes one commit at a time, however many ask; so the way to give faster is to put more into each.
There is no timer: alone, an award is written at once. Nobody is answered before the commit, each gets their own answer,
and what the common statement leaves out or fails on is done the careful way by each for themselves.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.events.outbox import TOPIC
from gongyu.host.isolation import said
from gongyu.platform import Platform
from gongyu_points.instant_write import Asked, write
from gongyu_points.schemas import AwardOut

__all__ = ["Queues"]

log = structlog.get_logger("gongyu.points")

#: Entries in one commit; each holds the lock of its purse.
MOST: Final = 256
#: Between two nudges of one district: under load each would wake every process to find a handful of events.
NUDGE_SECONDS: Final = 0.05

Waiting = tuple[Asked, asyncio.Future[AwardOut | None]]


class Queues:
    """Those of one process, one for each district."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._queues: dict[str, _Queue] = {}

    async def give(self, asked: Asked) -> AwardOut | None:
        """The answer after the commit; None when this award is not to be had together with others."""
        slug = asked.state.district.slug
        if slug not in self._queues:
            self._queues[slug] = _Queue(self._platform, slug)
        return await self._queues[slug].give(asked)


class _Queue:
    def __init__(self, platform: Platform, slug: str) -> None:
        self._platform, self._slug = platform, slug
        self._waiting: dict[UUID, Waiting] = {}
        self._batch: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._teller: asyncio.Task[None] | None = None
        self._untold = False

    async def give(self, asked: Asked) -> AwardOut | None:
        if asked.key in self._waiting:  # sent twice at once: whoever comes second learns what became of the first
            return None
        answer: asyncio.Future[AwardOut | None] = asyncio.get_running_loop().create_future()
        self._waiting[asked.key] = asked, answer
        if self._writer is None:
            # A task of its own: a caller who hangs up takes nobody else's award along.
            self._writer = asyncio.create_task(self._write(), name=f"awards of {self._slug}")
            self._writer.add_done_callback(self._ended)
        return await answer

    async def _write(self) -> None:
        while self._waiting:
            try:
                # Kept while awards keep coming: to get a connection costs Python a third of what a batch does.
                async with self._platform.database.read(next(iter(self._waiting.values()))[0].state.district) as own:
                    while batch := self._next():
                        self._batch = batch
                        self._answer(batch, await self._written(own, [asked for asked, _ in batch]))
            except Exception as error:  # noqa: BLE001 - the careful way finds out for each, and says so to each
                batch = self._batch or self._next()
                log.warning("awards are given one by one", district=self._slug, awards=len(batch), error=said(error))
                self._answer(batch, {})
        self._writer = None

    def _answer(self, batch: Iterable[Waiting], answers: Mapping[UUID, AwardOut]) -> None:
        for asked, answer in batch:
            if not answer.done():
                answer.set_result(answers.get(asked.key))
        self._batch = []
        if answers:
            self._nudge()

    def _ended(self, writer: asyncio.Task[None]) -> None:
        """Whoever still waits when the writer was stopped goes the careful way, which knows what was committed."""
        if self._writer is writer:
            self._writer = None
            self._answer([*self._batch, *self._waiting.values()], {})
            self._waiting.clear()

    def _next(self) -> list[Waiting]:
        batch: list[Waiting] = []
        entries = 0
        for asked, answer in list(self._waiting.values()):
            entries += len(asked.students)
            if batch and (entries > MOST or asked.today != batch[0][0].today):
                break
            del self._waiting[asked.key]
            if not answer.done():
                batch.append((asked, answer))
        return batch

    async def _written(self, connection: AsyncConnection, asked: list[Asked]) -> dict[UUID, AwardOut]:
        try:
            return await write(self._platform, connection, asked)
        except asyncpg.IntegrityConstraintViolationError:  # a limit was reached between the look and the lock
            return {}

    def _nudge(self) -> None:
        self._untold = True
        if self._teller is None:
            self._teller = asyncio.create_task(self._tell(), name=f"events of {self._slug}")

    async def _tell(self) -> None:
        try:
            while self._untold:
                self._untold = False
                await self._platform.signals.send(TOPIC, self._slug)
                await asyncio.sleep(NUDGE_SECONDS)
        finally:
            self._teller = None
