"""`gongyu district …` and `gongyu plugin …` as an operator runs them: what is printed, how it ends, what is left."""

import asyncio
import signal
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gongyu.database.migrations import core_history

from ..command import Command  # noqa: TID252 - test folders are no packages and have no absolute names
from ..host.shelf import Shelf  # noqa: TID252 - test folders are no packages and have no absolute names

TEN = """\
[district]
slug = "ezhou"
name = "鄂州"
timezone = "Asia/Shangai"

[plugins.bulletin]
enabled = "yes"
max_lenght = 100
max_length = 5
keep_days = "365"
tone = "loud"
categories = ["通知", 3]

[plugins.bulletn]

[plugins.kindness]
often = true

[schools."一中".bulletin]
tone = "warm"
"""
WRONG = {
    "zh": """\
ten.toml:4: district.timezone: 没有这个时区，是不是 `Asia/Shanghai`；应为 IANA 时区名，实为 "Asia/Shangai"
ten.toml:7: plugins.bulletin.enabled: 类型不对；应为 true 或 false，实为 "yes"
ten.toml:8: plugins.bulletin.max_lenght: 未知的设置项 `max_lenght`，是不是 `max_length`？
ten.toml:9: plugins.bulletin.max_length: 超出允许的范围；应为整数（10 – 10000），实为 5
ten.toml:10: plugins.bulletin.keep_days: 类型不对；应为整数（1 – 3650），实为 "365"
ten.toml:11: plugins.bulletin.tone: 不在可选值之中；应为 `formal`, `warm` 之一，实为 "loud"
ten.toml:12: plugins.bulletin.categories[1]: 类型不对；应为文字，实为 3
ten.toml:14: plugins.bulletn: 未知的插件 `bulletn`，是不是 `bulletin`？
ten.toml:17: plugins.kindness.often: 未知的设置项 `often`；这里没有可用的名称
ten.toml:20: schools."一中".bulletin.tone: 设置项 `tone` 不能按学校另设；可以另设的有 `max_length`
共 10 处错误，什么都没有改变
""",
    "en": """\
ten.toml:4: district.timezone: no such time zone, did you mean `Asia/Shanghai`; \
expected the name of an IANA time zone, found "Asia/Shangai"
ten.toml:7: plugins.bulletin.enabled: wrong type; expected true or false, found "yes"
ten.toml:8: plugins.bulletin.max_lenght: unknown setting `max_lenght`, did you mean `max_length`?
ten.toml:9: plugins.bulletin.max_length: out of range; expected an integer (10 – 10000), found 5
ten.toml:10: plugins.bulletin.keep_days: wrong type; expected an integer (1 – 3650), found "365"
ten.toml:11: plugins.bulletin.tone: not one of the choices; expected one of `formal`, `warm`, found "loud"
ten.toml:12: plugins.bulletin.categories[1]: wrong type; expected text, found 3
ten.toml:14: plugins.bulletn: unknown plugin `bulletn`, did you mean `bulletin`?
ten.toml:17: plugins.kindness.often: unknown setting `often`; none are known here
ten.toml:20: schools."一中".bulletin.tone: setting `tone` cannot be set per school; \
those that can are `max_length`
10 errors; nothing was changed
""",
}
GOOD = """\
[district]
slug = "ezhou"
name = "鄂州"
timezone = "Asia/Shanghai"

[plugins.bulletin]
max_length = 500

[plugins.kindness]
enabled = false
"""
#: A plugin that can be told to stop in the middle, so that a test knows where it was when it was killed.
SLOW = """\
import asyncio, os
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from gongyu.database.model import ModelBase, plugin_metadata

class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()

class Mark(Base):
    __tablename__ = "slow_mark"
    number: Mapped[int] = mapped_column(primary_key=True)

@hookimpl
def tables():
    return Base.metadata

@hookimpl
async def plugin_enabled(context):
    context.session.add(Mark(number=1))
    await context.session.flush()
    if os.environ.get("STOP") == "hook":
        Path(os.environ["STOPPED"]).touch()
        await asyncio.sleep(60)
"""
SLOW_REVISION = """\
import os
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "slow_0001"
down_revision = None


def upgrade():
    op.create_table(
        "slow_mark",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_slow_mark")),
    )
    if os.environ.get("STOP") == "migration":
        Path(os.environ["STOPPED"]).touch()
        time.sleep(60)


def downgrade():
    op.drop_table("slow_mark")
"""


@pytest.fixture
def gongyu(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


@pytest.fixture
async def owner(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


async def rows(owner: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    async with owner.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(query))]


async def test_file_with_ten_errors_names_them_all_and_changes_nothing(gongyu: Command) -> None:
    (gongyu.folder / "good.toml").write_text(GOOD, "utf-8")
    (gongyu.folder / "ten.toml").write_text(TEN, "utf-8")
    await gongyu.well("district", "apply", "good.toml")
    for language, said in WRONG.items():
        assert await gongyu("district", "apply", "ten.toml", language=language) == (2, "", said)
    assert await gongyu("district", "plan", "ten.toml") == (2, "", WRONG["en"])
    assert await gongyu.well("district", "show", "ezhou", "--toml") == GOOD


async def test_plan_says_what_apply_does_and_nothing_else(gongyu: Command) -> None:
    (gongyu.folder / "good.toml").write_text(GOOD, "utf-8")
    changes = f"""\
+ district: create district 鄂州 (ezhou)
+ plugins.bulletin: off → on
~ plugins.bulletin.max_length: 2000 → 500
~ plugins.kindness: written out (what is in force stays)
> migrations: migrate core: ∅ → {core_history().head}
> migrations: migrate bulletin: ∅ → bulletin_0001
"""
    assert await gongyu.well("district", "plan", "good.toml") == changes
    assert await gongyu.well("district", "list") == "(none)\n"
    assert await gongyu.well("district", "apply", "good.toml") == f"{changes}done\n"
    assert await gongyu.well("district", "apply", "good.toml") == "nothing to change\n"
    (gongyu.folder / "good.toml").write_text(GOOD.replace("500", "600").replace("false", "true"), "utf-8")
    changes = """\
~ plugins.bulletin.max_length: 500 → 600
+ plugins.kindness: off → on
> migrations: migrate kindness: ∅ → kindness_0001
"""
    assert await gongyu.well("district", "plan", "good.toml") == changes
    assert await gongyu.well("district", "show", "ezhou", "--toml") == GOOD
    assert await gongyu.well("district", "apply", "good.toml") == f"{changes}done\n"


async def test_drop_and_erase_ask_and_try_and_export_first(gongyu: Command, owner: AsyncEngine) -> None:
    await gongyu.well("district", "create", "ezhou", "--name", "鄂州", "--plugin", "bulletin")
    assert await gongyu("district", "create", "ezhou", "--name", "二") == (2, "", "district ezhou exists already\n")
    still_on = "plugin bulletin is still on; first run gongyu district disable ezhou bulletin\n"
    assert await gongyu("plugin", "erase", "bulletin", "ezhou", "--no-export", "--yes") == (2, "", still_on)
    await gongyu.well("district", "disable", "ezhou", "bulletin")
    for command in (("plugin", "erase", "bulletin", "ezhou"), ("district", "drop", "ezhou")):
        tried = await gongyu(*command, "--dry-run")
        assert (tried.code, "bulletin_notice  1" in tried.out) == (0, True)
        first = await gongyu(*command)
        assert (first.code, first.err) == (2, "export first: --export FILE.zip (or --no-export)\n")
        asked = await gongyu(*command, "--export", "all.zip")
        assert (asked.code, asked.err) == (2, "this needs a confirmation: add --yes\n")
        assert not (gongyu.folder / "all.zip").exists()
    assert await rows(owner, "SELECT count(*) FROM d_ezhou.bulletin_notice") == [(1,)]
    await gongyu.well("plugin", "erase", "bulletin", "ezhou", "--export", "one.zip", "--yes")
    await gongyu.well("district", "drop", "ezhou", "--export", "all.zip", "--yes")
    with zipfile.ZipFile(gongyu.folder / "one.zip") as exported:
        assert set(exported.namelist()) == {"tables/bulletin_notice.jsonl", "district.toml", "manifest.json"}
        assert "公告栏已启用" in exported.read("tables/bulletin_notice.jsonl").decode()
    with zipfile.ZipFile(gongyu.folder / "all.zip") as exported:
        assert {"tables/org.jsonl", "tables/audit_line.jsonl", "district.toml"} <= set(exported.namelist())
    assert await rows(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'd\\_%'") == []
    assert await gongyu("district", "show", "ezhou") == (2, "", "there is no district `ezhou`; there are: —\n")


async def test_plugin_removed_from_the_machine_is_shown_as_missing_and_comes_back(
    gongyu: Command, shelf: Shelf
) -> None:
    install_slow(shelf)
    with_slow = Command(gongyu.database_url, gongyu.folder, shelf.folder)
    await with_slow.well("district", "create", "ezhou", "--name", "鄂州", "--plugin", "slow")
    shown = await with_slow.well("district", "show", "ezhou", "--toml")
    assert [line.split() for line in (await gongyu.well("district", "list")).splitlines()] == [
        ["slug", "name", "on", "on,", "but", "missing"],
        ["ezhou", "鄂州", "slow"],
    ]
    assert "slow    on, but its package is missing" in await gongyu.well("district", "show", "ezhou")
    assert "not installed" in await gongyu.well("plugin", "list")
    assert await gongyu.well("district", "show", "ezhou", "--toml") == shown
    (gongyu.folder / "ezhou.toml").write_text(shown, "utf-8")
    assert await gongyu.well("district", "apply", "ezhou.toml") == "nothing to change\n"
    assert "package not here" in await gongyu.well("db", "status")
    assert await with_slow.well("district", "apply", "ezhou.toml") == "nothing to change\n"
    assert "missing" not in await with_slow.well("district", "show", "ezhou")


def install_slow(shelf: Shelf) -> None:
    home = shelf.install("slow", SLOW)
    (home / "migrations" / "versions").mkdir(parents=True)
    (home / "migrations" / "versions" / "slow_0001.py").write_text(SLOW_REVISION, "utf-8")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.mark.parametrize(("change", "stop"), [("create", "migration"), ("create", "hook"), ("enable", "hook")])
async def test_change_killed_in_the_middle_is_not_there_and_can_be_made_again(
    gongyu: Command, shelf: Shelf, owner: AsyncEngine, change: str, stop: str
) -> None:
    install_slow(shelf)
    gongyu = Command(gongyu.database_url, gongyu.folder, shelf.folder)
    create = ("district", "create", "ezhou", "--name", "鄂州", "--plugin")
    words: tuple[str, ...] = (*create, "slow")
    if change == "enable":
        await gongyu.well(*create, "bulletin")
        words = ("district", "enable", "ezhou", "slow")
    before = await gongyu.well("district", "list")
    stopped = gongyu.folder / "stopped"
    process = await gongyu.start(*words, STOP=stop, STOPPED=str(stopped))
    for _ in range(200):
        if stopped.exists() or process.returncode is not None:
            break
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert await gongyu.well("district", "list") == before
    await gongyu.well(*words)
    assert await rows(owner, "SELECT number FROM d_ezhou.slow_mark") == [(1,)]
    assert await rows(owner, "SELECT count(*) FROM d_ezhou.org WHERE type = 'district'") == [(1,)]
    assert await rows(owner, "SELECT slug, state FROM gongyu.district") == [("ezhou", "active")]


async def test_drop_killed_in_the_middle_is_finished_by_a_second_one(gongyu: Command, owner: AsyncEngine) -> None:
    await gongyu.well("district", "create", "ezhou", "--name", "鄂州")
    async with owner.connect() as reader:
        await reader.execute(sa.text("SELECT count(*) FROM d_ezhou.org"))  # its lock keeps DROP SCHEMA waiting
        process = await gongyu.start("district", "drop", "ezhou", "--no-export", "--yes")
        waits = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DROP SCHEMA%' AND wait_event_type = 'Lock'"
        for _ in range(200):
            if await rows(owner, waits) or process.returncode is not None:
                break
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    assert await gongyu.well("district", "list") == "(none)\n"
    again = await gongyu("district", "create", "ezhou", "--name", "鄂州")
    said = "district ezhou is being dropped; finish gongyu district drop ezhou first\n"
    assert again == (2, "", said)
    await gongyu.well("district", "drop", "ezhou", "--yes")
    assert await rows(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'd\\_%'") == []
    await gongyu.well("district", "create", "ezhou", "--name", "鄂州")
