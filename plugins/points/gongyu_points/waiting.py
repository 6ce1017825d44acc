"""What waits for one person in points: a gift to fetch, orders to hand out, books to close; never with a name."""

from datetime import date
from typing import Final
from uuid import UUID

from gongyu.plugin import Context, Text, ToDo
from gongyu_points.books import run
from gongyu_points.calendar import today_of

__all__ = ["to_dos"]

_MOST: Final = 50

# A seat that is taken waits for nobody; what is to be fetched has a day.
_MINE: Final = """
SELECT id, collect_by FROM {s}.points_order
 WHERE student_id = $1::uuid AND state = 'placed' AND collect_by IS NOT NULL ORDER BY collect_by, id LIMIT $2::bigint"""

# By office at the school, or on duty at this moment, as `require_till` has it.
_TO_HAND_OUT: Final = """
SELECT o.shop_id, count(*) AS orders, min(o.collect_by) AS due
  FROM {s}.points_order AS o JOIN {s}.points_shop AS s ON s.id = o.shop_id
 WHERE o.state = 'placed' AND o.collect_by IS NOT NULL
   AND (EXISTS (SELECT 1 FROM {s}.points_duty AS d
                 WHERE d.shop_id = s.id AND d.person_id = $1::uuid AND d.begins_at <= $3::timestamptz
                   AND d.ends_at > $3::timestamptz
                   AND EXISTS (SELECT 1 FROM {s}.membership AS m
                                WHERE m.org_id = s.org_id AND m.person_id = d.person_id AND m.begins_on <= $2::date
                                  AND (m.ends_on IS NULL OR m.ends_on >= $2::date)))
        OR EXISTS (SELECT 1 FROM {s}.membership AS m
                    WHERE m.org_id = s.org_id AND m.person_id = $1::uuid AND m.role = 'siteAdministrator'
                      AND m.begins_on <= $2::date AND (m.ends_on IS NULL OR m.ends_on >= $2::date)))
 GROUP BY o.shop_id ORDER BY due, o.shop_id LIMIT $4::bigint"""

# The calendar's own term that is over; or one opened by hand before the term that is on now began.
_LEFT_OPEN: Final = """
SELECT t.id, coalesce(own.ends_on, now_on.starts_on) AS due
  FROM {s}.points_term AS t
  LEFT JOIN {s}.academic_session AS own ON own.id = t.id
  LEFT JOIN LATERAL (SELECT max(a.starts_on) AS starts_on FROM {s}.academic_session AS a
                      WHERE a.type IN ('term', 'semester') AND a.starts_on <= $2::date AND a.ends_on >= $2::date
                        AND a.id <> t.id AND a.starts_on > t.opened_at::date) AS now_on ON own.id IS NULL
 WHERE t.state <> 'closed' AND (own.ends_on < $2::date OR now_on.starts_on IS NOT NULL)
   AND EXISTS (SELECT 1 FROM {s}.membership AS m
                WHERE m.person_id = $1::uuid AND m.role = 'districtAdministrator' AND m.begins_on <= $2::date
                  AND (m.ends_on IS NULL OR m.ends_on >= $2::date))"""


async def to_dos(context: Context, *, person: UUID) -> list[ToDo]:
    """A pupil's orders, each until its day; a shop's orders, as a number, for whoever hands out; the last term's books
    for the district's office.
    """
    today = today_of(context)
    return [
        *await _to_fetch(context, person),
        *await _to_hand_out(context, person, today),
        *await _to_close(context, person, today),
    ]


async def _to_fetch(context: Context, person: UUID) -> list[ToDo]:
    title = Text(zh="到书坊驿站领取订单", en="Fetch an order from the shop")
    return [
        ToDo(name="points.order", title=title, due=row.collect_by, subject=row.id, link="points/orders")
        for row in await run(context.session, _MINE, person, _MOST)
    ]


async def _to_hand_out(context: Context, person: UUID, today: date) -> list[ToDo]:
    title = Text(zh="{n} 份订单等待交付", en="{n} orders wait to be handed out")
    return [
        ToDo(
            name="points.orders_waiting",
            title=title.format(n=row.orders),
            due=row.due,
            subject=row.shop_id,
            link=f"points/shops/{row.shop_id}/orders?state=placed",
        )
        for row in await run(context.session, _TO_HAND_OUT, person, today, context.now, _MOST)
    ]


async def _to_close(context: Context, person: UUID, today: date) -> list[ToDo]:
    title = Text(zh="上学期的积分账尚未结账", en="Close the points books of the last term")
    return [
        ToDo(name="points.term_open", title=title, due=row.due, subject=row.id, link="points/terms")
        for row in await run(context.session, _LEFT_OPEN, person, today)
    ]
