"""The `gongyu` command. Nothing heavy is imported until a command is named, so that `gongyu --version` is instant."""

import importlib
import sys
from typing import Any, Final

import click

from gongyu import __version__

__all__ = ["main"]

_COMMANDS: Final = {
    "serve": "gongyu.cli.serve:serve",
    "demo": "gongyu.cli.demo:demo",
    "district": "gongyu.cli.district:district",
    "plugin": "gongyu.cli.plugin:plugin",
    "db": "gongyu.cli.db:db",
    "user": "gongyu.cli.user:user",
    "access": "gongyu.cli.access:access",
    "roster": "gongyu.cli.roster:roster",
    "person": "gongyu.cli.person:person",
    "audit": "gongyu.cli.audit:audit",
    "events": "gongyu.cli.events:events",
    "doctor": "gongyu.cli.doctor:doctor",
}


class _Commands(click.Group):
    """The core's commands by name, and each available plugin's under the plugin's own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        from gongyu.host import find_candidates  # noqa: PLC0415 - only for the help page

        candidates, _ = find_candidates()
        return [*_COMMANDS, *(candidate.info.name for candidate in candidates)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if place := _COMMANDS.get(cmd_name):
            module, _, name = place.partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return _plugin_commands(cmd_name)


def _plugin_commands(name: str) -> click.Command | None:
    from gongyu.host import load_host  # noqa: PLC0415 - only when a plugin's command is named

    host = load_host(only=[name])
    plugin = host.plugins.get(name)
    if plugin is None:
        if refusal := host.refused.get(name):
            from gongyu.cli.frame import fail  # noqa: PLC0415 - only to say why

            fail(refusal.reason)
        return None
    commands = {command.name or "": command for command in host.commands(name)}
    return click.Group(name, commands, help=f"{plugin.info.title.zh} · {plugin.info.title.en}") if commands else None


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="gongyu %(version)s")
def _gongyu() -> None:
    """共育 Gongyu: school, home and community raise children together.

    学校、家庭、社区协同育人平台。
    """


def main(arguments: list[str] | None = None) -> Any:  # noqa: ANN401 - click ends the process itself
    """The console entry point."""
    return _gongyu(sys.argv[1:] if arguments is None else arguments, prog_name="gongyu")
