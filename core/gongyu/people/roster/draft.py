"""The roster while it is read: what was taken over, what is held back, and by which finding."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gongyu.people.roster.canonical import (
    AcademicSession,
    CareCategory,
    Class_,
    Demographics,
    Enrolment,
    Guardianship,
    Kind,
    Membership,
    Org,
    Person,
    Sex,
    Source,
)
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.identity import RESIDENT, fault_of

__all__ = ["Details", "Draft", "Link", "Row"]


class Link(Struct, frozen=True, gc=False, kw_only=True):
    """One entry of somebody's `agentSourcedIds`: no type, no direction, until the roles of both are known."""

    source: Source
    column: str
    person: str
    other: str
    ended: bool = False
    kind: str = ""
    legal: bool | None = None
    priority: int | None = None
    contact_allowed: bool | None = None
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


class Details(Struct, frozen=True, gc=False, kw_only=True):
    """A row of demographics, read before the person it belongs to."""

    source: Source
    birth_date: dt.date | None = None
    sex: Sex | None = None
    care: tuple[tuple[str, str], ...] = ()
    care_from: tuple[dt.date | None, ...] | None = None
    care_to: tuple[dt.date | None, ...] | None = None
    """Of the same length as `care`, if anything is said."""
    ended: bool = False


class Draft:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.delta = False
        self.statuses: bool | None = False
        """Whether `status` is to be filled (a declared delta) or blank (a declared bulk set); None: nobody said."""
        self.orgs: dict[str, Org] = {}
        self.sessions: dict[str, AcademicSession] = {}
        self.classes: dict[str, Class_] = {}
        self.persons: dict[str, Person] = {}
        self.memberships: list[Membership] = []
        self.enrolments: list[Enrolment] = []
        self.guardianships: list[Guardianship] = []
        self.care: list[CareCategory] = []
        self.demographics: list[Demographics] = []
        self.details: dict[str, Details] = {}
        self.links: list[Link] = []
        self.twins: dict[str, str] = {}
        """What makes two mentions one guardian, to the id of the first."""
        self.held: dict[tuple[Kind, str], int] = {}
        self.covered: set[Kind] = set()
        self.lost: set[Kind] = set()
        self.roles: dict[str, frozenset[str]] = {}
        """Every role a person of this file set has, those of rows that fell for another reason included."""
        self._once: set[tuple[str, str]] = set()
        self._role_sets: dict[frozenset[str], frozenset[str]] = {}
        self._membership_rows: dict[str, int] = {}
        self._enrolment_rows: dict[str, int] = {}

    def hold(self, kind: Kind, key: str, finding: int) -> None:
        """The record is in the files but not taken over. Memberships, enrolments, guardianships and care are held for a
        person as a whole: one bad row of theirs, and none of theirs is ended.
        """
        if key:
            self.held.setdefault((kind, key), finding)
        else:
            self.lost.add(kind)

    def once(self, code: str, source: Source, column: str) -> None:
        """A finding about the way the whole file is made: its first row is enough."""
        if (code, source.file) not in self._once:
            self._once.add((code, source.file))
            self.findings.add(code, file=source.file, row=source.row, column=column)

    def add_role(self, person: str, role: str) -> None:
        """Nearly everybody has one role, so the sets are shared: a set for each person would be 60 MB."""
        roles = self.roles.get(person, frozenset()) | {role}
        self.roles[person] = self._role_sets.setdefault(roles, roles)

    def same(self, person: str) -> str:
        """The id as the person's own record has it: one string, however many records repeat it."""
        found = self.persons.get(person)
        return person if found is None else found.sourced_id

    def keep_org(self, org: Org) -> None:
        if self._first(org.sourced_id, org.source, self.orgs):
            self.orgs[org.sourced_id] = org

    def keep_session(self, session: AcademicSession) -> None:
        if self._first(session.sourced_id, session.source, self.sessions):
            self.sessions[session.sourced_id] = session

    def keep_class(self, class_: Class_) -> None:
        if self._first(class_.sourced_id, class_.source, self.classes):
            self.classes[class_.sourced_id] = class_

    def keep_person(self, person: Person) -> bool:
        if not self._first(person.sourced_id, person.source, self.persons):
            return False
        self.persons[person.sourced_id] = person
        return True

    def keep_membership(self, membership: Membership) -> None:
        if self._unseen(self._membership_rows, membership.sourced_id, membership.source):
            self.memberships.append(membership)

    def keep_enrolment(self, enrolment: Enrolment) -> None:
        if self._unseen(self._enrolment_rows, enrolment.sourced_id, enrolment.source):
            self.enrolments.append(enrolment)

    def _first(self, key: str, source: Source, store: dict[str, Any]) -> bool:
        if (first := store.get(key)) is None:
            return True
        self.findings.add(
            "duplicate_id", file=source.file, row=source.row, column="sourcedId", value=key, first=first.source.row
        )
        return False

    def _unseen(self, rows: dict[str, int], key: str, source: Source) -> bool:
        if not key:
            return True
        if (first := rows.setdefault(key, source.row)) == source.row:
            return True
        self.findings.add("duplicate_id", file=source.file, row=source.row, column="sourcedId", value=key, first=first)
        return False


class Row:
    """What a dialect's `build` gets: the converted cells of one row, and the way to say what is wrong with it."""

    __slots__ = ("draft", "hold", "source", "values")

    def __init__(self, draft: Draft, source: Source, values: dict[str, Any], hold: Callable[[int], None]) -> None:
        self.draft = draft
        self.source = source
        self.values = values
        self.hold = hold
        """Holds the row back, by the finding of this number; `build` then puts nothing into the draft."""

    def finding(self, code: str, column: str = "", value: str = "", *, secret: bool = False, **named: Any) -> int:  # noqa: ANN401 - what the catalogue's words ask for
        return self.draft.findings.add(
            code, file=self.source.file, row=self.source.row, column=column, value=value, secret=secret, **named
        )

    def sound_number(self, number: str, id_type: str | None, column: str) -> str:
        """The number of a document, unless it is a wrong one of an identity card: worse than none, for people are
        matched by it. The numbers of other documents have nothing to check.
        """
        if number and id_type in (None, RESIDENT) and (fault := fault_of(number)):
            self.finding(fault, column, number, secret=True)
            return number if fault == "id_number_old" else ""
        return number

    def in_order(self, begin: str, end: str, column: str) -> bool:
        """Whether the period does not end before it begins; the row is held when it does."""
        first, last = self.values.get(begin), self.values.get(end)
        if first is None or last is None or first <= last:
            return True
        self.hold(self.finding("period_reversed", column, last.isoformat()))
        return False
