"""The notice board: everything it contributes, on one page."""

from collections.abc import Sequence
from uuid import UUID

import click
import msgspec
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart, Purpose, RetentionCategory
from gongyu.people.roster.dialect import Dialect
from gongyu.plugin import Capability, Context, DemoLine, Event, Job, Permission, PluginInfo, Text, hookimpl
from gongyu_bulletin import api, notices, rights
from gongyu_bulletin import commands as own_commands
from gongyu_bulletin.events import NoticePosted
from gongyu_bulletin.models import Base
from gongyu_bulletin.roster import STAFF_LIST
from gongyu_bulletin.settings import BulletinSettings

INFO = PluginInfo(
    name="bulletin",
    title=Text(zh="公告栏", en="Notice board"),
    summary=Text(zh="学校发公告，家长学生看公告", en="Schools post notices, families read them"),
    contract=">=1.0,<2",
)


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return BulletinSettings


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@hookimpl
def permissions() -> Sequence[Permission]:
    staff = ("teacher", "principal", "siteAdministrator", "districtAdministrator")
    return [
        Permission("bulletin.notice.read", Text(zh="看公告", en="Read notices"), (*staff, "student", "guardian")),
        Permission("bulletin.notice.post", Text(zh="发公告", en="Post notices"), staff),
    ]


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return [api.list_notices, api.read_notice, api.post_notice]


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [NoticePosted]


@hookimpl
def jobs() -> Sequence[Job]:
    return [Job("tidy", Text(zh="清理旧公告", en="Clear old notices"), notices.clear_old, every="daily")]


@hookimpl
def capabilities() -> Sequence[Capability]:
    return [
        Capability("notice.post", Text(zh="代发公告", en="Post a notice for another plugin"), notices.post_for_plugin)
    ]


@hookimpl
def roster_dialects() -> Sequence[Dialect]:
    return [STAFF_LIST]


@hookimpl
def commands() -> Sequence[click.Command]:
    return [own_commands.count]


@hookimpl
async def plugin_enabled(context: Context) -> None:
    await notices.welcome(context)


@hookimpl
async def plugin_disabled(context: Context) -> None:
    await notices.unpin_all(context)


@hookimpl
async def demo_played(context: Context) -> Sequence[DemoLine]:
    posted = await notices.play(context)
    return [DemoLine(title=Text(zh="发布公告", en="notices posted"), figure=posted)]


@hookimpl
def consent_purposes() -> Sequence[Purpose]:
    return [rights.BYLINE]


@hookimpl
def retention_categories() -> Sequence[RetentionCategory]:
    return [rights.AUTHORS]


@hookimpl
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:
    return [await rights.posted_by(context, person)]


@hookimpl
async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # noqa: FBT001 - hooks are called by keyword
    return await rights.forget(context, person, here=here)
