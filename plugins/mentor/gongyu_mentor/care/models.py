"""The care list as the database keeps it: everything said about a child is sealed, and added to, never changed.

`mentor_care` itself holds no word; deleting it, which only the end of keeping does, takes the rest along.
"""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id, sealed_column
from gongyu.people.models import Org, Person
from gongyu_mentor.models import Base
from gongyu_mentor.talks.models import by_whom

__all__ = ["Care", "CareEnd", "CareLead", "CareNote", "CarePlan"]


def _care(*, primary_key: bool = False) -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey("mentor_care.id", ondelete="CASCADE"), primary_key=primary_key)


class CareLead(Base):
    """Who leads the care of a school's children: appointed by name, for a time; nobody is by rank."""

    __tablename__ = "mentor_care_lead"
    __table_args__ = (
        sa.CheckConstraint("ends_at >= begins_at", name="period"),
        sa.Index(
            "uq_mentor_care_lead_open",
            "school_id",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ends_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), index=True)
    appointed_by: Mapped[UUID | None] = by_whom()
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]


class Care(Base):
    """One child on the list of one school."""

    __tablename__ = "mentor_care"
    __table_args__ = (sa.Index("ix_mentor_care_school", "school_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), index=True)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    opened_by: Mapped[UUID | None] = by_whom()
    opened_at: Mapped[datetime]


class CarePlan(Base):
    """What the child needs, what is done about it, by whom and how often; a change is the next number."""

    __tablename__ = "mentor_care_plan"
    __table_args__ = (
        sa.UniqueConstraint("care_id", "number", name="uq_mentor_care_plan_number"),
        sa.CheckConstraint("cadence_days BETWEEN 1 AND 366", name="cadence"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    care_id: Mapped[UUID] = _care()
    number: Mapped[int]
    category: Mapped[bytes] = sealed_column()
    plan: Mapped[bytes] = sealed_column()
    cadence_days: Mapped[int]
    responsible_id: Mapped[UUID | None] = by_whom(index=True)
    written_by: Mapped[UUID | None] = by_whom()
    written_at: Mapped[datetime]


class CareNote(Base):
    """One version of a visit or a note; the newest is the one no other replaces."""

    __tablename__ = "mentor_care_note"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('visit', 'call', 'meeting', 'note')", name="kind"),
        sa.CheckConstraint("(number = 1) = (replaces IS NULL)", name="first"),
        sa.CheckConstraint("(number = 1) = (id = note_id)", name="name"),
        sa.UniqueConstraint("replaces", name="uq_mentor_care_note_replaces"),
        sa.Index("ix_mentor_care_note_care", "care_id", "happened_on"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    note_id: Mapped[UUID]
    number: Mapped[int]
    replaces: Mapped[UUID | None] = mapped_column(sa.ForeignKey("mentor_care_note.id", ondelete="CASCADE"))
    care_id: Mapped[UUID] = _care()
    kind: Mapped[str]
    happened_on: Mapped[date]
    text: Mapped[bytes] = sealed_column()
    written_by: Mapped[UUID | None] = by_whom()
    written_at: Mapped[datetime]


class CareEnd(Base):
    """Closed, once, with what came of it."""

    __tablename__ = "mentor_care_end"

    care_id: Mapped[UUID] = _care(primary_key=True)
    outcome: Mapped[bytes] = sealed_column()
    ended_by: Mapped[UUID | None] = by_whom()
    ended_at: Mapped[datetime] = mapped_column(index=True)
