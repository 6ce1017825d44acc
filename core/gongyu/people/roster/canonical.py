"""The roster every dialect is read into: OneRoster 1.2's names and shapes, with guardianships that say what they are.

A district has some 270,000 people and a million records, so they are frozen Structs out of the garbage collector's
sight (`gc=False`: they hold only strings, dates and tuples and can form no cycle).
"""

import datetime as dt
from typing import Literal

from msgspec import Struct

from gongyu.people.roster.findings import Finding

__all__ = [
    "GUARDIAN_ROLES",
    "KINDS",
    "AcademicSession",
    "CareCategory",
    "ClassType",
    "Class_",
    "Demographics",
    "Enrolment",
    "Guardianship",
    "GuardianshipKind",
    "Kind",
    "Membership",
    "Mode",
    "Org",
    "Person",
    "Record",
    "Roster",
    "SessionType",
    "Sex",
    "Source",
]

Mode = Literal["bulk", "delta"]
Kind = Literal["org", "session", "class", "person", "membership", "enrolment", "guardianship", "care"]
KINDS: tuple[Kind, ...] = ("org", "session", "class", "person", "membership", "enrolment", "guardianship", "care")
SessionType = Literal["gradingPeriod", "semester", "schoolYear", "term"]
ClassType = Literal["homeroom", "scheduled"]
Sex = Literal["male", "female", "unspecified", "other"]
GuardianshipKind = Literal[
    "father",
    "mother",
    "parent",
    "grandfather",
    "grandmother",
    "maternal_grandfather",
    "maternal_grandmother",
    "sibling",
    "relative",
    "guardian",
    "other",
    "unknown",
]

GUARDIAN_ROLES: frozenset[str] = frozenset({"guardian", "parent", "relative"})
"""The roles of OneRoster 1.2 that can stand on the adult's side of a guardianship."""


class Source(Struct, frozen=True, gc=False):
    """Where a person finds the record: the file's name inside the package, and the line or row as shown there."""

    file: str
    row: int


class Record(Struct, frozen=True, gc=False, kw_only=True):
    source: Source
    ended: bool = False
    """Delta files say `tobedeleted`: the record ends, nothing is erased."""


class Org(Record, frozen=True, gc=False, kw_only=True):
    sourced_id: str
    name: str
    type: str
    """`department school district local state national`, or `ext:…`."""
    identifier: str = ""
    parent: str = ""


class AcademicSession(Record, frozen=True, gc=False, kw_only=True):
    sourced_id: str
    title: str
    type: SessionType
    start: dt.date
    end: dt.date
    parent: str = ""
    school_year: int | None = None


class Class_(Record, frozen=True, gc=False, kw_only=True):  # noqa: N801 - `class` is Python's word
    sourced_id: str
    title: str
    school: str
    type: ClassType = "scheduled"
    grades: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    code: str = ""


class Person(Record, frozen=True, gc=False, kw_only=True):
    sourced_id: str
    """In a roster without `stable_ids` it only ties the records of this one file set together."""
    name: str
    """As the person writes it: 王小明, but Jack Craig."""
    given_name: str = ""
    family_name: str = ""
    username: str = ""
    email: str = ""
    phone: str = ""
    identifier: str = ""
    """The number the school system gives (学籍号, staff number)."""
    id_type: str = ""
    """The register's code of the identity document: 1 居民身份证, A 护照 …"""
    id_number: str = ""
    enabled: bool = True
    birth_date: dt.date | None = None
    sex: Sex | None = None
    grades: tuple[str, ...] = ()
    boarding: bool | None = None


class Membership(Record, frozen=True, gc=False, kw_only=True):
    person: str
    org: str
    role: str
    """The roles of OneRoster 1.2, or `ext:…`."""
    sourced_id: str = ""
    begin: dt.date | None = None
    end: dt.date | None = None
    primary: bool = False


class Enrolment(Record, frozen=True, gc=False, kw_only=True):
    person: str
    class_: str
    school: str
    role: str
    sourced_id: str = ""
    begin: dt.date | None = None
    end: dt.date | None = None
    primary: bool = False
    number: str = ""
    """班内学号: the pupil's number in the homeroom class."""


class Guardianship(Record, frozen=True, gc=False, kw_only=True):
    guardian: str
    student: str
    kind: GuardianshipKind
    legal: bool | None = None
    """None: the file does not say; most formats cannot."""
    priority: int | None = None
    contact_allowed: bool | None = None
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    note: str = ""


class CareCategory(Record, frozen=True, gc=False, kw_only=True):
    """A statement of the file, also a negative one: 留守 is `none`, `single` or `double`; the others `yes` or `no`."""

    student: str
    category: str
    value: str
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


class Demographics(Record, frozen=True, gc=False, kw_only=True):
    """Only of persons who are not in the file set themselves (delta); otherwise it is on the person."""

    person: str
    birth_date: dt.date | None = None
    sex: Sex | None = None


class Roster(Struct, frozen=True, kw_only=True):
    dialect: str
    """Empty when no dialect fits; the findings say why."""
    mode: Mode
    stable_ids: bool = True
    """False: `sourced_id` of persons is made up here (the register has none); match by number, name and birth."""
    orgs: tuple[Org, ...] = ()
    sessions: tuple[AcademicSession, ...] = ()
    classes: tuple[Class_, ...] = ()
    persons: tuple[Person, ...] = ()
    memberships: tuple[Membership, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    guardianships: tuple[Guardianship, ...] = ()
    care: tuple[CareCategory, ...] = ()
    demographics: tuple[Demographics, ...] = ()
    held: frozenset[tuple[Kind, str]] = frozenset()
    """Records the files name but that were not taken over: they are *not* missing, so their absence ends nothing.
    Memberships, enrolments, guardianships and care are held under the person's id."""
    complete: frozenset[Kind] = frozenset()
    """Kinds of which this is the whole truth: only what is missing from these may be ended."""
    schools: frozenset[str] | None = None
    """When given, `complete` is meant for these schools only (a register comes school by school)."""
    roles: frozenset[str] | None = None
    """When given, `complete` is meant for these roles only (a register knows no staff)."""
    findings: tuple[Finding, ...] = ()
