"""All rounds of a district at once: school by school, each in a transaction of its own, one school in memory at a time.

A school that cannot be matched is told by name and keeps nobody else waiting.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import work
from gongyu.people.models import Org
from gongyu.platform import Platform
from gongyu.web import ProblemError
from gongyu_mentor import publishing, runs
from gongyu_mentor.models import AnyRow, Round, Run
from gongyu_mentor.schemas import RunOut

__all__ = ["Done", "publish_tried", "try_closed"]


class Done(NamedTuple):
    """What became of one school's round; `run` is None where there was none to publish."""

    round_id: UUID
    school: str
    run: RunOut | None
    trouble: ProblemError | None


async def try_closed(
    platform: Platform, state: DistrictState, *, by: UUID | None, now: datetime
) -> AsyncGenerator[Done]:
    """A trial run for every round whose lists are closed and that nobody has run yet."""
    closed = sa.and_(Round.state == "choosing", Round.closes_at <= now)
    for row in await _rounds(platform, state, closed):
        try:
            async with work(platform, state) as session:
                context = platform.context("mentor", state, session, now)
                made = await runs.try_out(context, row.id, orgs=None, by=by)
        except ProblemError as trouble:
            yield Done(row.id, row.name, None, trouble)
        else:
            yield Done(row.id, row.name, made, None)


async def publish_tried(
    platform: Platform, state: DistrictState, *, by: UUID | None, now: datetime
) -> AsyncGenerator[Done]:
    """Publish the last trial run of every round that has one."""
    for row in await _rounds(platform, state, Round.state == "closed"):
        last = sa.select(Run.id).where(Run.round_id == row.id).order_by(Run.number.desc()).limit(1)
        try:
            async with work(platform, state) as session:
                run = (await session.execute(last)).scalar_one()
                context = platform.context("mentor", state, session, now)
                await publishing.publish(context, row.id, run=run, orgs=None, by=by)
        except ProblemError as trouble:
            yield Done(row.id, row.name, None, trouble)
        else:
            yield Done(row.id, row.name, None, None)


async def _rounds(platform: Platform, state: DistrictState, which: sa.ColumnElement[bool]) -> list[AnyRow]:
    found = sa.select(Round.id, Org.name).join(Org, Org.id == Round.school_id).where(which).order_by(Org.name, Round.id)
    async with platform.database.read(state.district) as connection:
        return list(await connection.execute(found))
