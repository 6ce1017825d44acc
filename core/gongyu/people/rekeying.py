"""The same people and places under new ids: a source that changed its provider calls everybody something else.

Imported as it is, such a roster would leave the old people beside the new ones. So their `sourcedId`s are replaced
first, by a table somebody has looked at: all of it or nothing, history and accounts stay where they are.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.sealing import Seals
from gongyu.people.importing.comparing import by_chunks
from gongyu.people.models import AcademicSession, ClassGroup, Org, Person
from gongyu.people.private import holds_number, open_private, seal_private, stored_id
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["COLUMNS", "Kind", "NewKey", "Rekeyed", "Trouble", "plan_rekeying", "read_new_keys", "rekey"]

Kind = Literal["org", "session", "class", "person"]
COLUMNS: Final = ("kind", "old", "new")
_TABLES: Final[Mapping[Kind, type[Org | AcademicSession | ClassGroup | Person]]] = {
    "org": Org,
    "session": AcademicSession,
    "class": ClassGroup,
    "person": Person,
}


class NewKey(msgspec.Struct, frozen=True):
    """One line of the table; `row` is where it stands."""

    kind: Kind
    old: str
    new: str
    row: int = 0


class Trouble(msgspec.Struct, frozen=True):
    """Why the table is refused, and where."""

    row: int
    text: Text


class Rekeyed(msgspec.Struct, frozen=True):
    """How many of each kind have a new id."""

    counts: Mapping[Kind, int]


def read_new_keys(content: bytes) -> tuple[list[NewKey], list[Trouble]]:
    """A table with the columns `kind`, `old` and `new`, in any order; others are for people and are passed over."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [Trouble(1, Text(zh="文件不是 UTF-8 编码", en="the file is not encoded in UTF-8"))]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        words = Text(zh="缺少列：{names}", en="columns are missing: {names}").format(names=", ".join(missing))
        return [], [Trouble(1, words)]
    found, troubles = [], []
    for line in reader:
        row, (kind, old, new) = reader.line_num, ((line[name] or "").strip() for name in COLUMNS)
        if kind not in _TABLES:
            known = Text(zh="kind 应为 {known}", en="kind is expected to be one of {known}")
            troubles.append(Trouble(row, known.format(known=", ".join(_TABLES))))
        elif not old or not new or "\0" in old + new:
            troubles.append(Trouble(row, Text(zh="old 和 new 都要填写", en="both old and new are expected")))
        elif old == new:
            troubles.append(Trouble(row, Text(zh="新旧编号相同", en="old and new are the same")))
        else:
            found.append(NewKey(cast("Kind", kind), old, new, row))
    return found, troubles


async def plan_rekeying(session: AsyncSession, *, seals: Seals, keys: Sequence[NewKey]) -> list[Trouble]:
    """Everything that is in the way; nothing is changed."""
    return (await _planned(session, seals, keys))[1]


async def rekey(
    session: AsyncSession, *, seals: Seals, keys: Sequence[NewKey], actor: str, now: datetime
) -> Rekeyed | list[Trouble]:
    """Replace the ids, all or none; ids may be exchanged among those in the table.

    Args:
        session: The district's; it is committed by the caller.
        seals: An id with somebody's number in it is kept sealed.
        keys: The table.
        actor: For the audit log.
        now: When.
    """
    district: District = session.info["district"]
    # Imports take turns with this, as with each other.
    await session.execute(sa.text("SELECT pg_advisory_xact_lock(7095, :number)"), {"number": district.number})
    found, troubles = await _planned(session, seals, keys)
    if troubles:
        return troubles
    for kind, table in _TABLES.items():
        theirs = [one for one in keys if one.kind == kind]
        if theirs:
            await _replace(session, table, [(found[kind][stored_id(seals, one.old)], one.new) for one in theirs], seals)
            if kind == "person":
                await _keep_private(session, seals, {found[kind][stored_id(seals, o.old)]: o.new for o in theirs}, now)
    counts: Counter[Kind] = Counter(one.kind for one in keys)
    table_hash = hashlib.sha256(msgspec.json.encode([(one.kind, one.old, one.new) for one in keys])).hexdigest()
    details: dict[str, object] = {str(kind): count for kind, count in counts.items()}
    details["sha256"] = table_hash
    await audit.record(session, action="roster.rekeyed", actor=actor, details=details)
    return Rekeyed(dict(counts))


async def _planned(
    session: AsyncSession, seals: Seals, keys: Sequence[NewKey]
) -> tuple[dict[Kind, dict[str, UUID]], list[Trouble]]:
    """The rows by their ids of now, and what is wrong."""
    found: dict[Kind, dict[str, UUID]] = {}
    troubles: list[Trouble] = []
    for kind, table in _TABLES.items():
        theirs = [(one, stored_id(seals, one.old), stored_id(seals, one.new)) for one in keys if one.kind == kind]
        held = found[kind] = await _held(session, table, {id_ for _, *pair in theirs for id_ in pair})
        olds, news = Counter(old for _, old, _ in theirs), Counter(new for *_, new in theirs)
        for one, old, new in theirs:
            wrong = _wrong(one, known=old in held, free=new not in held or new in olds)
            troubles += [Trouble(one.row, said) for said in wrong]
            if olds[old] > 1 or news[new] > 1:
                twice = Text(zh="编号在表中出现了不止一次", en="an id stands in the table more than once")
                troubles.append(Trouble(one.row, twice))
    return found, sorted(troubles, key=lambda trouble: trouble.row)


def _wrong(one: NewKey, *, known: bool, free: bool) -> list[Text]:
    wrong = []
    if not known:
        wrong.append(
            Text(zh="没有编号为 {id} 的 {kind}", en="there is no {kind} {id}").format(id=one.old, kind=one.kind)
        )
    if not free:
        taken = Text(zh="编号 {id} 已属于另一个 {kind}", en="{id} is another {kind} already")
        wrong.append(taken.format(id=one.new, kind=one.kind))
    return wrong


async def _held(session: AsyncSession, table: type[Any], ids: set[str]) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for some in by_chunks(sorted(ids)):
        rows = sa.select(table.sourced_id, table.id).where(table.sourced_id.in_(some)).with_for_update()
        found |= {row.sourced_id: row.id for row in await session.execute(rows)}
    return found


async def _replace(session: AsyncSession, table: type[Any], pairs: Sequence[tuple[UUID, str]], seals: Seals) -> None:
    """In two steps, since two may exchange their ids: unique at every moment, as no constraint may wait (citus.md)."""
    connection = await session.connection()
    one = sa.update(table).where(table.id == sa.bindparam("row")).values(sourced_id=sa.bindparam("given"))
    for given in (
        [{"row": id_, "given": f"~{id_}"} for id_, _ in pairs],
        [{"row": id_, "given": stored_id(seals, new)} for id_, new in pairs],
    ):
        await connection.execute(one, given)


async def _keep_private(session: AsyncSession, seals: Seals, new: Mapping[UUID, str], now: datetime) -> None:
    """What the source wrote is kept sealed where it holds a number; of the old id nothing is left."""
    connection = await session.connection()
    changed = []
    for some in by_chunks(sorted(new)):
        rows = sa.select(Person.id, Person.source_private).where(Person.id.in_(some))
        for id_, sealed in await session.execute(rows):
            texts = open_private(seals, id_, sealed)
            texts.pop("sourced_id", None)
            if holds_number(new[id_]):
                texts["sourced_id"] = new[id_]
            changed.append({"row": id_, "sealed": seal_private(seals, id_, texts)})
    kept = sa.update(Person).where(Person.id == sa.bindparam("row"))
    await connection.execute(kept.values(source_private=sa.bindparam("sealed"), updated_at=now), changed)
