"""Before a term closes: what is on hold is settled, so that no point is parked past the end and none is lost.

Goods and privileges nobody came for go back to the purses, where the term's policy takes them up. A seat at an event
has been taken, so it is paid. A kiosk that may still upload its sales is waited for, or its lease withdrawn by a
person: only people know whether the device is on its way or at the bottom of a drawer.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.plugin import Text
from gongyu.web import ProblemError
from gongyu_points.books import run
from gongyu_points.shop import leases, orders
from gongyu_points.shop.held import term_if_open

__all__ = ["anything_open", "settle_open"]

Work = Callable[[], AbstractAsyncContextManager[AsyncSession]]

_OPEN: Final = """
SELECT EXISTS (SELECT 1 FROM {s}.points_order WHERE state = 'placed')
    OR EXISTS (SELECT 1 FROM {s}.points_lease WHERE state = 'open') AS found"""

_ORDERS: Final = """
SELECT o.id FROM {s}.points_order AS o JOIN {s}.points_item AS i ON i.id = o.item_id
 WHERE o.state = 'placed' AND (i.kind = 'event') = $1::boolean ORDER BY o.id LIMIT $2::bigint"""

_LEASES: Final = """
SELECT l.id, l.kept_until < now() AS lapsed, s.name AS shop, k.name AS kiosk FROM {s}.points_lease AS l
  JOIN {s}.points_shop AS s ON s.id = l.shop_id JOIN {s}.points_kiosk AS k ON k.id = l.kiosk_id
 WHERE l.state = 'open' ORDER BY lapsed DESC, l.kept_until, l.id"""


async def anything_open(session: AsyncSession) -> bool:
    """Whether any order waits or any lease is open."""
    return bool((await run(session, _OPEN))[0].found)


async def settle_open(work: Work, *, today: date) -> None:
    """Settle everything that is on hold, in units of work of a bearable size.

    Raises:
        ProblemError: `conflict` with the kiosks that may still upload their sales.
    """
    more = True
    while more:
        async with work() as session:
            more = await _some(session, today)


async def _some(session: AsyncSession, today: date) -> bool:
    if await term_if_open(session) is None:
        return False  # somebody else has begun to close it, and so has found nothing on hold any more
    found = await run(session, _LEASES)
    if waiting := [f"{row.shop} {row.kiosk}" for row in found if not row.lapsed]:
        text = Text(
            zh="这些自助机还有未结清的离线额度，请先上传销售记录或收回：{names}",
            en="these kiosks have leases that are not settled; let them upload, or withdraw the leases: {names}",
        )
        raise ProblemError("conflict", text.format(names="、".join(waiting)))
    if found:
        return bool(await leases.settle(session, [found[0].id], "expired", by=None, day=today))
    if goods := await _placed(session, events=False):
        return bool(await orders.let_go(session, goods, "cancelled", by=None, day=today))
    if seats := await _placed(session, events=True):
        return bool(await orders.pay(session, seats, day=today))
    return False


async def _placed(session: AsyncSession, *, events: bool) -> list[Any]:
    ids = [row.id for row in await run(session, _ORDERS, events, orders.BATCH)]
    return await orders.found(session, ids)
