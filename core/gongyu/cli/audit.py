"""`gongyu audit …`: is the log whole, what is in it, and a copy of it."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path

import click
import msgspec

from gongyu.access import audit as log
from gongyu.access import witness
from gongyu.access.audit_search import AuditQuery, export, search
from gongyu.cli.frame import WRONG_INPUT, fail, operator, run, say, table
from gongyu.platform import Platform
from gongyu.text import Text, language_of_environment

__all__ = ["audit"]


@click.group()
def audit() -> None:
    """审计日志：验证、查找、导出 · The audit log: verify, search, export."""


@audit.command()
@click.argument("district")
@click.option(
    "--head", "heads", multiple=True, metavar="SEQ:HASH", help="先前留证的行，可重复 · a line noted earlier; repeatable"
)
@click.option(
    "--restored",
    is_flag=True,
    help="数据库刚从备份恢复，不与本机留证核对 · just restored: leave out what was noted here before",
)
def verify(district: str, heads: tuple[str, ...], *, restored: bool) -> None:
    """验证日志没有缺失或改动 · Check that no line is missing or changed.

    末行记在数据目录里，下次核对，结尾被删也看得出来；也可另记 SEQ:HASH，用 --head 核对 · The last line is noted in the
    data folder and looked for next time, so that a cut end shows; keep the printed SEQ:HASH elsewhere too.
    """
    given = [_head(said) for said in heads]

    async def work(platform: Platform) -> log.Chain:
        here = platform.state(district).district
        before = None if restored else witness.noted(platform.config, here)
        async with platform.database.read(here) as connection:
            chain = await log.verify(connection, heads=[*given, *([before] if before else [])])
        if chain.trouble is None and chain.head is not None:
            witness.note(platform.config, here, chain.head)
        return chain

    chain = run(work)
    if chain.trouble is not None:
        click.echo(f"✗ {chain.trouble.pick(language_of_environment())}")
        raise SystemExit(1)
    whole = Text(zh="✓ {n} 条记录完整（第 {first} 条起）", en="✓ {n} lines stand unbroken (from line {first})")
    say(whole.format(n=chain.lines, first=chain.first))
    if chain.head is not None:
        click.echo(f"{chain.head.seq}:{chain.head.hash.hex()}")


def _head(said: str) -> log.Head:
    seq, _, digest = said.partition(":")
    try:
        return log.Head(int(seq), bytes.fromhex(digest))
    except ValueError:
        fail(Text(zh="--head 应为 SEQ:HASH", en="--head is SEQ:HASH, as verify prints it"), WRONG_INPUT)


_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])
_NARROWING = (
    click.option("--actor", help="如 person:<id>、operator:<name> · who"),
    click.option("--action", help="如 sign_in.refused，或 sign_in.* · what"),
    click.option("--subject", help="如 person:<id> · on whom"),
    click.option("--since", "begins", type=_MOMENT, help="如 2026-09-01T08:00+08:00 · from then on"),
    click.option("--until", "ends", type=_MOMENT, help="在此之前 · before then"),
)


def _narrowed(command: Callable[..., None]) -> Callable[..., None]:
    return reduce(lambda so_far, option: option(so_far), reversed(_NARROWING), command)


@audit.command("search")
@click.argument("district")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@_narrowed
def search_(
    district: str,
    limit: int,
    **asked: object,
) -> None:
    """查找记录，最新的在前 · Find lines, newest first."""
    query = msgspec.convert(asked, AuditQuery)

    async def work(platform: Platform) -> None:
        async with platform.database.read(platform.state(district).district) as connection:
            found = await search(connection, query, limit=limit)
        heads = [
            Text(zh="序号", en="seq"),
            Text(zh="时间 (UTC)", en="time (UTC)"),
            Text(zh="谁", en="actor"),
            Text(zh="做了什么", en="action"),
            Text(zh="对谁", en="subject"),
            Text(zh="依据", en="ground"),
            Text(zh="细节", en="details"),
        ]
        table(
            heads,
            [
                (
                    one.seq,
                    f"{one.at:%Y-%m-%d %H:%M:%S}",
                    one.actor,
                    one.action,
                    one.subject,
                    one.ground,
                    ", ".join(f"{key}={value}" for key, value in one.details.items()),
                )
                for one in found
            ],
        )

    run(work)


@audit.command("export")
@click.argument("district")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@_narrowed
def export_(
    district: str,
    target: Path,
    form: str,
    **asked: object,
) -> None:
    """导出记录，最早的在前 · Write lines to a file, oldest first; the export itself is a line of the log."""
    query = msgspec.convert(asked, AuditQuery)

    async def work(platform: Platform) -> None:
        state, lines = platform.state(district), 0
        temporary = target.with_name(f".{target.name}.part")
        async with platform.database.read(state.district) as connection:
            with temporary.open("wb") as written:
                async for piece in export(connection, query, form="jsonl" if form == "jsonl" else "csv"):
                    written.write(piece)
                    lines += 1
        temporary.replace(target)
        details = {"form": form, "file": target.name}
        await log.append(platform.database, state.district, action="audit.exported", actor=operator(), details=details)
        count = lines - (form == "csv")
        say(Text(zh="已写入 {target}：{n} 条", en="{target} written: {n} lines").format(target=target, n=count))

    run(work)
