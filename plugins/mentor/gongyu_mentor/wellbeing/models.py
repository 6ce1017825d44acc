"""The wellbeing curve, wishes to talk, cases, screening results. What anybody said or chose is sealed.

Entries, notes and openings are added and never changed: the application's role may not update them, but for the one
column that is sealed anew when the district's key rotates. They may be deleted as a whole, which erasure asks for.
"""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id, sealed_column
from gongyu.people.models import Org, Person
from gongyu_mentor.models import Base

__all__ = ["BreakGlass", "Case", "CaseNote", "Entry", "Lead", "Opening", "PlanItem", "Screening", "Wish"]


def _student(*, index: bool = False) -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), index=index)


def _somebody() -> Mapped[UUID | None]:
    return mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))


def _school() -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))


def _case() -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey("mentor_case.id", ondelete="CASCADE"), index=True)


class Entry(Base):
    """A dated point of the curve, by the pupil or by their mentor. `content` is mood and words together."""

    __tablename__ = "mentor_wellbeing_entry"
    __table_args__ = (
        sa.CheckConstraint("author IN ('student', 'mentor')", name="author"),
        sa.Index("ix_mentor_wellbeing_entry_day", "student_id", "day", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student()
    author: Mapped[str]
    by: Mapped[UUID | None] = _somebody()
    day: Mapped[date]
    at: Mapped[datetime]
    content: Mapped[bytes] = sealed_column()


class Wish(Base):
    """我想和……谈谈: a pupil wants to talk to somebody, and the clock of the answer, which the pupil sees."""

    __tablename__ = "mentor_talk_wish"
    __table_args__ = (
        sa.CheckConstraint("wants IN ('mentor', 'homeroom', 'counselor', 'principal', 'named')", name="wants"),
        sa.CheckConstraint("(wants = 'named') = (person_id IS NOT NULL)", name="named"),
        sa.Index("ix_mentor_talk_wish_open", "school_id", postgresql_where=sa.text("talked_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student(index=True)
    school_id: Mapped[UUID] = _school()
    wants: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    arranged_at: Mapped[datetime | None]
    arranged_for: Mapped[datetime | None]
    talked_at: Mapped[datetime | None]
    answered_by: Mapped[UUID | None] = _somebody()


class Opening(Base):
    """Somebody opened a pupil's record; the pupil can see it, the audit log knows it too."""

    __tablename__ = "mentor_wellbeing_opening"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student(index=True)
    by: Mapped[UUID | None] = _somebody()
    ground: Mapped[str]
    what: Mapped[str]
    at: Mapped[datetime]


class Case(Base):
    """A request that a counsellor looks after a pupil; one takes it, and it is theirs until it is closed."""

    __tablename__ = "mentor_case"
    __table_args__ = (
        sa.CheckConstraint("ground IN ('pupil', 'mentor', 'crisis')", name="ground"),
        sa.CheckConstraint("(taken_by IS NULL) OR (taken_at IS NOT NULL)", name="taken"),
        sa.Index("uq_mentor_case_open", "student_id", unique=True, postgresql_where=sa.text("closed_at IS NULL")),
        sa.Index("ix_mentor_case_school", "school_id", postgresql_where=sa.text("closed_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student()
    school_id: Mapped[UUID] = _school()
    ground: Mapped[str]
    words: Mapped[bytes | None] = sealed_column(nullable=True)
    opened_by: Mapped[UUID | None] = _somebody()
    opened_at: Mapped[datetime]
    taken_by: Mapped[UUID | None] = _somebody()
    taken_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class CaseNote(Base):
    """What the counsellor notes: for nobody else, by any rank."""

    __tablename__ = "mentor_case_note"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[UUID] = _case()
    by: Mapped[UUID | None] = _somebody()
    at: Mapped[datetime]
    words: Mapped[bytes] = sealed_column()


class PlanItem(Base):
    """Referral and plan: what somebody is to do, said so that it needs no diagnosis ("needs attention: do X")."""

    __tablename__ = "mentor_case_plan"
    __table_args__ = (
        sa.CheckConstraint(
            "audience IN ('mentor', 'homeroom', 'principal', 'lead', 'home', 'pupil', 'doctor')", name="audience"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[UUID] = _case()
    audience: Mapped[str]
    words: Mapped[bytes] = sealed_column()
    due_on: Mapped[date | None]
    by: Mapped[UUID | None] = _somebody()
    at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = _somebody()


class Lead(Base):
    """Who leads mental health at a school: one or two, by name."""

    __tablename__ = "mentor_health_lead"

    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), primary_key=True)
    named_by: Mapped[UUID | None] = _somebody()
    since: Mapped[datetime]


class BreakGlass(Base):
    """Opening a record without being its case owner: two persons, a reason, a day, and everybody concerned is told."""

    __tablename__ = "mentor_break_glass"
    __table_args__ = (
        sa.CheckConstraint("approved_by <> asked_by", name="two_people"),
        sa.CheckConstraint("approved_by IS NULL OR (approved_at IS NOT NULL AND ends_at IS NOT NULL)", name="approved"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student(index=True)
    school_id: Mapped[UUID] = _school()
    asked_by: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    reason: Mapped[bytes] = sealed_column()
    asked_at: Mapped[datetime]
    approved_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    approved_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]


class Screening(Base):
    """A screening's result: which scale, when, by whose consent; level and score are sealed. Never its items, which are
    other people's work, and never anywhere else: no growth record, no export, no event holds it.
    """

    __tablename__ = "mentor_screening"
    __table_args__ = (
        sa.UniqueConstraint("student_id", "scale", "day", name="uq_mentor_screening_day"),
        sa.Index("ix_mentor_screening_school", "school_id", "day"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _student()
    school_id: Mapped[UUID] = _school()
    scale: Mapped[str]
    version: Mapped[str]
    day: Mapped[date]
    consent: Mapped[str]
    result: Mapped[bytes] = sealed_column()
    taken_by: Mapped[UUID | None] = _somebody()
    taken_at: Mapped[datetime]
