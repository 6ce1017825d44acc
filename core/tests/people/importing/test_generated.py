"""A made-up district with everything a real one has: in, out, in again; another district; and lists for people."""

import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from gongyu.database.model import Base, new_id
from gongyu.districts.registry import DistrictState
from gongyu.people.care import open_care
from gongyu.people.exporting.lists import export_lists
from gongyu.people.exporting.oneroster import export_oneroster
from gongyu.people.generate import generate, write_oneroster, write_register
from gongyu.people.importing.numbers import id_number_context, identifier_context, phone_context
from gongyu.people.importing.service import import_roster, plan_roster
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
from gongyu.people.private import open_private
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict

if TYPE_CHECKING:
    from tests.people.importing.conftest import Town


class State:
    """Who is here and what they are to whom, of today, with what is sealed opened: all that does not depend on which
    district it stands in.
    """

    _OURS: Final = frozenset({"id", "from_roster", "updated_at", "opened_at", "closed_at", "erased_at"})

    def __init__(self, platform: Platform, state: DistrictState, today: date) -> None:
        self._database, self._district, self._today = platform.database, state.district, today
        self._seals = platform.seals(state.district)
        self._known: dict[UUID, str] = {}

    async def read(self) -> dict[str, list[str]]:
        found = {}
        async with self._database.read(self._district) as connection:
            for model in (Org, AcademicSession, ClassGroup, Person, Demographics, Membership, Enrolment, Guardianship):
                rows = [row for row in await connection.execute(sa.select(model.__table__)) if self._is_on(row)]
                for row in rows:
                    if hasattr(row, "sourced_id"):
                        self._known[row.id] = row.sourced_id or str(row.id)
                found[model.__tablename__] = sorted(str(self._told(row)) for row in rows)
            care = await connection.execute(sa.select(CareCategory.__table__))
            found["care"] = sorted(
                str(
                    (
                        *open_care(self._seals, row.id, row.sealed),
                        self._known[row.student_id],
                        row.begins_on,
                        row.ends_on,
                    )
                )
                for row in care
                if self._is_on(row)
            )
        return found

    def _is_on(self, row: sa.Row[Any]) -> bool:
        """The root is each district's own. A term that is over is a term all the same."""
        columns = row._mapping
        if "starts_on" in columns or columns.get("type") == "district":
            return "starts_on" in columns
        last = columns.get("ends_on", columns.get("ended_on"))
        return last is None or last >= self._today

    def _told(self, row: sa.Row[Any]) -> dict[str, object]:
        told: dict[str, object] = {}
        for name, value in row._mapping.items():
            if name == "sourced_id":
                told[name] = value or str(row.id)
            elif isinstance(value, bytes):
                told |= {} if name.endswith("_hash") else {name: self._opened(row.id, name, value)}
            elif name not in self._OURS and not name.endswith("_hash"):
                told[name] = self._known.get(value, "the root") if isinstance(value, UUID) else value
        return told

    def _opened(self, id_: UUID, name: str, value: bytes) -> object:
        if name == "source_private":
            return open_private(self._seals, id_, value)
        contexts = {"identifier": identifier_context, "id_number": id_number_context, "phone": phone_context}
        return self._seals.keys.decrypt(self._seals.slug, value, context=contexts[name](id_))


@pytest.fixture
def package(tmp_path: Path, today: date) -> Path:
    path = tmp_path / "district.zip"
    write_oneroster(generate(3, schools=2, pupils=160, name="示范区", slug="demo", today=today), path)
    return path


async def test_export_imports_back_to_the_same_state(town: "Town", package: Path, tmp_path: Path) -> None:
    await town.load(package)
    assert not await town.plan(package)
    out = tmp_path / "out.zip"
    counts = await export_oneroster(town.platform, town.slug, out, actor="operator:test")
    assert counts["users"] > 200
    plan = await town.plan(out)
    assert list(plan.lines()) == []


async def test_export_of_a_register_imports_back_too(town: "Town", tmp_path: Path, today: date) -> None:
    """People without the source's ids go by our own."""
    register, out = tmp_path / "register.xlsx", tmp_path / "out.zip"
    write_register(generate(3, schools=1, pupils=60, name="示范区", slug="demo", today=today), register)
    await town.load(register)
    assert not await town.plan(register)
    await export_oneroster(town.platform, town.slug, out, actor="operator:test")
    assert list((await town.plan(out)).lines()) == []


async def _by_hand(town: "Town", today: date) -> None:
    """What no roster of this kind brings, but people do."""
    soon, later = today + timedelta(days=10), today + timedelta(days=11)
    async with town.platform.database.work(town.state.district) as session:

        async def change(model: type[Base], *where: sa.ColumnElement[bool], **values: object) -> UUID:
            key = model.__table__.c.id
            one: UUID = (await session.execute(sa.select(key).where(*where).order_by(key).limit(1))).scalar_one()
            await session.execute(sa.update(model).where(key == one).values(values))
            return one

        on = sa.or_(Guardianship.ends_on.is_(None), Guardianship.ends_on >= today)
        father = Guardianship.kind == "father", on
        await change(Guardianship, *father, kind="unknown", is_legal=None, priority=7, contact_allowed=False)
        until = await change(Guardianship, *father, ends_on=soon)
        tie = (await session.execute(sa.select(Guardianship.__table__).where(Guardianship.id == until))).one()
        again = {**tie._mapping, "id": new_id(), "kind": "other", "begins_on": later, "ends_on": None}
        await session.execute(sa.insert(Guardianship).values(again))
        await change(CareCategory, CareCategory.ends_on.is_(None), begins_on=date(2024, 2, 29), ends_on=later)
        await change(Person, Person.name.not_like("=%"), name="Ann Lee", given_name="Lee Ann", family_name="O'Neil")
        await change(Person, Person.given_name.is_not(None), given_name=None, family_name=None, boarding=True)
        pupil = await change(
            Enrolment, Enrolment.role == "student", Enrolment.is_primary.is_(True), number="07", ends_on=later
        )
        await change(Enrolment, Enrolment.role == "teacher", role="aide", is_primary=False)
        left = sa.select(Enrolment.person_id).where(Enrolment.id > pupil, Enrolment.role == "student").limit(1)
        gone = (await session.execute(left)).scalar_one()
        for table in (Membership, Enrolment):
            over = sa.update(table).where(table.person_id == gone).values(ends_on=today - timedelta(days=1))
            await session.execute(over)
        assert (await session.execute(sa.select(Guardianship.id).where(Guardianship.student_id == gone, on))).all()


async def test_another_district_gets_the_same_state(
    town: "Town", package: Path, tmp_path: Path, make_district: MakeDistrict, today: date
) -> None:
    await town.load(package)
    await _by_hand(town, today)
    out = tmp_path / "out.zip"
    await export_oneroster(town.platform, town.slug, out, actor="operator:test")
    plan = await town.plan(out)
    assert list(plan.lines()) == []
    assert {one.code for one in plan.findings} == {
        "file_unused",
        "person_without_role",
        "password_ignored",
        "value_wanted",
    }
    other = await make_district("huangshi", name="黄石市")
    report = await import_roster(town.platform, "huangshi", out, actor="operator:test")
    assert report.refused is None
    assert not await plan_roster(town.platform, "huangshi", out)
    ours = await State(town.platform, town.state, today).read()
    assert await State(town.platform, other, today).read() == ours
    assert min(len(rows) for table, rows in ours.items() if table not in ("org", "academic_session")) > 5
    assert [one for one in ours["person"] if "'id_number': b'E99" in one]


async def test_lists_name_every_pupil_once_and_nobody_who_may_not_be_called(
    town: "Town", package: Path, tmp_path: Path
) -> None:
    await town.load(package)
    async with town.platform.database.work(town.state.district) as session:
        await session.execute(sa.update(Person).where(Person.sourced_id.like("%s%")).values(name="=1+1"))
    out = tmp_path / "lists.zip"
    written = await export_lists(town.platform, town.slug, out, actor="operator:test")
    schools = {f"{name}.xlsx" for (name,) in await town.rows(sa.select(Org.name).where(Org.type == "school"))}
    assert (set(written), sum(written.values())) == (schools, 160)
    rows = []
    with zipfile.ZipFile(out) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                book = load_workbook(file)
                rows += [row for sheet in book for row in sheet.iter_rows(min_row=3, values_only=True)]
    assert len(rows) == 160
    assert not [cell for row in rows for cell in row if isinstance(cell, str) and cell.startswith("=")]
    banned = await town.rows(
        sa.select(Person.name)
        .join(Guardianship, Guardianship.guardian_id == Person.id)
        .where(~Guardianship.contact_allowed)
    )
    assert banned
    shown = {cell for row in rows for cell in row[4:]}
    allowed = await town.rows(
        sa.select(Person.name)
        .join(Guardianship, Guardianship.guardian_id == Person.id)
        .where(Guardianship.contact_allowed)
    )
    assert not {name for (name,) in banned} & shown - {name for (name,) in allowed}
