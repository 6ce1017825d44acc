"""Lanes: nothing woken is forgotten, and what comes all the time is found together."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from gongyu.events.clock import utc_now
from gongyu.events.lanes import Lane


@asynccontextmanager
async def lane(run: Callable[[str], Awaitable[bool]], *, rest: float) -> AsyncGenerator[Lane]:
    made = Lane("test", run, width=2, rest=rest, clock=utc_now, horizon=timedelta(minutes=1))
    made.start()
    try:
        yield made
    finally:
        await made.stop(1)


async def test_key_that_is_woken_all_the_time_is_run_now_and_then_and_after_the_last_waking() -> None:
    runs, woken, seen, began = Counter[str](), 0, 0, time.monotonic()

    async def run(key: str) -> bool:
        nonlocal seen
        runs[key] += 1
        seen = woken if key == "busy" else seen
        return False

    async with lane(run, rest=0.1) as made:
        for woken in range(1, 101):  # noqa: B007 - what `run` sees of it
            made.wake("busy")
            await asyncio.sleep(0.003)
        made.wake("other")
        await asyncio.sleep(0.02)
        assert runs["other"] == 1  # another's rest is not its own
        await asyncio.sleep(0.2)
    assert seen == 100
    assert 2 <= runs["busy"] <= (time.monotonic() - began) / 0.1 + 1


async def test_key_that_is_woken_while_it_runs_runs_again() -> None:
    runs, began, go_on = 0, asyncio.Event(), asyncio.Event()

    async def run(_: str) -> bool:
        nonlocal runs
        runs += 1
        began.set()
        await go_on.wait()
        return False

    async with lane(run, rest=0) as made:
        made.wake("a")
        await began.wait()
        made.wake("a")
        go_on.set()
        await asyncio.sleep(0.1)
    assert runs == 2


async def test_key_with_more_to_do_does_not_rest_and_keeps_nobody_waiting() -> None:
    runs: list[str] = []
    done = asyncio.Event()

    async def run(key: str) -> bool:
        runs.append(key)
        await asyncio.sleep(0)
        if runs.count("long") == 50:
            done.set()
        return runs.count("long") < 50

    async with lane(run, rest=60) as made:
        made.wake("long")
        made.wake("short")
        async with asyncio.timeout(2):
            await done.wait()
    assert "short" in runs[:20]
