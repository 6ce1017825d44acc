"""`gongyu roster look-alikes` and `rekey`: a source that changed its provider, without doubling anybody."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from gongyu.cli.frame import WRONG_INPUT, confirm, fail, operator, run, say, table
from gongyu.events import outbox
from gongyu.people.importing.plan import KIND_NAMES
from gongyu.people.look_alikes import Proposal, write_proposal
from gongyu.people.look_alikes import look_alikes as find_look_alikes
from gongyu.people.rekeying import NewKey, Rekeyed, Trouble, plan_rekeying, read_new_keys
from gongyu.people.rekeying import rekey as replace_keys
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["look_alikes", "rekey"]

_SHOWN = 50


@click.command("look-alikes")
@click.argument("district")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.argument("out", metavar="OUT.csv", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dialect", help="格式，默认自动识别 · the format; else found out")
def look_alikes(district: str, path: Path, out: Path, dialect: str | None) -> None:
    """名册中疑似换了编号的人 · Who in a roster looks like somebody here under another id; nothing is changed.

    OUT.csv：请逐行核对，再交给 rekey · look at each line, then give it to rekey.
    """

    async def work(platform: Platform) -> Proposal:
        platform.state(district)
        return await find_look_alikes(platform, district, path, dialect=dialect)

    found = run(work)
    try:
        out.touch(mode=0o600)
        with out.open("w", encoding="utf-8-sig", newline="") as file:
            write_proposal(found, file)
    except OSError as error:
        words = Text(zh="写不了 {file}：{error}", en="{file} cannot be written: {error}")
        fail(words.format(file=out, error=error.strerror))
    counts = Counter(line.kind for line in found.lines)
    table([Text(zh="", en=""), Text(zh="疑似", en="look alike")], [(KIND_NAMES[kind], n) for kind, n in counts.items()])
    if found.ambiguous:
        words = Text(zh="另有 {n} 条可能指多个对象，未列出", en="{n} more could be several; they are left out")
        say(words.format(n=found.ambiguous))


@click.command("rekey")
@click.argument("district")
@click.argument("file", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只看会怎样 · only show what would happen")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def rekey(district: str, file: Path, *, dry_run: bool, yes: bool) -> None:
    """更换来源编号 · Give the same people and places new ids of the source: all of the table or nothing.

    FILE.csv：kind,old,new；kind 为 org、session、class 或 person · kind is org, session, class or person.
    """
    keys, troubles = read_new_keys(file.read_bytes())
    if troubles:
        _refuse(file, troubles)

    async def rehearse(platform: Platform) -> list[Trouble]:
        state = platform.state(district)
        async with platform.database.work(state.district) as session:
            return await plan_rekeying(session, seals=platform.seals(state.district), keys=keys)

    async def work(platform: Platform) -> Rekeyed | list[Trouble]:
        state = platform.state(district)
        async with outbox.work(platform, state) as session:
            seals = platform.seals(state.district)
            return await replace_keys(session, seals=seals, keys=keys, actor=operator(), now=datetime.now(UTC))

    if troubles := run(rehearse):
        _refuse(file, troubles)
    _show(keys)
    if dry_run or not keys:
        return
    confirm(Text(zh="更换这些编号？", en="replace these ids?"), yes=yes)
    done = run(work)
    if not isinstance(done, Rekeyed):
        _refuse(file, done)
    say(Text(zh="已更换", en="done"))


def _show(keys: list[NewKey]) -> None:
    counts = Counter(one.kind for one in keys)
    table(
        [Text(zh="", en=""), Text(zh="更换编号", en="new ids")], [(KIND_NAMES[kind], n) for kind, n in counts.items()]
    )


def _refuse(file: Path, troubles: list[Trouble]) -> None:
    for trouble in troubles[:_SHOWN]:
        line = Text(
            zh=f"{file.name}:{trouble.row}: {trouble.text.zh}", en=f"{file.name}:{trouble.row}: {trouble.text.en}"
        )
        say(line, err=True)
    text = Text(zh="{n} 处问题，什么都没有改变", en="{n} problems; nothing was changed").format(n=len(troubles))
    fail(text, WRONG_INPUT)
