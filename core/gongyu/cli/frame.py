"""What all commands share: a platform for their work, errors in the operator's language, tables, questions."""

import asyncio
import getpass
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, TypeVar

import click
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
from gongyu.logs import configure_logs
from gongyu.platform import Platform, UnknownDistrictError, open_platform
from gongyu.text import Text, language_of_environment

__all__ = ["WRONG_INPUT", "configuration", "confirm", "console", "fail", "operator", "run", "say", "table"]

T = TypeVar("T")
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
        refused = Text(
            zh="插件 {name} 拒绝了：{cause}；什么都没有改变", en="plugin {name} refused: {cause}; nothing was changed"
        )
        fail(refused.format(name=error.plugin, cause=str(error.cause) or type(error.cause).__name__))
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
