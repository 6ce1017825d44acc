"""What nobody came for, and what no kiosk uploaded in time, goes back to the purses by itself; what has taken place is
paid.

A job is one unit of work, and one that settled everything a district forgot would hold a lock for each account until
its end. So it settles a batch, and where there is more, an event in the same commit brings the next.
"""

from datetime import time
from typing import Final, Literal

from gongyu.events.outbox import publish
from gongyu.plugin import Context, Job, Occurrence, Text
from gongyu_points.events import MoreLapsed
from gongyu_points.shop import leases, orders
from gongyu_points.shop.held import term_if_open

__all__ = ["JOBS", "go_on"]

_BATCHES: Final = {"orders": orders.expire, "leases": leases.expire, "events": orders.pay_held}


async def _orders(context: Context) -> None:
    await _settle(context, "orders")


async def _leases(context: Context) -> None:
    await _settle(context, "leases")


async def _events(context: Context) -> None:
    await _settle(context, "events")


async def go_on(context: Context, occurrence: Occurrence) -> None:
    """On `points.more_lapsed.v1`: the next batch."""
    await _settle(context, occurrence.data["what"])


async def _settle(context: Context, what: Literal["orders", "leases", "events"]) -> None:
    # Between two terms nothing is on hold: a term closes only after that.
    if await term_if_open(context.session) and await _BATCHES[what](context):
        await publish(context.session, MoreLapsed(what=what), subject=what)


JOBS: Final = (
    Job("expire_orders", Text(zh="过期未领取的订单", en="Orders nobody collected"), _orders, "daily", time(3, 10)),
    Job("expire_leases", Text(zh="到期的离线额度", en="Kiosk leases that have ended"), _leases, "daily", time(3, 20)),
    Job("pay_events", Text(zh="已举办的活动", en="Events that have taken place"), _events, "daily", time(3, 30)),
)
