"""Kill -9 at any stage leaves the district as it was, or with the whole roster in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.events.models import EventRow
from gongyu.people.models import Enrolment, Guardianship, Membership, Person, RosterImport
from gongyu.testing.deployment import Deployment

if TYPE_CHECKING:
    from tests.people.importing.conftest import Town, Write

PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from gongyu.config import Config
from gongyu.host import load_host
from gongyu.people.importing.service import import_roster
from gongyu.platform import open_platform

slug, path, stage = sys.argv[1:]

def progress(here, done, total):
    if here == stage and (stage != "events" or done == 0):
        os.kill(os.getpid(), signal.SIGKILL)

async def work():
    async with open_platform(Config.from_environment(), host=load_host(entry_points=[])) as platform:
        await import_roster(platform, slug, Path(path), actor="operator:test", progress=progress)

asyncio.run(work())
"""
TABLES = (Person, Membership, Enrolment, Guardianship, EventRow, AuditLine)


@pytest.mark.parametrize("stage", ["reading", "planning", "enrolment", "events", "done"])
async def test_killed_import_leaves_before_or_after(town: "Town", write: "Write", stage: str) -> None:
    path = write()
    before = await _counted(town)
    killed = subprocess.run(  # noqa: S603, ASYNC221 - our own program; nothing else runs here
        [sys.executable, "-c", PROGRAM, town.slug, path, stage],
        env={
            **os.environ,
            "GONGYU_DATABASE_URL": town.platform.database.url,
            "GONGYU_DATA": str(town.platform.config.data),
        },
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    after = await _counted(town)
    state = await town.rows(sa.select(RosterImport.state))
    if stage == "done":
        assert (state, after["person"], after["event"]) == ([("applied",)], 5, 5)
        assert not await town.plan(path)
    else:
        assert (state, after) == ([("running",)], before)
        report = await town.load(path)  # the lock died with its owner
        assert (report.refused, report.events) == (None, 5)


async def _counted(town: "Town") -> dict[str, int]:
    counts = {}
    for table in TABLES:
        [(count,)] = await town.rows(sa.select(sa.func.count()).select_from(table))
        counts[table.__tablename__] = count
    return counts


def test_the_command_imports_and_says_what_it_did(tmp_path: Path, write: "Write") -> None:
    place = Deployment(tmp_path / "var")
    place.apply("ezhou", "")
    path = str(write())
    assert "gongyu" not in place.gongyu("roster", "plan", "ezhou", path).stderr
    done = place.gongyu("roster", "apply", "ezhou", path, "--yes")
    assert "pupils" in done.stdout
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("nothing")
    workbook = tmp_path / "findings.xlsx"
    refused = place.gongyu("roster", "plan", "ezhou", str(nothing), "--findings", str(workbook), check=False)
    assert (refused.returncode, workbook.exists()) == (2, True)
    assert place.gongyu("roster", "apply", "ezhou", str(nothing), "--yes", check=False).returncode == 2
    assert place.gongyu("roster", "export", "ezhou", str(tmp_path / "out.zip"), "--reason", "换系统").returncode == 0
    again = place.gongyu("roster", "plan", "ezhou", str(tmp_path / "out.zip"), "--json")
    assert '"lines": []' in again.stdout
