"""A made-up district with everything a real one has: in, out, in again; another district; and lists for people."""

import zipfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from gongyu.people.exporting.lists import export_lists
from gongyu.people.exporting.oneroster import export_oneroster
from gongyu.people.generate import generate, write_oneroster, write_register
from gongyu.people.importing.service import import_roster, plan_roster
from gongyu.people.models import Enrolment, Guardianship, Membership, Org, Person
from gongyu.testing.plugin import MakeDistrict

if TYPE_CHECKING:
    from tests.people.importing.conftest import Town


def what_counts(today: date) -> list[sa.Select[*tuple[Any, ...]]]:
    """Who is here and what they are to whom, of today."""
    on = [sa.or_(table.ends_on.is_(None), table.ends_on >= today) for table in (Membership, Enrolment, Guardianship)]
    return [
        sa.select(
            Person.sourced_id, Person.name, Person.identifier.is_not(None), Person.email, Person.phone_hash.is_not(None)
        ).where(Person.ended_on.is_(None)),
        sa.select(Membership.sourced_id, Membership.role, Membership.begins_on, Membership.ends_on).where(on[0]),
        sa.select(Enrolment.sourced_id, Enrolment.role, Enrolment.is_primary, Enrolment.begins_on).where(on[1]),
        sa.select(Guardianship.kind, Guardianship.is_legal, Guardianship.contact_allowed, Guardianship.begins_on).where(
            on[2]
        ),
    ]


@pytest.fixture
def package(tmp_path: Path, today: date) -> Path:
    path = tmp_path / "district.zip"
    write_oneroster(generate(3, schools=2, pupils=120, name="示范区", slug="demo", today=today), path)
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


async def test_another_district_gets_the_same_people(
    town: "Town", package: Path, tmp_path: Path, make_district: MakeDistrict, today: date
) -> None:
    await town.load(package)
    out = tmp_path / "out.zip"
    await export_oneroster(town.platform, town.slug, out, actor="operator:test")
    other = await make_district("huangshi", name="黄石市")
    report = await import_roster(town.platform, "huangshi", out, actor="operator:test")
    assert report.refused is None
    assert not await plan_roster(town.platform, "huangshi", out)
    for query in what_counts(today):
        async with town.platform.database.read(other.district) as connection:
            theirs = [str(tuple(row)) for row in await connection.execute(query)]
        ours = [str(row) for row in await town.rows(query)]
        assert sorted(theirs) == sorted(ours)


async def test_lists_name_every_pupil_once_and_nobody_who_may_not_be_called(
    town: "Town", package: Path, tmp_path: Path
) -> None:
    await town.load(package)
    async with town.platform.database.work(town.state.district) as session:
        await session.execute(sa.update(Person).where(Person.sourced_id.like("%s%")).values(name="=1+1"))
    out = tmp_path / "lists.zip"
    written = await export_lists(town.platform, town.slug, out, actor="operator:test")
    schools = {f"{name}.xlsx" for (name,) in await town.rows(sa.select(Org.name).where(Org.type == "school"))}
    assert (set(written), sum(written.values())) == (schools, 120)
    rows = []
    with zipfile.ZipFile(out) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                book = load_workbook(file)
                rows += [row for sheet in book for row in sheet.iter_rows(min_row=3, values_only=True)]
    assert len(rows) == 120
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
