"""What one comparison carries along: the plan it fills, the district's day, and who is protected from being ended."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.people.importing.plan import SECRET, Change, End, Plan
from gongyu.people.importing.remarks import Remarks
from gongyu.people.roster.canonical import KINDS, Kind, Roster

__all__ = ["Comparison", "Progress", "by_chunks", "differing", "stream"]

Progress = Callable[[str, int, int], None]
_CHUNK = 5000


async def stream(session: AsyncSession, query: sa.Select[*tuple[Any, ...]]) -> AsyncIterator[Sequence[sa.Row[Any]]]:
    """The rows in pieces, so that a district's million are never in memory at once."""
    result = await session.stream(query.execution_options(yield_per=_CHUNK))
    async for rows in result.partitions():
        yield rows


def by_chunks(items: Sequence[Any], size: int = _CHUNK) -> list[Sequence[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


class Comparison:
    def __init__(self, *, session: AsyncSession, seals: Seals, roster: Roster, plan: Plan, progress: Progress) -> None:
        self.session, self.seals, self.roster, self.plan, self.progress = session, seals, roster, plan, progress
        self.remarks = Remarks()
        self.today = plan.today
        self.yesterday = plan.today - timedelta(days=1)
        self.gone: dict[Kind, set[UUID]] = {kind: set() for kind in KINDS}
        """Rows that end in this plan; what hangs on them ends too."""
        self.protected: dict[Kind, set[UUID]] = {kind: set() for kind in KINDS}
        """People of whom something stands in the files that was not taken over: silence about them says nothing."""
        self.corrected: dict[UUID, set[str]] = {}
        """Fields put right on a person's request: the source does not take that back by itself."""
        self.titles: dict[UUID, str] = {}
        """Of orgs and classes, for the lines of the plan."""

    def hash(self, purpose: str, value: str) -> bytes:
        return self.seals.hashed(value, purpose=purpose)

    def add(self, kind: Kind, key: str, record: Any) -> UUID:  # noqa: ANN401 - a record of that kind
        """A new row for this record; others may refer to it from now on."""
        id_ = self.plan.ids[kind][key] = new_id()
        self.plan.added[kind].append(record)
        return id_

    def change(
        self,
        kind: Kind,
        row: sa.Row[Any],
        wanted: Mapping[str, Any],
        *,
        label: str,
        last: date | None,
        ends: str = "ended_on",
    ) -> None:
        """Note what differs. `wanted` never erases: None is what the roster does not say.

        Args:
            kind: Of the row.
            row: As it is.
            wanted: Column → value.
            label: What the plan calls it.
            last: Its last day from now on; None: it is on.
            ends: The column of the last day.
        """
        fields, values = differing(row, wanted)
        if getattr(row, ends) != last:
            fields[ends] = (getattr(row, ends), last)
        if fields:
            self.plan.changed[kind].append(Change(row.id, label, fields, {**values, ends: last}))

    def end(self, kind: Kind, row: sa.Row[Any], label: str) -> None:
        self.gone[kind].add(row.id)
        self.plan.ended[kind].append(End(row.id, label))

    def removed(self, kind: Kind, count: int = 1) -> None:
        """An end without a successor."""
        self.plan.removed[kind] = self.plan.removed.get(kind, 0) + count

    def complete(self, kind: Kind) -> bool:
        return kind in self.roster.complete

    def in_scope(self, school: UUID) -> bool:
        """Whether the roster means to say everything about this school."""
        schools = self.roster.schools
        return schools is None or school in self._scope

    @property
    def _scope(self) -> set[UUID]:
        if not hasattr(self, "_schools"):
            orgs = self.plan.ids["org"]
            self._schools = {orgs[key] for key in self.roster.schools or () if key in orgs}
        return self._schools


def differing(row: sa.Row[Any], wanted: Mapping[str, Any]) -> tuple[dict[str, tuple[Any, Any]], dict[str, Any]]:
    fields: dict[str, tuple[Any, Any]] = {}
    values: dict[str, Any] = {}
    for column, value in wanted.items():
        if value is not None and value != (old := getattr(row, column)):
            fields[column] = (SECRET if isinstance(old, bytes) else old, value)
            values[column] = value
    return fields, values
