"""Organisations, classes, terms and people, in OneRoster's names and shapes (1EdTech OneRoster 1.2).

History is kept: a transfer or a leaving teacher ends a period (`ends_on`), it deletes nothing.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import Base, new_id, sealed_column
from gongyu.people.rights import models as _rights

__all__ = [
    "AcademicSession",
    "CareCategory",
    "ClassGroup",
    "Demographics",
    "Enrolment",
    "Guardianship",
    "Membership",
    "Org",
    "Person",
    "RosterImport",
]


def _from_roster() -> Mapped[bool]:
    """Whether a roster brought the row. Only such rows can be ended by a roster's silence: what was entered by hand, or
    by a code on paper, is nothing the source of the roster knows of.
    """
    return mapped_column(server_default=sa.false())


_ = _rights  # their tables belong to people's and stand on Base.metadata with them


def _person(*, primary_key: bool = False) -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=primary_key, index=not primary_key)


class Org(Base):
    """A district, school, department, venue, community or group; a tree."""

    __tablename__ = "org"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    type: Mapped[str]
    identifier: Mapped[str | None] = mapped_column(index=True)
    parent_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("org.id", ondelete="SET NULL"), index=True)
    from_roster: Mapped[bool] = _from_roster()
    ended_on: Mapped[date | None]


class AcademicSession(Base):
    """A school year, semester, term or grading period."""

    __tablename__ = "academic_session"
    __table_args__ = (sa.CheckConstraint("starts_on <= ends_on", name="period"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str]
    type: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    school_year: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("academic_session.id", ondelete="SET NULL"))
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class ClassGroup(Base):
    """A class: `homeroom` (行政班) or `scheduled` (a course's)."""

    __tablename__ = "class_group"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str]
    type: Mapped[str]
    grade: Mapped[str | None]
    code: Mapped[str | None]
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey("org.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("academic_session.id", ondelete="SET NULL"))
    from_roster: Mapped[bool] = _from_roster()
    ended_on: Mapped[date | None]


class Person(Base):
    """A human being: pupil, guardian, staff, clerk; what they are to whom is in the tables below."""

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    username: Mapped[str | None]
    """As the source has it; the account's own name is on the account."""
    email: Mapped[str | None]
    boarding: Mapped[bool | None]
    # Encrypted with the district's key; the keyed hash beside each finds the same number again.
    identifier: Mapped[bytes | None] = sealed_column()
    """学籍号 or staff number: a pupil's is G and the identity number (教育部《中小学生学籍管理办法》)."""
    identifier_hash: Mapped[bytes | None] = mapped_column(index=True)
    id_number: Mapped[bytes | None]
    id_number_hash: Mapped[bytes | None] = mapped_column(index=True)
    phone: Mapped[bytes | None]
    phone_hash: Mapped[bytes | None] = mapped_column(index=True)
    source_private: Mapped[bytes | None] = sealed_column()
    """What the source wrote into its id, user name or e-mail when it was somebody's number: `people.private`."""
    from_roster: Mapped[bool] = _from_roster()
    ended_on: Mapped[date | None]
    # Made unrecognisable on request or when the time to keep it was over; the row stays for what refers to it.
    erased_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Membership(Base):
    """A role of a person in an org for a period."""

    __tablename__ = "membership"
    __table_args__ = (sa.UniqueConstraint("person_id", "org_id", "role", "begins_on", name="uq_membership_period"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None]
    person_id: Mapped[UUID] = _person()
    org_id: Mapped[UUID] = mapped_column(sa.ForeignKey("org.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    is_primary: Mapped[bool] = mapped_column(server_default=sa.false())
    from_roster: Mapped[bool] = _from_roster()
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]


class Enrolment(Base):
    """A person in a class for a period: a `student`, or a `teacher` (`is_primary`: 班主任)."""

    __tablename__ = "enrolment"
    __table_args__ = (sa.UniqueConstraint("person_id", "class_id", "role", "begins_on", name="uq_enrolment_period"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sourced_id: Mapped[str | None]
    person_id: Mapped[UUID] = _person()
    class_id: Mapped[UUID] = mapped_column(sa.ForeignKey("class_group.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    is_primary: Mapped[bool] = mapped_column(server_default=sa.false())
    number: Mapped[str | None]
    """班内学号: the pupil's number in the homeroom class."""
    from_roster: Mapped[bool] = _from_roster()
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]


class Demographics(Base):
    """Facts of birth, apart from the person because far fewer people may read them."""

    __tablename__ = "demographics"

    person_id: Mapped[UUID] = _person(primary_key=True)
    birth_date: Mapped[date | None]
    sex: Mapped[str | None]


class Guardianship(Base):
    """A directed relation guardian → student; many to many, with the law's and the family's particulars."""

    __tablename__ = "guardianship"
    __table_args__ = (
        sa.UniqueConstraint("guardian_id", "student_id", "begins_on", name="uq_guardianship_period"),
        sa.CheckConstraint("guardian_id <> student_id", name="two_people"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    guardian_id: Mapped[UUID] = _person()
    student_id: Mapped[UUID] = _person()
    kind: Mapped[str]
    is_legal: Mapped[bool | None]
    priority: Mapped[int] = mapped_column(server_default="1")
    contact_allowed: Mapped[bool] = mapped_column(server_default=sa.true())
    from_roster: Mapped[bool] = _from_roster()
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]


class CareCategory(Base):
    """关爱类别: sensitive, and so nothing of it is readable here; `people.care` writes and opens it.

    A category carries a value, for 留守 has three (none, single, double). The keyed hashes answer "who is in this
    category" without opening a row; they tell no more of a row that says "none" than of any other.
    """

    __tablename__ = "care_category"
    __table_args__ = (
        sa.UniqueConstraint("student_id", "category_hash", "value_hash", "begins_on", name="uq_care_category_period"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _person()
    category_hash: Mapped[bytes]
    value_hash: Mapped[bytes]
    sealed: Mapped[bytes] = sealed_column()
    from_roster: Mapped[bool] = _from_roster()
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]


class RosterImport(Base):
    """One import of a roster: how far it is, and what came of it. The findings hold no secrets and are limited.

    `running` with an old `seen_at` is an import whose process is gone: nothing of it was kept, it can be started again.
    """

    __tablename__ = "roster_import"
    __table_args__ = (
        sa.CheckConstraint("state IN ('running', 'planned', 'applied', 'refused', 'failed')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    file: Mapped[str]
    dialect: Mapped[str | None]
    mode: Mapped[str | None]
    state: Mapped[str]
    stage: Mapped[str] = mapped_column(server_default="")
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int] = mapped_column(server_default="0")
    counts: Mapped[list[Any]] = mapped_column(JSONB(), server_default="[]")
    removals: Mapped[int] = mapped_column(server_default="0")
    confirm_removals: Mapped[bool] = mapped_column(server_default=sa.false())
    reason: Mapped[dict[str, Any] | None]
    findings: Mapped[list[Any]] = mapped_column(JSONB(), server_default="[]")
    actor: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), index=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    finished_at: Mapped[datetime | None]
