"""`gongyu plugin …`: what is installed, what is available and why not, what each contributes; erasing its data."""

from pathlib import Path

import click
from litestar.handlers import HTTPRouteHandler

from gongyu.cli.frame import WRONG_INPUT, confirm, fail, operator, run, say, table
from gongyu.districts.export import erase_plugin, export_district, row_counts
from gongyu.districts.service import DistrictError
from gongyu.districts.settings import overridable_fields
from gongyu.host import Plugin
from gongyu.platform import Platform
from gongyu.plugin import CONTRACT_VERSION, Public, SignedIn
from gongyu.text import Text, language_of_environment

__all__ = ["plugin"]


@click.group()
def plugin() -> None:
    """插件：已安装、可用、启用 · Plugins: installed, available, enabled."""


@plugin.command("list")
def list_() -> None:
    """列出插件 · List the plugins."""

    async def work(platform: Platform) -> None:
        states = platform.registry.states
        rows: list[tuple[object, ...]] = []
        for name, found in platform.host.plugins.items():
            on = [slug for slug, state in states.items() if name in state.enabled]
            rows.append(
                (
                    name,
                    found.info.title,
                    found.version,
                    found.info.contract,
                    Text(zh="可用", en="available"),
                    " ".join(on),
                )
            )
        for name, refusal in platform.host.refused.items():
            on = [slug for slug, state in states.items() if name in state.missing]
            rows.append((name, refusal.distribution, "", "", refusal.reason, " ".join(on)))
        known = platform.host.plugins.keys() | platform.host.refused.keys()
        for name in sorted({name for state in states.values() for name in state.switches} - known):
            on = [slug for slug, state in states.items() if name in state.missing]
            rows.append((name, "", "", "", Text(zh="没有安装", en="not installed"), " ".join(on)))
        table(
            [
                Text(zh="插件", en="plugin"),
                Text(zh="名称", en="title"),
                Text(zh="版本", en="version"),
                Text(zh="契约", en="contract"),
                Text(zh="状态", en="state"),
                Text(zh="启用于", en="enabled in"),
            ],
            rows,
        )
        say(Text(zh="本平台契约 {v}", en="this platform's contract is {v}").format(v=CONTRACT_VERSION))

    run(work)


@plugin.command()
@click.argument("name")
def info(name: str) -> None:
    """一个插件贡献了什么 · What a plugin contributes."""

    async def work(platform: Platform) -> None:
        found = platform.host.plugins.get(name)
        if found is None:
            refusal = platform.host.refused.get(name)
            if refusal is None:
                fail(Text(zh="没有安装插件 {name}", en="plugin {name} is not installed").format(name=name), WRONG_INPUT)
            if refusal.traceback:
                click.echo(refusal.traceback, err=True)
            fail(
                Text(zh="{name} 不可用：{reason}", en="{name} is not available: {reason}").format(
                    name=name, reason=refusal.reason
                )
            )
        _show(found)
        on = [slug for slug, state in platform.registry.states.items() if name in state.enabled]
        _section(Text(zh="启用于", en="enabled in"), on)

    run(work)


def _show(found: Plugin) -> None:
    language = language_of_environment()
    click.echo(f"{found.name}  {found.info.title.pick(language)}  {found.distribution} {found.version}")
    if summary := found.info.summary.pick(language):
        click.echo(summary)
    click.echo(f"contract {found.info.contract}   requires {', '.join(found.info.requires) or '—'}")
    _section(Text(zh="路由", en="routes"), [_route(found, handler) for handler in found.routes])
    _section(Text(zh="数据表", en="tables"), sorted(found.tables.tables))
    _section(
        Text(zh="权限", en="permissions"),
        [f"{p.name}  {p.title.pick(language)}  ({', '.join(p.roles) or '—'})" for p in found.permissions],
    )
    _section(Text(zh="事件", en="events"), [f"{e.type}  {e.title.pick(language)}" for e in found.event_types])
    _section(Text(zh="订阅", en="subscribes to"), list(found.subscriptions))
    _section(
        Text(zh="定时任务", en="jobs"),
        [f"{j.name}  {j.every} {j.at:%H:%M}  {j.title.pick(language)}" for j in found.jobs],
    )
    _section(Text(zh="能力", en="capabilities"), [f"{c.name}  {c.title.pick(language)}" for c in found.capabilities])
    _section(Text(zh="设置", en="settings"), _settings(found))


def _route(found: Plugin, handler: HTTPRouteHandler) -> str:
    permission = handler.opt["permission"]
    shown = type(permission).__name__ if isinstance(permission, Public | SignedIn) else permission
    return f"{'|'.join(sorted(handler.http_methods))} /api/v1/{{district}}/{found.name}{min(handler.paths)}  [{shown}]"


def _settings(found: Plugin) -> list[str]:
    if found.settings_type is None:
        return []
    schools = overridable_fields(found.settings_type)
    default = found.settings_type()
    return [
        f"{field} = {getattr(default, field)!r}{'  (per school)' if field in schools else ''}"
        for field in found.settings_type.__struct_fields__
    ]


def _section(title: Text, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{title.pick(language_of_environment())}")
        for line in lines:
            click.echo(f"  {line}")


@plugin.command()
@click.argument("name")
@click.argument("district")
@click.option("--export", "target", type=click.Path(path_type=Path), help="先导出到此文件 · export here first")
@click.option("--no-export", is_flag=True, help="不导出 · do not export")
@click.option("--dry-run", is_flag=True, help="只显示会删除什么 · only show what would go")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def erase(name: str, district: str, target: Path | None, *, no_export: bool, dry_run: bool, yes: bool) -> None:
    """清除插件在区县的全部数据 · Erase a plugin's data in a district."""

    async def work(platform: Platform) -> None:
        state = platform.state(district)
        if (switch := state.switches.get(name)) is not None and switch.enabled:
            raise DistrictError(
                Text(
                    zh="插件 {name} 还在启用；先执行 gongyu district disable {district} {name}",
                    en="plugin {name} is still on; first run gongyu district disable {district} {name}",
                ).format(name=name, district=district)
            )
        counts = await row_counts(platform, district, plugin=name)
        table([Text(zh="表", en="table"), Text(zh="行", en="rows")], list(counts.items()))
        if dry_run or not counts:
            return
        if target is None and not no_export:
            fail(
                Text(
                    zh="请先导出：--export 文件.zip（或 --no-export）",
                    en="export first: --export FILE.zip (or --no-export)",
                ),
                WRONG_INPUT,
            )
        question = Text(zh="清除 {name} 在 {district} 的全部数据？", en="erase all data of {name} in {district}?")
        confirm(question.format(name=name, district=district), yes=yes)
        if target is not None:
            await export_district(platform, district, target, actor=operator(), plugin=name)
        erased = await erase_plugin(platform, district, name, actor=operator())
        say(Text(zh="已清除 {n} 张表", en="{n} tables erased").format(n=len(erased)))

    run(work)
