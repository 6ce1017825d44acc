"""`gongyu roster plan` and `apply` with a file as files are: some rows good, some not, and one that loses people."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from openpyxl import load_workbook

from ...command import Command  # noqa: TID252 - test folders are no packages and have no absolute names

if TYPE_CHECKING:
    from tests.people.importing.conftest import Crowd, Some, Write


@pytest.fixture
async def gongyu(database_url: str, tmp_path: Path) -> Command:
    command = Command(database_url, tmp_path)
    await command.well("district", "create", "ezhou", "--name", "鄂州")
    return command


async def test_good_rows_go_on_and_the_fault_that_blocks_most_stands_first(
    gongyu: Command, write: "Write", instead: "Some", tmp_path: Path
) -> None:
    orgs = [
        ("d", "鄂城区", "district", "", ""),
        ("s1", "第一小学", "school", "2142001636", "d"),
        ("s2", "", "school", "", "d"),
    ]
    pupil = ("p1", "true", "p1", "小明", "王", "G420101", "", "12", "g1,g2", "", "father,mother")
    path = str(write(orgs=orgs, users=instead("users", pupil)))
    workbook = tmp_path / "findings.xlsx"
    code, out, _ = await gongyu("roster", "plan", "ezhou", path, "--json", "--findings", str(workbook))
    assert code == 1  # some rows would be left out
    said = msgspec.json.decode(out)
    assert {name: type(value) for name, value in said.items()} == {
        "dialect": str, "mode": str, "changes": list, "removals": int, "confirmation_needed": bool, "lines": list,
        "findings": list,
    }  # fmt: skip
    told = [
        (one["severity"], one["code"], one["file"], one["row"], one["column"], one["blocks"])
        for one in said["findings"]
    ]
    assert told == [
        ("error", "value_missing", "orgs.csv", 4, "name", 4),  # with it fall a class, a role and an enrolment
        ("warning", "phone_invalid", "users.csv", 2, "phone", 0),
    ]
    assert all(one["text"].keys() == {"zh", "en"} for one in said["findings"])
    lines = {(line["action"], line["kind"], line["label"]) for line in said["lines"]}
    assert {("add", "org", "第一小学 (s1)"), ("add", "person", "王小红 (p2)")} <= lines
    assert not [label for _, _, label in lines if "s2" in label or "c3" in label]
    rows = [*load_workbook(workbook).worksheets[0].iter_rows(min_row=2, values_only=True)]
    assert [(row[2], row[3]) for row in rows] == [("orgs.csv", 4), ("users.csv", 2)]
    applied = msgspec.json.decode(await gongyu.well("roster", "apply", "ezhou", path, "--yes", "--json"))
    assert (applied["refused"], applied["findings"]) == (None, said["findings"])
    assert applied["changes"] == said["changes"]
    assert msgspec.json.decode((await gongyu("roster", "plan", "ezhou", path, "--json")).out)["lines"] == []


async def test_many_removals_wait_for_their_number(
    gongyu: Command, write: "Write", instead: "Some", crowd: "Crowd"
) -> None:
    await gongyu.well("roster", "apply", "ezhou", str(crowd(write, instead)), "--yes")
    half = str(crowd(write, instead, but=25))
    assert "--confirm-removals 25" in await gongyu.well("roster", "plan", "ezhou", half)
    for wrong in ((), ("--confirm-removals", "24")):
        code, _, err = await gongyu("roster", "apply", "ezhou", half, "--yes", *wrong)
        assert (code, "confirm_removals = 25" in err) == (2, True)
    await gongyu.well("roster", "apply", "ezhou", half, "--yes", "--confirm-removals", "25")
    assert msgspec.json.decode(await gongyu.well("roster", "plan", "ezhou", half, "--json"))["lines"] == []
