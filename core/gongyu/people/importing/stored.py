"""The imports of a district as their rows tell them, to those who watch."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.importing.plan import Tally
from gongyu.people.importing.tracking import INTERRUPTED_AFTER
from gongyu.people.models import RosterImport
from gongyu.people.roster import Finding
from gongyu.text import Text

__all__ = ["StoredImport", "begin_again", "find_import", "findings_of", "is_busy", "list_imports"]

_row: Final = cast("sa.Table", RosterImport.__table__)
_SHOWN: Final = [column for column in _row.c if column.name != "findings"]


class StoredImport(msgspec.Struct, frozen=True, kw_only=True):
    """One import. Beside the stored states, `interrupted`: its process is gone, and nothing of it was kept."""

    id: UUID
    file: str
    dialect: str | None
    mode: str | None
    state: str
    stage: str
    done: int
    total: int
    changes: list[Tally]
    removals: int
    confirmation_needed: bool
    reason: Text | None
    findings: int
    actor: str
    started_at: datetime
    finished_at: datetime | None


async def list_imports(
    connection: AsyncConnection, *, limit: int, before: UUID | None = None
) -> Sequence[StoredImport]:
    """Newest first, from the one before `before` on."""
    query = _selected().order_by(_row.c.id.desc()).limit(limit)
    found = await connection.execute(query if before is None else query.where(_row.c.id < before))
    return [_told(row) for row in found]


async def find_import(connection: AsyncConnection, id_: UUID) -> StoredImport | None:
    row = (await connection.execute(_selected().where(_row.c.id == id_))).first()
    return None if row is None else _told(row)


async def findings_of(connection: AsyncConnection, id_: UUID) -> list[Finding] | None:
    stored = (await connection.execute(sa.select(_row.c.findings).where(_row.c.id == id_))).scalar_one_or_none()
    return None if stored is None else msgspec.convert(stored, list[Finding])


async def is_busy(connection: AsyncConnection) -> bool:
    """Whether an import runs in the district: a second would wait for it, with its own copy of the files in memory."""
    alive = _row.c.seen_at > datetime.now(UTC) - INTERRUPTED_AFTER
    query = sa.select(_row.c.id).where(_row.c.state == "running", alive).limit(1)
    return (await connection.execute(query)).first() is not None


async def begin_again(session: AsyncSession, id_: UUID) -> None:
    """From now on it counts as running; whoever calls starts it."""
    now = datetime.now(UTC)
    begun = {"state": "running", "stage": "waiting", "done": 0, "total": 0, "seen_at": now, "finished_at": None}
    await session.execute(sa.update(RosterImport).where(RosterImport.id == id_).values(begun))


def _selected() -> sa.Select[Any]:
    return sa.select(*_SHOWN, sa.func.jsonb_array_length(_row.c.findings).label("findings"))


def _told(row: sa.Row[Any]) -> StoredImport:
    silent = row.state == "running" and datetime.now(UTC) - row.seen_at > INTERRUPTED_AFTER
    return StoredImport(
        id=row.id,
        file=row.file,
        dialect=row.dialect,
        mode=row.mode,
        state="interrupted" if silent else row.state,
        stage=row.stage,
        done=row.done,
        total=row.total,
        changes=msgspec.convert(row.counts, list[Tally]),
        removals=row.removals,
        confirmation_needed=row.confirm_removals,
        reason=msgspec.convert(row.reason, Text) if row.reason else None,
        findings=row.findings,
        actor=row.actor,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
