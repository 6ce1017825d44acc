"""Growth mentors: everything this plugin contributes, on one page."""

from collections.abc import Sequence
from uuid import UUID

import click
import msgspec
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart
from gongyu.plugin import Capability, Context, DemoLine, Event, Permission, PluginInfo, Subscription, Text, hookimpl
from gongyu_mentor import api, assignments, records
from gongyu_mentor.events import MentorAssigned, MentorEnded
from gongyu_mentor.models import Base
from gongyu_mentor.people import STAFF
from gongyu_mentor.settings import MentorSettings

INFO = PluginInfo(
    name="mentor",
    title=Text(zh="成长导师", en="Growth mentors"),
    summary=Text(zh="每个学生都公平地得到一位导师", en="Every pupil gets a mentor, fairly"),
    contract=">=1.0,<2",
)


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return MentorSettings


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@hookimpl
def permissions() -> Sequence[Permission]:
    heads = ("principal", "siteAdministrator", "districtAdministrator")
    return [
        Permission("mentor.round.manage", Text(zh="组织导师双选", en="Run matching rounds"), heads),
        Permission("mentor.school.read", Text(zh="看本校结对情况", en="See a school's mentors and pupils"), heads),
        Permission("mentor.preference.file", Text(zh="填报导师志愿", en="Rank mentors"), ("student",)),
        Permission("mentor.offer.fill", Text(zh="作为导师参加", en="Take part as a mentor"), STAFF),
    ]


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return api.ROUTES


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [MentorAssigned, MentorEnded]


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    return [
        Subscription("people.left.v1", assignments.end_of_leaver),
        Subscription("people.transferred.v1", assignments.end_of_transferred),
    ]


@hookimpl
def capabilities() -> Sequence[Capability]:
    title = Text(zh="某位导师现在的学生", en="The students somebody mentors now")
    return [Capability("mentor.students_of", title, assignments.students_of)]


@hookimpl
async def demo_played(context: Context) -> Sequence[DemoLine]:
    from gongyu_mentor.demo import play  # noqa: PLC0415 - played once in a demonstration's life

    return await play(context)


@hookimpl
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:
    return await records.held(context, person)


@hookimpl
async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # noqa: FBT001 - the contract's
    return await records.erased(context, person, here=here)


@hookimpl
def commands() -> Sequence[click.Command]:
    from gongyu_mentor.commands import mentor  # noqa: PLC0415 - the server never needs the command line
    from gongyu_mentor.rounds_commands import COMMANDS  # noqa: PLC0415 - as above

    return [*mentor.commands.values(), *COMMANDS]
