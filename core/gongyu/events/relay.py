"""From the outbox to the subscribers, in two steps that any number of processes may take at once.

`fan_out` lays out one delivery for each event and subscriber; `deliver` hands them to the plugins. Order per subject is
kept by two things: events are laid out in their order (a second process waits for the first one's rows instead of
skipping them), and a delivery whose predecessor for the same subscriber and subject is pending is not taken.
"""

from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import IN_REGISTRY
from gongyu.districts.models import SwitchRow
from gongyu.districts.registry import DistrictState
from gongyu.events.attempt import Outcome, attempt
from gongyu.events.clock import Clock, backoff
from gongyu.events.models import DeliveryRow, EventRow, WebhookRow
from gongyu.host.isolation import said
from gongyu.platform import Platform
from gongyu.plugin import Occurrence

__all__ = ["ATTEMPTS", "Backlog", "Delivered", "deliver_due", "fan_out", "outlook"]

log = structlog.get_logger("gongyu.events")

#: A reaction that failed so often is parked with its error, after about an hour.
ATTEMPTS: Final = 8
#: What one reaction may take. Longer work belongs into a job.
REACTION_SECONDS: Final = 10.0
BATCH: Final = 1000

_event: Final = cast("sa.Table", EventRow.__table__)
_delivery: Final = cast("sa.Table", DeliveryRow.__table__)
_earlier: Final = _delivery.alias("earlier")


async def fan_out(
    platform: Platform, state: DistrictState, *, now: datetime, limit: int = BATCH
) -> tuple[int, set[str]]:
    """Lay out the deliveries of the next events, in one transaction with the mark that this was done.

    Who is switched on is read from the database and not from this process's snapshot: in the moments after a switch
    the snapshot may be old, and an event laid out without the new subscriber would be lost to it.

    Returns:
        How many events were laid out, and for whom.
    """
    async with platform.database.work(state.district) as session:
        await session.execute(_ONE_ROUND, {"number": state.district.number})
        wanted = await _wanted(platform, session)
        given = {"types": [type_ for type_, _ in wanted], "names": [name for _, name in wanted]}
        found = await session.execute(_LAY_OUT, {**given, "now": now, "most": limit})
        events, types, subscribers = found.one()
        if unknown := sorted(set(types or ()) - platform.host.event_types.keys()):
            if platform.dispatcher.raises:
                raise LookupError(f"event types that no plugin declares: {', '.join(unknown)}")
            log.warning("event types that no plugin here declares", district=state.district.slug, types=unknown)
    return events, set(subscribers or ())


#: One round of a district at a time: events are laid out in their order, whoever comes second finds what is left, and
#: no two wait for each other's rows in a ring.
_ONE_ROUND: Final = sa.text("SELECT pg_advisory_xact_lock(7096, :number)")


def _lay_out() -> sa.Select[Any]:
    """All in one statement: event by event through Python, this took a tenth of a busy machine."""
    now = sa.bindparam("now", type_=sa.DateTime(timezone=True))
    lists = [sa.bindparam(name, type_=ARRAY(sa.Text())) for name in ("types", "names")]
    columns = sa.column("type", sa.Text()), sa.column("name", sa.Text())
    wanted = sa.func.unnest(*lists).table_valued(*columns, name="wanted").render_derived()
    unfanned = _event.c.fanned_at.is_(None)
    next_ones = sa.select(_event.c.seq).where(unfanned).order_by(_event.c.seq).limit(sa.bindparam("most"))
    laid_out = (
        sa.update(_event)
        .where(unfanned, _event.c.seq == sa.any_(sa.func.array(next_ones.scalar_subquery())))
        .values(fanned_at=now)
        .returning(_event.c.id, _event.c.seq, _event.c.type, _event.c.subject)
        .cte("laid_out")
    )
    rows = sa.select(laid_out.c.id, wanted.c.name, laid_out.c.seq, laid_out.c.subject, now).join(
        wanted, sa.or_(wanted.c.type.is_(None), wanted.c.type == laid_out.c.type)
    )
    columns_given = ["event_id", "subscriber", "seq", "subject", "next_at"]
    to_deliver = (
        sa.insert(_delivery).from_select(columns_given, rows).returning(_delivery.c.subscriber).cte("to_deliver")
    )
    return sa.select(
        sa.select(sa.func.count()).select_from(laid_out).scalar_subquery(),
        sa.select(sa.func.array_agg(sa.distinct(laid_out.c.type))).scalar_subquery(),
        sa.select(sa.func.array_agg(sa.distinct(to_deliver.c.subscriber))).scalar_subquery(),
    )


_LAY_OUT: Final = _lay_out()


async def _wanted(platform: Platform, session: AsyncSession) -> list[tuple[str | None, str]]:
    """Which types of events go to whom, None being all: plugins switched on in this district, and webhooks.

    A plugin that is on while its package is missing here gets everything: what it does not want is passed over when it
    is back, and what it wants was not lost meanwhile.
    """
    on = sa.select(SwitchRow.plugin).where(SwitchRow.district == session.info["district"].number, SwitchRow.enabled)
    plugins = (await session.scalars(on.order_by(SwitchRow.plugin), execution_options=IN_REGISTRY)).all()
    hooks = (await session.execute(sa.select(WebhookRow.id, WebhookRow.types).where(WebhookRow.enabled))).all()
    wanted: list[tuple[str | None, str]] = []
    for name in plugins:
        known = platform.host.plugins.get(name)
        wanted += [(type_, name) for type_ in (known.subscriptions if known else [None])]
    for hook in hooks:
        wanted += [(type_, f"webhook:{hook.id}") for type_ in hook.types or [None]]
    return wanted


class Delivered(msgspec.Struct):
    """What a round of deliveries came to."""

    done: int = 0
    failed: int = 0
    #: The round was full; there may be more.
    more: bool = False
    #: When the first of what failed is to be tried again.
    retry_at: datetime | None = None


async def deliver_due(platform: Platform, state: DistrictState, *, clock: Clock, limit: int = BATCH) -> Delivered:
    """Deliver what is due to the plugins that are on, until nothing is left that this process may take.

    A plugin that was switched off, or whose package is gone, keeps its deliveries; they go on when it is back. A
    parked delivery steps out of line: the later ones of its subject go on without it.

    Raises:
        HookRefusedError: A reaction failed, where failures are raised (in tests).
    """
    result = Delivered()
    while due := await _due(platform, state, clock()):
        before = result.done + result.failed
        for event_id, subscriber in due:
            if result.done + result.failed >= limit:
                result.more = True
                return result
            outcome = await _deliver(platform, state, event_id, subscriber, clock)
            if outcome is None:
                continue
            result.done += outcome.failure is None
            result.failed += outcome.failure is not None
            retries = filter(None, (result.retry_at, outcome.marks.get("next_at")))
            result.retry_at = min(retries, default=None)
        if result.done + result.failed == before:  # what is left is in other processes' hands
            break
    return result


class Backlog(msgspec.Struct, frozen=True):
    """What is pending for one subscriber: when the first of it is or was due, and the first still to come."""

    subscriber: str
    first_at: datetime
    later_at: datetime | None


async def outlook(platform: Platform, state: DistrictState, *, now: datetime) -> tuple[bool, list[Backlog]]:
    """Whether events wait to be laid out, and what is pending for whom: one query."""
    later = sa.func.min(_delivery.c.next_at).filter(_delivery.c.next_at > now)
    # In the order of the index that holds only these: a table that was counted while an import's events waited in it
    # looks to the planner as if any row would do, and without the order it read the whole history.
    first = sa.select(_event.c.seq).where(_event.c.fanned_at.is_(None)).order_by(_event.c.seq).limit(1).subquery()
    pending = (
        sa.select(_delivery.c.subscriber, sa.func.min(_delivery.c.next_at), later)
        .where(_delivery.c.state == "pending")
        .group_by(_delivery.c.subscriber)
    )
    none = sa.null()
    waiting = sa.select(none, none, none).select_from(first)
    async with platform.database.read(state.district) as connection:
        rows = (await connection.execute(sa.union_all(pending, waiting))).all()
    return any(row[0] is None for row in rows), [Backlog(*row) for row in rows if row[0] is not None]


async def _due(platform: Platform, state: DistrictState, now: datetime) -> list[tuple[UUID, str]]:
    """The heads of the lines that are due, some for each subscriber: looked at without a lock, claimed one by one."""
    wanted = sa.func.unnest(sa.literal(list(state.enabled), ARRAY(sa.Text()))).table_valued("name").alias("wanted")
    heads = (
        sa.select(_delivery.c.event_id, _delivery.c.subscriber, _delivery.c.seq)
        .where(
            _delivery.c.subscriber == wanted.c.name,
            _delivery.c.state == "pending",
            _delivery.c.next_at <= now,
            _first_in_line(),
        )
        .order_by(_delivery.c.next_at, _delivery.c.seq)
        .limit(50)
        .lateral("heads")
    )
    query = sa.select(heads.c.event_id, heads.c.subscriber).select_from(wanted.join(heads, sa.true()))
    async with platform.database.read(state.district) as connection:
        return [(row.event_id, row.subscriber) for row in await connection.execute(query.order_by(heads.c.seq))]


def _first_in_line() -> sa.ColumnElement[bool]:
    earlier = sa.exists().where(
        _earlier.c.subscriber == _delivery.c.subscriber,
        _earlier.c.subject == _delivery.c.subject,
        _earlier.c.state == "pending",
        _earlier.c.seq < _delivery.c.seq,
    )
    return ~earlier.correlate(_delivery)


async def _deliver(
    platform: Platform, state: DistrictState, event_id: UUID, subscriber: str, clock: Clock
) -> Outcome | None:
    """Claim one delivery, react, and mark it, in one commit; None when it is not to be had."""
    this = sa.and_(
        _delivery.c.event_id == event_id, _delivery.c.subscriber == subscriber, _delivery.c.state == "pending"
    )
    claim = (
        sa.select(_event, _delivery.c.attempts)
        .join(_delivery, _delivery.c.event_id == _event.c.id)
        .where(this, _delivery.c.next_at <= clock(), _first_in_line())
        .with_for_update(of=_delivery, skip_locked=True)
    )

    async def react(session: AsyncSession, event: sa.Row[Any]) -> None:
        subscription = platform.host.plugins[subscriber].subscriptions.get(event.type)
        if subscription is None:  # a newer release no longer wants it, or it was kept while the package was missing
            return
        occurrence = Occurrence(
            id=event.id, type=event.type, subject=event.subject, occurred_at=event.occurred_at, data=event.data
        )
        await subscription.react(platform.context(subscriber, state, session, clock()), occurrence)

    outcome = await attempt(
        platform,
        state,
        name=(subscriber, "react"),
        table=_delivery,
        this=this,
        claim=claim,
        act=react,
        mark=lambda claimed, failure: _mark(failure, claimed.attempts + 1, clock()),
        seconds=REACTION_SECONDS,
    )
    if outcome and outcome.failure:
        log.warning(
            "reaction failed",
            district=state.district.slug,
            plugin=subscriber,
            event_type=outcome.claimed.type,
            event_id=str(event_id),
            attempt=outcome.marks["attempts"],
            error=outcome.marks["error"],
        )
    return outcome


def _mark(failure: Exception | None, attempts: int, now: datetime) -> dict[str, Any]:
    if failure is None:
        return {"state": "done", "attempts": attempts, "done_at": now, "error": None}
    if attempts >= ATTEMPTS:
        return {"state": "parked", "attempts": attempts, "error": said(failure)}
    again = now + backoff(attempts, first=2, most=1800)
    return {"attempts": attempts, "error": said(failure), "next_at": again}
