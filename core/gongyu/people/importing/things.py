"""Orgs, academic sessions and classes of a roster against those of the district. There are few of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.importing.comparing import Comparison
from gongyu.people.models import AcademicSession, ClassGroup, Org
from gongyu.people.roster import canonical
from gongyu.people.words import own_word

__all__ = ["compare_classes", "compare_orgs", "compare_sessions"]

Rows = Sequence[sa.Row[Any]]


def _known_as(table: type[Org | AcademicSession | ClassGroup]) -> sa.ColumnElement[str]:
    """The id under which a row is exported: the source's, else our own."""
    return sa.func.coalesce(table.sourced_id, sa.cast(table.id, sa.Text)).label("known_as")


async def compare_orgs(work: Comparison) -> None:
    """By id, else by school code; the file's district is the root, whatever it calls it."""
    columns = sa.select(Org.__table__, _known_as(Org)).order_by(Org.id)
    rows = (await work.session.execute(columns)).all()
    root = next(row for row in rows if row.id == work.plan.root)
    records = work.roster.orgs
    found = _match_orgs(records, rows, root)
    ids = work.plan.ids["org"]
    ids |= {row.known_as: row.id for row in rows} | {key: row.id for key, row in found.items()}
    for record in records:
        if record.sourced_id not in found and not record.ended:
            work.add("org", record.sourced_id, record)
    for record in records:
        row = found.get(record.sourced_id)
        if row is None:
            continue
        if record.ended and row.id != root.id:
            if row.ended_on is None:
                work.end("org", row, record.name)
            continue
        stable = work.roster.stable_ids and row.known_as != record.sourced_id
        wanted: dict[str, Any] = {"sourced_id": record.sourced_id if stable else None}
        if row.id != root.id:
            named = record.name if record.name != record.identifier else None  # a register may give the code alone
            parent = ids.get(record.parent) if record.parent else None
            wanted |= {
                "name": named,
                "type": own_word(record.type),
                "identifier": record.identifier or None,
                "parent_id": parent,
            }
        work.change("org", row, wanted, label=row.name, last=None)
    stated = {row.id for row in found.values()}
    for row in rows:
        silent = row.id not in stated and row.from_roster and row.ended_on is None
        held = ("org", row.known_as) in work.roster.held
        if silent and not held and work.complete("org") and work.roster.schools is None:
            work.end("org", row, row.name)
    work.titles |= {row.id: row.name for row in rows}
    work.titles |= {ids[record.sourced_id]: record.name for record in work.plan.added["org"]}


def _match_orgs(records: Sequence[canonical.Org], rows: Rows, root: sa.Row[Any]) -> dict[str, sa.Row[Any]]:
    known = {row.known_as: row for row in rows}
    found = {record.sourced_id: known[record.sourced_id] for record in records if record.sourced_id in known}
    taken = {row.id for row in found.values()}
    districts = [record for record in records if record.type == "district" and record.sourced_id not in found]
    if root.id not in taken and districts:
        top = next((record for record in districts if not record.parent), districts[0])
        found[top.sourced_id] = root
        taken.add(root.id)
    codes: dict[str, list[sa.Row[Any]]] = {}
    for row in rows:
        if row.identifier and row.type == "school" and row.id not in taken:
            codes.setdefault(row.identifier, []).append(row)
    for record in records:
        if record.sourced_id not in found and record.type == "school" and len(codes.get(record.identifier, ())) == 1:
            found[record.sourced_id] = codes.pop(record.identifier)[0]
    return found


async def compare_sessions(work: Comparison) -> None:
    """A term is not ended by silence: it has its own last day, and history hangs on it."""
    rows = (await work.session.execute(sa.select(AcademicSession.__table__, _known_as(AcademicSession)))).all()
    known = {row.known_as: row for row in rows}
    ids = work.plan.ids["session"]
    ids |= {row.known_as: row.id for row in rows}
    for record in work.roster.sessions:
        if record.sourced_id not in known and not record.ended:
            work.add("session", record.sourced_id, record)
    for record in work.roster.sessions:
        row = known.get(record.sourced_id)
        if row is None or record.ended:
            continue
        wanted = {
            "title": record.title,
            "type": record.type,
            "starts_on": record.start,
            "ends_on": record.end,
            "school_year": str(record.school_year) if record.school_year else None,
            "parent_id": ids.get(record.parent) if record.parent else None,
        }
        work.change("session", row, wanted, label=row.title, last=record.end, ends="ends_on")


async def compare_classes(work: Comparison) -> None:
    """By id; in a register, whose class ids are made up, also by school and title of a homeroom class that is on."""
    rows = (await work.session.execute(sa.select(ClassGroup.__table__, _known_as(ClassGroup)))).all()
    known = {row.known_as: row for row in rows}
    titled = {(row.school_id, row.title): row for row in rows if row.type == "homeroom" and row.ended_on is None}
    ids, schools = work.plan.ids["class"], work.plan.ids["org"]
    ids |= {row.known_as: row.id for row in rows}
    stated: set[UUID] = set()
    for record in work.roster.classes:
        school = schools.get(record.school)
        row = known.get(record.sourced_id)
        if row is None and not work.roster.stable_ids and school is not None:
            row = titled.get((school, record.title))
        if row is not None:
            stated.add(row.id)
            ids[record.sourced_id] = row.id
            _compare_class(work, row, record, school)
        elif school is None:
            work.remarks.add("unknown_here", record.source, value=record.school, blocks=1)
        elif not record.ended:
            work.titles[work.add("class", record.sourced_id, record)] = record.title
    work.titles |= {row.id: row.title for row in rows}
    if work.complete("class"):
        for row in rows:
            if row.id not in stated and _silent(work, row):
                work.end("class", row, row.title)


def _compare_class(work: Comparison, row: sa.Row[Any], record: canonical.Class_, school: UUID | None) -> None:
    if record.ended:
        if row.ended_on is None:
            work.end("class", row, row.title)
        return
    wanted = {
        "title": record.title,
        "type": record.type,
        "grade": ",".join(record.grades) or None,
        "code": record.code or None,
        "school_id": school,
        "session_id": work.plan.ids["session"].get(record.terms[0]) if record.terms else None,
    }
    work.change("class", row, wanted, label=row.title, last=None)


def _silent(work: Comparison, row: sa.Row[Any]) -> bool:
    meant = work.roster.roles is None or row.type == "homeroom"  # a register knows no other classes
    held = ("class", row.known_as) in work.roster.held
    return bool(row.from_roster and row.ended_on is None and meant and not held and work.in_scope(row.school_id))
