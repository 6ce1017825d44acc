"""Tables of what must commit together with a change: outbox, deliveries, job state, idempotency keys, webhooks."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import Base, new_id

__all__ = ["DeliveryRow", "EventRow", "IdempotencyRow", "JobRow", "PluginFailureRow", "WebhookRow"]


class EventRow(Base):
    """The outbox. `seq` orders the events of one subject; `fanned_at` says that its deliveries have been laid out."""

    __tablename__ = "event"
    __table_args__ = (sa.Index("ix_event_unfanned", "seq", postgresql_where=sa.text("fanned_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, server_default=sa.func.gen_random_uuid())
    seq: Mapped[int] = mapped_column(sa.Identity(), unique=True)
    type: Mapped[str]
    subject: Mapped[str]
    data: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    fanned_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """One event for one subscriber: a plugin's name, or `webhook:<id>`. `pending` → `done` | `parked`.

    The indexes cover what is still to do and stay small however long the history is. Due work is looked up subscriber
    by subscriber, so that the backlog of one that is switched off costs the others nothing.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        sa.CheckConstraint("state IN ('pending', 'done', 'parked')", name="state"),
        sa.Index("ix_delivery_due", "subscriber", "next_at", "seq", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_delivery_line", "subscriber", "subject", "seq", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_delivery_parked", "subscriber", "seq", postgresql_where=sa.text("state = 'parked'")),
    )

    event_id: Mapped[UUID] = mapped_column(sa.ForeignKey("event.id", ondelete="CASCADE"), primary_key=True)
    subscriber: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    subject: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    error: Mapped[str | None]
    done_at: Mapped[datetime | None]


class JobRow(Base):
    """Scheduled work of a plugin: when it is due next and how the last run went. The row's lock is the run's.

    `next_at` is NULL where nothing is due: the plugin is off, or no term is known.
    """

    __tablename__ = "job"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime | None]
    last_started_at: Mapped[datetime | None]
    last_finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]


class IdempotencyRow(Base):
    """An answered unsafe request: the same key by the same person gets the same answer, for ever (a kiosk may come
    back after days).
    """

    __tablename__ = "idempotency"

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class WebhookRow(Base):
    """An API consumer's address for events (Standard Webhooks 1.0). Secrets are encrypted with the district's key.

    No `types` means all. `disabled_reason` is a code of `webhooks.DisabledReason`.
    """

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    url: Mapped[str]
    types: Mapped[list[str]] = mapped_column(ARRAY(sa.Text()))
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    enabled: Mapped[bool] = mapped_column(server_default=sa.true())
    failing_since: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class PluginFailureRow(Base):
    """Failures of plugins' hooks and jobs, counted, for the health page; bounded by the number of hooks."""

    __tablename__ = "plugin_failure"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    hook: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(server_default="1")
    error: Mapped[str]
    last_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
