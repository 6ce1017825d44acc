"""Points: everything this plugin contributes, on one page."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from gongyu.plugin import Capability, Context, Event, PluginInfo, Text, hookimpl
from gongyu_points import giving, reasons
from gongyu_points.events import PointsAwarded, PointsRedeemed, PointsReversed
from gongyu_points.models import Base
from gongyu_points.settings import PointsSettings

INFO = PluginInfo(
    name="points",
    title=Text(zh="德育积分", en="Points"),
    summary=Text(
        zh="当场发放，看得见，换得到，账目永远相符", en="Given on the spot, seen at once, spent, never out of balance"
    ),
    contract=">=1.0,<2",
)


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return PointsSettings


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@hookimpl
def event_types() -> Sequence[type[Event]]:
    return [PointsAwarded, PointsRedeemed, PointsReversed]


@hookimpl
def capabilities() -> Sequence[Capability]:
    text = Text(zh="按规则发放积分", en="Award points by the rule of another plugin")
    return [Capability("points.award", text, giving.award_for_plugin)]


@hookimpl
async def plugin_enabled(context: Context) -> None:
    await reasons.begin(context.session)
