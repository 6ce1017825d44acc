"""Points: everything this plugin contributes, on one page."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import click
import msgspec
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart
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
    Subscription,
    Text,
    ToDo,
    hookimpl,
)
from gongyu_points import api, api_papers, by_calendar, giving, overview, personal, reasons, waiting
from gongyu_points.events import MoreLapsed, PointsAwarded, PointsRedeemed, PointsReversed
from gongyu_points.live import api as live
from gongyu_points.models import Base
from gongyu_points.settings import PointsSettings
from gongyu_points.shop import api as shop
from gongyu_points.shop.jobs import JOBS, go_on
from gongyu_points.vouchers import api as vouchers

INFO = PluginInfo(
    name="points",
    title=Text(zh="德育积分", en="Points"),
    summary=Text(
        zh="当场发放，看得见，换得到，账目永远相符", en="Given on the spot, seen at once, spent, never out of balance"
    ),
    contract=">=1.1,<2",
)


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return PointsSettings


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@hookimpl
def permissions() -> Sequence[Permission]:
    school = ("principal", "siteAdministrator", "districtAdministrator")
    everybody = ("student", "guardian", "teacher", "counselor", "aide", *school)
    return [
        Permission("points.award.give", Text(zh="发放积分", en="Give points"), ("teacher", *school)),
        Permission("points.voucher.print", Text(zh="印积分券", en="Print vouchers"), ("teacher", *school)),
        Permission("points.voucher.oversee", Text(zh="看管全校的积分券", en="Oversee a school's vouchers"), school),
        Permission(
            "points.voucher.deposit", Text(zh="存入积分券", en="Deposit vouchers"), ("student", "teacher", *school)
        ),
        Permission(
            "points.voucher.accept", Text(zh="替学生存入积分券", en="Deposit for a student"), ("teacher", *school)
        ),
        Permission("points.entry.reverse", Text(zh="冲正分录", en="Reverse entries"), school),
        Permission("points.redemption.make", Text(zh="兑换积分", en="Spend points"), ("student", "teacher", *school)),
        Permission("points.shop.serve", Text(zh="收银", en="Serve at the till"), ("siteAdministrator",)),
        Permission("points.shop.browse", Text(zh="看书坊驿站有什么", en="See what the shop offers"), everybody),
        Permission("points.shop.manage", Text(zh="管理书坊驿站与库存", en="Manage shops and stock"), school),
        Permission("points.order.place", Text(zh="下单", en="Order at the shop"), ("student",)),
        Permission(
            "points.till.use",
            Text(zh="值班时交付与售出", en="Hand out and sell while on duty"),
            ("student", "teacher", *school),
        ),
        Permission("points.kiosk.sell", Text(zh="自助机售出", en="Sell as a kiosk"), school),
        Permission(
            "points.statement.read",
            Text(zh="看本人、子女、所教学生的积分", en="See one's own pupils' points"),
            everybody,
        ),
        Permission("points.statement.oversee", Text(zh="看全校学生的积分", en="See all points of a school"), school),
        Permission(
            "points.term.manage", Text(zh="管理学期与事由", en="Manage terms and reasons"), ("districtAdministrator",)
        ),
        Permission("points.audit.read", Text(zh="核算账目", en="Audit the books"), ("districtAdministrator",)),
    ]


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return [*api.ROUTES, *api_papers.ROUTES, *live.ROUTES, *vouchers.ROUTES, *shop.ROUTES]


@hookimpl
def commands() -> Sequence[click.Command]:
    from gongyu_points import commands as own  # noqa: PLC0415 - the server never needs the command line
    from gongyu_points.vouchers import commands as of_vouchers  # noqa: PLC0415 - as above

    return [own.audit, own.term, of_vouchers.vouchers]


@hookimpl
def jobs() -> Sequence[Job]:
    return JOBS


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [PointsAwarded, PointsRedeemed, PointsReversed, MoreLapsed]


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    return [
        Subscription("people.term_opened.v1", by_calendar.open_with_term),
        Subscription(MoreLapsed.type, go_on),
    ]


@hookimpl
def capabilities() -> Sequence[Capability]:
    text = Text(zh="按规则发放积分", en="Award points by the rule of another plugin")
    return [Capability("points.award", text, giving.award_for_plugin)]


@hookimpl
async def plugin_enabled(context: Context) -> None:
    await reasons.begin(context.session)


@hookimpl
async def demo_played(context: Context) -> Sequence[DemoLine]:
    from gongyu_points.demo import play  # noqa: PLC0415 - played once in a demonstration's life

    return await play(context)


@hookimpl
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:
    return await personal.copy_of(context, person=person)


@hookimpl
async def person_erased(context: Context, person: UUID) -> Sequence[Erased]:
    return await personal.erase(context, person=person)


@hookimpl
async def growth_sections(context: Context, student: UUID, begins: date, ends: date) -> Sequence[GrowthSection]:
    return await overview.deeds(context, student=student, begins=begins, ends=ends)


@hookimpl
async def indicators(context: Context, schools: Sequence[UUID] | None) -> Sequence[Indicator]:
    return await overview.figures(context, schools=schools)


@hookimpl
async def to_dos(context: Context, person: UUID) -> Sequence[ToDo]:
    return await waiting.to_dos(context, person=person)
