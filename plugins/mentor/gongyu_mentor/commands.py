"""`gongyu mentor match`: the engine without a server."""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import click

from gongyu.text import Text
from gongyu_mentor.answer import Scenario, answer_bytes, make_answer
from gongyu_mentor.findings import Finding, WrongInstanceError, shown
from gongyu_mentor.instance import MAX_CAPACITY, Instance, parse, previous_assignment, read, read_bytes
from gongyu_mentor.sheet import decode_answer_workbook, read_workbook
from gongyu_mentor.workbook import answer_workbook

__all__ = ["mentor"]

_WORKBOOK = ".xlsx"
_EDIT = re.compile(r"\s*(?P<mentor>.+?)\.(?P<field>capacity|reserve)\s*=\s*(?P<value>[^,]*?)\s*(?:,|$)", re.DOTALL)
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")


@click.group(help="成长导师 · mentors")
def mentor() -> None:
    """Commands of the mentor plugin."""


@mentor.command(
    help="对 JSON 或 Excel 实例做导师双选匹配，结果写到标准输出或 --out。\n\n"
    "Match the students of a JSON or Excel instance with mentors; the answer goes to the standard output or to --out.",
)
@click.argument("instance", metavar="INSTANCE.json|.xlsx")
@click.option("--out", metavar="FILE", help="结果文件（.json 或 .xlsx） · write the answer there (.json or .xlsx)")
@click.option("--explain", is_flag=True, help="附每名学生的说明 · with an explanation for each student")
@click.option("--complete", is_flag=True, help="未结对者补录到空余名额 · place those left over in free seats")
@click.option("--previous", metavar="FILE", help="先前的结果，保留其结对 · an earlier answer whose pairs stay")
@click.option("--gone", metavar="M1,M2", help="离任导师（与 --previous 同用） · mentors who left (with --previous)")
@click.option(
    "--seed",
    default="gongyu",
    show_default=True,
    help="抽签种子；正式一轮请自设保密种子 · seed of the lottery; keep your own secret one for a real round",
)
@click.option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="M1.capacity=12,M2.reserve=3",
    help="试算，每次使用是一个方案，不改动结果 · a scenario; each use is its own, and none changes the answer",
)
def match(
    *,
    instance: str,
    out: str | None,
    explain: bool,
    complete: bool,
    previous: str | None,
    gone: str | None,
    seed: str,
    what_if: tuple[str, ...],
) -> None:
    sources = [Path(name) for name in (instance, previous) if name is not None]
    target = None if out is None else Path(out)
    _check_options(target=target, sources=sources, previous=previous, gone=gone, seed=seed)
    source = sources[0]
    try:
        market = read_workbook(source) if source.suffix.lower() == _WORKBOOK else read(source)
    except WrongInstanceError as error:
        _refuse(instance, error)
    leavers = [name.strip() for name in (gone or "").split(",") if name.strip()]
    earlier = None
    if previous is not None:
        try:
            earlier = _earlier(sources[1], market, gone=leavers)
        except WrongInstanceError as error:
            _refuse(previous, error)
        for name in leavers:
            if name not in market.mentors and name not in earlier.values():
                _stop(
                    "--gone",
                    Text(zh=f"没有编号为 {shown(name)} 的导师", en=f"there is no mentor {shown(name)}"),
                )
    scenarios = [_scenario(text, market, gone=leavers) for text in what_if]
    answer = make_answer(
        market,
        seed=seed,
        complete=complete,
        explained=explain,
        previous=earlier,
        gone=leavers,
        scenarios=scenarios,
    )
    if "shortage" in answer:
        missing = sum(group["missing"] for group in answer["shortage"])
        click.echo(f"名额不足，缺 {missing} 个，见 shortage · {missing} seats short, see shortage", err=True)
    if target is None:
        click.echo(answer_bytes(answer), nl=False)
    else:
        as_workbook = target.suffix.lower() == _WORKBOOK
        _write(target, answer_workbook(answer) if as_workbook else answer_bytes(answer))


def _earlier(path: Path, market: Instance, *, gone: list[str]) -> dict[str, str | None]:
    if path.suffix.lower() != _WORKBOOK:
        return previous_assignment(parse(read_bytes(path)), market, gone=gone)
    raw, findings = decode_answer_workbook(read_bytes(path))
    return previous_assignment(raw, market, gone=gone, findings=findings)


def _check_options(
    *, target: Path | None, sources: list[Path], previous: str | None, gone: str | None, seed: str
) -> None:
    if gone is not None and previous is None:
        _stop("--gone", Text(zh="须与 --previous 同用", en="needs --previous"))
    if not seed or _HALF_CHARACTER.search(seed):
        _stop("--seed", Text(zh="应为非空文本", en="expected a text that is not empty"))
    if target is not None:
        if any(target.exists() and source.exists() and target.samefile(source) for source in sources):
            _stop("--out", Text(zh="不能覆盖输入文件", en="would overwrite the input"))
        if target.is_dir() or not target.parent.is_dir():
            _stop("--out", Text(zh="不是可写的文件位置", en="not a place for a file"))


def _scenario(text: str, market: Instance, *, gone: list[str]) -> Scenario:
    """`M1.capacity=12,M2.reserve=3`; read from the field's name outwards, so an id may hold dots and commas."""
    edits: list[tuple[str, str, int]] = []
    at = 0
    while at < len(text):
        found = _EDIT.match(text, at)
        if found is None:
            _stop(
                "--what-if",
                Text(
                    zh=f"{shown(text[at:])}：应形如 M1.capacity=12,M2.reserve=3",
                    en=f"{shown(text[at:])}: expected the form M1.capacity=12,M2.reserve=3",
                ),
            )
        name, value = found["mentor"], found["value"]
        if name not in market.mentors or name in gone:
            _stop("--what-if", Text(zh=f"没有编号为 {shown(name)} 的导师", en=f"there is no mentor {shown(name)}"))
        if (
            not (value.isascii() and value.isdigit() and len(value) <= len(str(MAX_CAPACITY)))
            or int(value) > MAX_CAPACITY
        ):
            _stop(
                "--what-if",
                Text(
                    zh=f"{shown(value)} 应为 0 到 {MAX_CAPACITY} 的整数",
                    en=f"{shown(value)} should be a whole number from 0 to {MAX_CAPACITY}",
                ),
            )
        edits.append((name, found["field"], int(value)))
        at = found.end()
    if not edits:
        _stop("--what-if", Text(zh="没有内容", en="nothing given"))
    return Scenario(text=text, edits=edits)


def _write(target: Path, content: bytes) -> None:
    """All or nothing: readers see the old file or the whole new one."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _stop("--out", Text(zh=f"无法写入：{error.strerror}", en=f"cannot be written: {error.strerror}"))


def _refuse(name: str, error: WrongInstanceError) -> NoReturn:
    label = name.encode(errors="backslashreplace").decode()
    count = len(error.findings) + error.left_off
    click.echo(f"{label}：{count} 处错误，未作匹配 · errors: {count}; nothing was matched", err=True)
    for finding in error.findings:
        _tell(finding)
    if error.left_off:
        click.echo(f"  …… 另有 {error.left_off} 处 · and {error.left_off} more", err=True)
    sys.exit(2)


def _stop(option: str, problem: Text) -> NoReturn:
    _tell(Finding(option, problem))
    sys.exit(2)


def _tell(finding: Finding) -> None:
    """Both languages on one line: whoever reads a log is not the one whose locale wrote it."""
    click.echo(f"  {finding.place}：{finding.problem.zh} · {finding.problem.en}", err=True)
