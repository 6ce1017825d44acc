"""Three plugins that exist only here: `mouth` publishes, `ear` and `eye` react by writing down what they were told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pluggy
import pytest
import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.config import Config
from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import publish_all, work
from gongyu.events.worker import Worker
from gongyu.host import Host, Plugin
from gongyu.platform import Platform, open_platform
from gongyu.plugin import Context, Event, Job, Occurrence, PluginInfo, Subscription, Text
from gongyu.testing.plugin import MakeDistrict

NOTHING = Text(zh="测试", en="test")
ALL = "[plugins.mouth]\n[plugins.ear]\n[plugins.eye]\n"

#: Where reactions write; without any key of their own, so that a reaction that happened twice stands there twice.
NOTEBOOK = sa.Table(
    "heard",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("who", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("number", sa.BigInteger),
    sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp()),
)


class Said(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "mouth.said.v1"
    title: ClassVar[Text] = NOTHING
    number: int


class Whispered(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "mouth.whispered.v1"
    title: ClassVar[Text] = NOTHING
    number: int


@dataclass
class Clock:
    """A time that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


Behaviour = Callable[[Context, Occurrence], Awaitable[None]]


async def write_down(context: Context, occurrence: Occurrence, who: str = "ear") -> None:
    note = {"who": who, "subject": occurrence.subject, "number": occurrence.data["number"]}
    await context.session.execute(sa.insert(NOTEBOOK).values(note))


@dataclass
class Actors:
    """The plugins, and what a test changes about them."""

    ear: Behaviour = write_down
    jobs: tuple[Job, ...] = ()
    job: Callable[[Context], Awaitable[None]] | None = None

    def host(self, *names: str) -> Host:
        async def hear(context: Context, occurrence: Occurrence) -> None:
            await self.ear(context, occurrence)

        async def see(context: Context, occurrence: Occurrence) -> None:
            await write_down(context, occurrence, "eye")

        said = Said.type
        plugins = {
            "mouth": _plugin("mouth", event_types=(Said, Whispered)),
            "ear": _plugin("ear", subscriptions={said: Subscription(said, hear)}, jobs=self.jobs),
            "eye": _plugin("eye", subscriptions={said: Subscription(said, see)}),
        }
        manager = pluggy.PluginManager("gongyu")
        manager.add_hookspecs(hookspecs)
        chosen = {name: plugins[name] for name in names or plugins}
        for name, plugin in chosen.items():
            manager.register(plugin.module, name=name)
        return Host(chosen, [], manager)


def _plugin(name: str, **contributions: object) -> Plugin:
    module = ModuleType(f"gongyu_{name}")
    info = PluginInfo(name=name, title=NOTHING, contract=">=1.0,<2")
    return Plugin(info=info, distribution=f"gongyu-{name}", version="1", module=module, **contributions)  # type: ignore[arg-type]  # checked by its fields


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def host(actors: Actors) -> Host:
    return actors.host()


Join = Callable[[Host | None], AbstractAsyncContextManager[Platform]]


@pytest.fixture
def join(database_url: str, host: Host, tmp_path: Path) -> Join:
    """One more process's platform on the same database; failures are recorded, as in a server."""

    def opened(other: Host | None = None) -> AbstractAsyncContextManager[Platform]:
        return open_platform(Config(database_url=database_url, data=tmp_path), host=other or host)

    return opened


@pytest.fixture
async def platform(join: Join) -> AsyncGenerator[Platform]:
    async with join(None) as opened:
        yield opened


@pytest.fixture
async def ezhou(make_district: MakeDistrict, platform: Platform) -> DistrictState:
    state = await make_district("ezhou", ALL)
    await make_notebook(platform, state)
    return state


async def make_notebook(platform: Platform, state: DistrictState) -> None:
    async with platform.database.owner.begin() as connection:
        there = await connection.execution_options(schema_translate_map={None: state.district.schema})
        await there.run_sync(NOTEBOOK.metadata.create_all)


async def heard(platform: Platform, state: DistrictState, who: str = "ear") -> list[tuple[str, int]]:
    """What was written down, in the order of writing."""
    notes = sa.select(NOTEBOOK.c.subject, NOTEBOOK.c.number).where(NOTEBOOK.c.who == who).order_by(NOTEBOOK.c.id)
    async with platform.database.read(state.district) as connection:
        return [(row.subject, row.number) for row in await connection.execute(notes)]


async def say(platform: Platform, state: DistrictState, *said: tuple[str, int]) -> None:
    async with work(platform, state) as session:
        await publish_all(session, [(Said(number=number), subject) for subject, number in said])


@asynccontextmanager
async def at_work(platform: Platform, **options: Any) -> AsyncGenerator[Worker]:  # noqa: ANN401 - the worker's own
    """The background work of a server process; it sweeps when it starts, and then not unless told."""
    platform.signals.on("registry", platform.registry.renew)
    worker = Worker(platform, **({"sweep": timedelta(hours=1)} | options))
    await platform.signals.start()
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()
        await platform.signals.stop()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in the database
            await asyncio.sleep(0.02)
