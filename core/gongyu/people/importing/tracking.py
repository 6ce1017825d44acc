"""The row of an import, which anybody may look at while it runs: how far it is, and at the end what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.people.importing.comparing import Progress
from gongyu.people.models import RosterImport
from gongyu.people.private import holds_number
from gongyu.people.roster.findings import Finding, quotable
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["FINDINGS_KEPT", "INTERRUPTED_AFTER", "Tracker", "register"]

log = structlog.get_logger("gongyu.roster")

#: A process that says nothing for so long is gone.
INTERRUPTED_AFTER: Final = timedelta(seconds=45)
FINDINGS_KEPT: Final = 2000
_BEAT: Final = 1.0


async def register(
    session: AsyncSession, *, file: str, dialect: str | None, actor: str, id_: UUID | None = None
) -> UUID:
    """A new import, about to run. A file called after somebody's number is shown without it."""
    id_ = id_ or new_id()
    name = quotable(file) if holds_number(file) else file[:200]
    row = {"id": id_, "file": name, "dialect": dialect, "state": "running", "stage": "waiting", "actor": actor}
    await session.execute(sa.insert(RosterImport).values(row))
    return id_


class Tracker:
    """Writes the progress once a second on a connection of its own, so that others see it before the commit."""

    def __init__(self, database: Database, district: District, id_: UUID, seen: Progress | None) -> None:
        self._database, self._district, self._id, self._seen = database, district, id_, seen
        self._now: tuple[str, int, int] = ("reading", 0, 0)

    def progress(self, stage: str, done: int, total: int) -> None:
        self._now = stage, done, total
        if self._seen is not None:
            self._seen(stage, done, total)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Beat while the work runs; what raises ends as `failed`, what is killed falls silent."""
        await self._write(state="running", reason=None, finished_at=None)
        over = asyncio.Event()
        beating = asyncio.create_task(self._beat(over), name="roster import")
        try:
            yield
        except Exception:
            over.set()
            said = Text(
                zh="导入失败，什么都没有改变；详见日志", en="the import failed, nothing was changed; see the log"
            )
            await self._write(state="failed", reason=msgspec.to_builtins(said), finished_at=datetime.now(UTC))
            raise
        finally:
            over.set()
            await beating

    async def _beat(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _BEAT)
                return
            try:
                await self._write()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                log.warning("progress not noted", error=type(error).__name__)

    async def _write(self, **values: Any) -> None:  # noqa: ANN401 - columns of the row
        stage, done, total = self._now
        noted = {"stage": stage, "done": done, "total": total, "seen_at": datetime.now(UTC), **values}
        async with self._database.read(self._district) as connection:
            own = sa.update(RosterImport).where(RosterImport.id == self._id)
            # A beat that waited for the commit of the end comes too late and says nothing.
            await connection.execute((own if values else own.where(RosterImport.state == "running")).values(noted))

    async def fallen(self) -> None:
        """Its process ended without a word: whoever looks sees it as interrupted, at once."""
        gone = sa.update(RosterImport).where(RosterImport.id == self._id, RosterImport.state == "running")
        async with self._database.read(self._district) as connection:
            await connection.execute(gone.values(seen_at=datetime.now(UTC) - INTERRUPTED_AFTER * 2))

    async def finish(self, session: AsyncSession, *, state: str, findings: Sequence[Finding], **values: Any) -> None:  # noqa: ANN401 - as above
        """The end of it, in the transaction of what it did: neither is without the other."""
        noted = {
            "state": state,
            "stage": "done",
            "findings": msgspec.to_builtins(findings[:FINDINGS_KEPT]),
            "seen_at": datetime.now(UTC),
            "finished_at": datetime.now(UTC),
            **values,
        }
        await session.execute(sa.update(RosterImport).where(RosterImport.id == self._id).values(noted))
