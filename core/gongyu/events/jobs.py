"""Scheduled work: one row for each job in the district's schema, whose lock is the run's.

The effect of a run and the next due time commit together, so whatever is killed in the middle has not happened and is
due as before; that is also all there is to catching up after downtime, once. No scheduler library does this:
APScheduler, procrastinate and pgqueuer keep one table for the whole deployment, so neither would a district's jobs live
in its schema nor the effect and the schedule share a transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, cast

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.retention import access_jobs
from gongyu.districts.registry import DistrictState
from gongyu.events.attempt import Outcome, attempt
from gongyu.events.clock import Clock, backoff
from gongyu.events.models import JobRow
from gongyu.events.recurrence import next_run
from gongyu.events.retention import CLEANING
from gongyu.host.isolation import said
from gongyu.people.models import AcademicSession
from gongyu.people.rights.reminders import REMINDERS
from gongyu.people.rights.retention import expiring
from gongyu.people.terms import TERMS
from gongyu.platform import Platform
from gongyu.plugin import Job
from gongyu.text import Text

__all__ = ["CORE", "JobLine", "Ran", "list_jobs", "run_due_jobs"]

log = structlog.get_logger("gongyu.jobs")

#: Whose name the core's own jobs stand under.
CORE: Final = "core"
JOB_SECONDS: Final = 600.0
_row: Final = cast("sa.Table", JobRow.__table__)
Key = tuple[str, str]


class Ran(msgspec.Struct):
    """What a round of jobs came to, and when the next is due."""

    done: int = 0
    failed: int = 0
    next_at: datetime | None = None


class JobLine(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a district as `gongyu doctor` shows it; `next_at` is empty where none is due (no term is known)."""

    plugin: str
    name: str
    title: Text
    next_at: datetime | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    attempts: int
    error: str | None


async def run_due_jobs(platform: Platform, state: DistrictState, *, clock: Clock) -> Ran:
    """Bring the district's schedule up to date and run what is due, each job in a transaction of its own.

    Raises:
        HookRefusedError: A job failed, where failures are raised (in tests).
    """
    jobs = _declared(platform, state)
    result = Ran()
    async with platform.database.read(state.district) as connection:
        starts = await _term_starts(connection, jobs)
        due = await _schedule(connection, state, jobs, starts, clock())
    for key, moment in due.items():
        if moment is None or moment > clock():
            continue
        outcome = await _run(platform, state, key, starts, clock)
        due[key] = outcome.marks["next_at"] if outcome else None  # another process that has it will see to the next
        result.done += outcome is not None and outcome.failure is None
        result.failed += outcome is not None and outcome.failure is not None
    result.next_at = min(filter(None, due.values()), default=None)
    return result


async def list_jobs(connection: AsyncConnection, platform: Platform, state: DistrictState) -> list[JobLine]:
    rows = {(row.plugin, row.name): row for row in await connection.execute(sa.select(_row))}
    return [
        JobLine(
            plugin=plugin,
            name=name,
            title=job.title,
            next_at=row.next_at if row else None,
            last_started_at=row.last_started_at if row else None,
            last_finished_at=row.last_finished_at if row else None,
            attempts=row.attempts if row else 0,
            error=row.error if row else None,
        )
        for (plugin, name), job in _declared(platform, state).items()
        for row in [rows.get((plugin, name))]
    ]


def _declared(platform: Platform, state: DistrictState) -> dict[Key, Job]:
    own = {
        (CORE, job.name): job
        for job in (CLEANING, TERMS, REMINDERS, *access_jobs(platform, state), expiring(platform, state))
    }
    return own | {(name, job.name): job for name in state.enabled for job in platform.host.plugins[name].jobs}


async def _term_starts(connection: AsyncConnection, jobs: Mapping[Key, Job]) -> Sequence[date]:
    if not any(job.every == "term_start" for job in jobs.values()):
        return ()
    first_days = sa.select(AcademicSession.starts_on).where(AcademicSession.type.in_(["term", "semester"])).distinct()
    return (await connection.scalars(first_days)).all()


async def _schedule(
    connection: AsyncConnection,
    state: DistrictState,
    jobs: Mapping[Key, Job],
    starts: Sequence[date],
    now: datetime,
) -> dict[Key, datetime | None]:
    """Make the rows say when each declared job is due, and return that.

    A due time still to come is worked out anew each time, so a changed hour, time zone or term is followed. One that
    has come stands until the run; so does a retry. Jobs of a plugin that is off are due never, and are worked out from
    now when it is on again.
    """
    due: dict[Key, datetime | None] = {}
    rows = {(row.plugin, row.name): row for row in await connection.execute(sa.select(_row))}
    for key, job in jobs.items():
        row = rows.get(key)
        if row and row.next_at and (row.next_at <= now or row.attempts):
            due[key] = row.next_at
            continue
        # Another process's clock may be a little ahead: what it has run must not look due again to this one.
        after = max(now, row.last_started_at) if row and row.last_started_at else now
        moment = due[key] = next_run(job, after=after, timezone=state.district.timezone, term_starts=starts)
        if row is None:
            fresh = insert(_row).values(plugin=key[0], name=key[1], next_at=moment)
            await connection.execute(fresh.on_conflict_do_nothing())
        elif row.next_at != moment:
            await connection.execute(_unchanged(key, row.next_at).values(next_at=moment, attempts=0))
    for key, row in rows.items():
        switch = state.switches.get(key[0])
        if key[0] != CORE and row.next_at is not None and not (switch and switch.enabled):
            await connection.execute(_unchanged(key, row.next_at).values(next_at=None, attempts=0, error=None))
    return due


def _unchanged(key: Key, next_at: datetime | None) -> sa.Update:
    """An update of the row as it was read: another process may have run the job meanwhile."""
    plugin, name = key
    same = _row.c.next_at.is_not_distinct_from(next_at)
    return sa.update(_row).where(_row.c.plugin == plugin, _row.c.name == name, same)


async def _run(
    platform: Platform, state: DistrictState, key: Key, starts: Sequence[date], clock: Clock
) -> Outcome | None:
    """Run one job if it is still due and no other process has it."""
    job, started = _declared(platform, state)[key], clock()
    this = sa.and_(_row.c.plugin == key[0], _row.c.name == key[1], _row.c.next_at <= started)

    async def run(session: AsyncSession, _: sa.Row[Any]) -> None:
        await job.run(platform.context(key[0], state, session, started))

    def mark(claimed: sa.Row[Any], failure: Exception | None) -> dict[str, Any]:
        now = clock()
        regular = next_run(job, after=now, timezone=state.district.timezone, term_starts=starts)
        if failure is None:
            times = {"last_started_at": started, "last_finished_at": now}
            return {**times, "next_at": regular, "attempts": 0, "error": None}
        again = now + backoff(claimed.attempts + 1, first=60, most=3600)
        next_at = min(again, regular) if regular else again
        failed = {"attempts": claimed.attempts + 1, "error": said(failure)}
        return {"last_started_at": started, "next_at": next_at, **failed}

    outcome = await attempt(
        platform,
        state,
        name=key,
        table=_row,
        this=this,
        claim=sa.select(_row.c.attempts).where(this).with_for_update(skip_locked=True),
        act=run,
        mark=mark,
        seconds=JOB_SECONDS,
    )
    if outcome and outcome.failure:
        log.warning("job failed", district=state.district.slug, plugin=key[0], job=key[1], error=outcome.marks["error"])
    return outcome
