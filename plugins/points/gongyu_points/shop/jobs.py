"""What nobody came for, and what no kiosk uploaded in time, goes back to the purses by itself."""

from datetime import time
from typing import Final

from gongyu.plugin import Context, Job, Text
from gongyu_points.books import run
from gongyu_points.shop import leases, orders

__all__ = ["JOBS"]


async def _orders(context: Context) -> None:
    if await _selling(context):
        await orders.expire(context)


async def _leases(context: Context) -> None:
    if await _selling(context):
        await leases.expire(context)


async def _selling(context: Context) -> bool:
    """Between two terms nothing is on hold: a term closes only after that."""
    return bool(await run(context.session, "SELECT 1 FROM {s}.points_term WHERE state = 'open'"))


JOBS: Final = (
    Job("expire_orders", Text(zh="过期未领取的订单", en="Orders nobody collected"), _orders, "daily", time(3, 10)),
    Job("expire_leases", Text(zh="到期的离线额度", en="Kiosk leases that have ended"), _leases, "daily", time(3, 20)),
)
