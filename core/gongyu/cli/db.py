"""`gongyu db …`: migrations of all districts, and writing new ones."""

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gongyu.cli.frame import WRONG_INPUT, console, fail, run, say, table
from gongyu.database import migrations
from gongyu.database.upgrade import Outcome, districts_pending, upgrade_all
from gongyu.platform import Platform, histories
from gongyu.text import Text

__all__ = ["db"]


@click.group()
def db() -> None:
    """数据库：迁移与状态 · The database: migrations and their state."""


@db.command()
@click.option("--workers", type=click.IntRange(1, 32), default=None, help="并行进程数 · processes at once")
def upgrade(workers: int | None) -> None:
    """把所有区县升级到最新 · Bring every district to the newest revision."""

    async def work(platform: Platform) -> None:
        pending = await districts_pending(platform)
        if not pending:
            say(Text(zh="所有区县都是最新的", en="every district is up to date"))
            return
        failed: list[Outcome] = []
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console()) as progress:
            task = progress.add_task("upgrade", total=len(pending))
            async for outcome in upgrade_all(platform, pending, workers=workers):
                progress.advance(task)
                if outcome.error:
                    failed.append(outcome)
                for step in outcome.steps:
                    progress.console.print(f"{outcome.slug}  {step}")
        for outcome in failed:
            click.echo(f"{outcome.slug}: {outcome.error}", err=True)
        if failed:
            fail(
                Text(
                    zh="{n} 个区县失败；其余已完成，可再次运行",
                    en="{n} districts failed; the rest are done; run it again",
                ).format(n=len(failed))
            )

    run(work)


@db.command()
def status() -> None:
    """各区县各插件的版本 · Each plugin's revision in each district."""

    async def work(platform: Platform) -> None:
        states = platform.registry.states
        async with platform.database.owner.connect() as connection:
            have = await migrations.revisions_of(connection, [s.district.schema for s in states.values()])
        heads = migrations.heads(histories(platform.host))
        rows = []
        for slug, state in states.items():
            found = have[state.district.schema]
            on = {"core", *state.enabled, *found}
            for name in sorted(on, key=lambda name: (name != "core", name)):
                at, head = found.get(name), heads.get(name)
                rows.append((slug, name, at or "∅", head or "?", _word(at, head, known=name in heads)))
        table(
            [
                Text(zh="区县", en="district"),
                Text(zh="部分", en="part"),
                Text(zh="现在", en="at"),
                Text(zh="最新", en="newest"),
                Text(zh="状态", en="state"),
            ],
            [row for row in rows if row[3] != "?" or row[2] != "∅"],
        )

    run(work)


def _word(at: str | None, head: str | None, *, known: bool) -> Text:
    if not known:
        return Text(zh="安装包不在", en="package not here")
    return Text(zh="最新", en="up to date") if at == head else Text(zh="待升级", en="to be upgraded")


@db.command()
@click.argument("plugin")
@click.option("-m", "--message", required=True, help="几个字说明 · a few words")
def revision(plugin: str, message: str) -> None:
    """按模型写出迁移 · Write a migration from the models."""

    async def work(platform: Platform) -> None:
        known = {history.name: history for history in [migrations.registry_history(), *histories(platform.host)]}
        if plugin not in known:
            text = Text(zh="没有 {name}；可选：{known}", en="there is no {name}; choose from: {known}")
            fail(text.format(name=plugin, known=", ".join(known)), WRONG_INPUT)
        others = [] if plugin in ("core", "registry") else [known["core"]]
        written = await migrations.write_revision(platform.database, known[plugin], others, message)
        if written is None:
            say(Text(zh="模型与迁移一致，没有可写的", en="models and migrations agree; there is nothing to write"))
        else:
            click.echo(_relative(written))

    run(work)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
