import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import publish
from gongyu.platform import Platform
from gongyu.plugin import Context, Occurrence
from gongyu.testing.plugin import MakeDistrict

from .conftest import ALL, Actors, Join, Said, at_work, heard, make_notebook, say, until, write_down

ROOT = Path(__file__).parents[3]


def notes_are(
    platform: Platform, state: DistrictState, notes: list[tuple[str, int]], who: str = "ear"
) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await heard(platform, state, who) == notes

    return check


async def test_commit_reaches_subscribers_of_all_districts_within_a_second(
    platform: Platform, make_district: MakeDistrict, actors: Actors, join: Join
) -> None:
    said: dict[str, float] = {}
    waits: list[float] = []

    async def clock_in(context: Context, occurrence: Occurrence) -> None:
        await write_down(context, occurrence)
        waits.append(time.monotonic() - said[context.district.slug])

    actors.ear = clock_in
    states = [await make_district(f"d{n}", ALL) for n in range(8)]
    for state in states:
        await make_notebook(platform, state)
    async with join(None) as other, at_work(platform), at_work(other):
        await asyncio.sleep(0.3)  # the first sweeps; from here on only signals
        for _ in range(3):
            for state in states:
                said[state.district.slug] = time.monotonic()
                await say(platform, state, ("a", 1))
        await until(lambda: asyncio.sleep(0, len(waits) == 24))
    assert max(waits) < 1
    assert [len(await heard(platform, state)) for state in states] == [3] * 8


async def test_sweep_finds_what_no_signal_told(platform: Platform, ezhou: DistrictState) -> None:
    async with at_work(platform, sweep=timedelta(seconds=0.2)):
        await asyncio.sleep(0.1)
        async with platform.database.work(ezhou.district) as session:
            await publish(session, Said(number=1), subject="a")  # committed, and then the process died
        await until(notes_are(platform, ezhou, [("a", 1)]), 3)


async def test_failed_reaction_comes_back_by_its_own_timer_and_stop_waits_for_what_runs(
    platform: Platform, ezhou: DistrictState, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gongyu.events.relay.backoff", lambda *_, **__: timedelta(seconds=0.3))
    began: list[float] = []

    async def fail_once_then_linger(context: Context, occurrence: Occurrence) -> None:
        began.append(time.monotonic())
        if len(began) == 1:
            raise RuntimeError
        await asyncio.sleep(0.5)
        await write_down(context, occurrence)

    actors.ear = fail_once_then_linger
    async with at_work(platform):
        await asyncio.sleep(0.3)  # the first sweeps
        await say(platform, ezhou, ("a", 1))
        await until(lambda: asyncio.sleep(0, len(began) == 2), 3)
    assert began[1] - began[0] == pytest.approx(0.3, abs=0.2)
    assert await heard(platform, ezhou) == [("a", 1)]


async def test_switching_a_plugin_on_sets_its_deliveries_going(
    platform: Platform, ezhou: DistrictState, make_district: MakeDistrict
) -> None:
    async with platform.database.work(ezhou.district) as session:
        await publish(session, Said(number=1), subject="a")
    async with at_work(platform):
        await until(notes_are(platform, ezhou, [("a", 1)]), 3)
        await make_district("ezhou", ALL.replace("[plugins.ear]", "[plugins.ear]\nenabled = false"))
        await say(platform, ezhou, ("a", 2))
        await until(notes_are(platform, ezhou, [("a", 1), ("a", 2)], "eye"), 3)  # laid out while the ear was off
        await make_district("ezhou", ALL)
        await say(platform, ezhou, ("a", 3))
        await until(notes_are(platform, ezhou, [("a", 1), ("a", 3)]), 3)


async def test_database_that_goes_away_and_comes_back_loses_nothing(
    platform: Platform, ezhou: DistrictState, server_url: str
) -> None:
    async with at_work(platform):
        await say(platform, ezhou, ("a", 1))
        await until(notes_are(platform, ezhou, [("a", 1)]), 3)
        async with away(server_url, str(make_url(platform.database.url).database)):
            await asyncio.sleep(0.5)
        for _ in range(100):  # the pool notices at its first use
            try:
                async with platform.database.work(ezhou.district) as session:
                    await publish(session, Said(number=2), subject="a")
                break
            except (sa.exc.DBAPIError, OSError):
                await asyncio.sleep(0.05)
        await until(notes_are(platform, ezhou, [("a", 1), ("a", 2)]), 8)


@asynccontextmanager
async def away(server: str, name: str) -> AsyncGenerator[None]:
    """A database that throws everybody out and lets nobody in."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        everybody = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        await connection.execute(everybody, {"name": name})
        yield
        await connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    await engine.dispose()


async def test_worker_killed_in_the_middle_of_a_reaction_leaves_it_to_happen_once(
    platform: Platform, ezhou: DistrictState, tmp_path: Path
) -> None:
    async def start(seconds: float) -> asyncio.subprocess.Process:
        arguments = ("-m", "core.tests.events.stranded", platform.database.url, str(tmp_path), str(seconds))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while line := await process.stdout.readline():
                if line.startswith(b"reacting"):
                    break
        assert line, "the process ended by itself"
        return process

    await say(platform, ezhou, ("a", 1), ("a", 2))
    first = await start(30)
    first.kill()
    await first.wait()
    assert await heard(platform, ezhou) == []
    second = await start(0)
    await until(notes_are(platform, ezhou, [("a", 1), ("a", 2)]))
    second.kill()
    await second.wait()
    assert await heard(platform, ezhou) == [("a", 1), ("a", 2)]
