"""Letters and who can open them, as the database keeps them.

Of an anonymous letter nothing is kept that leads to its writer: no person, no address, no time but the day, and ids
that do not tell when they were made (version 4, where the house's others carry their millisecond).
"""

from datetime import date, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id, sealed_column
from gongyu.people.models import Org, Person
from gongyu_mentor.models import Base

__all__ = ["Change", "Letter", "Message", "OfficeKey", "ReceiptTry"]


def _somebody() -> Mapped[UUID | None]:
    return mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))


class OfficeKey(Base):
    """The key pair of one principal's office, or of the district's (no school): see `boxes`. It is made with the first
    letter, which may be an anonymous one, so nothing here tells when.
    """

    __tablename__ = "mentor_office_key"
    __table_args__ = (
        sa.UniqueConstraint("school_id", name="uq_mentor_office_key_school", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    school_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    public_key: Mapped[bytes]
    private_key: Mapped[bytes] = sealed_column()


class Letter(Base):
    """A letter with its clock. Either the writer is known, or there is a receipt and nothing else of them."""

    __tablename__ = "mentor_letter"
    __table_args__ = (
        sa.CheckConstraint("office IN ('school', 'district')", name="office"),
        sa.CheckConstraint("writer IN ('student', 'adult')", name="writer"),
        sa.CheckConstraint("state IN ('received', 'seen', 'answered', 'closed')", name="state"),
        sa.CheckConstraint("receipt_hash IS NULL OR (person_id IS NULL AND writer_private IS NULL)", name="anonymous"),
        sa.Index("ix_mentor_letter_desk", "school_id", "due_on", "id"),
        sa.Index("ix_mentor_letter_person", "person_id", postgresql_where=sa.text("person_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    office: Mapped[str]
    """Who answers it: a letter about the principal is the district's from the start."""
    writer: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    writer_public: Mapped[bytes]
    writer_private: Mapped[bytes | None] = sealed_column(nullable=True)
    receipt_hash: Mapped[bytes | None] = mapped_column(unique=True)
    then_district: Mapped[bool] = mapped_column(server_default=sa.false())
    """The writer wants the district to read it should the school let the time run out."""
    harm: Mapped[bool] = mapped_column(server_default=sa.false())
    sent_on: Mapped[date]
    due_on: Mapped[date]
    state: Mapped[str] = mapped_column(server_default="received")
    messages: Mapped[int] = mapped_column(server_default="0")
    seen_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    in_time: Mapped[bool | None]
    """Whether the first answer came in time: a later letter of the same thread starts a clock of its own."""
    closed_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    announced: Mapped[bool] = mapped_column(server_default=sa.false())


class Message(Base):
    """One message of a letter's thread; the application's role can add messages and do nothing else."""

    __tablename__ = "mentor_letter_message"

    letter_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Letter.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    by_office: Mapped[bool]
    author_id: Mapped[UUID | None] = _somebody()
    """Who of the office wrote it; of a writer nothing stands here."""
    at: Mapped[datetime]
    """Of an anonymous writer the beginning of the day."""
    body: Mapped[bytes]


class ReceiptTry(Base):
    """A receipt code that opened nothing: counted by address for a few minutes, under a hash that changes every day.
    A code that opens its letter leaves no row.
    """

    __tablename__ = "mentor_receipt_try"
    __table_args__ = (sa.Index("ix_mentor_receipt_try_address", "address", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    address: Mapped[bytes]
    at: Mapped[datetime]


class Change(Base):
    """The public board: what was asked, in general words, and what changed. Without names, and read by the school."""

    __tablename__ = "mentor_letter_change"
    __table_args__ = (sa.Index("ix_mentor_letter_change_school", "school_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    school_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    title: Mapped[str]
    asked: Mapped[str]
    changed: Mapped[str]
    by: Mapped[UUID | None] = _somebody()
    at: Mapped[datetime]
