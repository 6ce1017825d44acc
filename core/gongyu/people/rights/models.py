"""Consents, and what people asked for about their data."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import Base, new_id, sealed_column

__all__ = ["Consent", "CorrectedField", "RightsRequest"]


class Consent(Base):
    """One word about one purpose. Append-only by the database's grants: taking consent back is another word."""

    __tablename__ = "consent"
    __table_args__ = (
        sa.CheckConstraint("word IN ('given', 'refused', 'withdrawn')", name="word"),
        sa.CheckConstraint("capacity IN ('self', 'guardian')", name="capacity"),
        sa.CheckConstraint("channel IN ('online', 'paper')", name="channel"),
        sa.Index("ix_consent_person_purpose", "person_id", "purpose", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    version: Mapped[int]
    word: Mapped[str]
    capacity: Mapped[str]
    said_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id", ondelete="SET NULL"), index=True)
    channel: Mapped[str]
    at: Mapped[datetime]


class RightsRequest(Base):
    """A request for correction or erasure and its answer. What was wished and the reason are sealed: they may hold
    anything. `outcome` says what an erasure took and left, by kind and count.

    A correction that was accepted is not over before `done_at`: what it names in `fields` is put right here at once,
    but a roster's source still has it wrong, and what was asked in words is put right by people
    (`by_hand`: by whom, and where).
    """

    __tablename__ = "rights_request"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('correction', 'erasure')", name="kind"),
        sa.CheckConstraint("asked_as IN ('self', 'guardian', 'carer', 'operator')", name="asked_as"),
        sa.CheckConstraint("state IN ('open', 'accepted', 'refused')", name="state"),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("reminded IN ('due_soon', 'overdue')", name="reminded"),
        sa.Index("ix_rights_request_open", "due_on", "id", postgresql_where=sa.text("state = 'open'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    asked_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id", ondelete="SET NULL"), index=True)
    asked_as: Mapped[str]
    asked_at: Mapped[datetime]
    due_on: Mapped[date]
    wish: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default="open")
    reminded: Mapped[str | None]
    """The last reminder that went to those who decide: each goes once."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[bytes | None]
    outcome: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    fields: Mapped[bytes | None] = sealed_column()
    by_hand: Mapped[bytes | None] = sealed_column()
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]


class CorrectedField(Base):
    """A field of a person that was put right on their request: whoever reads it in a roster otherwise must not believe
    the roster without asking.
    """

    __tablename__ = "corrected_field"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    corrected_at: Mapped[datetime]
