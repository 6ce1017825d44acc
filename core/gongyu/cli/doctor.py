"""`gongyu doctor`: is everything as it must be, and if not, what to do."""

import sys

import click

from gongyu.checks import Check, checks
from gongyu.cli.frame import run
from gongyu.platform import Platform
from gongyu.text import language_of_environment

__all__ = ["doctor"]

_SIGN = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
def doctor() -> None:
    """检查系统并说明怎么办 · Check the system and say what to do."""

    async def work(platform: Platform) -> list[Check]:
        return [check async for check in checks(platform)]

    language = language_of_environment()
    found = run(work)
    for check in found:
        click.echo(f"{_SIGN[check.state]} {check.area}: {check.found.pick(language)}".rstrip())
        if cure := check.cure.pick(language):
            click.echo(f"    → {cure}")
    if any(check.state != "ok" for check in found):
        sys.exit(1)
