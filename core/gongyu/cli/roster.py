"""`gongyu roster …`: look at what a roster would change, apply it, write one."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gongyu.cli.frame import WRONG_INPUT, confirm, console, fail, operator, run, say, stated, table
from gongyu.cli.rekey import look_alikes, rekey
from gongyu.people.exporting.lists import export_lists
from gongyu.people.exporting.oneroster import export_oneroster
from gongyu.people.importing.plan import KIND_NAMES, Tally
from gongyu.people.importing.service import LIMIT, ImportReport, import_roster, is_empty, plan_roster
from gongyu.people.roster import BUILT_IN, Finding, write_xlsx
from gongyu.people.roster.catalogue import SEVERITIES
from gongyu.platform import Platform
from gongyu.text import Text, language_of_environment

__all__ = ["roster"]

_SHOWN: Final = 20
_STAGES: Final = {
    "reading": Text(zh="读取文件", en="reading"),
    "planning": Text(zh="比较", en="comparing"),
    "events": Text(zh="通知插件", en="telling the plugins"),
    "done": Text(zh="完成", en="done"),
    **{str(kind): name for kind, name in KIND_NAMES.items()},
}
_dialect = click.option(
    "--dialect",
    help=f"格式，默认自动识别 · the format; else found out: {', '.join(one.name for one in BUILT_IN)}, or a plugin's",
)
_findings = click.option(
    "--findings",
    "workbook",
    type=click.Path(dir_okay=False, path_type=Path),
    help="把问题清单写成 .xlsx · write the findings as .xlsx",
)
_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON · print JSON")


@click.group()
def roster() -> None:
    """名册：预览、导入、导出 · Rosters: plan, apply, export."""


roster.add_command(look_alikes)
roster.add_command(rekey)


@roster.command()
@click.argument("district")
@click.argument("path", type=click.Path(path_type=Path))
@_dialect
@_findings
@_json
def plan(*, district: str, path: Path, dialect: str | None, workbook: Path | None, as_json: bool) -> None:
    """预览名册会改变什么 · Show what a roster would change; nothing is changed.

    退出码：0 全部可导入，1 有些行会被搁置，2 没有可导入的 · exit code: 0 all fits, 1 rows are left out, 2 none fits.

    PATH：OneRoster 或 SDS 的压缩包、文件夹，学籍模板工作簿 · a OneRoster or SDS zip or folder, a register workbook.
    """

    async def work(platform: Platform) -> bool:
        platform.state(district)
        with _bar(quiet=as_json) as progress:
            made = await plan_roster(platform, district, path, dialect=dialect, progress=progress)
        _write(workbook, made.findings)
        if as_json:
            _print_json(
                {
                    "dialect": made.roster.dialect,
                    "mode": made.roster.mode,
                    "changes": made.tallies,
                    "removals": made.removals,
                    "confirmation_needed": made.needs_confirmation(LIMIT),
                    "lines": list(made.lines()),
                    "findings": made.findings,
                }
            )
        else:
            _show(made.tallies, made.findings, made.removals)
            if made.needs_confirmation(LIMIT):
                hint = Text(
                    zh="结束的记录很多；核对后导入时请加 --confirm-removals {n}",
                    en="Many records end; if that is right, apply with --confirm-removals {n}",
                )
                say(hint.format(n=made.removals))
        if is_empty(made.roster):
            fail(Text(zh="没有可以导入的名册", en="there is nothing to import"), WRONG_INPUT)
        return any(one.severity == "error" for one in made.findings)

    if run(work):
        sys.exit(1)


@roster.command()
@click.argument("district")
@click.argument("path", type=click.Path(path_type=Path))
@_dialect
@_findings
@_json
@click.option("--confirm-removals", type=click.IntRange(0), help="确认结束的记录数 · how many records may end")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def apply(
    *,
    district: str,
    path: Path,
    dialect: str | None,
    workbook: Path | None,
    as_json: bool,
    confirm_removals: int | None,
    yes: bool,
) -> None:
    """导入名册 · Apply a roster: all of it or nothing."""

    async def work(platform: Platform) -> None:
        platform.state(district)
        if not yes:
            with _bar(quiet=as_json) as progress:
                made = await plan_roster(platform, district, path, dialect=dialect, progress=progress)
            if made.roster.dialect:
                _show(made.tallies, made.findings, made.removals)
                confirm(Text(zh="导入？", en="apply it?"), yes=False)
        with _bar(quiet=as_json) as progress:
            report = await import_roster(
                platform,
                district,
                path,
                actor=operator(),
                dialect=dialect,
                confirm_removals=confirm_removals,
                progress=progress,
            )
        _write(workbook, report.findings)
        if as_json:
            _print_json(report)
        else:
            _report(report)
        if report.refused is not None:
            fail(report.refused, WRONG_INPUT)

    run(work)


@roster.command()
@click.argument("district")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["oneroster", "excel"]),
    default="oneroster",
    show_default=True,
    help="OneRoster 1.2 压缩包，或每班一张的 Excel 名单 · a OneRoster 1.2 zip, or class lists",
)
@click.option("--reason", help="理由，留存于审计日志 · why, kept in the audit log")
def export(district: str, out: Path, *, format_: str, reason: str | None) -> None:
    """导出名册；含个人信息，请妥善保管 · Export; it holds personal data, keep it safe."""

    async def work(platform: Platform) -> dict[str, int]:
        platform.state(district)
        if format_ == "oneroster":
            return await export_oneroster(platform, district, out, actor=operator(), reason=why)
        language = language_of_environment()
        return await export_lists(platform, district, out, actor=operator(), language=language, reason=why)

    if format_ == "oneroster" and (out.suffix.lower() != ".zip" or out.is_dir()):
        fail(Text(zh="OneRoster 导出为 .zip 文件", en="OneRoster is exported as a .zip file"), WRONG_INPUT)
    if not out.absolute().parent.is_dir():
        fail(Text(zh="没有文件夹 {f}", en="there is no folder {f}").format(f=out.absolute().parent), WRONG_INPUT)
    why = stated(reason)
    written = run(work)
    table([Text(zh="文件", en="file"), Text(zh="行", en="rows")], list(written.items()))


@contextlib.contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage, in the words of the person at the terminal; none where nobody is."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    language = language_of_environment()
    shown = console()
    with Progress(*columns, console=shown, transient=True, disable=quiet or not shown.is_terminal) as bar:
        task = bar.add_task("")

        def progress(stage: str, done: int, total: int) -> None:
            name = _STAGES[stage].pick(language) if stage in _STAGES else stage
            bar.update(task, description=name, completed=done, total=total or None)

        yield progress


def _print_json(value: Any) -> None:  # noqa: ANN401 - whatever msgspec can write
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def _write(workbook: Path | None, findings: Sequence[Finding]) -> None:
    if workbook is None:
        return
    try:
        write_xlsx(findings, workbook, language_of_environment())
    except OSError as error:
        fail(
            Text(zh="写不了 {file}：{error}", en="{file} cannot be written: {error}").format(
                file=workbook, error=error.strerror
            )
        )


def _show(tallies: Sequence[Tally], findings: Sequence[Finding], removals: int) -> None:
    head = [Text(zh="", en=""), Text(zh="新增", en="add"), Text(zh="变更", en="change"), Text(zh="结束", en="end")]
    rows = [(KIND_NAMES[one.kind], one.added, one.changed, one.ended) for one in tallies]
    table(head, rows)
    if removals:
        say(Text(zh="其中没有去向的结束：{n}", en="of these, ends without a successor: {n}").format(n=removals))
    _show_findings(findings)


def _show_findings(findings: Sequence[Finding]) -> None:
    if not findings:
        return
    head = [
        Text(zh="级别", en="severity"),
        Text(zh="文件", en="file"),
        Text(zh="行", en="row"),
        Text(zh="列", en="column"),
        Text(zh="说明", en="what is wrong"),
        Text(zh="影响行数", en="rows blocked"),
    ]
    table(
        head,
        [
            (SEVERITIES[one.severity], one.file, one.row or None, one.column, one.text, one.blocks or None)
            for one in findings[:_SHOWN]
        ],
    )
    if len(findings) > _SHOWN:
        more = Text(
            zh="还有 {n} 条；用 --findings 文件.xlsx 全部写出", en="{n} more; write all with --findings FILE.xlsx"
        )
        say(more.format(n=len(findings) - _SHOWN))


def _report(report: ImportReport) -> None:
    if report.refused is not None:
        _show_findings(report.findings)
        return
    _show(report.changes, report.findings, report.removals)
    added = [(title, count) for title, count in report.counts if count]
    if added:
        table([Text(zh="新增", en="new"), Text(zh="数量", en="number")], added)
    else:
        say(Text(zh="已导入", en="applied"))
