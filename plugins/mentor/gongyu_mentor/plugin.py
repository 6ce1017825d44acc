"""Growth mentors: everything this plugin contributes, on one page.

Each room of the house says in its own `contributions.py` what it adds; here they are put together.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import click
import msgspec
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart, Purpose, RetentionCategory
from gongyu.plugin import (
    Capability,
    Context,
    DemoLine,
    Event,
    GrowthSection,
    Indicator,
    Job,
    Permission,
    PluginInfo,
    Relation,
    Subscription,
    Text,
    ToDo,
    hookimpl,
)
from gongyu_mentor import assignments
from gongyu_mentor import contributions as rounds
from gongyu_mentor.care import contributions as care
from gongyu_mentor.letters import contributions as letters
from gongyu_mentor.log import contributions as log
from gongyu_mentor.models import Base
from gongyu_mentor.reports import contributions as reports
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.talks import contributions as talks
from gongyu_mentor.training import contributions as training
from gongyu_mentor.wellbeing import contributions as wellbeing

INFO = PluginInfo(
    name="mentor",
    title=Text(zh="成长导师", en="Growth mentors"),
    summary=Text(zh="每个学生都公平地得到一位导师", en="Every pupil gets a mentor, fairly"),
    contract=">=1.1,<2",
)
ROOMS: Final = [one.ROOM for one in (rounds, talks, training, care, log, wellbeing, letters, reports)]


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return MentorSettings


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@hookimpl
def permissions() -> Sequence[Permission]:
    return [permission for room in ROOMS for permission in room.permissions]


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return [route for room in ROOMS for route in room.routes]


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [event for room in ROOMS for event in room.event_types]


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    return [subscription for room in ROOMS for subscription in room.subscriptions]


@hookimpl
def jobs() -> Sequence[Job]:
    return [job for room in ROOMS for job in room.jobs]


@hookimpl
def commands() -> Sequence[click.Command]:
    from gongyu_mentor.commands import mentor  # noqa: PLC0415 - the server never needs the command line
    from gongyu_mentor.rounds_commands import COMMANDS  # noqa: PLC0415 - as above
    from gongyu_mentor.talks.commands import COMMANDS as TALKS  # noqa: PLC0415 - as above

    return [*mentor.commands.values(), *COMMANDS, *TALKS]


@hookimpl
def capabilities() -> Sequence[Capability]:
    title = Text(zh="某位导师现在的学生", en="The students somebody mentors now")
    return [Capability("mentor.students_of", title, assignments.students_of)]


@hookimpl
def relations() -> Sequence[Relation]:
    title = Text(zh="成长导师", en="growth mentor")
    return [Relation("mentor.mentor_of", title, assignments.mentored_by, growth_record=True)]


@hookimpl
def consent_purposes() -> Sequence[Purpose]:
    return [purpose for room in ROOMS for purpose in room.consent_purposes]


@hookimpl
def retention_categories() -> Sequence[RetentionCategory]:
    return [category for room in ROOMS for category in room.retention_categories]


@hookimpl
async def demo_played(context: Context) -> Sequence[DemoLine]:
    from gongyu_mentor.demo import play  # noqa: PLC0415 - played once in a demonstration's life

    return await play(context)


@hookimpl
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:
    return [part for room in ROOMS for part in await room.held(context, person)]


@hookimpl
async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # noqa: FBT001 - the contract's
    return [line for room in ROOMS for line in await room.erased(context, person, here=here)]


@hookimpl
async def growth_sections(context: Context, student: UUID, begins: date, ends: date) -> Sequence[GrowthSection]:
    return [
        section
        for room in ROOMS
        for section in await room.growth_sections(context, student=student, begins=begins, ends=ends)
    ]


@hookimpl
async def indicators(context: Context, schools: Sequence[UUID] | None) -> Sequence[Indicator]:
    return [figure for room in ROOMS for figure in await room.indicators(context, schools)]


@hookimpl
async def to_dos(context: Context, person: UUID) -> Sequence[ToDo]:
    return [item for room in ROOMS for item in await room.to_dos(context, person)]
