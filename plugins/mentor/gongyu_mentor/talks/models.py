"""Talks as the database keeps them: added to, never changed.

A talk is a chain of versions; the newest is the one no other replaces. The application's role may insert and read, no
more. What the law ends (erasure, the end of keeping) goes by the file of one child, whole, and takes its talks along.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import sealed_column
from gongyu.people.models import Org, Person
from gongyu_mentor.models import Base

__all__ = ["Cadence", "Promise", "PromiseEnd", "Sent", "Talk", "TalkFile", "by_whom"]


def by_whom(*, index: bool = False) -> Mapped[UUID | None]:
    """Who wrote it down: the row outlives the person."""
    return mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"), index=index)


class Sent(Base):
    """What arrived under an id the sender made. It never expires: a phone may come back from the hills after weeks.

    The digest is keyed outside the database and only tells whether the same thing came twice.
    """

    __tablename__ = "mentor_sent"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID | None] = by_whom()
    digest: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class TalkFile(Base):
    """The talks with one child. They end together, or not at all."""

    __tablename__ = "mentor_talk_file"

    student_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Talk(Base):
    """One version of one talk with one child. A talk with several children is a talk with each: what is said of one
    child is for other eyes than what is said of the next.
    """

    __tablename__ = "mentor_talk"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('weekly', 'key_moment', 'home_visit', 'message')", name="kind"),
        sa.CheckConstraint(
            "moment IN ('term_start', 'graduation', 'before_exam', 'after_exam', 'serious_change')", name="moment"
        ),
        sa.CheckConstraint("(kind = 'key_moment') = (moment IS NOT NULL)", name="key_moment"),
        sa.CheckConstraint("level IN ('mentor', 'school', 'guardians')", name="level"),
        sa.CheckConstraint("(number = 1) = (replaces IS NULL)", name="first"),
        sa.CheckConstraint("(number = 1) = (id = talk_id)", name="name"),
        sa.CheckConstraint("happened_at <= written_at", name="past"),
        sa.CheckConstraint("NOT (withdrawn AND note IS NOT NULL)", name="withdrawn"),
        sa.UniqueConstraint("replaces", name="uq_mentor_talk_replaces"),
        sa.UniqueConstraint("talk_id", "number", name="uq_mentor_talk_number"),
        sa.Index("ix_mentor_talk_student", "student_id", "happened_at"),
        sa.Index("ix_mentor_talk_author", "author_id", "happened_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    talk_id: Mapped[UUID]
    number: Mapped[int]
    replaces: Mapped[UUID | None] = mapped_column(sa.ForeignKey("mentor_talk.id", ondelete="CASCADE"))
    student_id: Mapped[UUID] = mapped_column(sa.ForeignKey(TalkFile.student_id, ondelete="CASCADE"))
    author_id: Mapped[UUID | None] = by_whom()
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    kind: Mapped[str]
    moment: Mapped[str | None]
    happened_at: Mapped[datetime]
    level: Mapped[str]
    note: Mapped[bytes | None] = sealed_column()
    withdrawn: Mapped[bool] = mapped_column(server_default=sa.false())
    """Logged by mistake, or of another child: it counts no more, and only its author still sees it."""
    written_at: Mapped[datetime]


class Promise(Base):
    """下次说好的事: made in a talk, read by whoever may read that talk."""

    __tablename__ = "mentor_promise"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    talk_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Talk.id, ondelete="CASCADE"), unique=True)
    student_id: Mapped[UUID] = mapped_column(sa.ForeignKey(TalkFile.student_id, ondelete="CASCADE"), index=True)
    text: Mapped[bytes] = sealed_column()
    due_on: Mapped[date | None]
    made_at: Mapped[datetime]


class PromiseEnd(Base):
    """Kept or dropped, once."""

    __tablename__ = "mentor_promise_end"
    __table_args__ = (sa.CheckConstraint("outcome IN ('kept', 'dropped')", name="outcome"),)

    promise_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Promise.id, ondelete="CASCADE"), primary_key=True)
    outcome: Mapped[str]
    word: Mapped[bytes | None] = sealed_column()
    ended_by: Mapped[UUID | None] = by_whom()
    ended_at: Mapped[datetime]


class Cadence(Base):
    """What is owed to each child, by the rules of a school, or of the district (its root org) where a school has none.

    A set of rules is one value: it is replaced whole.
    """

    __tablename__ = "mentor_cadence"

    org_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"), primary_key=True)
    rules: Mapped[list[Any]] = mapped_column(JSONB())
    version: Mapped[int] = mapped_column(server_default="1")
    changed_by: Mapped[UUID | None] = by_whom()
    changed_at: Mapped[datetime]
