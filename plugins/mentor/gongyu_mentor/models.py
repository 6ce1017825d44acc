"""Rounds and what becomes of them, as the database keeps them.

What must never happen is made impossible here and not only in the code: two mentors at once for one student, a mentor
with more students than places, a seed known before the assignment is, a run that changes after it was looked at.
"""

from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gongyu.database.model import ModelBase, new_id, plugin_metadata, sealed_column
from gongyu.people.models import AcademicSession, ClassGroup, Org, Person

__all__ = [
    "AnyRow",
    "Appeal",
    "Assignment",
    "Base",
    "ClassAssignment",
    "ClassPreference",
    "Favour",
    "Load",
    "Offer",
    "Photo",
    "Pin",
    "Preference",
    "Refiled",
    "Refiling",
    "Round",
    "Run",
]


#: A row of some select, whichever columns it has.
AnyRow: TypeAlias = sa.Row[*tuple[Any, ...]]


class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()


def _person(*, primary_key: bool = False, index: bool = False) -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"), primary_key=primary_key, index=index)


def _signer() -> Mapped[UUID | None]:
    """Who did it: the row outlives the person."""
    return mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))


def _round(*, primary_key: bool = False) -> Mapped[UUID]:
    return mapped_column(sa.ForeignKey("mentor_round.id", ondelete="CASCADE"), primary_key=primary_key)


def _words() -> Mapped[list[str]]:
    return mapped_column(ARRAY(sa.Text()), server_default="{}")


def _people() -> Mapped[list[UUID]]:
    """Ranked, best first. A ranking is one value: it is replaced whole, and no reader ever sees half of it."""
    return mapped_column(ARRAY(sa.Uuid()), server_default="{}")


class Round(Base):
    """One run of ranked choices and assignment for a school and term.

    `state` holds what somebody did; what the clock does by itself (opening, closing, the end of the appeals) is worked
    out from the times: see `rounds.stage`. The rules are copied in when the round is made, so that nobody can change
    them under those who chose by them.
    """

    __tablename__ = "mentor_round"
    __table_args__ = (
        sa.CheckConstraint("state IN ('draft', 'choosing', 'closed', 'published')", name="state"),
        sa.CheckConstraint("kind IN ('students', 'classes')", name="kind"),
        sa.CheckConstraint("opens_at < closes_at", name="times"),
        sa.CheckConstraint("1 <= soft_cap AND soft_cap <= hard_cap AND hard_cap <= 50", name="caps"),
        sa.CheckConstraint("list_length BETWEEN 1 AND 20", name="list_length"),
        sa.CheckConstraint(
            "state = 'draft' OR (seed_hash IS NOT NULL AND opens_at IS NOT NULL AND closes_at IS NOT NULL)",
            name="announced",
        ),
        sa.CheckConstraint("seed IS NULL OR state = 'published'", name="seed_after"),
        sa.CheckConstraint("(state = 'published') = (run_id IS NOT NULL)", name="published"),
        sa.Index("ix_mentor_round_school", "school_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    term_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(AcademicSession.id, ondelete="SET NULL"))
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="students")
    """Who chooses: students a mentor each, or classes a party-member teacher each."""
    state: Mapped[str] = mapped_column(server_default="draft")
    grades: Mapped[list[str]] = _words()
    """Who takes part; empty is the whole school."""
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    soft_cap: Mapped[int]
    hard_cap: Mapped[int]
    list_length: Mapped[int]
    favour_percent: Mapped[int]
    reserve_percent: Mapped[int | None]
    care_categories: Mapped[list[str]] = _words()
    """Those the reserves are for; empty is any."""
    appeal_days: Mapped[int]
    answer_days: Mapped[int] = mapped_column(server_default="5")
    """How soon the school answers an appeal."""
    salt: Mapped[bytes]
    """Goes into snapshot hashes, so that nobody can try out guesses of who is in the group."""
    seed_hash: Mapped[str | None]
    seed_sealed: Mapped[bytes | None]
    seed: Mapped[str | None]
    runs: Mapped[int] = mapped_column(server_default="0")
    run_id: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[UUID | None] = _signer()
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    published_by: Mapped[UUID | None] = _signer()
    published_at: Mapped[datetime | None]
    appeals_until: Mapped[datetime | None]


class Offer(Base):
    """A mentor in a round: a profile, and seats. Who wants fewer seats says why; the school decides (and it counts)."""

    __tablename__ = "mentor_offer"
    __table_args__ = (
        sa.CheckConstraint("0 <= soft_cap AND soft_cap <= hard_cap AND hard_cap <= 50", name="caps"),
        sa.CheckConstraint("reserve BETWEEN 0 AND hard_cap", name="reserve"),
        sa.CheckConstraint("sex IN ('male', 'female')", name="sex"),
        sa.CheckConstraint("(fewer IS NULL) = (fewer_reason IS NULL)", name="reason"),
        sa.CheckConstraint("fewer >= 0", name="fewer"),
        sa.CheckConstraint("fewer_state IN ('asked', 'granted', 'refused')", name="fewer_state"),
    )

    round_id: Mapped[UUID] = _round(primary_key=True)
    mentor_id: Mapped[UUID] = _person(primary_key=True)
    soft_cap: Mapped[int]
    hard_cap: Mapped[int]
    reserve: Mapped[int | None]
    """Places kept for the group; empty is worked out from the group's share."""
    grades: Mapped[list[str]] = _words()
    sex: Mapped[str | None]
    """Set where the duty asks for it, as in a dormitory."""
    party_member: Mapped[bool] = mapped_column(server_default=sa.false())
    """Asked of teachers in a round of classes, and of nobody else."""
    subjects: Mapped[list[str]] = _words()
    talents: Mapped[list[str]] = _words()
    introduction: Mapped[str] = mapped_column(server_default="")
    fewer: Mapped[int | None]
    fewer_reason: Mapped[str | None]
    fewer_state: Mapped[str | None]
    fewer_by: Mapped[UUID | None] = _signer()
    left_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")


class Preference(Base):
    """A student's ranked mentors. `keep`: would go on with the present mentor, if that one wants to as well."""

    __tablename__ = "mentor_preference"
    __table_args__ = (
        sa.CheckConstraint("cardinality(choices) <= 20", name="choices"),
        sa.CheckConstraint("source IN ('own', 'paper')", name="source"),
    )

    round_id: Mapped[UUID] = _round(primary_key=True)
    student_id: Mapped[UUID] = _person(primary_key=True)
    choices: Mapped[list[UUID]] = _people()
    keep: Mapped[bool] = mapped_column(server_default=sa.false())
    source: Mapped[str] = mapped_column(server_default="own")
    filed_by: Mapped[UUID | None] = _signer()
    filed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    version: Mapped[int] = mapped_column(server_default="1")


class Favour(Base):
    """The few applicants a mentor stars, and those of the present students they would go on with."""

    __tablename__ = "mentor_favour"

    round_id: Mapped[UUID] = _round(primary_key=True)
    mentor_id: Mapped[UUID] = _person(primary_key=True)
    students: Mapped[list[UUID]] = _people()
    keep: Mapped[list[UUID]] = _people()
    filed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    version: Mapped[int] = mapped_column(server_default="1")


class Pin(Base):
    """A pair that stands before the run: the only way to make an exception, with a reason and a signer."""

    __tablename__ = "mentor_pin"
    __table_args__ = (sa.CheckConstraint("length(reason) >= 2", name="reason"),)

    round_id: Mapped[UUID] = _round(primary_key=True)
    student_id: Mapped[UUID] = _person(primary_key=True)
    mentor_id: Mapped[UUID] = _person()
    reason: Mapped[str]
    signed_by: Mapped[UUID | None] = _signer()
    signed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Run(Base):
    """A run of the engine, whole and unchangeable (the application's role may not update or delete it).

    `outcome` holds each student's mentor and explanation in numbers, see `outcome.Outcome`.
    """

    __tablename__ = "mentor_run"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "number", name="uq_mentor_run_number"),
        sa.CheckConstraint("kind IN ('trial', 'rematch')", name="kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    round_id: Mapped[UUID] = _round()
    number: Mapped[int]
    kind: Mapped[str]
    snapshot_hash: Mapped[str]
    seed_hash: Mapped[str]
    figures: Mapped[dict[str, Any]]
    outcome: Mapped[bytes]
    made_by: Mapped[UUID | None] = _signer()
    made_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Load(Base):
    """How many places a mentor has at a school and how many are taken: counted by triggers of `mentor_assignment`."""

    __tablename__ = "mentor_load"
    __table_args__ = (sa.CheckConstraint("0 <= taken AND taken <= places", name="places"),)

    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"), primary_key=True)
    mentor_id: Mapped[UUID] = _person(primary_key=True)
    places: Mapped[int]
    taken: Mapped[int] = mapped_column(server_default="0")


class Assignment(Base):
    """Student and mentor for a period; by time and not by day, because a former mentor loses access at once.

    Mentor and school are known through `Load`, of which there is one for each: a check for each pupil as well took a
    quarter of the time of a publication.
    """

    __tablename__ = "mentor_assignment"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["school_id", "mentor_id"],
            ["mentor_load.school_id", "mentor_load.mentor_id"],
            name="fk_mentor_assignment_load",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("ends_at >= begins_at", name="period"),
        sa.CheckConstraint("student_id <> mentor_id", name="two_people"),
        sa.Index("uq_mentor_assignment_open", "student_id", unique=True, postgresql_where=sa.text("ends_at IS NULL")),
        sa.Index("ix_mentor_assignment_mentor", "mentor_id", "id"),
        sa.Index("ix_mentor_assignment_school", "school_id", postgresql_where=sa.text("ends_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    student_id: Mapped[UUID] = _person(index=True)
    mentor_id: Mapped[UUID]
    school_id: Mapped[UUID]
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Run.id, ondelete="SET NULL"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class ClassPreference(Base):
    """A class's ranked teachers, filed by its homeroom teacher or by the school."""

    __tablename__ = "mentor_class_preference"
    __table_args__ = (sa.CheckConstraint("cardinality(choices) <= 20", name="choices"),)

    round_id: Mapped[UUID] = _round(primary_key=True)
    class_id: Mapped[UUID] = mapped_column(sa.ForeignKey(ClassGroup.id, ondelete="CASCADE"), primary_key=True)
    choices: Mapped[list[UUID]] = _people()
    filed_by: Mapped[UUID | None] = _signer()
    filed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    version: Mapped[int] = mapped_column(server_default="1")


class ClassAssignment(Base):
    """A class and its party-member teacher for a period: one for each class, and no teacher has two."""

    __tablename__ = "mentor_class_assignment"
    __table_args__ = (
        sa.CheckConstraint("ends_at >= begins_at", name="period"),
        sa.Index("uq_mentor_class_open", "class_id", unique=True, postgresql_where=sa.text("ends_at IS NULL")),
        sa.Index(
            "uq_mentor_class_teacher",
            "school_id",
            "mentor_id",
            unique=True,
            postgresql_where=sa.text("ends_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    class_id: Mapped[UUID] = mapped_column(sa.ForeignKey(ClassGroup.id, ondelete="CASCADE"), index=True)
    mentor_id: Mapped[UUID] = _person(index=True)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Run.id, ondelete="SET NULL"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]


class Appeal(Base):
    """A family against its pair: reasons and answer are sealed. One for each student and round, unless withdrawn."""

    __tablename__ = "mentor_appeal"
    __table_args__ = (
        sa.CheckConstraint("state IN ('filed', 'withdrawn', 'upheld', 'rejected')", name="state"),
        sa.CheckConstraint(
            "(state IN ('upheld', 'rejected')) = (decided_at IS NOT NULL AND answer IS NOT NULL)", name="answered"
        ),
        sa.Index(
            "uq_mentor_appeal_student",
            "round_id",
            "student_id",
            unique=True,
            postgresql_where=sa.text("state <> 'withdrawn'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    round_id: Mapped[UUID] = _round()
    student_id: Mapped[UUID] = _person(index=True)
    state: Mapped[str] = mapped_column(server_default="filed")
    reasons: Mapped[bytes] = sealed_column()
    filed_by: Mapped[UUID | None] = _signer()
    filed_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answer: Mapped[bytes | None] = sealed_column()
    decided_by: Mapped[UUID | None] = _signer()
    decided_at: Mapped[datetime | None]
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Run.id, ondelete="SET NULL"))
    """The rematch that followed from it."""


class Refiling(Base):
    """A window in which those whose mentor leaves choose anew, over mentors with free seats; used by the rematch."""

    __tablename__ = "mentor_refiling"
    __table_args__ = (
        sa.CheckConstraint("opened_at < closes_at", name="times"),
        sa.Index("uq_mentor_refiling_open", "round_id", unique=True, postgresql_where=sa.text("used_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    round_id: Mapped[UUID] = _round()
    gone: Mapped[list[UUID]] = _people()
    opened_by: Mapped[UUID | None] = _signer()
    opened_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Refiled(Base):
    """A displaced student's new list."""

    __tablename__ = "mentor_refiled"
    __table_args__ = (sa.CheckConstraint("cardinality(choices) <= 20", name="choices"),)

    refiling_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Refiling.id, ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[UUID] = _person(primary_key=True)
    choices: Mapped[list[UUID]] = _people()
    filed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default="1")


class Photo(Base):
    """A mentor's picture, if they like to show one. `digest` is what a browser compares."""

    __tablename__ = "mentor_photo"
    __table_args__ = (
        sa.CheckConstraint("length(content) <= 200 * 1024", name="size"),
        sa.CheckConstraint("media_type IN ('image/jpeg', 'image/png', 'image/webp')", name="media_type"),
    )

    person_id: Mapped[UUID] = _person(primary_key=True)
    media_type: Mapped[str]
    content: Mapped[bytes]
    digest: Mapped[str]
    changed_at: Mapped[datetime]
