"""Growth mentors: everything this plugin contributes, on one page."""

from collections.abc import Sequence
from datetime import date
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
from gongyu_mentor import api, assignments, records
from gongyu_mentor.care import api as care
from gongyu_mentor.care import personal as care_records
from gongyu_mentor.events import MentorAssigned, MentorEnded, TalkDue, TalkLogged
from gongyu_mentor.letters import api as letters
from gongyu_mentor.letters import contributions as letter_page
from gongyu_mentor.letters import figures as letter_figures
from gongyu_mentor.letters import records as letter_records
from gongyu_mentor.letters.events import LetterOverdue, LetterReceived
from gongyu_mentor.log import api as log
from gongyu_mentor.log import handing
from gongyu_mentor.log import records as log_records
from gongyu_mentor.models import Base
from gongyu_mentor.people import STAFF
from gongyu_mentor.reports import api as reports
from gongyu_mentor.reports import figures as report_figures
from gongyu_mentor.reports import records as report_records
from gongyu_mentor.reports.events import ReportOpened, ReportOverdue
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.talks import api as talks
from gongyu_mentor.talks import figures as talk_figures
from gongyu_mentor.talks import personal as talk_records
from gongyu_mentor.training import api as training
from gongyu_mentor.training import personal as training_records
from gongyu_mentor.wellbeing import api as wellbeing
from gongyu_mentor.wellbeing import contributions as wellbeing_page
from gongyu_mentor.wellbeing import figures as wellbeing_figures
from gongyu_mentor.wellbeing import records as wellbeing_records
from gongyu_mentor.wellbeing.screening import PURPOSE as SCREENING

INFO = PluginInfo(
    name="mentor",
    title=Text(zh="成长导师", en="Growth mentors"),
    summary=Text(zh="每个学生都公平地得到一位导师", en="Every pupil gets a mentor, fairly"),
    contract=">=1.1,<2",
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
        Permission("mentor.appeal.review", Text(zh="处理结对申诉", en="Decide appeals"), heads, sensitive=True),
        Permission("mentor.log.keep", Text(zh="写导育记录", en="Keep the log of one's pupils"), STAFF, sensitive=True),
        Permission("mentor.profile.read", Text(zh="看成长画像", en="Read profiles"), ("student", "guardian", *STAFF)),
        Permission("mentor.profile.write", Text(zh="写成长画像", en="Write profiles"), ("student", *STAFF)),
        Permission("mentor.handover.answer", Text(zh="答复交接", en="Answer a hand-over"), ("student",)),
        Permission("mentor.talk.write", Text(zh="记谈心谈话", en="Write talks down"), STAFF),
        Permission("mentor.talk.read", Text(zh="看谈心谈话", en="Read talks"), STAFF, sensitive=True),
        Permission("mentor.cadence.manage", Text(zh="定谈话要求", en="Decide what is owed to each child"), heads),
        Permission("mentor.training.manage", Text(zh="组织导师培训", en="Run mentors' training"), heads),
        Permission("mentor.check.manage", Text(zh="登记犯罪记录查询", en="Record checks"), heads, sensitive=True),
        Permission("mentor.care.read", Text(zh="看关爱名单", en="Read the care list"), STAFF, sensitive=True),
        Permission("mentor.care.write", Text(zh="写关爱记录", en="Keep the care list"), STAFF, sensitive=True),
        Permission("mentor.care.appoint", Text(zh="指定关爱负责人", en="Appoint care leads"), heads),
        Permission("mentor.preference.file", Text(zh="填报导师志愿", en="Rank mentors"), ("student",)),
        Permission("mentor.offer.fill", Text(zh="作为导师参加", en="Take part as a mentor"), STAFF),
        *wellbeing_page.PERMISSIONS,
        *letter_page.PERMISSIONS,
    ]


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return [
        *api.ROUTES,
        *talks.ROUTES,
        *training.ROUTES,
        *care.ROUTES,
        *log.ROUTES,
        *wellbeing.ROUTES,
        *letters.ROUTES,
        *reports.ROUTES,
    ]


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [
        MentorAssigned,
        MentorEnded,
        TalkDue,
        TalkLogged,
        LetterReceived,
        LetterOverdue,
        ReportOpened,
        ReportOverdue,
    ]


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    return [
        Subscription("mentor.assigned.v1", handing.ask),
        Subscription("people.left.v1", assignments.end_of_leaver),
        Subscription("people.transferred.v1", assignments.end_of_transferred),
    ]


@hookimpl
def capabilities() -> Sequence[Capability]:
    title = Text(zh="某位导师现在的学生", en="The students somebody mentors now")
    return [Capability("mentor.students_of", title, assignments.students_of)]


@hookimpl
def relations() -> Sequence[Relation]:
    title = Text(zh="成长导师", en="growth mentor")
    return [Relation("mentor.mentor_of", title, assignments.mentored_by, growth_record=True)]


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
    from gongyu_mentor.talks import commands as talk_commands  # noqa: PLC0415 - as above

    return [*mentor.commands.values(), *COMMANDS, *talk_commands.COMMANDS]


@hookimpl
async def growth_sections(context: Context, student: UUID, begins: date, ends: date) -> Sequence[GrowthSection]:
    return [
        *await log_records.growth(context, student=student, begins=begins, ends=ends),
        *await talk_figures.growth_sections(context, student=student, begins=begins, ends=ends),
    ]


@hookimpl
def jobs() -> Sequence[Job]:
    return [*talk_figures.JOBS, *letter_page.JOBS, *wellbeing_page.JOBS]


@hookimpl
def consent_purposes() -> Sequence[Purpose]:
    return [*talk_records.PURPOSES, SCREENING]


@hookimpl
def retention_categories() -> Sequence[RetentionCategory]:
    return [
        *talk_records.RETENTION,
        *care_records.RETENTION,
        *training_records.RETENTION,
        wellbeing_records.RETENTION,
        letter_records.RETENTION,
        report_records.RETENTION,
    ]


@hookimpl
async def indicators(context: Context, schools: Sequence[UUID] | None) -> Sequence[Indicator]:
    return [*await talk_figures.indicators(context, schools), *await letter_figures.indicators(context, schools)]


@hookimpl
async def to_dos(context: Context, person: UUID) -> Sequence[ToDo]:
    return [
        *await talk_figures.to_dos(context, person),
        *await wellbeing_figures.to_dos(context, person),
        *await letter_figures.to_dos(context, person),
        *await report_figures.to_dos(context, person),
    ]
