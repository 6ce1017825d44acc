"""What all commands share: a platform for their work, errors in the operator's language, tables, questions."""

import asyncio
import getpass
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, TypeVar

import click
import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from gongyu.access.accounts import AccountError
from gongyu.access.keys import KeysError
from gongyu.access.operating import NotFoundError
from gongyu.access.tokens import TokenError
from gongyu.config import Config, ConfigError
from gongyu.database.data_folder import DataFolderError
from gongyu.database.engine import DatabaseUnfitError
from gongyu.districts.service import DistrictError, SettingsError
from gongyu.host import Host, StartError
from gongyu.host.dispatch import HookRefusedError
from gongyu.host.isolation import said
from gongyu.logs import configure_logs
from gongyu.platform import Platform, UnknownDistrictError, open_platform
from gongyu.text import Text, language_of_environment

__all__ = ["WRONG_INPUT", "configuration", "confirm", "console", "fail", "operator", "run", "say", "stated", "table"]

T = TypeVar("T")
log = structlog.get_logger("gongyu.cli")
#: Exit codes: 1, something is wrong; 2, what was given is wrong and nothing changed (as click's own usage errors).
WRONG_INPUT = 2


def say(text: Text, *, err: bool = False) -> None:
    click.echo(text.pick(language_of_environment()), err=err)


def fail(text: Text, code: int = 1) -> NoReturn:
    say(text, err=True)
    sys.exit(code)


def configuration() -> Config:
    """What the environment says, or words about what it says wrongly."""
    try:
        return Config.from_environment()
    except ConfigError as error:
        fail(error.text)


def operator() -> str:
    """Who is at the terminal, for the audit log."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a user's name
        return "operator:unknown"


def run(work: Callable[[Platform], Awaitable[T]], *, host: Host | None = None) -> T:
    """Do a command's work on a platform of its own; expected errors become words and an exit code."""

    async def whole() -> T:
        async with open_platform(configuration(), host=host) as platform:
            return await work(platform)

    configure_logs(logging.WARNING)  # a command answers in words; what went wrong beneath goes to standard error
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(whole())
    except SettingsError as error:
        language = language_of_environment()
        for found in error.errors:
            click.echo(found.render(language), err=True)
        count = Text(zh="共 {n} 处错误，什么都没有改变", en="{n} errors; nothing was changed").format(
            n=len(error.errors)
        )
        fail(count, WRONG_INPUT)
    except (DistrictError, UnknownDistrictError, NotFoundError, TokenError) as error:
        fail(error.text, WRONG_INPUT)
    except AccountError as error:
        for reason in error.reasons:
            say(reason, err=True)
        sys.exit(WRONG_INPUT)
    except HookRefusedError as error:
        # Not the error's own message: it may quote SQL and the values it stumbled over, and these may be a pupil's.
        cause = said(error.cause)
        log.warning("hook refused", plugin=error.plugin, hook=error.hook, error=cause)
        refused = Text(
            zh="插件 {name} 在 {hook} 中拒绝或失败：{cause}；什么都没有改变",
            en="plugin {name} refused or failed in {hook}: {cause}; nothing was changed",
        )
        fail(refused.format(name=error.plugin, hook=error.hook, cause=cause))
    except (DataFolderError, DatabaseUnfitError, KeysError, StartError) as error:
        fail(error.text)
    except KeyboardInterrupt:
        fail(Text(zh="已中断", en="interrupted"), 130)


def confirm(question: Text, *, yes: bool) -> None:
    """Ask before what cannot be undone; refuses when nobody is there to answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(Text(zh="需要确认：请加上 --yes", en="this needs a confirmation: add --yes"), WRONG_INPUT)
    click.confirm(question.pick(language_of_environment()), abort=True)


def stated(reason: str | None) -> str:
    """Why people's data is taken out, asked for where it was not said: it stands in the audit log (未网条例 36)."""
    if reason is None and sys.stdin.isatty():
        asked = Text(zh="理由（留存于审计日志，请勿写姓名）", en="why (kept in the audit log; name nobody)")
        reason = str(click.prompt(asked.pick(language_of_environment())))
    if reason is None or not reason.strip():
        fail(Text(zh="须写明理由：请加上 --reason", en="a reason is needed: add --reason"), WRONG_INPUT)
    return reason.strip()


def console() -> Console:
    """A file or a pipe has no width: nothing is folded there."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 250)


def table(columns: Sequence[Text], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people; an empty list says so instead of showing a bare head."""
    language = language_of_environment()
    if not rows:
        say(Text(zh="（没有）", en="(none)"))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.pick(language), overflow="fold")
    for row in rows:
        shown.add_row(
            *("" if cell is None else cell.pick(language) if isinstance(cell, Text) else str(cell) for cell in row)
        )
    console().print(shown)
