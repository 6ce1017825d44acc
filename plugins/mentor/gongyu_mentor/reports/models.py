"""Mandatory reports. All three tables can be added to and nothing else: no right to change or delete is granted to the
application's role, so a report can neither be edited nor withdrawn, by nobody and by no mistake of ours.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id
from gongyu.people.models import Org, Person
from gongyu_mentor.letters.models import Letter
from gongyu_mentor.models import Base
from gongyu_mentor.reports.kinds import KINDS, STEPS

__all__ = ["Report", "ReportLine", "Suspect"]


def _somebody() -> Mapped[UUID | None]:
    return mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))


def _one_of(column: str, names: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(repr, names))})"


class Report(Base):
    """What was reported. Words come as lines, sealed for the offices that handle it (`letters.boxes`).

    One that came of a letter is a draft for whoever received it: its clock runs, and who and what is identified later.
    Its id does not tell when it was made, since it may lead to an anonymous letter.
    """

    __tablename__ = "mentor_report"
    __table_args__ = (
        sa.CheckConstraint("office IN ('school', 'district')", name="office"),
        sa.CheckConstraint(_one_of("kind", KINDS), name="kind"),
        sa.Index("ix_mentor_report_school", "school_id", "due_at"),
        sa.Index("ix_mentor_report_reporter", "reporter_id", postgresql_where=sa.text("reporter_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    office: Mapped[str]
    letter_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Letter.id, ondelete="SET NULL"))
    reporter_id: Mapped[UUID | None] = _somebody()
    student_id: Mapped[UUID | None] = _somebody()
    kind: Mapped[str | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]


class ReportLine(Base):
    """What came after: an addition, or a step that was taken. Some steps happen once."""

    __tablename__ = "mentor_report_line"
    __table_args__ = (
        sa.CheckConstraint(_one_of("what", STEPS), name="what"),
        sa.CheckConstraint(_one_of("kind", KINDS), name="kind"),
        sa.Index("ix_mentor_report_line_report", "report_id", "id"),
        sa.Index(
            "uq_mentor_report_line_once",
            "report_id",
            "what",
            unique=True,
            postgresql_where=sa.text("what IN ('acknowledged', 'escalated', 'closed')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    report_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Report.id, ondelete="CASCADE"))
    what: Mapped[str]
    by: Mapped[UUID | None] = _somebody()
    at: Mapped[datetime]
    student_id: Mapped[UUID | None] = _somebody()
    kind: Mapped[str | None]
    words: Mapped[bytes | None]


class Suspect(Base):
    """Who is under suspicion: from this moment the report is not there for them, whatever they are to the child."""

    __tablename__ = "mentor_report_suspect"

    report_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Report.id, ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
