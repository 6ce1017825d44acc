"""Points: everything this plugin contributes, on one page."""

import sqlalchemy as sa

from gongyu.plugin import PluginInfo, Text, hookimpl
from gongyu_points.models import Base

INFO = PluginInfo(
    name="points",
    title=Text(zh="德育积分", en="Points"),
    summary=Text(
        zh="当场发放，看得见，换得到，账目永远相符",
        en="Given on the spot, seen at once, spent in the shop, never out of balance",
    ),
    contract=">=1.0,<2",
)


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata
