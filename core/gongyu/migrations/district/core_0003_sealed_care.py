"""care categories and identifiers sealed

What is readable is sealed and dropped in one transaction: killed in the middle, the district is as it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from alembic import op

from gongyu.access.sealing import Seals
from gongyu.database.migrations import keys_for_sealing, schema_of_migration
from gongyu.people.private import PRIVATE_FIELDS, holds_number, stored_id

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None

_PAGE = 5000
_BYTES, _TEXT = sa.LargeBinary(), sa.Text()
_PERSON_BYTES = ("identifier", "identifier_hash", "source_private")
_CARE_BYTES = ("category_hash", "value_hash", "sealed")
_NOBODY = UUID(int=0)


def upgrade() -> None:
    op.drop_index("ix_person_identifier", table_name="person")
    op.alter_column("person", "identifier", new_column_name="plain")
    for table, names in (("person", _PERSON_BYTES), ("care_category", _CARE_BYTES)):
        for name in names:
            op.add_column(table, sa.Column(name, _BYTES, nullable=True))
    _seal_persons()
    _hash_ids("membership")
    _hash_ids("enrolment")
    _seal_care()
    op.drop_column("person", "plain")
    op.create_index("ix_person_identifier_hash", "person", ["identifier_hash"])
    op.drop_column("care_category", "category")
    op.drop_column("care_category", "value")
    for name in _CARE_BYTES:
        op.alter_column("care_category", name, nullable=False)
    period = ["student_id", "category_hash", "value_hash", "begins_on"]
    op.create_unique_constraint("uq_care_category_period", "care_category", period)


def downgrade() -> None:
    """Ids of memberships and enrolments that held a number stay hashed: nothing has kept what they were."""
    op.drop_constraint("uq_care_category_period", "care_category", type_="unique")
    op.drop_index("ix_person_identifier_hash", table_name="person")
    op.alter_column("person", "identifier", new_column_name="sealed")
    op.add_column("person", sa.Column("identifier", _TEXT, nullable=True))
    for name in ("category", "value"):
        op.add_column("care_category", sa.Column(name, _TEXT, nullable=True))
    _open_persons()
    _open_care()
    for table, names in (("person", ("sealed", *_PERSON_BYTES[1:])), ("care_category", _CARE_BYTES)):
        for name in names:
            op.drop_column(table, name)
    for name in ("category", "value"):
        op.alter_column("care_category", name, nullable=False)
    op.create_index("ix_person_identifier", "person", ["identifier"])


def _seal_persons() -> None:
    texts = dict.fromkeys(PRIVATE_FIELDS, _TEXT)
    for rows in _pages("person", {"plain": _TEXT, **texts}):
        changed = []
        for row in rows:
            said = {field: text for field in PRIVATE_FIELDS if (text := row[field]) and holds_number(text)}
            if row["plain"] is None and not said:
                continue
            kept = {field: None if field in said else row[field] for field in PRIVATE_FIELDS}
            if "sourced_id" in said:
                kept["sourced_id"] = stored_id(_seals(), said["sourced_id"])
            told = msgspec.json.encode(said, order="sorted").decode() if said else None
            changed.append(
                kept
                | {
                    "id": row["id"],
                    "identifier": _seal("person.identifier", row["id"], row["plain"]),
                    "identifier_hash": None if row["plain"] is None else _hash("identifier", row["plain"]),
                    "source_private": _seal("person.source_private", row["id"], told),
                }
            )
        _update("person", texts | dict.fromkeys(_PERSON_BYTES, _BYTES), changed)


def _open_persons() -> None:
    texts = dict.fromkeys(PRIVATE_FIELDS, _TEXT)
    for rows in _pages("person", {"sealed": _BYTES, "source_private": _BYTES, **texts}):
        changed = []
        for row in rows:
            if row["sealed"] is None and row["source_private"] is None:
                continue
            told = msgspec.json.decode(_open("person.source_private", row["id"], row["source_private"]) or "{}")
            number = _open("person.identifier", row["id"], row["sealed"])
            changed.append({field: row[field] for field in ("id", *PRIVATE_FIELDS)} | told | {"identifier": number})
        _update("person", texts | {"identifier": _TEXT}, changed)


def _hash_ids(table: str) -> None:
    """An id of a source's row may be made of the person's."""
    for rows in _pages(table, {"sourced_id": _TEXT}):
        found = [row for row in rows if row["sourced_id"] and holds_number(row["sourced_id"])]
        changed = [{"id": row["id"], "sourced_id": stored_id(_seals(), row["sourced_id"])} for row in found]
        _update(table, {"sourced_id": _TEXT}, changed)


def _seal_care() -> None:
    _merge_care()
    for rows in _pages("care_category", {"category": _TEXT, "value": _TEXT}):
        changed = []
        for row in rows:
            told = msgspec.json.encode({"category": row["category"], "value": row["value"]}).decode()
            sealed = {
                "category_hash": _hash("care_category.category", row["category"]),
                "value_hash": _hash("care_category.value", row["value"]),
                "sealed": _seal("care_category.sealed", row["id"], told),
            }
            changed.append({"id": row["id"], **sealed})
        _update("care_category", dict.fromkeys(_CARE_BYTES, _BYTES), changed)


def _merge_care() -> None:
    """The same said twice from the same day on is one row from now on: the one that lasts longest."""
    lasting: dict[tuple[Any, ...], tuple[date, UUID]] = {}
    table, gone = "care_category", []
    columns = {"student_id": sa.Uuid(), "category": _TEXT, "value": _TEXT, "begins_on": sa.Date(), "ends_on": sa.Date()}
    for rows in _pages(table, columns):
        for row in rows:
            key = (row["student_id"], row["category"], row["value"], row["begins_on"])
            last = (row["ends_on"] or date.max, row["id"])
            if key in lasting:
                gone.append({"gone": min(last, lasting[key])[1]})
            lasting[key] = max(last, lasting.get(key, last))
    if gone:
        target = sa.table(table, sa.column("id", sa.Uuid()))
        op.get_bind().execute(sa.delete(target).where(target.c.id == sa.bindparam("gone")), gone)


def _open_care() -> None:
    for rows in _pages("care_category", {"sealed": _BYTES}):
        opened = [msgspec.json.decode(_open("care_category.sealed", row["id"], row["sealed"]) or "{}") for row in rows]
        changed = [told | {"id": row["id"]} for told, row in zip(opened, rows, strict=True)]
        _update("care_category", {"category": _TEXT, "value": _TEXT}, changed)


def _pages(table: str, columns: Mapping[str, Any]) -> Iterator[Sequence[sa.RowMapping]]:
    source = sa.table(table, sa.column("id", sa.Uuid()), *(sa.column(name, type_) for name, type_ in columns.items()))
    query, last = sa.select(*source.c).order_by(source.c.id).limit(_PAGE), _NOBODY
    while rows := op.get_bind().execute(query.where(source.c.id > last)).mappings().all():
        yield rows
        last = rows[-1]["id"]


def _update(table: str, columns: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    target = sa.table(table, sa.column("id", sa.Uuid()), *(sa.column(name, type_) for name, type_ in columns.items()))
    values = {name: sa.bindparam(f"new_{name}", type_=type_) for name, type_ in columns.items()}
    same = target.c.id == sa.bindparam("new_id", type_=sa.Uuid())
    given = [{f"new_{name}": value for name, value in row.items()} for row in rows]
    op.get_bind().execute(sa.update(target).where(same).values(values), given)


def _seals() -> Seals:
    return Seals(keys_for_sealing(), schema_of_migration().removeprefix("d_"))


def _hash(purpose: str, text: str) -> bytes:
    return _seals().hashed(text, purpose=purpose)


def _seal(column: str, id_: UUID, text: str | None) -> bytes | None:
    seals = _seals()
    return None if text is None else seals.keys.encrypt(seals.slug, text.encode(), context=f"{column}:{id_}".encode())


def _open(column: str, id_: UUID, sealed: bytes | None) -> str | None:
    seals = _seals()
    return (
        None if sealed is None else seals.keys.decrypt(seals.slug, sealed, context=f"{column}:{id_}".encode()).decode()
    )
