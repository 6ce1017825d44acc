"""From the publisher's commit to the subscriber's reaction, with 200 districts: promised is a p99 of one second.

Method: two platforms with a worker each (as two server processes would have, but sharing this process and its core, so
rather pessimistic) on one database. Quiet: one event at a time in a random district, 50 a second. Burst: one event
in every district at once. The time is taken from the return of the commit to the first line of the reaction.
"""

import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import ClassVar
from uuid import uuid4

import pluggy
import uvloop

from benchmarks.deployments import database
from gongyu import hookspecs
from gongyu.config import Config
from gongyu.districts.service import apply_file, read_file
from gongyu.events.outbox import publish, work
from gongyu.events.worker import Worker
from gongyu.host import Host, Plugin
from gongyu.platform import Platform, open_platform
from gongyu.plugin import Context, Event, Occurrence, PluginInfo, Subscription, Text

__all__ = ["run"]

NOTHING = Text(zh="测量", en="measurement")


class Ticked(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "clock.ticked.v1"
    title: ClassVar[Text] = NOTHING


class Stopwatch:
    """Publishes, and takes the time until the reaction."""

    def __init__(self) -> None:
        self.committed: dict[str, asyncio.Future[float]] = {}
        self.waits: list[float] = []

    async def react(self, _: Context, occurrence: Occurrence) -> None:
        now = time.perf_counter()
        self.waits.append(max(0.0, now - await self.committed[occurrence.subject]))

    async def tick(self, platform: Platform, slug: str) -> None:
        subject = str(uuid4())
        self.committed[subject] = asyncio.get_running_loop().create_future()
        async with work(platform, platform.state(slug)) as session:
            await publish(session, Ticked(), subject=subject)
            await session.commit()
            self.committed[subject].set_result(time.perf_counter())

    def report(self, name: str) -> None:
        cuts = statistics.quantiles(self.waits, n=100)
        figures = (
            f"p50 {cuts[49] * 1000:7.1f} ms   p99 {cuts[98] * 1000:7.1f} ms   max {max(self.waits) * 1000:7.1f} ms"
        )
        print(f"{name:<8} {len(self.waits):5} events   {figures}")
        self.waits = []


def _host(watch: Stopwatch) -> Host:
    manager = pluggy.PluginManager("gongyu")
    manager.add_hookspecs(hookspecs)
    plugins = {}
    for name, types in (("clock", (Ticked,)), ("watch", ())):
        info = PluginInfo(name=name, title=NOTHING, contract=">=1.0,<2")
        heard = {Ticked.type: Subscription(Ticked.type, watch.react)} if name == "watch" else {}
        module = ModuleType(f"gongyu_{name}")
        plugins[name] = Plugin(
            info=info, distribution=name, version="1", module=module, event_types=types, subscriptions=heard
        )
        manager.register(module, name=name)
    return Host(plugins, [], manager)


async def _measure(url: str, folder: Path, *, districts: int) -> None:
    watch = Stopwatch()
    host = _host(watch)
    async with AsyncExitStack() as stack:
        config = Config(database_url=url, data=folder)
        first, second = [await stack.enter_async_context(open_platform(config, host=host)) for _ in range(2)]
        slugs = [f"d{n}" for n in range(districts)]
        began = time.perf_counter()
        for slug in slugs:
            text = f'[district]\nslug = "{slug}"\nname = "{slug}"\n\n[plugins.clock]\n\n[plugins.watch]\n'
            await apply_file(first, read_file(first, text, file=slug), actor="operator:benchmark")
        print(f"{districts} districts made in {time.perf_counter() - began:.1f} s")
        for platform in (first, second):
            platform.signals.on("registry", platform.registry.renew)
            worker = Worker(platform)
            await platform.registry.load()
            await platform.signals.start()
            await worker.start()
            stack.push_async_callback(platform.signals.stop)
            stack.push_async_callback(worker.stop)
        await asyncio.sleep(3)  # the first sweeps

        async def all_heard(count: int) -> None:
            while len(watch.waits) < count:  # noqa: ASYNC110 - simple enough here
                await asyncio.sleep(0.05)

        cpu = time.process_time()
        await asyncio.sleep(5)
        print(f"idle      {(time.process_time() - cpu) / 5:.1%} of a core for both workers")
        for _ in range(1000):
            await watch.tick(random.choice((first, second)), random.choice(slugs))  # noqa: S311 - no secret
            await asyncio.sleep(0.02)
        await all_heard(1000)
        watch.report("quiet")
        for _ in range(3):
            cpu = time.process_time()
            await asyncio.gather(*(watch.tick(first, slug) for slug in slugs))
            await all_heard(districts)
            watch.report("burst")
            print(f"          {(time.process_time() - cpu) / districts * 1000:.1f} ms of this process for each event")


def run(*, districts: int = 200) -> None:
    with database() as (url, folder):
        uvloop.run(_measure(url, folder / "data", districts=districts))


if __name__ == "__main__":
    run()
