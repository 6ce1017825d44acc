import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from gongyu.districts.registry import DistrictState
from gongyu.events.jobs import list_jobs, run_due_jobs
from gongyu.events.worker import Drained, drain
from gongyu.host import Host
from gongyu.people.models import AcademicSession
from gongyu.platform import Platform
from gongyu.plugin import Context, Job
from gongyu.testing.plugin import MakeDistrict

from .conftest import ALL, NOTEBOOK, NOTHING, Actors, Clock, Join, heard

MONDAY = datetime(2026, 9, 7, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai


async def tidy(context: Context) -> None:
    await context.session.execute(sa.insert(NOTEBOOK).values(who="ear", subject="tidied", number=context.now.day))
    await asyncio.sleep(0.05)


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def host(actors: Actors) -> Host:
    async def run(context: Context) -> None:
        assert actors.job
        await actors.job(context)

    actors.jobs = (
        Job("tidy", NOTHING, run, "daily", time(9, 0)),
        Job("greet", NOTHING, tidy, "term_start", time(7, 0)),
    )
    actors.job = tidy
    return actors.host()


async def test_missed_runs_are_caught_up_once_by_one_process(
    platform: Platform, ezhou: DistrictState, clock: Clock, join: Join
) -> None:
    assert await drain(platform, "ezhou", clock=clock) == Drained()  # nothing is due when first seen
    clock.move(minutes=59)
    assert await drain(platform, "ezhou", clock=clock) == Drained()
    clock.move(days=3, hours=1)  # nobody was there on the 7th, 8th and 9th
    async with join(None) as other:
        await asyncio.gather(*(run_due_jobs(p, p.state("ezhou"), clock=clock) for p in (platform, other, platform)))
    assert await heard(platform, ezhou) == [("tidied", 10)]
    async with platform.database.read(ezhou.district) as connection:
        lines = {line.name: line for line in await list_jobs(connection, platform, ezhou)}
    assert lines["tidy"].last_finished_at == clock()
    assert lines["tidy"].next_at == datetime(2026, 9, 11, 1, 0, tzinfo=UTC)
    assert lines["greet"].next_at is None
    assert lines["clean_events"].plugin == "core"


async def test_job_that_fails_leaves_nothing_behind_and_is_tried_again_after_pauses(
    platform: Platform, ezhou: DistrictState, actors: Actors, clock: Clock
) -> None:
    async def fail(context: Context) -> None:
        await tidy(context)
        await context.session.execute(sa.text("SELECT 1 / 0"))

    actors.job = fail
    await drain(platform, "ezhou", clock=clock)
    clock.now = MONDAY + timedelta(hours=1)
    pauses = []
    for attempts in range(1, 5):
        assert (await drain(platform, "ezhou", clock=clock)).failed == 1
        async with platform.database.read(ezhou.district) as connection:
            line = next(line for line in await list_jobs(connection, platform, ezhou) if line.name == "tidy")
        assert line.attempts == attempts
        assert (line.error or "").startswith("DivisionByZeroError 22012 at events/test_jobs.py")
        assert line.next_at
        pauses.append(line.next_at - clock())
        clock.now = line.next_at
    assert [pause / timedelta(minutes=1) for pause in pauses] == pytest.approx([1, 4, 16, 60], rel=0.16)

    actors.job = tidy
    assert (await drain(platform, "ezhou", clock=clock)).jobs == 1
    assert await heard(platform, ezhou) == [("tidied", 7)]
    async with platform.database.read(ezhou.district) as connection:
        line = next(line for line in await list_jobs(connection, platform, ezhou) if line.name == "tidy")
    assert (line.attempts, line.error, line.next_at) == (0, None, MONDAY + timedelta(days=1, hours=1))


async def test_jobs_of_a_plugin_that_is_off_do_not_run_and_are_not_caught_up(
    platform: Platform, ezhou: DistrictState, make_district: MakeDistrict, clock: Clock
) -> None:
    await drain(platform, "ezhou", clock=clock)
    await make_district("ezhou", ALL.replace("[plugins.ear]", "[plugins.ear]\nenabled = false"))
    clock.move(days=2)
    assert (await drain(platform, "ezhou", clock=clock)).jobs >= 1  # the core's own
    await make_district("ezhou", ALL)
    clock.move(minutes=30)
    await drain(platform, "ezhou", clock=clock)
    assert await heard(platform, ezhou) == []
    clock.move(hours=1)
    await drain(platform, "ezhou", clock=clock)
    assert await heard(platform, ezhou) == [("tidied", 9)]


async def test_term_job_follows_the_terms_of_the_district(
    platform: Platform, ezhou: DistrictState, clock: Clock
) -> None:
    async def due() -> datetime | None:
        await run_due_jobs(platform, ezhou, clock=clock)
        async with platform.database.read(ezhou.district) as connection:
            return next(line for line in await list_jobs(connection, platform, ezhou) if line.name == "greet").next_at

    def term(kind: str, first: date) -> sa.Insert:
        values = {"title": "t", "type": kind, "starts_on": first, "ends_on": date(2027, 7, 1)}
        return sa.insert(AcademicSession).values(values)

    assert await due() is None
    async with platform.database.work(ezhou.district) as session:
        await session.execute(term("schoolYear", date(2026, 9, 8)))
        await session.execute(term("semester", date(2027, 2, 22)))
    assert await due() == datetime(2027, 2, 21, 23, 0, tzinfo=UTC)
    async with platform.database.work(ezhou.district) as session:  # the bureau moves it forward
        await session.execute(
            sa.update(AcademicSession).where(AcademicSession.type == "semester").values(starts_on=date(2027, 2, 20))
        )
    assert await due() == datetime(2027, 2, 19, 23, 0, tzinfo=UTC)


async def test_clock_a_little_behind_runs_nothing_twice(platform: Platform, ezhou: DistrictState, clock: Clock) -> None:
    await drain(platform, "ezhou", clock=clock)
    clock.now = MONDAY + timedelta(hours=1, milliseconds=1)
    await drain(platform, "ezhou", clock=clock)
    behind = Clock(MONDAY + timedelta(hours=1, milliseconds=-500))
    await drain(platform, "ezhou", clock=behind)
    await drain(platform, "ezhou", clock=clock)
    assert await heard(platform, ezhou) == [("tidied", 7)]
