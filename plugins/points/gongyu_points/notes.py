"""What people write beside points: sealed, and apart from the entries, which stay for ever.

A note belongs to a command: what is said to a whole class is said once. It goes with the person when it concerns nobody
else; the entries beside it stay as they are, since they hold ids and no words.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.sealing import Seals
from gongyu.plugin import District
from gongyu_points.books import read, run
from gongyu_points.models import Note

__all__ = ["erase", "notes_of", "opened", "sealed"]


def sealed(seals: Seals, operation: UUID, text: str) -> bytes | None:
    """The note of a command as it is kept; None where nothing is said."""
    return seals.seal(text, Note.text, operation) if text else None


def opened(seals: Seals, operation: UUID, note: bytes | None) -> str:
    """What `sealed` made, to be read."""
    return "" if note is None else seals.open(note, Note.text, operation)


async def notes_of(
    connection: AsyncConnection, district: District, seals: Seals, *, operations: Sequence[UUID]
) -> dict[UUID, str]:
    """The notes of those commands that have one."""
    found = "SELECT operation, text FROM {s}.points_note WHERE operation = ANY ($1::uuid[])"
    rows = await read(connection, district, found, list(operations))
    return {row.operation: opened(seals, row.operation, row.text) for row in rows}


_ERASE: Final = """
DELETE FROM {s}.points_note AS n
 USING (SELECT DISTINCT operation FROM {s}.points_entry WHERE debit = $1::uuid OR credit = $1::uuid) AS mine
 WHERE n.operation = mine.operation AND NOT EXISTS (
   SELECT 1 FROM {s}.points_entry AS e
    WHERE (e.id = n.operation OR (e.operation = n.operation AND e.id <> e.operation))
      AND e.debit <> $1::uuid AND e.credit <> $1::uuid)
RETURNING n.operation"""


async def erase(session: AsyncSession, *, purse: UUID) -> int:
    """Erase the notes of the commands all of whose entries are of this purse.

    Returns:
        How many.
    """
    return len(await run(session, _ERASE, purse))
