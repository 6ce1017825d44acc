"""For the operator: what is pending, what is parked and why, and letting it try again."""

from datetime import datetime
from typing import Final, Literal, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.events.models import DeliveryRow, EventRow
from gongyu.events.outbox import nudge_after_commit

__all__ = ["Delivery", "Line", "backlogs", "list_deliveries", "retry"]

_event: Final = cast("sa.Table", EventRow.__table__)
_delivery: Final = cast("sa.Table", DeliveryRow.__table__)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one subscriber. The event's content is not shown: ids suffice to act."""

    event_id: UUID
    seq: int
    subscriber: str
    type: str
    subject: str
    state: Literal["pending", "done", "parked"]
    occurred_at: datetime
    attempts: int
    next_at: datetime
    error: str | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one subscriber; `oldest` is when the oldest of it happened."""

    subscriber: str
    pending: int
    failing: int
    parked: int
    oldest: datetime


async def backlogs(connection: AsyncConnection | AsyncSession) -> list[Line]:
    """What is not done, for each subscriber; events not even laid out yet stand under the empty name."""
    laid_out = (
        sa.select(
            _delivery.c.subscriber,
            sa.func.count().filter(_delivery.c.state == "pending"),
            sa.func.count().filter(_delivery.c.state == "pending", _delivery.c.attempts > 0),
            sa.func.count().filter(_delivery.c.state == "parked"),
            sa.func.min(_event.c.occurred_at),
        )
        .join(_event, _event.c.id == _delivery.c.event_id)
        .where(_delivery.c.state.in_(["pending", "parked"]))
        .group_by(_delivery.c.subscriber)
    )
    fresh = (
        sa.select(sa.literal(""), sa.func.count(), sa.literal(0), sa.literal(0), sa.func.min(_event.c.occurred_at))
        .where(_event.c.fanned_at.is_(None))
        .having(sa.func.count() > 0)
    )
    rows = await connection.execute(sa.union_all(laid_out, fresh).order_by(sa.text("1")))
    return [Line(subscriber=s, pending=p, failing=f, parked=k, oldest=o) for s, p, f, k, o in rows]


async def list_deliveries(
    connection: AsyncConnection | AsyncSession,
    *,
    state: Literal["pending", "parked"],
    subscriber: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """In the order of the events; `after` is `(seq, subscriber)` of the last one seen."""
    query = (
        sa.select(_delivery, _event.c.type, _event.c.occurred_at)
        .join(_event, _event.c.id == _delivery.c.event_id)
        .where(_delivery.c.state == state)
        .order_by(_delivery.c.seq, _delivery.c.subscriber)
        .limit(limit)
    )
    if subscriber is not None:
        query = query.where(_delivery.c.subscriber == subscriber)
    if after is not None:
        query = query.where(sa.tuple_(_delivery.c.seq, _delivery.c.subscriber) > sa.tuple_(*after))
    return [
        Delivery(
            event_id=row.event_id,
            seq=row.seq,
            subscriber=row.subscriber,
            type=row.type,
            subject=row.subject,
            state=row.state,
            occurred_at=row.occurred_at,
            attempts=row.attempts,
            next_at=row.next_at,
            error=row.error,
        )
        for row in await connection.execute(query)
    ]


async def retry(
    session: AsyncSession, *, now: datetime, subscriber: str | None = None, event_id: UUID | None = None
) -> int:
    """Let parked deliveries try again, with all their attempts: all, or those of a subscriber, of an event, or of both.

    One that is retried stands in its old place of the line again: later events of its subject that are still pending
    wait for it.

    Returns:
        How many.
    """
    again = (
        sa.update(_delivery)
        .where(_delivery.c.state == "parked")
        .values(state="pending", attempts=0, next_at=now)
        .returning(_delivery.c.event_id)
    )
    if subscriber is not None:
        again = again.where(_delivery.c.subscriber == subscriber)
    if event_id is not None:
        again = again.where(_delivery.c.event_id == event_id)
    count = len((await session.execute(again)).all())
    if count:
        nudge_after_commit(session)
    return count
