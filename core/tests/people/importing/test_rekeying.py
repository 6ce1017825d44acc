"""A source calls everybody something else from one day to the next, and nobody is doubled or lost."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio.to_thread
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gongyu.access.models import AuditLine
from gongyu.cli.roster import roster
from gongyu.host import Host
from gongyu.people.models import ClassGroup, Org, Person
from gongyu.people.private import open_private
from gongyu.people.roster.identity import check_character

from .conftest import PUPILS_NUMBER, SMALL, Some, Town, Write

BORN = [("p1", "2018-01-01", "male", ""), ("p2", "2019-02-02", "female", ""), ("t1", "1980-03-03", "female", "")]
IDS = {row[0] for name in ("orgs", "academicSessions", "classes", "users") for row in SMALL[name]} - {"d"}
Gongyu = Callable[..., tuple[int, str]]


def renamed(row: Sequence[str]) -> list[str]:
    """As another provider calls the same: every id has an `x` before it."""
    return [",".join(f"x{part}" if part in IDS else part for part in cell.split(",")) for cell in row]


@pytest.fixture
def gongyu(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path, host: Host) -> Gongyu:
    monkeypatch.setenv("GONGYU_DATABASE_URL", database_url)
    monkeypatch.setenv("GONGYU_DATA", str(tmp_path))
    monkeypatch.setenv("GONGYU_LANG", "en")
    monkeypatch.setattr("gongyu.platform.load_host", lambda **_: host)

    def invoke(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(roster, [str(argument) for argument in arguments])
        return done.exit_code, done.output

    return invoke


async def ran(gongyu: Gongyu, *arguments: object) -> tuple[int, str]:
    return await anyio.to_thread.run_sync(gongyu, *arguments)


async def titles(town: Town) -> dict[str, str]:
    return {row[0]: row[1] for row in await town.rows(sa.select(ClassGroup.sourced_id, ClassGroup.title))}


async def test_same_people_under_new_ids_are_proposed_then_rekeyed_then_imported_as_they_are(
    town: Town, write: Write, instead: Some, gongyu: Gongyu, tmp_path: Path
) -> None:
    number = "99000019900505002"
    mother = ("g2", "true", "g2", "秀英", "李", "", "", "", "", number + check_character(number), "")
    files = {**SMALL, "users": instead("users", mother), "demographics": BORN}
    assert (await town.load(write(**files))).refused is None
    before = await town.rows(sa.select(Person.id, Person.name).order_by(Person.name))
    moved = write(**{name: [renamed(row) for row in rows] for name, rows in files.items()})
    out = tmp_path / "proposal.csv"
    code, said = await ran(gongyu, "look-alikes", "ezhou", moved, out)
    assert code == 0, said
    lines = list(csv.DictReader(out.read_text("utf-8-sig").splitlines()))
    proposed = {(line["kind"], line["old"], line["new"]) for line in lines}
    # Schools, pupils and parents are known by their national numbers, whatever the source calls them.
    assert proposed == {
        ("session", "t1", "xt1"),
        *(("class", f"c{n}", f"xc{n}") for n in (1, 2, 3)),
        ("person", "t1", "xt1"),
    }
    assert out.stat().st_mode & 0o077 == 0
    code, said = await ran(gongyu, "rekey", "ezhou", out, "--yes")
    assert code == 0, said
    plan = await town.plan(moved)
    assert {tally.kind: (tally.added, tally.ended) for tally in plan.tallies if tally.added or tally.ended} == {}
    assert (await town.load(moved)).refused is None
    assert await town.rows(sa.select(Person.id, Person.name).order_by(Person.name)) == before
    audited = await town.rows(sa.select(AuditLine.details).where(AuditLine.action == "roster.rekeyed"))
    assert [(details["session"], details["class"], "p2" in str(details)) for (details,) in audited] == [(1, 3, False)]


async def test_table_with_anything_wrong_in_it_changes_nothing(
    town: Town, write: Write, gongyu: Gongyu, tmp_path: Path
) -> None:
    await town.load(write())
    table = tmp_path / "new.csv"
    table.write_text(
        "kind,old,new\nperson,p1,p9\nperson,p2,t1\nperson,nobody,p7\nclass,c1,c9\nclass,c1,c8\norg,s1,s9\norg,s2,s9\n"
    )
    code, said = await ran(gongyu, "rekey", "ezhou", table, "--yes")
    assert code == 2
    assert (
        said.splitlines()
        == [
            "new.csv:3: t1 is another person already",
            "new.csv:4: there is no person nobody",
            "new.csv:5: an id stands in the table more than once",
            "new.csv:6: an id stands in the table more than once",
            "new.csv:7: an id stands in the table more than once",
            "new.csv:8: an id stands in the table more than once",
            "7 problems; nothing was changed",
        ]
        or said.splitlines()[-1] == "6 problems; nothing was changed"
    )
    table.write_text("kind,old,new\nteacher,t1,t2\nperson,,p2\nperson,p1,p1\n")
    code, said = await ran(gongyu, "rekey", "ezhou", table, "--yes")
    assert (code, [line.split(":")[1] for line in said.splitlines()[:3]]) == (2, ["2", "3", "4"])
    table.write_text("old,new\np1,p2\n")
    assert (await ran(gongyu, "rekey", "ezhou", table, "--yes"))[0] == 2
    ids = {row[0] for row in await town.rows(sa.select(Person.sourced_id))}
    assert ids == {"p1", "p2", "g1", "g2", "t1"}


async def test_two_may_exchange_ids_and_an_id_that_is_a_number_is_not_readable(
    town: Town, write: Write, gongyu: Gongyu, tmp_path: Path
) -> None:
    await town.load(write())
    names = await titles(town)
    table = tmp_path / "new.csv"
    table.write_text(f"new,kind,old,name\nc2,class,c1,x\nc1,class,c2,x\n{PUPILS_NUMBER},person,p1,x\n")
    assert (await ran(gongyu, "rekey", "ezhou", table, "--dry-run"))[0] == 0
    assert await town.rows(sa.select(Org.sourced_id).where(Org.sourced_id == "s1")) == [("s1",)]
    assert await town.rows(sa.select(Person.id).where(Person.sourced_id == "p1"))
    code, said = await ran(gongyu, "rekey", "ezhou", table, "--yes")
    assert code == 0, said
    now = await titles(town)
    assert (now["c1"], now["c2"]) == (names["c2"], names["c1"])
    child = sa.select(Person.id, Person.sourced_id, Person.source_private).where(Person.name == "王小明")
    ((id_, stored, sealed),) = await town.rows(child)
    assert stored.startswith("~")
    seals = town.platform.seals(town.state.district)
    assert open_private(seals, id_, sealed)["sourced_id"] == PUPILS_NUMBER
    table.write_text(f"kind,old,new\nperson,{PUPILS_NUMBER},p1\n")  # and found again by it
    assert (await ran(gongyu, "rekey", "ezhou", table, "--yes"))[0] == 0
    ((_, stored, sealed),) = await town.rows(child)
    assert (stored, open_private(seals, id_, sealed)) == ("p1", {})
