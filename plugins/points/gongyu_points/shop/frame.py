"""What the shop's routes share: their permissions, and who may stand at a till."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.rights import verdict
from gongyu.web import Call, ProblemError
from gongyu_points.calendar import today_of
from gongyu_points.shop import duties, shops

__all__ = ["BROWSE", "MANAGE", "ORDER", "SERVE", "TILL", "require_till"]

BROWSE: Final = "points.shop.browse"
MANAGE: Final = "points.shop.manage"
SERVE: Final = "points.shop.serve"
TILL: Final = "points.till.use"
ORDER: Final = "points.order.place"


async def require_till(call: Call, connection: AsyncConnection, shop: UUID) -> tuple[Any, bool]:
    """The shop, for those who serve in it by office and those who are on duty there now; to others it is not there.

    Returns:
        Its row, and whether the caller is there by office.
    """
    row = await shops.require_shop(connection, call.district, shop, orgs=None)
    by_office = verdict(call.principal, call.platform.host.permissions[SERVE])
    office = by_office.covers(row.org_id)
    person, today = call.principal.person, today_of(call)
    if not office and not await duties.on_duty(connection, call.district, shop=shop, person=person, today=today):
        raise ProblemError("not-found")
    return row, office
