"""Orders and stock as a workbook, for those who count and reorder."""

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.plugin import District, Text
from gongyu.printing import workbook
from gongyu.text import Language
from gongyu_points.books import read
from gongyu_points.shop.order_lists import COLUMNS, out

__all__ = ["orders", "stock"]

_ORDERS: Final = COLUMNS + " WHERE o.shop_id = $1::uuid ORDER BY o.seq DESC LIMIT 50000"

_STOCK: Final = """
SELECT i.id, i.kind, i.title, i.price, i.active, k.on_hand, k.reserved, k.on_hand - k.reserved AS left_over,
       coalesce(sum(m.on_hand) FILTER (WHERE m.kind = 'delivery'), 0)::bigint AS delivered,
       coalesce(-sum(m.on_hand) FILTER (WHERE m.kind = 'sold'), 0)::bigint AS sold,
       coalesce(sum(m.on_hand) FILTER (WHERE m.kind = 'returned'), 0)::bigint AS returned,
       coalesce(-sum(m.on_hand) FILTER (WHERE m.kind = 'loss'), 0)::bigint AS lost,
       coalesce(sum(m.on_hand) FILTER (WHERE m.kind = 'correction'), 0)::bigint AS corrected
  FROM {s}.points_item AS i
  LEFT JOIN {s}.points_stock AS k ON k.item_id = i.id
  LEFT JOIN {s}.points_stock_move AS m ON m.item_id = i.id
 WHERE i.shop_id = $1::uuid GROUP BY i.id, k.item_id ORDER BY i.title, i.id"""

_KINDS: Final = {
    "good": Text(zh="礼品", en="good"),
    "privilege": Text(zh="特权", en="privilege"),
    "event": Text(zh="活动", en="event"),
}
_STATES: Final = {
    "placed": Text(zh="待领取", en="placed"),
    "collected": Text(zh="已领取", en="collected"),
    "cancelled": Text(zh="已取消", en="cancelled"),
    "expired": Text(zh="已过期", en="expired"),
    "returned": Text(zh="已退货", en="returned"),
}
_CHANNELS: Final = {
    "online": Text(zh="网上", en="online"),
    "till": Text(zh="柜台", en="till"),
    "kiosk": Text(zh="自助机", en="kiosk"),
}
_ORDER_HEAD: Final = (
    Text(zh="下单时间", en="Ordered"),
    Text(zh="学生", en="Pupil"),
    Text(zh="礼品", en="Item"),
    Text(zh="数量", en="Quantity"),
    Text(zh="单价", en="Price"),
    Text(zh="积分", en="Points"),
    Text(zh="途径", en="Where"),
    Text(zh="状态", en="State"),
    Text(zh="领取期限", en="Collect by"),
    Text(zh="办结时间", en="Closed"),
    Text(zh="心愿", en="Wish"),
    Text(zh="说明", en="Reason"),
    Text(zh="订单号", en="Order"),
)
_STOCK_HEAD: Final = (
    Text(zh="种类", en="Kind"),
    Text(zh="礼品", en="Item"),
    Text(zh="单价", en="Price"),
    Text(zh="在售", en="Offered"),
    Text(zh="现存", en="On hand"),
    Text(zh="预留", en="Promised"),
    Text(zh="可售", en="Left"),
    Text(zh="入库", en="Delivered"),
    Text(zh="售出", en="Sold"),
    Text(zh="退回", en="Returned"),
    Text(zh="损耗", en="Lost"),
    Text(zh="盘点更正", en="Corrected"),
    Text(zh="编号", en="Id"),
)
_YES, _NO = Text(zh="是", en="yes"), Text(zh="否", en="no")


async def orders(
    connection: AsyncConnection, district: District, seals: Seals, *, shop: UUID, language: Language
) -> bytes:
    """The orders of a shop, newest first."""
    zone = ZoneInfo(district.timezone)

    def local(moment: datetime | None) -> datetime | None:
        return moment and moment.astimezone(zone).replace(tzinfo=None)  # Excel knows no zones

    lines = [
        (
            local(row.placed_at),
            row.name,
            row.title,
            row.quantity,
            row.price,
            row.points,
            _CHANNELS[row.channel].pick(language),
            _STATES[row.state].pick(language),
            row.collect_by,
            local(row.closed_at),
            row.wish,
            row.reason,
            str(row.id),
        )
        for row in await out(connection, district, seals, await read(connection, district, _ORDERS, shop))
    ]
    table = workbook.Table(Text(zh="订单", en="Orders").pick(language), _ORDER_HEAD, lines)
    return await asyncio.to_thread(workbook.render, table)


async def stock(connection: AsyncConnection, district: District, *, shop: UUID, language: Language) -> bytes:
    """What is there of every item, and how it came to that."""
    lines = [
        (
            _KINDS[row.kind].pick(language),
            row.title,
            row.price,
            (_YES if row.active else _NO).pick(language),
            row.on_hand,
            row.reserved,
            row.left_over,
            row.delivered,
            row.sold,
            row.returned,
            row.lost,
            row.corrected,
            str(row.id),
        )
        for row in await read(connection, district, _STOCK, shop)
    ]
    table = workbook.Table(Text(zh="库存", en="Stock").pick(language), _STOCK_HEAD, lines)
    return await asyncio.to_thread(workbook.render, table)
