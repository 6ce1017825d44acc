"""What exists in a generated district, with more truth than any roster format can carry."""

import datetime as dt

from msgspec import Struct

from gongyu.people.roster.canonical import GuardianshipKind

__all__ = [
    "Adult",
    "ClassGroup",
    "Guardian",
    "Guardianship",
    "Membership",
    "School",
    "SchoolPlan",
    "Session",
    "Staff",
    "Student",
]


class Session(Struct, frozen=True):
    id: str
    title: str
    type: str
    starts_on: dt.date
    ends_on: dt.date
    parent: str


class Adult(Struct, frozen=True, gc=False, kw_only=True):
    id: str
    family_name: str
    given_name: str
    id_number: str
    phone: str
    address: str
    email: str = ""


class Guardianship(Struct, frozen=True, gc=False, kw_only=True):
    guardian: Adult
    kind: GuardianshipKind
    legal: bool
    priority: int
    contact_allowed: bool = True
    begins_on: dt.date | None = None
    ends_on: dt.date | None = None
    note: str = ""


class Membership(Struct, frozen=True, gc=False, kw_only=True):
    role: str
    org: str
    primary: bool = True
    begins_on: dt.date
    ends_on: dt.date | None = None


class Staff(Struct, frozen=True, gc=False, kw_only=True):
    person: Adult
    memberships: tuple[Membership, ...]
    active: bool = True
    """False: has left; the account is to be closed."""


class ClassGroup(Struct, frozen=True, gc=False, kw_only=True):
    id: str
    title: str
    type: str
    grade: int
    begins_on: dt.date
    teachers: tuple[str, ...]
    """班主任 first, if it is a homeroom class."""


class Student(Struct, frozen=True, gc=False, kw_only=True):
    id: str
    family_name: str
    given_name: str
    sex: str
    born: dt.date
    id_number: str
    """Empty: has a passport instead."""
    passport: str
    number: str
    """学籍辅号."""
    place: int
    """班内学号."""
    class_: ClassGroup
    boarding: bool
    address: str
    care: dict[str, str]
    """Categories that apply, and 留守 in any case, for "no" is a statement too."""
    guardianships: tuple[Guardianship, ...]


class Guardian(Struct, frozen=True, gc=False, kw_only=True):
    """An adult with a child at this school."""

    person: Adult
    role: str
    begins_on: dt.date
    new: bool
    """Not known yet as one of the staff or from a school before."""


class SchoolPlan(Struct, frozen=True, gc=False, kw_only=True):
    code: str
    name: str
    grades: range
    pupils: int


class School(Struct, frozen=True, kw_only=True):
    plan: SchoolPlan
    staff: list[Staff]
    classes: list[ClassGroup]
    guardians: list[Guardian]
    students: list[Student]
    clubs: list[tuple[ClassGroup, list[Student]]]
