"""Districts made, changed and left through the one service, with the sample plugins of the tests."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import time
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gongyu.access.models import AuditLine
from gongyu.districts.export import erase_plugin, row_counts
from gongyu.districts.file import DistrictFile, PluginEntry, render
from gongyu.districts.service import (
    DistrictError,
    apply_file,
    current_file,
    drop_district,
    plan_file,
    read_file,
    switched,
)
from gongyu.host import Host, load_host
from gongyu.people.models import Org
from gongyu.platform import Platform, UnknownDistrictError, open_platform
from gongyu.testing.plugin import MakeDistrict

OPERATOR = "operator:test"
BULLETIN = '[plugins.bulletin]\nmax_length = 100\nquiet_from = 21:30:00\n\n[schools."一中".bulletin]\nmax_length = 50\n'


@asynccontextmanager
async def another(platform: Platform, host: Host | None = None) -> AsyncGenerator[Platform]:
    """One more process's platform on the same database, perhaps with other packages installed."""
    async with open_platform(platform.config, host=host or platform.host, raise_hook_errors=True) as opened:
        yield opened


def shown(platform: Platform, slug: str = "ezhou") -> str:
    file = current_file(platform, slug)
    assert file is not None
    return render(file)


def there(platform: Platform) -> DistrictFile:
    file = current_file(platform, "ezhou")
    assert file is not None
    return file


async def scalar(platform: Platform, query: sa.Select[Any]) -> Any:  # noqa: ANN401 - of any type
    async with platform.database.read(platform.state("ezhou").district) as connection:
        return (await connection.execute(query)).scalar_one()


words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
lengths = st.integers(10, 10_000)
bulletin = st.fixed_dictionaries(
    {},
    optional={
        "max_length": lengths,
        "keep_days": st.integers(1, 3650),
        "tone": st.sampled_from(["formal", "warm"]),
        "quiet_from": st.times(),
        "categories": st.lists(words, max_size=3),
    },
)
absent = st.dictionaries(words.filter(bool), words | st.integers(-9, 9) | st.booleans(), max_size=2)
files = st.builds(
    DistrictFile,
    slug=st.just("ezhou"),
    name=words.filter(bool),
    timezone=st.sampled_from(["Asia/Shanghai", "Asia/Urumqi"]),
    plugins=st.fixed_dictionaries(
        {"bulletin": st.builds(PluginEntry, st.booleans(), bulletin)},
        optional={
            "kindness": st.builds(PluginEntry, st.booleans()),
            "absent": st.builds(PluginEntry, st.just(value=False), absent.filter(lambda raw: "enabled" not in raw)),
        },
    ),
    schools=st.dictionaries(
        words, st.fixed_dictionaries({"bulletin": st.fixed_dictionaries({"max_length": lengths})}), max_size=2
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=files)
async def test_file_goes_in_and_comes_out_byte_for_byte_and_a_second_time_changes_nothing(
    platform: Platform, wanted: DistrictFile
) -> None:
    text = render(wanted)
    planned = await plan_file(platform, read_file(platform, text, file="ezhou.toml"))
    assert await apply_file(platform, read_file(platform, text, file="ezhou.toml"), actor=OPERATOR) == planned
    assert shown(platform) == text
    assert not await apply_file(platform, read_file(platform, text, file="ezhou.toml"), actor=OPERATOR)
    async with another(platform) as restarted:
        assert shown(restarted) == text
        assert not await plan_file(restarted, read_file(restarted, text, file="ezhou.toml"))


async def test_a_second_apply_writes_nothing_at_all(platform: Platform, make_district: MakeDistrict) -> None:
    await make_district("ezhou", BULLETIN)
    lines = sa.select(sa.func.count()).select_from(AuditLine)
    before = await row_counts(platform, "ezhou"), await scalar(platform, lines)
    await make_district("ezhou", BULLETIN)
    assert (await row_counts(platform, "ezhou"), await scalar(platform, lines)) == before


async def test_off_and_on_again_keeps_data_and_settings(platform: Platform, make_district: MakeDistrict) -> None:
    state = await make_district("ezhou", BULLETIN)
    notices = (await row_counts(platform, "ezhou", plugin="bulletin"))["bulletin_notice"]
    assert notices == 1
    off = await apply_file(platform, switched(there(platform), off=["bulletin"]), actor=OPERATOR)
    assert [line.text.en for line in off.lines] == ["on → off (its data stays)"]
    assert platform.state("ezhou").enabled == ()
    assert await row_counts(platform, "ezhou", plugin="bulletin") == {"bulletin_notice": notices}
    on = await apply_file(platform, switched(there(platform), on=["bulletin"]), actor=OPERATOR)
    assert [line.text.en for line in on.lines] == ["off → on"]
    assert platform.state("ezhou") == state
    assert await row_counts(platform, "ezhou", plugin="bulletin") == {"bulletin_notice": notices}


async def test_plugin_whose_package_is_gone_stays_on_but_missing_until_it_is_back(
    platform: Platform, make_district: MakeDistrict
) -> None:
    state = await make_district("ezhou", f"[plugins.kindness]\n\n{BULLETIN}")
    text = shown(platform)
    assert set(state.enabled) == {"bulletin", "kindness"}
    async with another(platform, load_host(only=["kindness"])) as without:
        assert (without.state("ezhou").enabled, without.state("ezhou").missing) == (("kindness",), ["bulletin"])
        as_shown = read_file(without, shown(without), file="ezhou.toml")
        assert not await apply_file(without, as_shown, actor=OPERATOR)
        renamed = read_file(without, shown(without).replace("鄂州市", "鄂州"), file="ezhou.toml")
        plan = await apply_file(without, renamed, actor=OPERATOR)
        assert [line.path for line in plan.lines] == ["district.name"]
        with pytest.raises(DistrictError) as refused:
            await apply_file(without, switched(DistrictFile("other", "他"), on=["bulletin"]), actor=OPERATOR)
        assert refused.value.text.en == "plugin bulletin cannot be switched on: it is not installed"
        assert "other" not in without.registry.states
    await platform.registry.load()
    assert platform.state("ezhou").enabled == state.enabled
    assert platform.state("ezhou").settings == state.settings
    assert state.settings["bulletin"].quiet_from == time(21, 30)
    assert shown(platform) == text.replace("鄂州市", "鄂州")


async def test_plugin_that_is_needed_by_another_cannot_be_left_off(platform: Platform) -> None:
    missing = switched(DistrictFile("ezhou", "鄂州"), on=["nowhere"])
    with pytest.raises(DistrictError) as refused:
        await apply_file(platform, missing, actor=OPERATOR)
    assert refused.value.text.zh == "不能启用插件 nowhere：没有安装"
    assert platform.registry.states == {}


async def test_changes_at_once_take_turns_and_each_starts_from_what_the_other_left(
    platform: Platform, make_district: MakeDistrict
) -> None:
    await make_district("ezhou", BULLETIN)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(another(platform)) for _ in range(4)]
        files = [
            read_file(platform, shown(platform).replace("max_length = 100", f"max_length = {n}"), file="ezhou.toml")
            for n in (200, 300, 400, 500)
        ]
        changing = zip(others, files, strict=True)
        plans = await asyncio.gather(*(apply_file(other, file, actor=OPERATOR) for other, file in changing))
    changes = dict(line.text.en.split(" → ") for plan in plans for line in plan.lines)
    chain = ["100"]
    while chain[-1] in changes:
        chain.append(changes.pop(chain[-1]))
    assert sorted(chain) == ["100", "200", "300", "400", "500"]
    await platform.registry.load()
    assert platform.state("ezhou").settings["bulletin"].max_length == int(chain[-1])


@pytest.mark.parametrize("new", [True, False])
async def test_districts_created_at_once_are_one_district(platform: Platform, *, new: bool) -> None:
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(another(platform)) for _ in range(4)]
        wanted = switched(DistrictFile("ezhou", "鄂州"), on=["bulletin"])
        creating = (apply_file(other, wanted, actor=OPERATOR, new=new) for other in others)
        ended = await asyncio.gather(*creating, return_exceptions=True)
    refused = [error.text.en for error in ended if isinstance(error, DistrictError)]
    done = [bool(plan) for plan in ended if not isinstance(plan, BaseException)]
    if new:
        assert (done, refused) == ([True], ["district ezhou exists already"] * 3)
    else:
        assert (sorted(done), refused) == ([False, False, False, True], [])
    await platform.registry.load()
    roots = sa.select(sa.func.count(Org.id)).where(Org.type == "district")
    assert await scalar(platform, roots) == 1
    assert await row_counts(platform, "ezhou", plugin="bulletin") == {"bulletin_notice": 1}


async def test_erased_plugin_starts_afresh_and_takes_nothing_of_the_core_with_it(
    platform: Platform, make_district: MakeDistrict
) -> None:
    await make_district("ezhou", BULLETIN)
    await apply_file(platform, switched(there(platform), off=["bulletin"]), actor=OPERATOR)
    core = set(await row_counts(platform, "ezhou")) - {"bulletin_notice"}
    assert await erase_plugin(platform, "ezhou", "bulletin", actor=OPERATOR) == ["bulletin_notice"]
    for prefix in ("care", "plugin", "core", "web"):  # a table of the core is nobody's, whatever it is called
        assert await erase_plugin(platform, "ezhou", prefix, actor=OPERATOR) == []
    assert set(await row_counts(platform, "ezhou")) == core
    await apply_file(platform, switched(there(platform), on=["bulletin"]), actor=OPERATOR)
    assert await row_counts(platform, "ezhou", plugin="bulletin") == {"bulletin_notice": 1}


async def test_dropped_district_is_gone_and_can_be_made_again(platform: Platform, make_district: MakeDistrict) -> None:
    await make_district("ezhou", BULLETIN)
    await drop_district(platform, "ezhou", actor=OPERATOR)
    assert platform.registry.states == {}
    with pytest.raises(UnknownDistrictError):
        await drop_district(platform, "ezhou", actor=OPERATOR)
    again = await make_district("ezhou", BULLETIN)
    assert again.district.number == 2
    assert await row_counts(platform, "ezhou", plugin="bulletin") == {"bulletin_notice": 1}
