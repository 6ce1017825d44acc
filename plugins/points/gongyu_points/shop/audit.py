"""The shop's part of the auditor's page: stock and holds added up again from movements and entries.

As in `gongyu_points.audit`, every figure must be zero, and no sum kept beside the rows is trusted.
"""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.plugin import District
from gongyu.text import Text
from gongyu_points.books import read

__all__ = ["WORDS", "figures"]

# One statement, so one snapshot.
_AUDIT: Final = """
WITH moved AS MATERIALIZED (
  SELECT item_id, sum(on_hand)::bigint AS on_hand, sum(reserved)::bigint AS reserved
    FROM {s}.points_stock_move GROUP BY item_id
), leased AS MATERIALIZED (
  SELECT lease_id, item_id, sum(points)::bigint AS points, sum(quantity)::bigint AS sold
    FROM {s}.points_order WHERE lease_id IS NOT NULL GROUP BY lease_id, item_id
), promised AS MATERIALIZED (
  SELECT item_id, sum(quantity)::bigint AS quantity FROM (
    SELECT o.item_id, o.quantity FROM {s}.points_order AS o WHERE o.state = 'placed'
    UNION ALL
    SELECT i.item_id, i.quantity - coalesce(x.sold, 0) FROM {s}.points_lease_item AS i
      JOIN {s}.points_lease AS l ON l.id = i.lease_id AND l.state = 'open'
      LEFT JOIN leased AS x ON x.lease_id = i.lease_id AND x.item_id = i.item_id
     WHERE i.quantity IS NOT NULL) AS one GROUP BY item_id
), held AS MATERIALIZED (
  SELECT a.owner_id, coalesce(sum(e.points), 0)::bigint AS points FROM {s}.points_account AS a
    LEFT JOIN (SELECT credit AS account, points FROM {s}.points_entry WHERE credit_kind = 'hold'
               UNION ALL SELECT debit, -points FROM {s}.points_entry WHERE debit_kind = 'hold') AS e ON e.account = a.id
   WHERE a.kind = 'hold' GROUP BY a.owner_id
), owed AS MATERIALIZED (
  SELECT id AS owner_id, CASE state WHEN 'placed' THEN points ELSE 0 END AS points FROM {s}.points_order
   WHERE lease_id IS NULL
  UNION ALL
  SELECT l.id, CASE l.state WHEN 'open' THEN
           (SELECT coalesce(sum(p.budget), 0)::bigint FROM {s}.points_lease_pupil AS p WHERE p.lease_id = l.id)
           - (SELECT coalesce(sum(x.points), 0)::bigint FROM leased AS x WHERE x.lease_id = l.id) ELSE 0 END
    FROM {s}.points_lease AS l
), paid AS MATERIALIZED (
  SELECT c.credit, c.points, back.id IS NOT NULL AS returned FROM {s}.points_entry AS c
    LEFT JOIN {s}.points_entry AS back ON back.reverses = c.id WHERE c.kind = 'capture'
), taken AS MATERIALIZED (
  SELECT item_id, student_id, term_id, sum(quantity)::bigint AS quantity FROM {s}.points_order
   WHERE state IN ('placed', 'collected') GROUP BY item_id, student_id, term_id
)
SELECT
  (SELECT count(*) FROM {s}.points_stock AS k LEFT JOIN moved AS m ON m.item_id = k.item_id
    WHERE k.on_hand <> coalesce(m.on_hand, 0) OR k.reserved <> coalesce(m.reserved, 0)) AS stock,
  (SELECT count(*) FROM moved WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand) AS oversold,
  (SELECT count(*) FROM {s}.points_stock AS k LEFT JOIN moved AS m ON m.item_id = k.item_id
     LEFT JOIN promised AS p ON p.item_id = k.item_id
    WHERE coalesce(m.reserved, 0) <> coalesce(p.quantity, 0)) AS promises,
  (SELECT count(*) FROM {s}.points_stock_count AS c
     LEFT JOIN {s}.points_stock_move AS m ON m.count_id = c.id AND m.item_id = c.item_id
    WHERE coalesce(m.on_hand, 0) <> c.counted - c.expected) AS counts,
  (SELECT count(*) FROM held FULL JOIN owed ON owed.owner_id = held.owner_id
    WHERE coalesce(held.points, 0) <> coalesce(owed.points, 0)) AS holds,
  (SELECT abs((SELECT coalesce(sum(points), 0) FROM {s}.points_order WHERE state = 'collected')
            - (SELECT coalesce(sum(points), 0) FROM paid WHERE NOT returned)))::bigint AS sales,
  (SELECT abs((SELECT count(*) FROM {s}.points_order WHERE state IN ('collected', 'returned'))
            - (SELECT count(*) FROM paid))) AS captures,
  (SELECT count(*) FROM taken FULL JOIN {s}.points_item_taken AS t USING (item_id, student_id, term_id)
    WHERE coalesce(taken.quantity, 0) <> coalesce(t.taken, 0)) AS limits"""

WORDS: Final = {
    "stock": Text(zh="库存与进出记录不符的礼品", en="items whose stock is not what their movements add up to"),
    "oversold": Text(zh="超卖的礼品", en="oversold items"),
    "promises": Text(zh="预留与订单、离线额度不符的礼品", en="items promised otherwise than orders and leases say"),
    "counts": Text(zh="盘点与更正不符", en="counts that were not put right by their difference"),
    "holds": Text(zh="预扣 ≠ 未领取订单 + 离线额度", en="holds that are not what open orders and leases add up to"),
    "sales": Text(zh="已领取订单与入账相差的积分", en="points by which collected orders differ from what was paid"),
    "captures": Text(zh="已领取订单与入账相差的笔数", en="orders by which collected and paid differ"),
    "limits": Text(zh="限购计数与订单不符", en="counters of per-term limits that are not what orders add up to"),
}


async def figures(connection: AsyncConnection, district: District) -> dict[str, int]:
    """By the names of `WORDS`."""
    row: Any = (await read(connection, district, _AUDIT))[0]
    return {name: int(getattr(row, name)) for name in WORDS}
