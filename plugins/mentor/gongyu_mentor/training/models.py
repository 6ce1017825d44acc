"""Training sessions, who was there, and criminal-record checks (未成年人保护法 62): result, date, issuer."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id
from gongyu.people.models import Org, Person
from gongyu_mentor.models import Base, Round
from gongyu_mentor.talks.models import by_whom

__all__ = ["Attendance", "Check", "Training"]


class Training(Base):
    """A session for the mentors of a school, usually after a round."""

    __tablename__ = "mentor_training"
    __table_args__ = (sa.Index("ix_mentor_training_school", "school_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    round_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Round.id, ondelete="SET NULL"))
    title: Mapped[str]
    starts_at: Mapped[datetime]
    place: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")


class Attendance(Base):
    __tablename__ = "mentor_attendance"

    training_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Training.id, ondelete="CASCADE"), primary_key=True)
    mentor_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), primary_key=True, index=True)
    recorded_by: Mapped[UUID | None] = by_whom()
    recorded_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Check(Base):
    """What a check said on its day. The newest counts; an older one stays as what was known then."""

    __tablename__ = "mentor_check"
    __table_args__ = (
        sa.CheckConstraint("result IN ('clear', 'found')", name="result"),
        sa.Index("ix_mentor_check_person", "person_id", "checked_on"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    checked_on: Mapped[date]
    result: Mapped[str]
    issuer: Mapped[str]
    recorded_by: Mapped[UUID | None] = by_whom()
    recorded_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
