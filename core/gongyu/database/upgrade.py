"""Upgrading all districts: in parallel processes, since Alembic's `op` is one per process; one failing is reported.

Nothing is kept about progress: what is done is seen in each district's own version tables, so a killed run is resumed
by running it again, and two runs at once take turns on each district's lock.
"""

import asyncio
import functools
import multiprocessing
import os
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import msgspec
import uvloop

from gongyu.config import Config
from gongyu.database import migrations
from gongyu.host import Host, load_host
from gongyu.orphans import end_with_parent
from gongyu.platform import Platform, histories, open_platform

__all__ = ["Outcome", "districts_pending", "upgrade_all"]


class Outcome(msgspec.Struct, frozen=True):
    """What was done in one district, or why it could not be."""

    slug: str
    steps: Sequence[str] = ()
    error: str = ""


async def districts_pending(platform: Platform) -> list[str]:
    """Districts that are not at the newest revision of the core or of a plugin that is on; two queries in all."""
    heads = migrations.heads(histories(platform.host))
    states = platform.registry.states
    async with platform.database.owner.connect() as connection:
        have = await migrations.revisions_of(connection, [state.district.schema for state in states.values()])
    return [
        slug
        for slug, state in states.items()
        if migrations.pending(have[state.district.schema], histories(platform.host, state.enabled), heads)
    ]


async def upgrade_all(
    platform: Platform, slugs: Sequence[str], *, workers: int | None = None
) -> AsyncGenerator[Outcome]:
    """Upgrade these districts; yields each as it is finished."""
    count = min(workers or os.cpu_count() or 1, len(slugs))
    config = msgspec.structs.replace(platform.config, database_url=platform.database.url)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent) as pool:
        loop = asyncio.get_running_loop()
        waiting = {slug: loop.run_in_executor(pool, _upgrade_one, config, slug) for slug in slugs}
        names = {future: slug for slug, future in waiting.items()}
        for done in asyncio.as_completed(list(waiting.values())):
            try:
                yield await done
            except BrokenProcessPool:
                left = [slug for future, slug in names.items() if not future.done() or future.exception()]
                yield Outcome(left[0] if left else "?", error="a worker process was killed; run the command again")
                return


def _end_with_parent() -> None:
    """Each holds both ends of the queue and would wait forever."""
    end_with_parent(lambda: os._exit(1))


def _upgrade_one(config: Config, slug: str) -> Outcome:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_upgrade(config, slug))


@functools.cache
def _host() -> Host:
    return load_host()  # once for each worker process, not for each district


async def _upgrade(config: Config, slug: str) -> Outcome:
    try:
        async with open_platform(config, host=_host()) as platform:
            state = platform.state(slug)
            steps = await migrations.upgrade_schema(
                platform.database,
                state.district.schema,
                state.district.number,
                histories(platform.host, state.enabled),
                keys=platform.keys,
            )
    except Exception as error:  # noqa: BLE001 - one district's trouble, whatever it is, must not stop the others
        return Outcome(slug, error=f"{type(error).__name__}: {error}".splitlines()[0])
    return Outcome(slug, steps)
