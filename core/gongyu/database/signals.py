"""Telling other processes at once: one LISTEN connection per process, NOTIFY always after commit.

A notification inside the write transaction takes a database-wide lock at commit and cost 60 % of the throughput; so a
signal is only ever a nudge, sent after commit and safe to lose: whoever was down looks for itself when it returns.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import make_url

from gongyu.database.engine import Database

__all__ = ["Signals"]

log = structlog.get_logger("gongyu.signals")
_CHANNEL: Final = "gongyu"
_ALIVE_SECONDS: Final = 10
Listener = Callable[[str], Awaitable[None]]


class Signals:
    """A small bus between the processes of one deployment: `topic` and a short `payload`.

    Listeners are awaited one after the other in the order of arrival; after every (re)connection each is called once
    with an empty payload, because signals may have been missed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: dict[str, list[Listener]] = {}
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    def on(self, topic: str, listener: Listener) -> None:
        self._listeners.setdefault(topic, []).append(listener)

    async def send(self, topic: str, payload: str = "") -> None:
        """Nudge every process, this one included; never fails the caller, whose change is committed already."""
        try:
            async with self._database.registry() as connection:
                await connection.execute(
                    sa.text("SELECT pg_notify(:channel, :message)"),
                    {"channel": _CHANNEL, "message": f"{topic} {payload}"},
                )
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("signal not sent", topic=topic, error=str(error))

    async def tell_here(self, topic: str, payload: str = "") -> None:
        """Call this process's own listeners at once: whoever must not wait for the echo of their own signal."""
        for listener in self._listeners.get(topic, ()):
            await listener(payload)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="signals")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.connected.wait(), 5)

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_connected())
            group.create_task(self._deliver())

    async def _deliver(self) -> None:
        while True:
            topic, payload = await self._queue.get()
            for listener in self._listeners.get(topic, ()):
                try:
                    await listener(payload)
                except Exception:  # a listener's trouble must not silence the others
                    log.exception("listener failed", topic=topic)

    async def _stay_connected(self) -> None:
        wait = 0.1
        while True:
            try:
                connection = await asyncpg.connect(_plain(self._database.url), timeout=5)
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                log.warning("signals cannot connect", error=str(error), again_in=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 2)
                continue
            wait = 0.1
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            try:
                await connection.add_listener(_CHANNEL, self._received)
                for topic in self._listeners:
                    self._queue.put_nowait((topic, ""))
                self.connected.set()
                while not connection.is_closed():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(lost.wait(), _ALIVE_SECONDS)  # the driver tells at once, TCP may not
                    await connection.execute("SELECT 1", timeout=5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("signals lost the database", error=str(error))
            finally:
                self.connected.clear()
                connection.terminate()

    def _received(self, _connection: object, _pid: int, _channel: str, message: object) -> None:
        topic, _, payload = str(message).partition(" ")
        self._queue.put_nowait((topic, payload))


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
