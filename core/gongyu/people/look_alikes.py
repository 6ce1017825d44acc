"""Who in a roster looks like somebody here under another id: a proposal for `rekeying`, to be looked at by people.

A person by name, birth date and the names of class and school; a class by school and title; an organisation by name and
type; a term by title and first day. That is a hint and no proof, so nothing is done by it, and where two could be
meant nothing is proposed.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.people.importing.comparing import by_chunks
from gongyu.people.importing.plan import Plan
from gongyu.people.importing.service import plan_roster
from gongyu.people.models import AcademicSession, ClassGroup, Demographics, Enrolment, Org, Person
from gongyu.people.rekeying import COLUMNS, Kind
from gongyu.platform import Platform

__all__ = ["LookAlike", "Proposal", "look_alikes", "write_proposal"]


class LookAlike(msgspec.Struct, frozen=True):
    """Probably the same: its id here, the one in the files, what it is called, and where it stands in them."""

    kind: Kind
    old: str
    new: str
    name: str
    file: str
    row: int


class Proposal(msgspec.Struct, frozen=True):
    """What to look at; `ambiguous` records could be more than one, or are wanted by more than one."""

    lines: list[LookAlike]
    ambiguous: int


async def look_alikes(platform: Platform, slug: str, path: Path, *, dialect: str | None = None) -> Proposal:
    """Compare a roster with the people and places of the district whom it does not name."""
    plan = await plan_roster(platform, slug, path, dialect=dialect)
    lines: list[LookAlike] = []
    ambiguous = 0
    async with platform.database.work(platform.state(slug).district) as session:
        for kind, wanted, there in (
            ("org", _orgs(plan), await _orgs_here(session)),
            ("session", _sessions(plan), await _sessions_here(session)),
            ("class", _classes(plan), await _classes_here(session)),
            ("person", _people(plan), await _people_here(session, plan)),
        ):
            found, doubtful = _pairs(kind, wanted, there, named=_named(plan, kind))
            lines += found
            ambiguous += doubtful
    return Proposal(lines, ambiguous)


def write_proposal(proposal: Proposal, out: TextIO) -> None:
    """A table `gongyu roster rekey` takes; the columns after the third are for the reader."""
    writer = csv.writer(out)
    writer.writerow([*COLUMNS, "name", "file", "row"])
    for line in proposal.lines:
        name = f"'{line.name}" if line.name[:1] in "=+-@" else line.name  # never a formula (OWASP: CSV injection)
        writer.writerow([line.kind, line.old, line.new, name, line.file, line.row])


Wanted = Iterable[tuple[Hashable, str, str, Any]]
There = Iterable[tuple[Hashable, str]]


def _pairs(kind: Any, wanted: Wanted, there: There, *, named: set[str]) -> tuple[list[LookAlike], int]:  # noqa: ANN401 - a Kind
    """What is the only one of its looks, here among those the roster does not name and there."""
    alike: dict[Hashable, set[str]] = defaultdict(set)
    for looks, old in there:
        if old not in named:
            alike[looks].add(old)
    records = list(wanted)
    meant = Counter(new for looks, new, *_ in records for _ in alike.get(looks, ()))
    claimed = Counter(old for looks, *_ in records for old in alike.get(looks, ()))
    found: dict[str, LookAlike] = {}
    for looks, new, name, source in records:
        for old in alike.get(looks, ()):
            if meant[new] == claimed[old] == 1:
                found[new] = LookAlike(kind, old, new, name, source.file, source.row)
    return list(found.values()), len(meant.keys() - found.keys())


def _named(plan: Plan, kind: str) -> set[str]:
    roster = plan.roster
    records: Sequence[Any] = {
        "org": roster.orgs,
        "session": roster.sessions,
        "class": roster.classes,
        "person": roster.persons,
    }[kind]
    return {record.sourced_id for record in records}


def _orgs(plan: Plan) -> Wanted:
    return [((one.name, one.type), one.sourced_id, one.name, one.source) for one in plan.added["org"]]


def _sessions(plan: Plan) -> Wanted:
    return [((one.title, one.start), one.sourced_id, one.title, one.source) for one in plan.added["session"]]


def _classes(plan: Plan) -> Wanted:
    schools = {one.sourced_id: one.name for one in plan.roster.orgs}
    added = plan.added["class"]
    return [((schools.get(one.school), one.title), one.sourced_id, one.title, one.source) for one in added]


def _people(plan: Plan) -> Wanted:
    schools = {one.sourced_id: one.name for one in plan.roster.orgs}
    classes = {one.sourced_id: (schools.get(one.school), one.title) for one in plan.roster.classes}
    theirs: dict[str, set[Any]] = defaultdict(set)
    for one in plan.roster.enrolments:
        theirs[one.person].add(classes.get(one.class_))
    return [
        ((one.name, one.birth_date, *class_), one.sourced_id, one.name, one.source)
        for one in plan.added["person"]
        for class_ in theirs[one.sourced_id]
        if one.birth_date and class_
    ]


async def _orgs_here(session: AsyncSession) -> There:
    found = sa.select(Org.name, Org.type, Org.sourced_id).where(Org.sourced_id.is_not(None))
    return [((row.name, row.type), row.sourced_id) for row in await session.execute(found)]


async def _sessions_here(session: AsyncSession) -> There:
    one = AcademicSession
    found = sa.select(one.title, one.starts_on, one.sourced_id).where(one.sourced_id.is_not(None))
    return [((row.title, row.starts_on), row.sourced_id) for row in await session.execute(found)]


async def _classes_here(session: AsyncSession) -> There:
    found = sa.select(Org.name, ClassGroup.title, ClassGroup.sourced_id).join(Org, Org.id == ClassGroup.school_id)
    rows = await session.execute(found.where(ClassGroup.sourced_id.is_not(None)))
    return [((row.name, row.title), row.sourced_id) for row in rows]


async def _people_here(session: AsyncSession, plan: Plan) -> There:
    days = sorted({one.birth_date for one in plan.added["person"] if one.birth_date})
    found = (
        sa.select(Person.name, Demographics.birth_date, Org.name, ClassGroup.title, Person.sourced_id)
        .join(Demographics, Demographics.person_id == Person.id)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .join(Org, Org.id == ClassGroup.school_id)
        .where(Person.sourced_id.is_not(None), Person.erased_at.is_(None))
        .distinct()
    )
    return [
        (tuple(row[:4]), str(row.sourced_id))
        for some in by_chunks(days)
        for row in await session.execute(found.where(Demographics.birth_date.in_(some)))
    ]
