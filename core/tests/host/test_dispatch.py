"""Calling hooks on a real district: what a plugin does wrong there stays its own trouble."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pluggy
import pytest
import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.checks import PluginFailure, plugin_failures
from gongyu.config import Config
from gongyu.districts.registry import DistrictState
from gongyu.districts.service import apply_file, current_file, switched
from gongyu.host import Host, Plugin
from gongyu.host.dispatch import HookRefusedError
from gongyu.people.models import Org
from gongyu.platform import Platform, open_platform
from gongyu.plugin import Context, DemoLine, PluginInfo, Text, hookimpl
from gongyu.testing.plugin import MakeDistrict

LIMIT = 0.6
PLAYED = [DemoLine(title=Text(zh="测试", en="test"), figure=1)]
Play = Callable[[Context], Awaitable[Any]]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    motto: str = "—"


@dataclass
class Troupe:
    """Three plugins in the order bold, calm, dour; the test says what each does in each hook."""

    plays: dict[str, Play] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def host(self) -> Host:
        manager = pluggy.PluginManager("gongyu")
        manager.add_hookspecs(hookspecs)
        plugins = {name: self._plugin(name) for name in ("bold", "calm", "dour")}
        for name, plugin in plugins.items():
            manager.register(plugin.module, name=name)
        return Host(plugins, [], manager)

    def _plugin(self, name: str) -> Plugin:
        async def play(context: Context) -> Any:  # noqa: ANN401 - whatever the test's behaviour gives
            self.calls.append((name, context.settings.motto))
            await write(context, name)
            if behaviour := self.plays.get(name):
                return await behaviour(context)
            return PLAYED

        module = ModuleType(f"gongyu_{name}")
        for hook in ("plugin_enabled", "plugin_disabled", "demo_played"):
            function = replace_name(play, hook)
            setattr(module, hook, hookimpl(function))
        info = PluginInfo(name=name, title=Text(zh="测试", en="test"), contract=">=1.0,<2")
        return Plugin(info=info, distribution=name, version="1", module=module, settings_type=Settings)


def replace_name(play: Play, hook: str) -> Play:
    async def called(context: Context) -> Any:  # noqa: ANN401 - as above
        return await play(context)

    called.__name__ = hook
    return called


async def write(context: Context, name: str) -> None:
    await context.session.execute(sa.insert(Org).values(name=name, type="school"))


@pytest.fixture
def troupe() -> Troupe:
    return Troupe()


@pytest.fixture
def host(troupe: Troupe) -> Host:
    return troupe.host()


@pytest.fixture
async def platform(
    database_url: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Platform]:
    """Failures are recorded, as in a server; time limits are short."""
    for hook in (hookspecs.plugin_enabled, hookspecs.plugin_disabled, hookspecs.demo_played):
        monkeypatch.setattr(hook, "__gongyu_policy__", replace(hookspecs.policy_of(hook), seconds=LIMIT))
    async with open_platform(Config(database_url=database_url, data=tmp_path), host=host) as opened:
        yield opened


@pytest.fixture
async def ezhou(make_district: MakeDistrict, troupe: Troupe) -> DistrictState:
    state = await make_district("ezhou", '[plugins.dour]\n[plugins.bold]\nmotto = "勇"\n[plugins.calm]\n')
    troupe.calls.clear()
    return state


async def perform(platform: Platform, state: DistrictState) -> dict[str, Any]:
    """One unit of work: something of the core's own, and everybody's hook."""
    async with platform.database.work(state.district) as session:
        await session.execute(sa.insert(Org).values(name="core", type="school"))
        return await platform.dispatcher.call(hookspecs.demo_played, platform.contexts(state, session))


async def schools(platform: Platform, state: DistrictState) -> list[str]:
    """What was written after the district was made, in order."""
    names = sa.select(Org.name).where(Org.type == "school").order_by(Org.id)
    async with platform.database.read(state.district) as connection:
        return list((await connection.execute(names)).scalars())


async def failures(platform: Platform, state: DistrictState) -> list[tuple[str, str, int, str]]:
    async with platform.database.read(state.district) as connection:
        found: list[PluginFailure] = await plugin_failures(connection)
    return [(one.plugin, one.hook, one.count, one.error) for one in found]


async def test_only_plugins_that_are_on_are_called_in_order_with_their_own_settings(
    platform: Platform, troupe: Troupe, ezhou: DistrictState, make_district: MakeDistrict
) -> None:
    other = await make_district("other", '[plugins.calm]\nmotto = "静"\n')
    troupe.calls.clear()
    assert await perform(platform, ezhou) == {"bold": PLAYED, "calm": PLAYED, "dour": PLAYED}
    assert troupe.calls == [("bold", "勇"), ("calm", "—"), ("dour", "—")]
    assert await perform(platform, other) == {"calm": PLAYED}
    assert troupe.calls[3:] == [("calm", "静")]
    fewer = await apply_file(platform, switched(file_of(platform), off=["bold"]), actor="operator:test")
    assert fewer.turned_off == ["bold"]
    troupe.calls.clear()
    assert await perform(platform, platform.state("ezhou")) == {"calm": PLAYED, "dour": PLAYED}
    assert troupe.calls == [("calm", "—"), ("dour", "—")]


def file_of(platform: Platform, slug: str = "ezhou") -> Any:  # noqa: ANN401 - a DistrictFile, and it is there
    file = current_file(platform, slug)
    assert file is not None
    return file


async def fail(_: Context) -> None:
    raise LookupError("张三")


async def leave(_: Context) -> None:
    raise SystemExit(1)


async def hang(_: Context) -> None:
    await asyncio.sleep(60)


async def hang_in_sql(context: Context) -> None:
    await context.session.execute(sa.text("SELECT pg_sleep(60)"))


async def hang_in_many_statements(context: Context) -> None:
    while True:
        await context.session.execute(sa.text("SELECT pg_sleep(0.05)"))


async def swallow(context: Context) -> None:
    """The plugin believes that all is well; PostgreSQL has given up on the transaction."""
    try:
        await context.session.execute(sa.text("SELECT '张三'::int"))
    except sa.exc.DBAPIError:
        return


async def break_in_flush(context: Context) -> None:
    context.session.add(Org(type="school"))
    await context.session.flush()


BEHAVIOURS: dict[str, tuple[Play, str]] = {
    "raises": (fail, "LookupError at host/test_dispatch.py"),
    "leaves": (leave, "SystemExit at host/test_dispatch.py"),
    "hangs": (hang, "TimeoutError"),
    "hangs_in_sql": (hang_in_sql, "QueryCanceledError 57014"),
    "hangs_in_many_statements": (hang_in_many_statements, "TimeoutError"),
    "swallows": (swallow, "InFailedSQLTransactionError 25P02"),
    "breaks_in_flush": (break_in_flush, "NotNullViolationError 23502"),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_failure_under_collect_is_recorded_and_costs_only_that_part(
    platform: Platform, troupe: Troupe, ezhou: DistrictState, behaviour: str
) -> None:
    before = await schools(platform, ezhou)
    troupe.plays["calm"], said = BEHAVIOURS[behaviour]
    started = time.monotonic()
    assert await perform(platform, ezhou) == {"bold": PLAYED, "dour": PLAYED}
    assert time.monotonic() - started < LIMIT + 2
    assert await schools(platform, ezhou) == [*before, "core", "bold", "dour"]
    [(plugin, hook, count, error)] = await failures(platform, ezhou)
    assert (plugin, hook, count) == ("calm", "demo_played", 1)
    assert error.startswith(said)
    assert "张三" not in error


async def test_failures_are_counted_per_plugin_and_hook(
    platform: Platform, troupe: Troupe, ezhou: DistrictState
) -> None:
    troupe.plays |= {"bold": fail, "dour": leave}
    for _ in range(3):
        await perform(platform, ezhou)
    assert [(plugin, count) for plugin, _, count, _ in await failures(platform, ezhou)] == [("bold", 3), ("dour", 3)]


async def test_bare_commit_fails_the_unit_of_work_even_where_failures_are_isolated(
    platform: Platform, troupe: Troupe, ezhou: DistrictState
) -> None:
    """What was committed cannot be taken back; but nothing after it may pretend to be one with what was before."""

    async def commit_by_hand(context: Context) -> None:
        await context.session.execute(sa.text("COMMIT"))

    async def commit_by_session(context: Context) -> None:
        await context.session.commit()

    for behaviour in (commit_by_hand, commit_by_session):
        troupe.calls.clear()
        troupe.plays["calm"] = behaviour
        with pytest.raises(HookRefusedError) as refused:
            await perform(platform, ezhou)
        assert (refused.value.plugin, refused.value.hook) == ("calm", "demo_played")
        assert [name for name, _ in troupe.calls] == ["bold", "calm"]
    troupe.plays.clear()
    assert await perform(platform, ezhou) == {"bold": PLAYED, "calm": PLAYED, "dour": PLAYED}


@pytest.mark.parametrize("behaviour", [fail, leave, hang, swallow])
async def test_failure_under_veto_refuses_and_nothing_changes(
    platform: Platform, troupe: Troupe, make_district: MakeDistrict, behaviour: Play
) -> None:
    state = await make_district("ezhou", "[plugins.bold]\n")
    before, orgs = file_of(platform), await schools(platform, state)
    troupe.plays["dour"] = behaviour
    with pytest.raises(HookRefusedError) as refused:
        await apply_file(platform, switched(before, on=["calm", "dour"], off=["bold"]), actor="operator:test")
    assert (refused.value.plugin, refused.value.hook) == ("dour", "plugin_enabled")
    await platform.registry.load()
    assert (file_of(platform), await schools(platform, state)) == (before, orgs)
    assert platform.state("ezhou").enabled == ("bold",)


@pytest.mark.parametrize("behaviour", [fail, leave, hang, hang_in_sql, swallow])
async def test_failure_under_notify_does_not_keep_a_plugin_on(
    platform: Platform, troupe: Troupe, ezhou: DistrictState, behaviour: Play
) -> None:
    before = await schools(platform, ezhou)
    troupe.plays["calm"] = behaviour
    await apply_file(platform, switched(file_of(platform), off=["bold", "calm", "dour"]), actor="operator:test")
    assert platform.state("ezhou").enabled == ()
    assert await schools(platform, ezhou) == [*before, "bold", "dour"]
    assert [(plugin, hook) for plugin, hook, _, _ in await failures(platform, ezhou)] == [("calm", "plugin_disabled")]


@pytest.mark.parametrize("raise_hook_errors", [True, False])
async def test_in_tests_a_failing_hook_is_raised_whatever_its_policy(
    platform: Platform, ezhou: DistrictState, troupe: Troupe, *, raise_hook_errors: bool
) -> None:
    troupe.plays["calm"] = fail
    async with open_platform(platform.config, host=platform.host, raise_hook_errors=raise_hook_errors) as other:
        assert other.dispatcher.raises is raise_hook_errors
        if not raise_hook_errors:
            assert list(await perform(other, ezhou)) == ["bold", "dour"]
            return
        with pytest.raises(HookRefusedError, match="calm: demo_played: 张三"):
            await perform(other, ezhou)
