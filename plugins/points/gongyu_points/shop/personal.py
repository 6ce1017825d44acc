"""One person's part of the shop: their copy, and what stays when they are erased."""

from typing import Final
from uuid import UUID

from gongyu.people.rights.contract import Erased, PersonPart
from gongyu.plugin import Context, Text
from gongyu_points.books import run
from gongyu_points.shop.order_lists import COLUMNS, out

__all__ = ["copy_of", "erase"]

_ORDERS: Final = COLUMNS + " WHERE o.student_id = $1::uuid ORDER BY o.seq"
_OF_ORDER: Final = ("placed_at", "title", "quantity", "points", "state", "channel", "closed_at", "reason", "wish")

_DUTIES: Final = """
SELECT s.name AS shop, d.begins_at, d.ends_at FROM {s}.points_duty AS d JOIN {s}.points_shop AS s ON s.id = d.shop_id
 WHERE d.person_id = $1::uuid ORDER BY d.begins_at, d.id"""

_LEASES: Final = """
SELECT l.taken_at, l.valid_until, p.budget, p.spent FROM {s}.points_lease_pupil AS p
  JOIN {s}.points_lease AS l ON l.id = p.lease_id WHERE p.student_id = $1::uuid ORDER BY l.taken_at, l.id"""

_LABELS: Final = {
    "placed_at": Text(zh="下单时间", en="ordered at"),
    "title": Text(zh="礼品", en="item"),
    "quantity": Text(zh="数量", en="quantity"),
    "points": Text(zh="积分", en="points"),
    "state": Text(zh="状态", en="state"),
    "channel": Text(zh="途径", en="where"),
    "closed_at": Text(zh="办结时间", en="closed at"),
    "reason": Text(zh="说明", en="reason"),
    "wish": Text(zh="心愿", en="wish"),
    "shop": Text(zh="书坊驿站", en="shop"),
    "begins_at": Text(zh="开始", en="from"),
    "ends_at": Text(zh="结束", en="until"),
    "taken_at": Text(zh="预留时间", en="put aside at"),
    "valid_until": Text(zh="有效期至", en="valid until"),
    "budget": Text(zh="为自助机预留的积分", en="points put aside for a kiosk"),
    "spent": Text(zh="其中已使用", en="of which spent"),
}


async def copy_of(context: Context, *, person: UUID) -> list[PersonPart]:
    """Orders, duties, and what was put aside at kiosks."""
    found = await run(context.session, _ORDERS, person)
    told = await out(await context.session.connection(), context.district, context.seals, found)
    orders = [{name: getattr(order, name) for name in _OF_ORDER} for order in told]
    duties, leases = [[row._asdict() for row in await run(context.session, sql, person)] for sql in (_DUTIES, _LEASES)]
    return [
        PersonPart(name="points_orders", title=Text(zh="积分订单", en="Orders"), rows=orders, labels=_LABELS),
        PersonPart(name="points_duties", title=Text(zh="值班", en="Shop duties"), rows=duties, labels=_LABELS),
        PersonPart(name="points_leases", title=Text(zh="自助机预留", en="Kiosk leases"), rows=leases, labels=_LABELS),
    ]


async def erase(context: Context, *, person: UUID) -> list[Erased]:
    """Orders hold an id and no name, and stay with the entries they explain; duties ended go, as nothing needs them."""
    count = "SELECT count(*) AS n FROM {s}.points_order WHERE student_id = $1::uuid"
    orders = (await run(context.session, count, person))[0].n
    gone = await run(context.session, "DELETE FROM {s}.points_duty WHERE person_id = $1::uuid RETURNING id", person)
    kept = Text(
        zh="订单只含编号、不含姓名；删去会使库存与账目不符",
        en="orders hold ids and no names; without them stock and books would not agree",
    )
    return [
        Erased(what=Text(zh="积分订单", en="orders"), rows=orders, kept=kept),
        Erased(what=Text(zh="书坊驿站值班", en="shop duties"), rows=len(gone)),
    ]
