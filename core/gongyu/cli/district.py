"""`gongyu district …`: create, look at, change and drop districts. The file is how a district is reviewed and kept."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from gongyu.access.operating import add_person, find_org, hand_out_code
from gongyu.cli.frame import confirm, fail, operator, run, say, table
from gongyu.cli.user import show_code
from gongyu.districts.export import export_district
from gongyu.districts.file import DistrictFile, PluginEntry, render
from gongyu.districts.plan import Plan
from gongyu.districts.service import (
    DistrictError,
    apply_file,
    current_file,
    drop_district,
    plan_file,
    read_file,
    switched,
)
from gongyu.districts.settings import redact
from gongyu.platform import Platform, UnknownDistrictError
from gongyu.text import Text, language_of_environment

__all__ = ["district"]


@click.group()
def district() -> None:
    """区县：创建、查看、变更、删除 · Districts: create, look at, change, drop."""


@district.command()
@click.argument("slug")
@click.option("--name", required=True, help="名称 · its name")
@click.option("--timezone", default="Asia/Shanghai", show_default=True)
@click.option("--plugin", "plugins", multiple=True, help="启用的插件，可重复 · a plugin to switch on; repeatable")
@click.option("--admin", default="管理员", show_default=True, help="首位管理员的姓名 · the first administrator's name")
def create(slug: str, name: str, timezone: str, plugins: tuple[str, ...], admin: str) -> None:
    """创建区县及其首位管理员，输出激活码 · Create a district and its first administrator; prints their code."""

    async def work(platform: Platform) -> None:
        empty = DistrictFile(slug=slug, name=name, timezone=timezone)
        wanted = read_file(platform, render(switched(empty, on=plugins)), file="<create>")
        _show(await apply_file(platform, wanted, actor=operator(), new=True), done=True)
        # Apart from the creation: whoever is interrupted here makes one with `gongyu user create --name --role`.
        state, now = platform.state(slug), datetime.now(UTC)
        async with platform.database.work(state.district) as session:
            root = await find_org(session, None)
            first = await add_person(
                session, name=admin, role="districtAdministrator", org=root, by=operator(), now=now
            )
            handed = await hand_out_code(
                session, keys=platform.keys, rules=state.access, person=first, by=operator(), now=now
            )
        show_code(platform, slug, handed)

    run(work)


@district.command("list")
def list_() -> None:
    """列出区县 · List the districts."""

    async def work(platform: Platform) -> None:
        rows = [
            (slug, state.district.name, " ".join(state.enabled), " ".join(state.missing))
            for slug, state in platform.registry.states.items()
        ]
        head = [
            Text(zh="代号", en="slug"),
            Text(zh="名称", en="name"),
            Text(zh="启用", en="on"),
            Text(zh="启用但缺失", en="on, but missing"),
        ]
        table(head, rows)

    run(work)


@district.command()
@click.argument("slug")
@click.option("--toml", is_flag=True, help="输出可再次 apply 的文件 · the file that apply takes back")
def show(slug: str, *, toml: bool) -> None:
    """查看区县 · Show a district."""

    async def work(platform: Platform) -> None:
        file = current_file(platform, slug)
        if file is None:
            raise UnknownDistrictError(slug, list(platform.registry.states))
        if toml:
            sys.stdout.write(render(file))
            return
        state = platform.state(slug)
        click.echo(f"{slug}  {file.name}  {file.timezone}")
        rows = [
            (
                name,
                _status(name, entry_enabled=entry.enabled, available=name in platform.host.plugins),
                platform.host.plugins[name].version if name in platform.host.plugins else "",
                ", ".join(f"{key}={value}" for key, value in _public(platform, name, entry).items()),
            )
            for name, entry in file.plugins.items()
        ]
        table(
            [
                Text(zh="插件", en="plugin"),
                Text(zh="状态", en="state"),
                Text(zh="版本", en="version"),
                Text(zh="设置", en="settings"),
            ],
            rows,
        )
        if state.missing:
            say(Text(zh="缺失：{names}", en="missing: {names}").format(names=", ".join(state.missing)))

    run(work)


def _public(platform: Platform, name: str, entry: PluginEntry) -> Mapping[str, object]:
    """For a screen that others may see; the file, which must apply again, says everything."""
    plugin = platform.host.plugins.get(name)
    return redact(plugin.settings_type if plugin else None, entry.settings)


def _status(_: str, *, entry_enabled: bool, available: bool) -> Text:
    if entry_enabled:
        return (
            Text(zh="启用", en="on")
            if available
            else Text(zh="启用，但缺少安装包", en="on, but its package is missing")
        )
    return Text(zh="停用", en="off")


@district.command()
@click.argument("file", type=click.Path(path_type=Path))
def plan(file: Path) -> None:
    """预览文件会改变什么 · Show what a file would change."""

    async def work(platform: Platform) -> None:
        _show(await plan_file(platform, _read(platform, file)), done=False)

    run(work)


@district.command()
@click.argument("file", type=click.Path(path_type=Path))
def apply(file: Path) -> None:
    """按文件变更区县 · Make a district what a file says."""

    async def work(platform: Platform) -> None:
        _show(await apply_file(platform, _read(platform, file), actor=operator()), done=True)

    run(work)


def _read(platform: Platform, file: Path) -> DistrictFile:
    try:
        return read_file(platform, file.read_bytes(), file=str(file))
    except OSError as error:
        raise DistrictError(
            Text(zh="读不了 {file}：{error}", en="{file} cannot be read: {error}").format(
                file=file, error=error.strerror
            )
        ) from error


def _show(plan: Plan, *, done: bool) -> None:
    language = language_of_environment()
    for line in plan.lines:
        click.echo(f"{line.sign} {line.path}: {line.text.pick(language)}")
    if not plan:
        say(Text(zh="没有变化", en="nothing to change"))
    elif done:
        say(Text(zh="已完成", en="done"))


def _switch(slug: str, plugins: tuple[str, ...], *, on: bool) -> None:
    async def work(platform: Platform) -> None:
        file = current_file(platform, slug)
        if file is None:
            raise UnknownDistrictError(slug, list(platform.registry.states))
        for name in plugins:
            if name not in platform.host.plugins and name not in file.plugins:
                refusal = platform.host.refused.get(name)
                reason = refusal.reason if refusal else Text(zh="没有安装", en="it is not installed")
                raise DistrictError(
                    Text(zh="插件 {name}：{reason}", en="plugin {name}: {reason}").format(name=name, reason=reason)
                )
        wanted = switched(file, on=plugins) if on else switched(file, off=plugins)
        _show(await apply_file(platform, wanted, actor=operator()), done=True)

    run(work)


@district.command()
@click.argument("slug")
@click.argument("plugins", nargs=-1, required=True)
def enable(slug: str, plugins: tuple[str, ...]) -> None:
    """启用插件，立即生效 · Switch plugins on, at once."""
    _switch(slug, plugins, on=True)


@district.command()
@click.argument("slug")
@click.argument("plugins", nargs=-1, required=True)
def disable(slug: str, plugins: tuple[str, ...]) -> None:
    """停用插件，数据保留 · Switch plugins off; their data stays."""
    _switch(slug, plugins, on=False)


@district.command()
@click.argument("slug")
@click.argument("target", type=click.Path(path_type=Path))
def export(slug: str, target: Path) -> None:
    """导出区县全部数据为 zip · Export all of a district as a zip."""

    async def work(platform: Platform) -> None:
        written = await export_district(platform, slug, target, actor=operator())
        say(
            Text(
                zh="已写入 {target}：{tables} 张表，{rows} 行", en="{target} written: {tables} tables, {rows} rows"
            ).format(target=target, tables=len(written), rows=sum(written.values()))
        )

    run(work)


@district.command()
@click.argument("slug")
@click.option("--export", "target", type=click.Path(path_type=Path), help="先导出到此文件 · export here first")
@click.option("--no-export", is_flag=True, help="不导出 · do not export")
@click.option("--dry-run", is_flag=True, help="只显示会删除什么 · only show what would go")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def drop(slug: str, target: Path | None, *, no_export: bool, dry_run: bool, yes: bool) -> None:
    """删除区县及其全部数据 · Drop a district with all its data."""

    async def work(platform: Platform) -> None:
        from gongyu.districts.export import row_counts  # noqa: PLC0415 - only here

        counts = await row_counts(platform, slug)
        table([Text(zh="表", en="table"), Text(zh="行", en="rows")], [(name, n) for name, n in counts.items() if n])
        if dry_run:
            return
        whole = slug in platform.registry.states  # else its making or dropping was cut short, and this finishes it
        if target is None and not no_export and whole:
            fail(
                Text(
                    zh="请先导出：--export 文件.zip（或 --no-export）",
                    en="export first: --export FILE.zip (or --no-export)",
                ),
                2,
            )
        confirm(
            Text(zh="删除区县 {slug} 的全部数据？", en="delete all data of district {slug}?").format(slug=slug), yes=yes
        )
        if target is not None and whole:
            await export_district(platform, slug, target, actor=operator())
        await drop_district(platform, slug, actor=operator())
        say(Text(zh="已删除 {slug}", en="{slug} dropped").format(slug=slug))

    run(work)
