"""Three plugins that exist only here: `mouth` publishes, `ear` and `eye` react by writing down what they were told."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pluggy
import pytest
import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.config import Config
from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import publish_all, work
from gongyu.host import Host, Plugin
from gongyu.platform import Platform, open_platform
from gongyu.plugin import Context, Event, Job, Occurrence, PluginInfo, Subscription, Text
from gongyu.testing.plugin import MakeDistrict

NOTHING = Text(zh="测试", en="test")
ALL = "[plugins.mouth]\n[plugins.ear]\n[plugins.eye]\n"


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


async def write_down(context: Context, occurrence: Occurrence) -> None:
    note = sa.text(f"INSERT INTO {context.district.schema}.heard (who, subject, number) VALUES ('ear', :subject, :number)")
    await context.session.execute(note, {"subject": occurrence.subject, "number": occurrence.data["number"]})


@dataclass
class Cast:
    """The plugins, and what a test changes about them."""

    ear: Behaviour = write_down
    eye: Behaviour = write_down
    jobs: tuple[Job, ...] = ()

    def host(self, *names: str) -> Host:
        async def hear(context: Context, occurrence: Occurrence) -> None:
            await self.ear(context, occurrence)

        async def see(context: Context, occurrence: Occurrence) -> None:
            await self.eye(context, occurrence)

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
def actors() -> Cast:
    return Cast()


@pytest.fixture
def host(actors: Cast) -> Host:
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
    """Where reactions write; without any key, so that a reaction that happened twice stands there twice."""
    async with platform.database.owner.begin() as connection:
        await connection.execute(
            sa.text(
                f"CREATE TABLE {state.district.schema}.heard (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                "who text, subject text, number bigint, at timestamptz DEFAULT clock_timestamp())"
            )
        )


async def heard(platform: Platform, state: DistrictState, who: str = "ear") -> list[tuple[str, int]]:
    """What was written down, in the order of writing."""
    notes = sa.text(f"SELECT subject, number FROM {state.district.schema}.heard WHERE who = :who ORDER BY id")
    async with platform.database.read(state.district) as connection:
        return [(row.subject, row.number) for row in await connection.execute(notes, {"who": who})]


async def say(platform: Platform, state: DistrictState, *said: tuple[str, int]) -> None:
    async with work(platform, state) as session:
        await publish_all(session, [(Said(number=number), subject) for subject, number in said])
