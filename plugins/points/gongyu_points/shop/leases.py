"""A lease: what a kiosk may sell while the network is away. Overspending is impossible by arithmetic, not by hope.

While the network is there, the kiosk leases: of each pupil up to `lease_points` go from the purse to an account of the
lease's own, and the goods beside the kiosk are promised to it. Without the network it sells against that list and
nothing else, so that no purse can go below zero and no gift be sold twice, whatever happens elsewhere meanwhile.

Later it uploads its sales: in any order, any number of times, also after the lease has ended. Each is booked once, by
its key, up to what was put aside; the rest goes back when the kiosk says it is done, when a person withdraws the lease,
or by the daily job when the time to upload is over. What the device says is believed up to those amounts and no
further: each sale that is beyond them is refused by itself, with the reason, and changes nothing.

Not for sale at a kiosk without the network: what has a limit per pupil and term, and seats of another plugin, since
what is taken of them elsewhere cannot be known there.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.districts.schools import settings_at
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_points.books import account_id, balances, fingerprint, run
from gongyu_points.calendar import today_of
from gongyu_points.notes import sealed
from gongyu_points.shop import held
from gongyu_points.shop.held import Part, hold_of, step
from gongyu_points.shop.kiosk_schemas import MOST_PUPILS, LeaseItemOut, LeaseOut, LeasePupilOut, NewLease, WantedItem

__all__ = ["expire", "find", "goods_of", "purses_of", "settle", "show", "take"]

_PUPILS: Final = """
SELECT DISTINCT m.person_id AS id FROM {s}.membership AS m
  JOIN {s}.points_account AS a ON a.owner_id = m.person_id AND a.kind = 'purse' AND a.posted > 0
 WHERE m.org_id = $1::uuid AND m.role = 'student' AND m.begins_on <= $2::date
   AND (m.ends_on IS NULL OR m.ends_on >= $2::date)
   AND (m.person_id = ANY ($3::uuid[]) OR cardinality($3::uuid[]) + cardinality($4::uuid[]) = 0
        OR EXISTS (SELECT 1 FROM {s}.enrolment AS e
                    WHERE e.class_id = ANY ($4::uuid[]) AND e.person_id = m.person_id AND e.role = 'student'
                      AND e.begins_on <= $2::date AND (e.ends_on IS NULL OR e.ends_on >= $2::date)))
 ORDER BY m.person_id LIMIT $5::bigint"""

_ITEMS: Final = """
SELECT id, title, price, limited, active AND term_limit IS NULL AND slot IS NULL AS fit FROM {s}.points_item
 WHERE shop_id = $1::uuid AND id = ANY ($2::uuid[])"""

_INSERT: Final = """
INSERT INTO {s}.points_lease (id, kiosk_id, shop_id, term_id, taken_by, taken_at, valid_until, kept_until, fingerprint,
                              signature)
SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6::timestamptz, $7::timestamptz, $8::timestamptz, $9::bytea,
       $10::bytea"""

_INSERT_PUPILS: Final = """
INSERT INTO {s}.points_lease_pupil (lease_id, student_id, budget)
SELECT $1::uuid, p.id, p.points FROM unnest($2::uuid[], $3::bigint[]) AS p(id, points)"""

_INSERT_ITEMS: Final = """
INSERT INTO {s}.points_lease_item (lease_id, item_id, title, price, quantity)
SELECT $1::uuid, i.id, i.title, i.price, i.quantity
  FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[]) AS i(id, title, price, quantity)"""

_GOODS: Final = """
INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved, lease_id, by)
SELECT gen_random_uuid(), i.item_id, $2::text, 0, $3::bigint * (i.quantity - i.sold), i.lease_id, $4::uuid
  FROM {s}.points_lease_item AS i WHERE i.lease_id = ANY ($1::uuid[]) AND i.quantity > i.sold
 ORDER BY i.item_id, i.lease_id"""

_FIND: Final = """
SELECT l.id, l.kiosk_id, l.shop_id, l.term_id, s.org_id, l.taken_by, l.taken_at, l.valid_until, l.kept_until,
       l.fingerprint, l.signature, l.state
  FROM {s}.points_lease AS l JOIN {s}.points_shop AS s ON s.id = l.shop_id WHERE l.id = $1::uuid"""

_OF_PUPILS: Final = """
SELECT l.lease_id, l.student_id, coalesce(p.name, '') AS name, l.budget, l.spent FROM {s}.points_lease_pupil AS l
  LEFT JOIN {s}.person AS p ON p.id = l.student_id
 WHERE l.lease_id = ANY ($1::uuid[]) ORDER BY l.lease_id, l.student_id"""

_OF_ITEMS: Final = """
SELECT lease_id, item_id, title, price, quantity, sold FROM {s}.points_lease_item
 WHERE lease_id = ANY ($1::uuid[]) ORDER BY item_id"""

_END: Final = """
UPDATE {s}.points_lease SET state = $2::text, ended_at = now() WHERE id = ANY ($1::uuid[]) AND state = 'open'
RETURNING id"""

# Whole leases, the oldest first, until enough pupils are together for one unit of work.
_LAPSED: Final = """
SELECT id FROM (SELECT l.id, l.kept_until, sum(n.pupils) OVER (ORDER BY l.kept_until, l.id) - n.pupils AS before
                  FROM {s}.points_lease AS l
                  JOIN (SELECT lease_id, count(*) AS pupils FROM {s}.points_lease_pupil GROUP BY lease_id) AS n
                    ON n.lease_id = l.id
                 WHERE l.state = 'open' AND l.kept_until < $1::timestamptz) AS lapsed
 WHERE before < $2::bigint ORDER BY kept_until, id"""


async def take(context: Context, *, kiosk: Any, new: NewLease, by: UUID) -> LeaseOut:  # noqa: ANN401 - a row
    """Put points and goods aside for a kiosk.

    Args:
        context: Its session holds no other command of the books.
        kiosk: Which, as `require_kiosk` found it.
        new: What and for whom.
        by: Who asks.

    Raises:
        ProblemError: `invalid` with every item that cannot be leased; `conflict` when a lease is open, when nobody has
            points, when goods are not there, or for more pupils than a lease takes.
    """
    session, mark = context.session, fingerprint(by, [kiosk.id, new])
    if known := await _known(context, new.id, kiosk.id, mark):
        return known
    if not kiosk.active or kiosk.state != "open":
        raise ProblemError("conflict", Text(zh="书坊驿站或自助机已停用", en="the shop or the kiosk is closed"))
    items = await _wanted(context, kiosk.shop_id, new.items)
    settings = await settings_at(context, [kiosk.org_id])
    term, today = await held.term_kept_open(session), today_of(context)
    found = await run(session, _PUPILS, kiosk.org_id, today, list(new.students), list(new.classes), MOST_PUPILS + 1)
    purses = {account_id("purse", owner=row.id): row.id for row in found}
    if len(purses) > MOST_PUPILS:
        text = Text(zh="一次最多 {n} 名学生，请指定班级", en="a lease takes {n} pupils at most: name classes")
        raise ProblemError("conflict", text.format(n=MOST_PUPILS))
    await held.accounts(session, hold=new.id, students=[], shop=kiosk.shop_id)
    await held.lock(session, [hold_of(new.id), *purses, *(one.item for one in items)])
    if known := await _known(context, new.id, kiosk.id, mark):  # the same request, sent twice at once
        return known
    there = await balances(session, list(purses))
    budgets = {purses[purse]: min(points, settings.lease_points) for purse, points in there.items() if points > 0}
    if not budgets:
        raise ProblemError("conflict", Text(zh="这些学生都没有可用积分", en="none of these pupils has points"))
    valid_until = context.now + timedelta(hours=settings.lease_hours)
    kept_until = valid_until + timedelta(hours=settings.lease_kept_hours)
    listed = [
        str(new.id),
        valid_until,
        sorted(budgets.items()),
        sorted((one.item, one.price, one.quantity) for one in items),
    ]
    seal = context.seals.hashed(msgspec.json.encode(listed).decode(), purpose="points.lease")
    await held.tried(
        session, _INSERT, new.id, kiosk.id, kiosk.shop_id, term, by, context.now, valid_until, kept_until, mark, seal
    )
    await run(session, _INSERT_PUPILS, new.id, list(budgets), list(budgets.values()))
    columns = [[getattr(one, name) for one in items] for name in ("item", "title", "price", "quantity")]
    await run(session, _INSERT_ITEMS, new.id, *columns)
    await held.tried(session, _GOODS, [new.id], "reserve", 1, by)
    parts = [
        Part(new.id, step(new.id, f"hold:{student}"), student, kiosk.shop_id, points)
        for student, points in budgets.items()
    ]
    await held.move(
        session, "hold", parts, term=term, day=today, by=by, note=sealed(context.seals, parts[0].entry, kiosk.name)
    )
    return await show(context, (await run(session, _FIND, new.id))[0])


async def _known(context: Context, lease: UUID, kiosk: UUID, mark: bytes) -> LeaseOut | None:
    """The lease with this key, if there is one and it is the same request for the same kiosk."""
    rows = await run(context.session, _FIND, lease)
    if not rows:
        return None
    if rows[0].fingerprint != mark:
        raise ProblemError("idempotency-mismatch" if rows[0].kiosk_id == kiosk else "not-found")
    return await show(context, rows[0])


async def _wanted(context: Context, shop: UUID, wanted: Sequence[WantedItem]) -> list[LeaseItemOut]:
    """Each item with the price of now, or why it cannot be sold without the network."""
    rows = await run(context.session, _ITEMS, shop, [one.item for one in wanted])
    known, wrong, items = {row.id: row for row in rows}, [], {}
    for number, one in enumerate(wanted):
        row = known.get(one.item)
        if row is None or not row.fit:
            text = Text(
                zh="不在本店在售，或有限购、场次，不能离线出售",
                en="not offered in this shop, or has a limit or seats that cannot be kept without the network",
            )
            wrong.append((f"/items/{number}/item", text))
        elif one.item in items or row.limited != (one.quantity is not None):
            text = Text(zh="计库存的礼品须写明数量，且每种一次", en="how many, where stock is counted; each item once")
            wrong.append((f"/items/{number}/quantity", text))
        else:
            items[one.item] = LeaseItemOut(one.item, row.title, row.price, one.quantity, 0)
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    return list(items.values())


async def find(context: Context, lease: UUID) -> Any:  # noqa: ANN401 - a row
    """A lease, whoever asks.

    Raises:
        ProblemError: `not-found`.
    """
    rows = await run(context.session, _FIND, lease)
    if not rows:
        raise ProblemError("not-found")
    return rows[0]


async def show(context: Context, row: Any) -> LeaseOut:  # noqa: ANN401 - a row
    """All that the kiosk needs to sell without the network."""
    pupils = await run(context.session, _OF_PUPILS, [row.id])
    items = await run(context.session, _OF_ITEMS, [row.id])
    return LeaseOut(
        id=row.id,
        kiosk=row.kiosk_id,
        shop=row.shop_id,
        state=row.state,
        now=context.now,
        taken_at=row.taken_at,
        valid_until=row.valid_until,
        kept_until=row.kept_until,
        signature=row.signature.hex(),
        pupils=[LeasePupilOut(one.student_id, one.name, one.budget, one.spent) for one in pupils],
        items=[LeaseItemOut(one.item_id, one.title, one.price, one.quantity, one.sold) for one in items],
    )


async def settle(
    session: AsyncSession,
    leases: Sequence[UUID],
    state: Literal["settled", "expired", "withdrawn"],
    *,
    by: UUID | None,
    day: date,
) -> int:
    """End leases: what was not spent goes back to the purses, what was not sold is free again. Of any number, once."""
    term = await held.term_kept_open(session)
    await held.lock(session, {*await purses_of(session, leases), *await goods_of(session, leases)})
    ended = [row.id for row in await run(session, _END, list(leases), state)]
    if not ended:
        return 0
    await held.tried(session, _GOODS, ended, "release", -1, by)
    parts = [
        Part(
            one.lease_id,
            step(one.lease_id, f"release:{one.student_id}"),
            one.student_id,
            one.lease_id,
            one.budget - one.spent,
        )
        for one in await run(session, _OF_PUPILS, ended)
        if one.budget > one.spent
    ]
    if parts:
        await held.move(session, "release", parts, term=term, day=day, by=by)
    return len(ended)


async def goods_of(session: AsyncSession, leases: Sequence[UUID]) -> set[UUID]:
    """What selling moves: the leases' own accounts, and the items in them, which never change."""
    items = await run(session, _OF_ITEMS, list(leases))
    return {*map(hold_of, leases), *(one.item_id for one in items)}


async def purses_of(session: AsyncSession, leases: Sequence[UUID]) -> set[UUID]:
    """Where the rest goes back to: who is in a lease never changes."""
    pupils = await run(session, _OF_PUPILS, list(leases))
    return {account_id("purse", owner=one.student_id) for one in pupils}


async def expire(context: Context) -> bool:
    """Leases whose sales can no longer be uploaded go back, as many as one unit of work bears.

    Returns:
        Whether there are more.
    """
    session = context.session
    lapsed = [row.id for row in await run(session, _LAPSED, context.now, MOST_PUPILS)]
    if not lapsed or not await settle(session, lapsed, "expired", by=None, day=today_of(context)):
        return False
    return bool(await run(session, _LAPSED, context.now, 1))
