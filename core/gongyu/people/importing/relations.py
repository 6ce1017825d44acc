"""Memberships, enrolments, guardianships and care categories of a roster against those of the district.

Each kind is walked through person by person in the order of the database, beside what the roster says of the same
person, so that neither side has to be in memory twice.
"""

from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.care import category_hash, value_hash
from gongyu.people.importing.comparing import Comparison, differing, stream
from gongyu.people.importing.periods import Outcome, Stated, settle
from gongyu.people.importing.plan import SECRET, Change, End
from gongyu.people.models import CareCategory, ClassGroup, Enrolment, Guardianship, Membership, Person
from gongyu.people.roster import canonical
from gongyu.people.roster.canonical import GUARDIAN_ROLES, Kind
from gongyu.people.words import own_word

__all__ = ["compare_care", "compare_enrolments", "compare_guardianships", "compare_memberships", "implied_memberships"]

Row = sa.Row[Any]

#: Words that do not say which relative: they replace nothing that is known better.
_VAGUE: Final = frozenset({"parent", "guardian", "relative", "unknown"})
_NEGATIVE: Final = frozenset({"no", "none"})


class _Kind:
    """What the walk needs to know of one kind."""

    def __init__(
        self,
        work: Comparison,
        kind: Kind,
        *,
        query: sa.Select[*tuple[Any, ...]],
        owner: str,
        key: Callable[[Row], Hashable],
        gone: Callable[[Row], bool],
        label: Callable[[Row], str],
        wanted: Callable[[Row, Any], dict[str, Any]],
    ) -> None:
        self.work, self.kind, self.query, self.owner = work, kind, query, owner
        self.key, self.gone, self.label, self.wanted = key, gone, label, wanted

    async def walk(self, stated: dict[UUID, list[Stated]]) -> AsyncIterator[tuple[UUID, Outcome[Row]]]:
        work, done, current = self.work, 0, 0
        async for owner, rows in _grouped(work, self.query, self.owner):
            done += len(rows)
            current += sum(row.from_roster and (row.ends_on is None or row.ends_on >= work.today) for row in rows)
            yield owner, self._settle(stated.pop(owner, []), rows)
            if done % 5000 < len(rows):
                work.progress(self.kind, done, 0)
        for owner, ones in stated.items():
            yield owner, self._settle(ones, [])
        work.plan.current[self.kind] = current

    def _settle(self, stated: list[Stated], rows: list[Row]) -> Outcome[Row]:
        work, plan = self.work, self.work.plan
        if not rows and len(stated) == 1:  # most of a first import
            one = stated[0]
            if not one.ended and not (one.end is not None and one.begin is None and one.end < work.today):
                plan.added[self.kind].append(one.record)
                return Outcome([one], [], [], [])
            return Outcome([], [], [], [])
        outcome = settle(stated, rows, key=self.key, gone=self.gone, today=work.today)
        plan.added[self.kind] += [one.record for one in outcome.added]
        for row, one in outcome.same:
            self._compare(row, one)
        for row in outcome.ended:
            self.end(row)
        for one in outcome.repeated:
            work.remarks.add("period_repeated", one.record.source)
        return outcome

    def _compare(self, row: Row, one: Stated) -> None:
        work = self.work
        if one.ended:
            if row.ends_on is None or row.ends_on >= work.today:
                self.end(row)
            return
        fields, values = differing(row, {**self.wanted(row, one.record), "begins_on": one.begin})
        if row.ends_on != one.end:
            fields["ends_on"] = (row.ends_on, one.end)
        if fields:
            work.plan.changed[self.kind].append(Change(row.id, self.label(row), fields, {**values, "ends_on": one.end}))

    def end(self, row: Row) -> None:
        self.work.plan.ended[self.kind].append(End(row.id, self.label(row)))


async def _grouped(
    work: Comparison, query: sa.Select[*tuple[Any, ...]], owner: str
) -> AsyncIterator[tuple[UUID, list[Row]]]:
    """The rows of one owner together, though a piece may end in their middle."""
    last: UUID | None = None
    kept: list[Row] = []
    async for rows in stream(work.session, query):
        for id_, group in groupby(rows, key=lambda row: getattr(row, owner)):
            if id_ == last:
                kept += group
            else:
                if last is not None:
                    yield last, kept
                last, kept = id_, list(group)
    if last is not None:
        yield last, kept


def _stated(
    work: Comparison,
    records: Iterable[Any],
    kind: Kind,
    place: Callable[[Any], tuple[tuple[Kind, str], tuple[Kind, str] | None]],
    make: Callable[[Any, UUID | None], Stated],
) -> dict[UUID, list[Stated]]:
    """By owner. A reference nobody can resolve holds its record back; that of somebody kept out goes with them."""
    ids = work.plan.ids
    here = {record.sourced_id for record in work.roster.persons}
    found: dict[UUID, list[Stated]] = {}
    for record in records:
        (owner_kind, owner), other = place(record)
        owner_id = ids[owner_kind].get(owner)
        other_id = ids[other[0]].get(other[1]) if other else None
        if owner_id is None or (other is not None and other_id is None):
            missing = owner if owner_id is None else other[1] if other else ""
            if missing not in here and not record.ended:
                work.remarks.add("unknown_here", record.source, value=missing, blocks=1)
            if owner_id is not None:
                work.protected[kind].add(owner_id)
            continue
        if owner_id == other_id:
            continue
        found.setdefault(owner_id, []).append(make(record, other_id))
    return found


def implied_memberships(roster: canonical.Roster) -> Iterable[canonical.Membership]:
    """A guardian belongs to the school of the child, whether or not the source says so: rights go by it."""
    belongs = {(one.person, one.org) for one in roster.memberships if one.role in GUARDIAN_ROLES}
    schools: dict[str, list[str]] = {}
    for one in roster.memberships:
        if one.role == "student" and not one.ended:
            schools.setdefault(one.person, []).append(one.org)
    for tie in roster.guardianships:
        for school in () if tie.ended or tie.valid_to else schools.get(tie.student, ()):
            if (tie.guardian, school) not in belongs:
                belongs.add((tie.guardian, school))
                yield canonical.Membership(source=tie.source, person=tie.guardian, org=school, role="guardian")


async def compare_memberships(work: Comparison) -> None:
    """Who is what where."""
    roster, protected = work.roster, work.protected["membership"]
    orgs, persons = work.gone["org"], work.gone["person"]
    implied = tuple(implied_memberships(roster))

    def stays_out(row: Row) -> bool:
        return row.person_id in protected or (roster.roles is not None and row.role not in roster.roles)

    def gone(row: Row) -> bool:
        if row.person_id in persons or row.org_id in orgs or (row.sourced_id and row.sourced_id in restated):
            return True
        return work.complete("membership") and row.from_roster and not stays_out(row) and work.in_scope(row.org_id)

    kind = _Kind(
        work, "membership",
        query=sa.select(Membership.__table__, Person.name)
        .join(Person, Person.id == Membership.person_id)
        .order_by(Membership.person_id, Membership.begins_on),
        owner="person_id",
        key=lambda row: (row.org_id, row.role),
        gone=gone,
        label=lambda row: f"{row.name} {row.role} @ {work.titles.get(row.org_id, row.org_id)}",
        wanted=lambda row, record: {"sourced_id": _new_id_of(row, record), "is_primary": record.primary or None},
    )  # fmt: skip
    stated = _stated(
        work, (*roster.memberships, *implied), "membership",
        lambda one: (("person", one.person), ("org", one.org)),
        lambda one, org: Stated((org, own_word(one.role)), one, one.begin, one.end, one.ended),
    )  # fmt: skip
    restated = _restated(work, roster.memberships)
    await _walk_careers(work, kind, stated)


async def compare_enrolments(work: Comparison) -> None:
    """Who is in which class."""
    roster, protected = work.roster, work.protected["enrolment"]
    classes, persons = work.gone["class"], work.gone["person"]

    def stays_out(row: Row) -> bool:
        other = roster.roles is not None and (row.role not in roster.roles or row.type != "homeroom")
        return other or row.person_id in protected

    def gone(row: Row) -> bool:
        if row.person_id in persons or row.class_id in classes or (row.sourced_id and row.sourced_id in restated):
            return True
        return work.complete("enrolment") and row.from_roster and not stays_out(row) and work.in_scope(row.school_id)

    kind = _Kind(
        work, "enrolment",
        query=sa.select(Enrolment.__table__, ClassGroup.school_id, ClassGroup.type, Person.name)
        .join(Person, Person.id == Enrolment.person_id)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .order_by(Enrolment.person_id, Enrolment.begins_on),
        owner="person_id",
        key=lambda row: (row.class_id, row.role),
        gone=gone,
        label=lambda row: f"{row.name} {row.role} @ {work.titles.get(row.class_id, row.class_id)}",
        wanted=lambda row, record: {
            "sourced_id": _new_id_of(row, record),
            "is_primary": record.primary if roster.stable_ids else None,
            "number": record.number or None,
        },
    )  # fmt: skip
    stated = _stated(
        work, roster.enrolments, "enrolment",
        lambda one: (("person", one.person), ("class", one.class_)),
        lambda one, class_: Stated((class_, own_word(one.role)), one, one.begin, one.end, one.ended),
    )  # fmt: skip
    restated = _restated(work, roster.enrolments)
    await _walk_careers(work, kind, stated)


def _new_id_of(row: Row, record: canonical.Membership | canonical.Enrolment) -> str | None:
    """The id of the source, unless it is our own come back in an export."""
    return None if record.sourced_id in ("", str(row.id)) else record.sourced_id


def _restated(work: Comparison, records: Iterable[Any]) -> frozenset[str]:
    """A delta that gives a known id to another class or org has moved it; in a bulk set, silence says the same."""
    if work.roster.mode == "bulk":
        return frozenset()
    return frozenset(one.sourced_id for one in records if one.sourced_id and not one.ended)


async def _walk_careers(work: Comparison, kind: _Kind, stated: dict[UUID, list[Stated]]) -> None:
    plan = work.plan
    async for person, outcome in kind.walk(stated):
        if outcome.added or outcome.ended or any(not _untouched(work, pair) for pair in outcome.same):
            plan.touched.add(person)
        stopped = [*outcome.ended, *(row for row, one in outcome.same if one.ended and row.ends_on is None)]
        if stopped or any(one.over(work.today) for _, one in outcome.same):
            plan.lost.add(person)
        gained = {own_word(one.record.role) for one in outcome.added if not one.over(work.today)}
        alone = [row for row in stopped if row.role not in gained and person not in work.gone["person"]]
        if alone:
            work.removed(kind.kind, len(alone))


def _untouched(work: Comparison, pair: tuple[Row, Stated]) -> bool:
    """On before and after, or over before and after: nothing that plugins would want to know."""
    row, one = pair
    was_on = row.ends_on is None or row.ends_on >= work.today
    return bool(was_on != one.over(work.today))


async def compare_guardianships(work: Comparison) -> None:
    """Who is whose guardian; walked by pupil."""
    protected, persons = work.protected["guardianship"], work.gone["person"]
    ids = work.plan.ids["person"]
    pupils = {ids[one.person] for one in work.roster.memberships if one.role == "student" and one.person in ids}

    def gone(row: Row) -> bool:
        if row.student_id in persons or row.guardian_id in persons:
            return True
        silent = row.from_roster and row.student_id not in protected and row.guardian_id not in protected
        return work.complete("guardianship") and silent and (work.roster.schools is None or row.student_id in pupils)

    def wanted(row: Row, record: canonical.Guardianship) -> dict[str, Any]:
        contact = record.contact_allowed
        if contact and not row.contact_allowed and not row.from_roster:
            work.remarks.add("contact_ban_kept", record.source)
            contact = None
        return {
            "kind": None if record.kind in _VAGUE else record.kind,
            "is_legal": record.legal,
            "priority": record.priority,
            "contact_allowed": contact,
        }

    kind = _Kind(
        work, "guardianship",
        query=sa.select(Guardianship.__table__, Person.name)
        .join(Person, Person.id == Guardianship.student_id)
        .order_by(Guardianship.student_id, Guardianship.begins_on),
        owner="student_id",
        key=lambda row: row.guardian_id,
        gone=gone,
        label=lambda row: f"{row.kind} → {row.name}",
        wanted=wanted,
    )  # fmt: skip
    stated = _stated(
        work, work.roster.guardianships, "guardianship",
        lambda one: (("person", one.student), ("person", one.guardian)),
        lambda one, guardian: Stated(guardian, one, one.valid_from, one.valid_to, one.ended),
    )  # fmt: skip
    turns = work.plan.guardians
    async for student, outcome in kind.walk(stated):
        turns += [(True, ids[one.record.guardian], student) for one in outcome.added if not one.over(work.today)]
        turns += [(False, row.guardian_id, student) for row in outcome.ended]
        for row, one in outcome.same:
            if not _untouched(work, (row, one)):
                turns.append((not one.over(work.today), row.guardian_id, student))
        alone = [row for row in outcome.ended if not {row.guardian_id, student} & persons]
        if alone:
            work.removed("guardianship", len(alone))


async def compare_care(work: Comparison) -> None:
    """What applies is kept, and for how long; that something does not apply ends it and is not kept (PIPL 6)."""
    protected, persons = work.protected["care"], work.gone["person"]
    ids = work.plan.ids["person"]
    spoken = {
        (ids[one.student], category_hash(work.seals, one.category)) for one in work.roster.care if one.student in ids
    }
    pupils = {student for student, _ in spoken}

    def gone(row: Row) -> bool:
        if row.student_id in persons or (row.student_id, row.category_hash) in spoken:
            return True
        silent = row.from_roster and row.student_id not in protected
        return work.complete("care") and silent and (work.roster.schools is None or row.student_id in pupils)

    kind = _Kind(
        work, "care",
        query=sa.select(CareCategory.__table__, Person.name)
        .join(Person, Person.id == CareCategory.student_id)
        .order_by(CareCategory.student_id, CareCategory.begins_on),
        owner="student_id",
        key=lambda row: (row.category_hash, row.value_hash),
        gone=gone,
        label=lambda row: f"{row.name} {SECRET}",
        wanted=lambda _, __: {},
    )  # fmt: skip
    stated = _stated(
        work, (one for one in work.roster.care if one.value not in _NEGATIVE), "care",
        lambda one: (("person", one.student), None),
        lambda one, _: Stated(
            (category_hash(work.seals, one.category), value_hash(work.seals, one.value)),
            one, one.valid_from, one.valid_to, one.ended,
        ),
    )  # fmt: skip
    async for _ in kind.walk(stated):
        pass
