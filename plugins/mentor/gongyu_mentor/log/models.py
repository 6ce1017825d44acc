"""The log, the profile and the hand-over as tables. What is written anew is a new row; the newest counts."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import sealed_column
from gongyu.people.models import Person
from gongyu_mentor.models import Assignment, Base

__all__ = ["KINDS", "SECTIONS", "Handover", "LogPage", "ProfileItem"]

SECTIONS = ("situation", "priorities", "measures", "effects", "summary")
KINDS = ("hobby", "talent", "book", "plan", "goal")


class LogPage(Base):
    """One version of one section of the log of one pair, for one term.

    It hangs on the pair and not on the child: whose pair has ended reads it no more, and whoever comes next begins a
    log of their own.
    """

    __tablename__ = "mentor_log_page"
    __table_args__ = (
        sa.CheckConstraint(f"section IN {SECTIONS}", name="section"),
        sa.UniqueConstraint("pair_id", "term_begins", "section", "number", name="uq_mentor_log_page_number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    pair_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Assignment.id, ondelete="CASCADE"))
    term_begins: Mapped[date]
    section: Mapped[str]
    number: Mapped[int]
    text: Mapped[bytes] = sealed_column()
    written_at: Mapped[datetime]


class ProfileItem(Base):
    """One version of one line of a child's profile: a hobby, a talent, a book read, a reading plan, a goal."""

    __tablename__ = "mentor_profile_item"
    __table_args__ = (
        sa.CheckConstraint(f"kind IN {KINDS}", name="kind"),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        sa.CheckConstraint("progress IS NULL OR kind IN ('plan', 'goal')", name="progresses"),
        sa.CheckConstraint("(number = 1) = (id = item_id)", name="name"),
        sa.UniqueConstraint("item_id", "number", name="uq_mentor_profile_item_number"),
        sa.Index("ix_mentor_profile_item_student", "student_id", "item_id", "number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    item_id: Mapped[UUID]
    number: Mapped[int]
    student_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))
    kind: Mapped[str]
    text: Mapped[bytes] = sealed_column()
    progress: Mapped[int | None]
    removed: Mapped[bool] = mapped_column(server_default=sa.false())
    written_at: Mapped[datetime]


class Handover(Base):
    """A new mentor may read the former one's summaries, if the child agrees; until then, and if not, nobody does."""

    __tablename__ = "mentor_handover"
    __table_args__ = (sa.CheckConstraint("(agreed IS NULL) = (answered_at IS NULL)", name="answered"),)

    pair_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Assignment.id, ondelete="CASCADE"), primary_key=True)
    former_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Assignment.id, ondelete="CASCADE"), index=True)
    agreed: Mapped[bool | None]
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
