"""Carrying out a plan in one transaction: new rows by COPY, changes and ends by one statement for thousands of rows.

Only what runs on every node of Citus: COPY, UPDATE … FROM unnest(…), INSERT … ON CONFLICT; values are computed here.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.keys import KeyRing
from gongyu.access.sealing import Seals
from gongyu.database.model import Base, new_id
from gongyu.people.care import sealed_care
from gongyu.people.importing.comparing import Progress, by_chunks
from gongyu.people.importing.numbers import id_number_context, identifier_context, phone_context, plain_phone
from gongyu.people.importing.plan import Change, Plan
from gongyu.people.models import (
    AcademicSession,
    CareCategory,
    ClassGroup,
    Demographics,
    Enrolment,
    Guardianship,
    Membership,
    Org,
    Person,
)
from gongyu.people.private import seal_private
from gongyu.people.roster import canonical
from gongyu.people.roster.canonical import KINDS, Kind
from gongyu.people.words import own_word
from gongyu.plugin import District

__all__ = ["carry_out"]

_MODELS: Final[dict[Kind, type[Base]]] = {
    "org": Org,
    "session": AcademicSession,
    "class": ClassGroup,
    "person": Person,
    "membership": Membership,
    "enrolment": Enrolment,
    "guardianship": Guardianship,
    "care": CareCategory,
}
_TABLES: Final = {kind: cast("sa.Table", model.__table__) for kind, model in _MODELS.items()}
_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    "org": ("id", "sourced_id", "name", "type", "identifier", "parent_id", "from_roster"),
    "session": ("id", "sourced_id", "title", "type", "starts_on", "ends_on", "school_year", "parent_id"),
    "class": ("id", "sourced_id", "title", "type", "grade", "code", "school_id", "session_id", "from_roster"),
    "person": (
        "id", "sourced_id", "name", "given_name", "family_name", "username", "email", "boarding",
        "identifier", "identifier_hash", "id_number", "id_number_hash", "phone", "phone_hash", "source_private",
        "ended_on", "from_roster",
    ),
    "membership": (
        "id", "sourced_id", "person_id", "org_id", "role", "is_primary", "begins_on", "ends_on", "from_roster",
    ),
    "enrolment": (
        "id", "sourced_id", "person_id", "class_id", "role", "is_primary", "number", "begins_on", "ends_on",
        "from_roster",
    ),
    "guardianship": (
        "id", "guardian_id", "student_id", "kind", "is_legal", "priority", "contact_allowed", "begins_on", "ends_on",
        "from_roster",
    ),
    "care": ("id", "category_hash", "value_hash", "sealed", "student_id", "begins_on", "ends_on", "from_roster"),
}  # fmt: skip
_CONTEXTS: Final = {"identifier": identifier_context, "id_number": id_number_context, "phone": phone_context}
_CHUNK: Final = 5000
Row = tuple[Any, ...]


async def carry_out(session: AsyncSession, plan: Plan, *, keys: KeyRing, progress: Progress) -> None:
    """Write the plan in the caller's transaction; events and the audit line are the caller's."""
    writing = _Writing(session, plan, keys)
    for kind in KINDS:
        await writing.insert(kind, progress)
        await writing.update(kind)
        await writing.end(kind)


class _Writing:
    def __init__(self, session: AsyncSession, plan: Plan, keys: KeyRing) -> None:
        self._session, self._plan, self._keys = session, plan, keys
        self._district: District = session.info["district"]
        self._seals = Seals(keys, self._district.slug)
        self._ids = plan.ids
        self._rows: dict[Kind, Callable[[Any], Row]] = {
            "org": self._org,
            "session": self._term,
            "class": self._class,
            "person": self._person,
            "membership": self._membership,
            "enrolment": self._enrolment,
            "guardianship": self._guardianship,
            "care": self._care,
        }

    async def insert(self, kind: Kind, progress: Progress) -> None:
        """The kind's new rows. Orgs and sessions go in one piece: they refer to one another."""
        records = self._plan.added[kind]
        size = _CHUNK * 4 if kind not in ("org", "session") else max(len(records), 1)
        for number, some in enumerate(by_chunks(records, size)):
            progress(kind, number * size, len(records))
            await self._copy(_TABLES[kind].name, _COLUMNS[kind], map(self._rows[kind], some))
            if kind == "person":
                await self._copy("demographics", ("person_id", "birth_date", "sex"), self._demographics(some))
        progress(kind, len(records), len(records))

    async def _copy(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        raw = await (await self._session.connection()).get_raw_connection()
        driver: asyncpg.Connection[asyncpg.Record] = cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)
        await driver.copy_records_to_table(table, schema_name=self._district.schema, columns=columns, records=rows)

    async def update(self, kind: Kind) -> None:
        for some in by_chunks(self._plan.changed[kind], _CHUNK):
            await self._change(kind, some)
            if kind == "person":
                await self._change_demographics(some)

    async def _change(self, kind: Kind, changes: Sequence[Change]) -> None:
        """All changed columns at once. The last day is set as it is given; of the others NULL means: as before."""
        table = _TABLES[kind]
        last = "ended_on" if "ended_on" in table.c else "ends_on"
        rows = [self._sealed(change) if kind == "person" else change.values for change in changes]
        names = sorted({last}.union(*rows) - {"birth_date", "sex"})
        new = _unnested(table, ["id", *names])
        values = {name: new.c[name] if name == last else sa.func.coalesce(new.c[name], table.c[name]) for name in names}
        if kind == "person":
            values["updated_at"] = sa.func.now()
        given = {f"new_{name}": [row.get(name) for row in rows] for name in names}
        statement = sa.update(table).where(table.c.id == new.c.id).values(values)
        await self._session.execute(statement, {"new_id": [change.id for change in changes], **given})

    def _sealed(self, change: Change) -> dict[str, Any]:
        values = dict(change.values)
        for field, context in _CONTEXTS.items():
            if field in values:
                values[field] = self._seal(values[field], context(change.id))
        if "source_private" in values:
            values["source_private"] = seal_private(self._seals, change.id, values["source_private"])
        return values

    async def _change_demographics(self, changes: Sequence[Change]) -> None:
        table = cast("sa.Table", Demographics.__table__)
        told = [change for change in changes if change.values.keys() & {"birth_date", "sex"}]
        if not told:
            return
        new = _unnested(table, ["person_id", "birth_date", "sex"])
        fresh = insert(table).from_select(["person_id", "birth_date", "sex"], sa.select(*new.c))
        kept = {name: sa.func.coalesce(fresh.excluded[name], table.c[name]) for name in ("birth_date", "sex")}
        given = {f"new_{name}": [change.values.get(name) for change in told] for name in ("birth_date", "sex")}
        await self._session.execute(
            fresh.on_conflict_do_update(index_elements=["person_id"], set_=kept),
            {"new_person_id": [change.id for change in told], **given},
        )

    async def end(self, kind: Kind) -> None:
        """The last day was yesterday: what ends today gives nothing today."""
        table = _TABLES[kind]
        last = "ended_on" if "ended_on" in table.c else "ends_on"
        values: dict[str, Any] = {last: self._plan.today - timedelta(days=1)}
        if kind == "person":
            values["updated_at"] = sa.func.now()
        for some in by_chunks(self._plan.ended[kind], _CHUNK):
            ids = sa.bindparam("ids", [end.id for end in some], type_=ARRAY(sa.Uuid()))
            await self._session.execute(sa.update(table).where(table.c.id == sa.any_(ids)).values(values))

    def _seal(self, text: str, context: bytes) -> bytes:
        return self._keys.encrypt(self._district.slug, text.encode(), context=context)

    def _hash(self, text: str, purpose: bytes) -> bytes:
        return self._keys.keyed_hash(self._district.slug, text.encode(), purpose=purpose)

    def _org(self, one: canonical.Org) -> Row:
        ids = self._ids["org"]
        parent = ids.get(one.parent, self._plan.root)
        return ids[one.sourced_id], one.sourced_id, one.name, own_word(one.type), one.identifier or None, parent, True

    def _term(self, one: canonical.AcademicSession) -> Row:
        ids = self._ids["session"]
        year = str(one.school_year) if one.school_year else None
        return ids[one.sourced_id], one.sourced_id, one.title, one.type, one.start, one.end, year, ids.get(one.parent)

    def _class(self, one: canonical.Class_) -> Row:
        term = self._ids["session"].get(one.terms[0]) if one.terms else None
        return (
            self._ids["class"][one.sourced_id], one.sourced_id, one.title, one.type, ",".join(one.grades) or None,
            one.code or None, self._ids["org"][one.school], term, True,
        )  # fmt: skip

    def _person(self, one: canonical.Person) -> Row:
        id_, phone = self._ids["person"][one.sourced_id], plain_phone(one.phone)
        return (
            id_,
            one.sourced_id if self._plan.roster.stable_ids else None,
            one.name,
            one.given_name if one.given_name not in ("", one.name) else None,
            one.family_name or None,
            one.username if one.username not in ("", one.sourced_id) else None,
            one.email or None,
            one.boarding,
            self._seal(one.identifier, identifier_context(id_)) if one.identifier else None,
            self._hash(one.identifier, b"identifier") if one.identifier else None,
            self._seal(one.id_number, id_number_context(id_)) if one.id_number else None,
            self._hash(one.id_number, b"id_number") if one.id_number else None,
            self._seal(phone, phone_context(id_)) if phone else None,
            self._hash(phone, b"phone") if phone else None,
            seal_private(self._seals, id_, self._plan.private.get(one.sourced_id, {})),
            None if one.enabled else self._plan.today - timedelta(days=1),
            True,
        )  # fmt: skip

    def _demographics(self, persons: Sequence[canonical.Person]) -> Iterator[Row]:
        ids = self._ids["person"]
        return ((ids[one.sourced_id], one.birth_date, one.sex) for one in persons if one.birth_date or one.sex)

    def _membership(self, one: canonical.Membership) -> Row:
        return (
            new_id(), one.sourced_id or None, self._ids["person"][one.person], self._ids["org"][one.org],
            own_word(one.role), one.primary, one.begin or self._plan.today, one.end, True,
        )  # fmt: skip

    def _enrolment(self, one: canonical.Enrolment) -> Row:
        return (
            new_id(), one.sourced_id or None, self._ids["person"][one.person], self._ids["class"][one.class_],
            own_word(one.role), one.primary, one.number or None, one.begin or self._plan.today, one.end, True,
        )  # fmt: skip

    def _guardianship(self, one: canonical.Guardianship) -> Row:
        persons = self._ids["person"]
        begins = one.valid_from or self._plan.today
        return (
            new_id(), persons[one.guardian], persons[one.student], one.kind, one.legal, one.priority or 1,
            one.contact_allowed is not False, begins, one.valid_to, True,
        )  # fmt: skip

    def _care(self, one: canonical.CareCategory) -> Row:
        row = sealed_care(self._seals, id_=new_id(), category=one.category, value=one.value)
        return *row.values(), self._ids["person"][one.student], one.valid_from or self._plan.today, one.valid_to, True


def _unnested(table: sa.Table, names: Sequence[str]) -> Any:  # noqa: ANN401 - a table of SQLAlchemy's making
    """Parameters `new_<name>`, one array for each column, as a table."""
    arrays = [sa.bindparam(f"new_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    columns = [sa.column(name, table.c[name].type) for name in names]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="new")
