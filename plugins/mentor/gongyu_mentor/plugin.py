"""Growth mentors: everything this plugin contributes, on one page.

So far the matching engine and its command; rounds, talks and letters build on it.
"""

from collections.abc import Sequence

import click

from gongyu.plugin import PluginInfo, Text, hookimpl

INFO = PluginInfo(
    name="mentor",
    title=Text(zh="成长导师", en="Growth mentors"),
    summary=Text(zh="每个学生都公平地得到一位导师", en="Every pupil gets a mentor, fairly"),
    contract=">=1.0,<2",
)


@hookimpl
def commands() -> Sequence[click.Command]:
    from gongyu_mentor.commands import mentor  # noqa: PLC0415 - the server never needs the command line

    return list(mentor.commands.values())
