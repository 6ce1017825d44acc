"""Publishing: an event is a row written in the transaction of the change it tells of; neither is without the other.

Whoever ends the unit of work calls `announce` after the commit; outside HTTP, `work` does both. A lost announcement
costs time and nothing else: the workers look for themselves every half minute.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.events.models import EventRow
from gongyu.platform import Platform
from gongyu.plugin import District, Event

__all__ = ["TOPIC", "announce", "nudge_after_commit", "publish", "publish_all", "work"]

#: The signal's topic; its payload is the district's slug.
TOPIC: Final = "events"
_NUDGE: Final = "gongyu_nudge"


async def publish(session: AsyncSession, event: Event, *, subject: str | UUID) -> UUID:
    """Add an event to the outbox in the caller's transaction.

    Args:
        session: A district's session, inside its transaction.
        event: Ids only, never sensitive content (promise 4).
        subject: Whom or what it concerns. Events of one subject reach each subscriber in the order they were published;
            two transactions that publish about one subject at the same time have an order only if they took turns
            on something of it (its row, say), as any two changes of one thing must.

    Returns:
        The event's id, which consumers of webhooks see as `webhook-id`.
    """
    return (await publish_all(session, [(event, subject)]))[0]


# Columns as arrays: a round of matching publishes thousands, and many rows of parameters cost four times as much.
_GIVEN: Final = (
    sa.func.unnest(
        *(sa.bindparam(name, type_=ARRAY(type_)) for name, type_ in (("ids", sa.Uuid()), ("types", sa.Text()))),
        *(sa.bindparam(name, type_=ARRAY(sa.Text())) for name in ("subjects", "data")),
    )
    .table_valued(
        sa.column("id", sa.Uuid()),
        sa.column("type", sa.Text()),
        sa.column("subject", sa.Text()),
        sa.column("data", sa.Text()),
        name="given",
    )
    .render_derived()
)
_PUBLISH: Final = sa.insert(cast("sa.Table", EventRow.__table__)).from_select(
    ["id", "type", "subject", "data"],
    sa.select(_GIVEN.c.id, _GIVEN.c.type, _GIVEN.c.subject, sa.cast(_GIVEN.c.data, JSONB)),
)


async def publish_all(session: AsyncSession, events: Sequence[tuple[Event, str | UUID]]) -> list[UUID]:
    """Add many events, each with its subject, in the order given and in one round trip."""
    ids = [new_id() for _ in events]
    if ids:
        await session.execute(
            _PUBLISH,
            {
                "ids": ids,
                "types": [event.type for event, _ in events],
                "subjects": [str(subject) for _, subject in events],
                "data": [msgspec.json.encode(event).decode() for event, _ in events],
            },
        )
        nudge_after_commit(session)
    return ids


def nudge_after_commit(session: AsyncSession) -> None:
    """This unit of work leaves something for the workers to do: `announce` will tell them."""
    session.info[_NUDGE] = True


async def announce(platform: Platform, session: AsyncSession) -> None:
    """Tell the workers of all processes, after the commit, if there is anything to tell."""
    if session.info.pop(_NUDGE, False):
        await platform.signals.send(TOPIC, session.info["district"].slug)


@asynccontextmanager
async def work(platform: Platform, district: DistrictState | District) -> AsyncGenerator[AsyncSession]:
    """A unit of work in a district, committed when the block ends well and then announced."""
    if isinstance(district, DistrictState):
        district = district.district
    async with platform.database.work(district) as session:
        yield session
    await announce(platform, session)
