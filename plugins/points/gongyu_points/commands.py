"""`gongyu points …`: the auditor, and opening and closing a term from the terminal."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import click
import msgspec

from gongyu.cli.frame import confirm, fail, operator, run, say, table
from gongyu.database.model import new_id
from gongyu.districts.service import DistrictError
from gongyu.events.outbox import work
from gongyu.platform import Platform
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points import statements, terms
from gongyu_points.audit import audit as add_up
from gongyu_points.calendar import local
from gongyu_points.schemas import NewTerm

__all__ = ["audit", "term"]

T = TypeVar("T")


@click.command()
@click.argument("district")
@click.option("--json", "as_json", is_flag=True, help="机器可读 · for machines")
def audit(district: str, *, as_json: bool) -> None:
    """重新核算全部分录 · Re-add the books from their entries; every figure must be zero."""

    async def ask(platform: Platform) -> bool:
        state = platform.state(district)
        async with platform.database.read(state.district) as connection:
            found = await add_up(connection, state.district)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
            return found.sound
        table(
            [Text(zh="应为零", en="must be zero"), Text(zh="数", en="figure")],
            [(Text(zh=line.zh, en=line.en), line.broken) for line in found.invariants],
        )
        words = Text(zh="{entries} 笔分录，{accounts} 个账户", en="{entries} entries, {accounts} accounts")
        say(words.format(entries=found.entries, accounts=found.accounts))
        return found.sound

    if not run(ask):
        sys.exit(1)


@click.group()
def term() -> None:
    """学期：开账与结账 · Terms: open and close."""


@term.command("open")
@click.argument("district")
@click.option("--title", required=True, help="名称 · its name")
@click.option("--id", "id_", type=click.UUID, help="学期的标识 · the academic session's id, where there is one")
def open_(district: str, title: str, id_: UUID | None) -> None:
    """开放学期并发放额度 · Open a term and grant the quotas."""

    async def ask(platform: Platform) -> int:
        state = platform.state(district)
        async with work(platform, state) as session:
            context = platform.context("points", state, session)
            return await terms.open_term(context, new=NewTerm(id_ or new_id(), title), actor=operator())

    say(Text(zh="已发放 {n} 份额度", en="{n} quotas granted").format(n=_worded(ask)))


@term.command("close")
@click.argument("district")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def close(district: str, *, yes: bool) -> None:
    """结账：额度到期，余额按策略处理 · Close the term that is open, by the district's policy."""

    async def ask(platform: Platform) -> terms.Closed:
        state = platform.state(district)
        async with platform.database.read(state.district) as connection:
            going = [one for one in await statements.terms(connection, state.district) if one.state != "closed"]
        if not going:
            fail(Text(zh="没有开放的学期", en="no term is open"), 2)
        confirm(Text(zh="结账：{title}？", en="close {title}?").format(title=going[0].title), yes=yes)
        today = local(datetime.now(UTC), state.district).date()
        settings = state.settings["points"]
        return await terms.close_term(
            lambda: work(platform, state), term=going[0].id, settings=settings, today=today, actor=operator()
        )

    done = _worded(ask)
    words = Text(zh="结清 {n} 个账户，{p} 分到期", en="{n} accounts settled, {p} points expired")
    say(words.format(n=done.accounts, p=done.points))


def _worded(ask: Callable[[Platform], Awaitable[T]]) -> T:
    """What the books refuse, in words for the terminal."""

    async def worded(platform: Platform) -> T:
        try:
            return await ask(platform)
        except ProblemError as error:
            raise DistrictError(error.detail or Text(zh=error.kind, en=error.kind)) from error

    return run(worded)
