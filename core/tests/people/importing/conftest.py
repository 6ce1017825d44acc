"""A district, and rosters that are written down row by row where a test wants them different."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.districts.registry import DistrictState
from gongyu.events.models import EventRow
from gongyu.host import Host, load_host
from gongyu.people.care import open_care
from gongyu.people.importing.plan import Plan
from gongyu.people.importing.service import ImportReport, import_roster, plan_roster
from gongyu.people.models import CareCategory, ClassGroup, Enrolment, Guardianship, Membership, Org, Person
from gongyu.people.roster.identity import check_character
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict

Rows = Sequence[Sequence[str]]

# Of a region that does not exist.
PUPILS_NUMBER, FATHERS_NUMBER = (first + check_character(first) for first in ("99000020180101009", "99000019880101005"))
FATHERS_PHONE = "13800001234"

FILES: Mapping[str, str] = {
    "orgs": "name type identifier parentSourcedId",
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
    "classes": "title grades courseSourcedId classCode classType schoolSourcedId termSourcedIds",
    "users": "enabledUser username givenName familyName identifier email phone agentSourcedIds metadata.idNumber "
    "metadata.agentKinds",
    "roles": "userSourcedId roleType role beginDate endDate orgSourcedId",
    "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "demographics": "birthDate sex metadata.careCategories",
}
SMALL: Mapping[str, Rows] = {
    "orgs": [
        ("d", "鄂城区", "district", "", ""),
        ("s1", "第一小学", "school", "2142001636", "d"),
        ("s2", "第二小学", "school", "2142001637", "d"),
    ],
    "academicSessions": [("t1", "上学期", "term", "2025-09-01", "2026-01-20", "", "2026")],
    "classes": [
        ("c1", "三年级1班", "3", "x", "", "homeroom", "s1", "t1"),
        ("c2", "三年级2班", "3", "x", "", "homeroom", "s1", "t1"),
        ("c3", "一年级1班", "1", "x", "", "homeroom", "s2", "t1"),
    ],
    "users": [
        ("p1", "true", "p1", "小明", "王", "G420101", "", "", "g1,g2", PUPILS_NUMBER, "father,mother"),
        ("p2", "true", "p2", "小红", "王", "G420102", "", "", "g1", "", "father"),
        ("g1", "true", "g1", "大明", "王", "", "", FATHERS_PHONE, "", FATHERS_NUMBER, ""),
        ("g2", "true", "g2", "秀英", "李", "", "", "", "", "", ""),
        ("t1", "true", "t1", "老师", "张", "", "zhang@example.org", "", "", "", ""),
    ],
    "roles": [
        ("r1", "p1", "primary", "student", "2025-09-01", "", "s1"),
        ("r2", "p2", "primary", "student", "2025-09-01", "", "s2"),
        ("r3", "g1", "primary", "parent", "", "", "s1"),
        ("r4", "g2", "primary", "parent", "", "", "s1"),
        ("r5", "t1", "primary", "teacher", "2020-09-01", "", "s1"),
    ],
    "enrollments": [
        ("e1", "c1", "s1", "p1", "student", "true", "", ""),
        ("e2", "c3", "s2", "p2", "student", "true", "", ""),
        ("e3", "c1", "s1", "t1", "teacher", "true", "", ""),
    ],
    "demographics": [("p1", "2018-01-01", "male", "left_behind:single")],
}
TODAY = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
YESTERDAY = TODAY - timedelta(days=1)

Write = Callable[..., Path]
Some = Callable[..., list[Sequence[str]]]
Crowd = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A OneRoster folder: the small roster with some files replaced; a delta has (status, row) pairs."""

    def make(mode: str = "bulk", /, **files: Sequence[Any]) -> Path:
        given: dict[str, Sequence[Any]] = {**SMALL, **files} if mode == "bulk" else dict(files)
        folder = tmp_path / f"roster-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, rows in given.items():
            out = io.StringIO()
            writer = csv.writer(out)
            writer.writerow(["sourcedId", "status", "dateLastModified", *FILES[name].split()])
            for row in rows:
                status, cells = ("", row) if mode == "bulk" else row
                writer.writerow([cells[0], status, "2026-01-01" if status else "", *cells[1:]])
            (folder / f"{name}.csv").write_text(out.getvalue(), "utf-8")
        manifest = {"manifest.version": "1.0", "oneroster.version": "1.2", **{f"file.{name}": mode for name in given}}
        text = "propertyName,value\n" + "".join(f"{key},{value}\n" for key, value in manifest.items())
        (folder / "manifest.csv").write_text(text, "utf-8")
        return folder

    return make


def _without(name: str, *keys: str) -> list[Sequence[str]]:
    """A file of the small roster without some of its rows."""
    return [row for row in SMALL[name] if row[0] not in keys]


def _instead(name: str, *rows: Sequence[str]) -> list[Sequence[str]]:
    """A file of the small roster with some of its rows replaced, or new."""
    new = {row[0]: row for row in rows}
    return [*(new.pop(row[0], row) for row in SMALL[name]), *new.values()]


@pytest.fixture
def without() -> Some:
    return _without


@pytest.fixture
def instead() -> Some:
    return _instead


@pytest.fixture
def crowd() -> Crowd:
    """The small roster with forty more pupils of one class; `but` without some of them."""

    def make(write: Write, instead: Some, *, but: int = 0) -> Path:
        pupils = [f"x{number:02}" for number in range(but, 40)]
        return write(
            users=instead("users", *((key, "true", key, key, "赵", "", "", "", "", "", "") for key in pupils)),
            roles=instead("roles", *((f"r{key}", key, "primary", "student", "", "", "s1") for key in pupils)),
            enrollments=instead(
                "enrollments", *((f"e{key}", "c2", "s1", key, "student", "true", "", "") for key in pupils)
            ),
        )

    return make


@pytest.fixture
def yesterday() -> date:
    return YESTERDAY


@pytest.fixture
def today() -> date:
    return TODAY


@pytest.fixture
def secrets() -> tuple[str, ...]:
    """What must not be read anywhere but in the files."""
    return PUPILS_NUMBER, FATHERS_NUMBER, FATHERS_PHONE


class Town:
    """A district, seen from outside."""

    def __init__(self, platform: Platform, state: DistrictState) -> None:
        self.platform, self.state, self.slug = platform, state, state.district.slug

    async def load(self, path: Path, *, confirm_removals: int | None = None) -> ImportReport:
        return await import_roster(
            self.platform, self.slug, path, actor="operator:test", confirm_removals=confirm_removals
        )

    async def plan(self, path: Path) -> Plan:
        return await plan_roster(self.platform, self.slug, path)

    async def rows(self, query: sa.Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        async with self.platform.database.read(self.state.district) as connection:
            return [tuple(row) for row in await connection.execute(query)]

    async def events(self, *, after: int = 0) -> list[tuple[str, str]]:
        """Type and subject's name, in order."""
        found = await self.rows(
            sa.select(EventRow.type, Person.sourced_id)
            .join(Person, sa.cast(Person.id, sa.Text) == EventRow.subject)
            .order_by(EventRow.seq)
        )
        return [(type_.removeprefix("people.").removesuffix(".v1"), who) for type_, who in found[after:]]

    async def tell_since(self, path: Path) -> list[tuple[str, str]]:
        """Import, and answer the events of it."""
        before = len(await self.events())
        report = await self.load(path)
        assert report.refused is None
        return await self.events(after=before)

    async def care(self) -> list[tuple[Any, ...]]:
        """Category, value, first and last day; by category, value."""
        columns = (CareCategory.id, CareCategory.sealed, CareCategory.begins_on, CareCategory.ends_on)
        seals = self.platform.seals(self.state.district)
        rows = await self.rows(sa.select(*columns))
        return sorted((*open_care(seals, id_, sealed), *days) for id_, sealed, *days in rows)

    async def enrolments(self, person: str) -> list[tuple[Any, ...]]:
        return await self.rows(
            sa.select(ClassGroup.title, Enrolment.begins_on, Enrolment.ends_on)
            .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
            .join(Person, Person.id == Enrolment.person_id)
            .where(Person.sourced_id == person)
            .order_by(Enrolment.begins_on, ClassGroup.title)
        )

    async def memberships(self, person: str) -> list[tuple[Any, ...]]:
        return await self.rows(
            sa.select(Membership.role, Org.name, Membership.begins_on, Membership.ends_on)
            .join(Org, Org.id == Membership.org_id)
            .join(Person, Person.id == Membership.person_id)
            .where(Person.sourced_id == person)
            .order_by(Membership.role, Org.name, Membership.begins_on)
        )

    async def guardians(self, student: str) -> list[tuple[Any, ...]]:
        child = aliased(Person)
        return await self.rows(
            sa.select(Person.sourced_id, Guardianship.kind, Guardianship.begins_on, Guardianship.ends_on)
            .join(Guardianship, Guardianship.guardian_id == Person.id)
            .join(child, child.id == Guardianship.student_id)
            .where(child.sourced_id == student)
            .order_by(Person.sourced_id, Guardianship.begins_on)
        )


@pytest.fixture(scope="session")
def host() -> Host:
    return load_host(entry_points=[])  # rosters need no plugin


@pytest.fixture
async def town(platform: Platform, make_district: MakeDistrict) -> Town:
    return Town(platform, await make_district("ezhou"))


@pytest.fixture
def samples() -> Path:
    """Rosters made by others; they lie beside the repository, not in it."""
    path = Path(__file__).parents[5] / "shared" / "data" / "roster"
    if not path.is_dir():
        pytest.skip("no sample rosters beside the repository")
    return path
