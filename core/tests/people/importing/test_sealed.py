"""What a roster brings stands sealed, wherever the source has put it; also what an older release left readable."""

import csv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa

from gongyu.access.operating import find_person
from gongyu.database import migrations
from gongyu.database.engine import DatabaseUnfitError
from gongyu.people.exporting.oneroster import export_oneroster
from gongyu.people.models import Person
from gongyu.people.private import holds_number, open_private
from gongyu.people.roster.identity import check_character

from ...dump import dump, readable  # noqa: TID252 - test folders are no packages and have no absolute names

if TYPE_CHECKING:
    from tests.people.importing.conftest import Some, Town, Write

NUMBER: Final = (first := "99000020180101025") + check_character(first)


def test_numbers_are_known_among_other_digits() -> None:
    numbers = [NUMBER, f"G{NUMBER}", "user-990000180101005", "13986412233@139.com", "+8613986412233", f"学号{NUMBER}"]
    others = ["", "2142001636", "202509010001234567", "8f14e45f-ceea-467a-9575-6a1b1c5f9f0a", "7211234567890123456"]
    others.append("01a20203-381d-7187-9a3c-18839684037c")
    assert [holds_number(text) for text in numbers] == [True] * len(numbers)
    assert [holds_number(text) for text in others] == [False] * len(others)


async def test_number_in_the_wrong_place_is_sealed_and_goes_out_as_it_came(
    town: "Town", write: "Write", instead: "Some", tmp_path: Path
) -> None:
    """Some sources take identity numbers for their ids, telephones for user names and in e-mail addresses."""
    pupil, phone, register = NUMBER, "13986412233", f"G{NUMBER}"
    files = {
        "users": [
            (pupil, "true", phone, "小刚", "赵", register, f"{phone}@example.org", "", "g2", "", "mother"),
            *instead("users"),
        ],
        "roles": [(f"r-{pupil}", pupil, "primary", "student", "2025-09-01", "", "s1"), *instead("roles")],
        "enrollments": [(f"e-{pupil}", "c1", "s1", pupil, "student", "true", "", ""), *instead("enrollments")],
        "demographics": [(pupil, "2018-01-01", "male", "orphan:yes"), *instead("demographics")],
    }
    path = write(**files)
    report = await town.load(path)
    assert (report.refused, report.findings) == (None, ())
    assert list((await town.plan(path)).lines()) == []
    wrong = write("delta", enrollments=[("active", ("e9", "c9", "s1", pupil, "student", "true", "", ""))])
    assert [one.blocks for one in (await town.load(wrong)).findings] == [1]  # the class is nobody's, the pupil is known
    dumped = await dump(town.platform.database, town.state.district.schema, "gongyu")
    assert [one for one in (pupil, phone, register, "orphan", "left_behind") if readable(dumped, one)] == []
    async with town.platform.database.work(town.state.district) as session:  # as an operator names them
        named = [await find_person(session, said, keys=town.platform.keys) for said in (pupil, register)]
    assert named == [id_ for (id_,) in await town.rows(sa.select(Person.id).where(Person.name == "赵小刚"))] * 2
    out = tmp_path / "out.zip"
    await export_oneroster(town.platform, town.slug, out, actor="operator:test")
    with zipfile.ZipFile(out) as archive:
        users = list(csv.DictReader(archive.read("users.csv").decode("utf-8-sig").splitlines()))
        roles = list(csv.DictReader(archive.read("roles.csv").decode("utf-8-sig").splitlines()))
    (line,) = [user for user in users if user["givenName"] == "小刚"]
    told = [line[name] for name in ("sourcedId", "username", "identifier", "email", "agentSourcedIds")]
    assert told == [pupil, phone, register, f"{phone}@example.org", "g2"]
    assert [role["role"] for role in roles if role["userSourcedId"] == pupil] == ["student"]
    assert list((await town.plan(out)).lines()) == []
    tamed = ("p9", "true", "zhao", "小刚", "赵", register, "", "", "g2", "", "mother")
    renamed = write(
        users=instead("users", tamed),
        roles=[*instead("roles"), ("r9", "p9", "primary", "student", "2025-09-01", "", "s1")],
    )
    assert (await town.load(renamed)).refused is None
    (row,) = await town.rows(
        sa.select(Person.sourced_id, Person.username, Person.id, Person.source_private).where(Person.sourced_id == "p9")
    )
    assert row[:2] == ("p9", "zhao")
    private = open_private(town.platform.seals(town.state.district), row[2], row[3])
    assert private == {"email": f"{phone}@example.org"}  # of that the file says nothing any more


async def test_upgrade_seals_what_stood_readable_and_can_be_taken_back(
    town: "Town", write: "Write", instead: "Some"
) -> None:
    odd = (NUMBER, "true", NUMBER, "小刚", "赵", f"G{NUMBER}", "", "", "", "", "")
    path = write(
        users=[odd, *instead("users")], roles=[(NUMBER, NUMBER, "primary", "student", "", "", "s1"), *instead("roles")]
    )
    await town.load(path)
    before, core = await town.care(), migrations.core_history()
    district, database = town.state.district, town.platform.database

    async def migrate(target: str, keys: object = None) -> None:
        await migrations.upgrade_schema(database, district.schema, district.number, [core], target=target, keys=keys)

    async def shown() -> list[str]:
        dumped = await dump(database, district.schema)
        return [one for one in (NUMBER, f"G{NUMBER}", "G420101", "left_behind") if readable(dumped, one)]

    await migrate("core_0002", town.platform.keys)
    assert await shown() == [NUMBER, f"G{NUMBER}", "G420101", "left_behind"]
    twice = sa.text(  # what nothing forbade until now
        f"INSERT INTO {district.schema}.care_category (id, student_id, category, value, begins_on, ends_on) "  # noqa: S608 - ours
        "SELECT gen_random_uuid(), student_id, category, value, begins_on, begins_on "
        f"FROM {district.schema}.care_category"
    )
    async with database.owner.begin() as connection:
        await connection.execute(twice)
    with pytest.raises(DatabaseUnfitError, match="needs the keys"):
        await migrate("heads")
    assert await shown() == [NUMBER, f"G{NUMBER}", "G420101", "left_behind"]
    await migrate("heads", town.platform.keys)
    assert (await shown(), await town.care()) == ([], before)
    assert list((await town.plan(path)).lines()) == []


async def test_somebody_erased_is_recognised_by_nothing(town: "Town", write: "Write") -> None:
    """Their row stays for what refers to it; whoever comes with the same number is somebody new."""
    path = write()
    await town.load(path)
    async with town.platform.database.work(town.state.district) as session:
        # As if the erasure had left a trace: not even then.
        erased = sa.update(Person).where(Person.sourced_id == "p1").values(erased_at=sa.func.now(), name="（已删除）")
        (gone,) = (await session.execute(erased.values(sourced_id=None).returning(Person.id))).scalars()
    report = await town.load(path)
    assert [(one.kind, one.added) for one in report.changes if one.kind == "person"] == [("person", 1)]
    rows = await town.rows(sa.select(Person.id, Person.name, Person.erased_at.is_not(None)).where(Person.id == gone))
    assert rows == [(gone, "（已删除）", True)]
    (new,) = await town.rows(sa.select(Person.id, Person.name).where(Person.sourced_id == "p1"))
    assert (new[0] != gone, new[1]) == (True, "王小明")
    assert list((await town.plan(path)).lines()) == []
