"""Orders: points on hold and goods put aside in one step; then handed out, or everything goes back.

    place ──> placed ──collect──> collected ──give_back──> returned
                 └──cancel, expire──> cancelled, expired

A seat at an event is paid when the event has taken place, whether anybody handed a ticket out or not.

A sale at the till is `place` and `collect` in one unit of work.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.districts.schools import settings_at
from gongyu.plugin import Context, District, Text
from gongyu.web import ProblemError
from gongyu_points.books import account_id, fingerprint, read, run
from gongyu_points.calendar import today_of
from gongyu_points.notes import sealed
from gongyu_points.shop import held, seats, till_codes
from gongyu_points.shop.held import Part, hold_of, shop_of, step
from gongyu_points.shop.items import require_item
from gongyu_points.shop.order_lists import COLUMNS, out, worded
from gongyu_points.shop.schemas import NewOrder, NewSale, OrderOut

__all__ = [
    "BATCH",
    "cancel",
    "collect",
    "expire",
    "find",
    "found",
    "give_back",
    "known",
    "let_go",
    "pay",
    "pay_held",
    "place",
    "sell",
]

#: Orders that one unit of work lets go of: each locks two accounts and an item.
BATCH: Final = 500

_INSERT: Final = """
INSERT INTO {s}.points_order (id, shop_id, item_id, title, student_id, term_id, quantity, price, points, channel, slot,
                              placed_by, collect_by, fingerprint)
SELECT $1::uuid, $2::uuid, i.id, i.title, $3::uuid, $4::uuid, $5::bigint, i.price, i.price * $5::bigint, $6::text,
       i.slot, $7::uuid, $8::date, $9::bytea
  FROM {s}.points_item AS i WHERE i.id = $10::uuid AND i.active AND i.price = $11::bigint
ON CONFLICT (id) DO NOTHING RETURNING title"""

_MOVE: Final = """
INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved, order_id, by)
SELECT gen_random_uuid(), o.item_id, $2::text, $3::bigint * o.quantity, $4::bigint * o.quantity, o.id, $5::uuid
  FROM {s}.points_order AS o JOIN {s}.points_stock AS k ON k.item_id = o.item_id
 WHERE o.id = ANY ($1::uuid[]) ORDER BY o.item_id, o.id"""
#: What a step means for the goods: what is there, and what is promised.
_GOODS: Final = {"reserve": (0, 1), "release": (0, -1), "sold": (-1, -1), "returned": (1, 0)}

_CLOSE: Final = """
UPDATE {s}.points_order SET state = $2::text, closed_by = $3::uuid, closed_at = now()
 WHERE id = ANY ($1::uuid[]) AND state = $4::text RETURNING id"""

_FIND: Final = COLUMNS + " WHERE o.id = ANY ($1::uuid[])"

_HELD: Final = """
SELECT o.id FROM {s}.points_order AS o JOIN {s}.points_item AS i ON i.id = o.item_id
 WHERE o.state = 'placed' AND i.held_at <= $1::timestamptz ORDER BY i.held_at, o.id LIMIT $2::bigint"""

_LAPSED: Final = """
SELECT id FROM {s}.points_order WHERE state = 'placed' AND collect_by < $1::date
 ORDER BY collect_by, id LIMIT $2::bigint"""


async def place(context: Context, *, new: NewOrder, student: UUID, orgs: frozenset[UUID] | None) -> OrderOut:
    """A pupil orders at their own school's shop.

    Args:
        context: Its session holds no other command of the books.
        new: What, and how many.
        student: Who orders and pays.
        orgs: Where they may.

    Raises:
        ProblemError: `conflict` when the points, the goods or the seats are not there, the limit is reached, the price
            has changed, the event has begun, the shop is closed or no term is open; `invalid` for a wish with what is
            no privilege.
    """
    return await _put(context, new, student=student, by=student, channel="online", orgs=orgs, wish=new.wish)


async def sell(context: Context, *, new: NewSale, shop: UUID, by: UUID, on_duty: bool = False) -> OrderOut:
    """Over the counter: ordered and handed out at once, or not at all.

    Args:
        context: As for `place`.
        new: To whom, what, how many.
        shop: Where; the item must be this shop's.
        by: Who stands at the till. That they may is the caller's to say, and that the pupil is of this school.
        on_duty: They are there for a while and not by office: then the buyer must be another, and show their code.

    Raises:
        ProblemError: As `place`; `code-refused` for a code that is not the buyer's.
    """
    if on_duty and new.student == by:
        raise ProblemError(
            "forbidden", Text(zh="值班时不能卖给自己", en="whoever is on duty does not sell to themselves")
        )
    if on_duty and new.code is None:
        text = Text(zh="请买方出示付款码", en="the buyer's code is needed")
        raise ProblemError("invalid", errors=[("/code", text)])
    code = new.code if on_duty else None
    return await _put(context, new, student=new.student, by=by, channel="till", orgs=None, shop=shop, code=code)


async def _put(
    context: Context,
    new: NewOrder | NewSale,
    *,
    student: UUID,
    by: UUID,
    channel: Literal["online", "till"],
    orgs: frozenset[UUID] | None,
    shop: UUID | None = None,
    wish: str = "",
    code: str | None = None,
) -> OrderOut:
    session, mark = context.session, fingerprint(by, new)
    if before := await _known(context, new.id, by, mark):
        return before
    item = await _offered(context, new, channel=channel, orgs=orgs, shop=shop, wish=wish)
    term, today = await held.term_kept_open(session), today_of(context)
    await held.accounts(session, hold=new.id, students=[student], shop=item.shop_id)
    # The shop's account, which everybody pays into, is locked only where it is paid into now.
    mine = [account_id("purse", owner=student), hold_of(new.id), new.item]
    await held.lock(session, mine if channel == "online" else [*mine, shop_of(item.shop_id)])
    if code is not None:
        if before := await _known(context, new.id, by, mark):  # sent twice at once: the code has served already
            return before
        await till_codes.require(context, student=student, code=code)
    wait = timedelta(days=(await settings_at(context, [item.org_id])).collect_days)
    made = await held.tried(
        session,
        _INSERT,
        new.id,
        item.shop_id,
        student,
        term,
        new.quantity,
        channel,
        by,
        today + wait if channel == "online" and item.kind != "event" else None,
        mark,
        new.item,
        item.price,
    )
    if not made:  # the same request, sent twice at once; or somebody changed the item between two lines of ours
        if before := await _known(context, new.id, by, mark):
            return before
        raise ProblemError("conflict", Text(zh="价格已变动，请重新查看", en="the price has changed; look again"))
    await _move_goods(session, [new.id], "reserve", by)
    if item.slot is not None:
        await seats.take(context, order=new.id, slot=item.slot, student=student, seats=new.quantity)
    part = Part(new.id, step(new.id, "hold"), student, item.shop_id, item.price * new.quantity)
    note = sealed(context.seals, part.entry, worded(made[0].title, wish))
    await held.move(session, "hold", [part], term=term, day=today, by=by, note=note)
    if channel == "till":
        await hand_out(session, [await find(session, new.id)], term=term, day=today, by=by)
    return await _out(context, new.id)


async def _offered(
    context: Context,
    new: NewOrder | NewSale,
    *,
    channel: str,
    orgs: frozenset[UUID] | None,
    shop: UUID | None,
    wish: str,
) -> Any:  # noqa: ANN401 - a row
    """The item, if it can be had now as it was asked for."""
    item = await require_item(context, new.item, orgs=orgs)
    if shop not in (None, item.shop_id):
        raise ProblemError("not-found")
    if item.state != "open" or not item.active:
        raise ProblemError(
            "conflict", Text(zh="书坊驿站未营业，或已下架", en="the shop is closed, or the item retired")
        )
    if channel == "online" and item.held_at is not None and item.held_at <= context.now:
        raise ProblemError("conflict", Text(zh="活动已经开始", en="the event has begun"))
    if wish and item.kind != "privilege":
        text = Text(zh="只有特权可以附上心愿", en="a wish goes with a privilege only")
        raise ProblemError("invalid", errors=[("/wish", text)])
    if new.points not in (None, item.price * new.quantity):
        raise ProblemError("conflict", Text(zh="价格已变动，请重新查看", en="the price has changed; look again"))
    return item


async def _known(context: Context, order: UUID, by: UUID, mark: bytes) -> OrderOut | None:
    """The order with this key, if there is one and it is the same request by the same person."""
    rows = await run(context.session, _FIND, [order])
    if not rows:
        return None
    if rows[0].placed_by != by:
        raise ProblemError("not-found")
    if rows[0].fingerprint != mark:
        raise ProblemError("idempotency-mismatch")
    return await _out(context, order)


async def _out(context: Context, order: UUID) -> OrderOut:
    rows = await run(context.session, _FIND, [order])
    return (await out(await context.session.connection(), context.district, context.seals, rows))[0]


async def collect(context: Context, *, order: UUID, by: UUID) -> OrderOut:
    """Hand an order out: the points on hold become the shop's.

    Raises:
        ProblemError: `conflict` when it is not waiting to be collected.
    """
    session, row = context.session, await find(context.session, order)
    term = await held.term_kept_open(session)
    await held.lock(session, [hold_of(order), shop_of(row.shop_id), row.item_id])
    if not await hand_out(session, [row], term=term, day=today_of(context), by=by):
        raise _not_so(await find(session, order))
    return await _out(context, order)


async def hand_out(session: AsyncSession, rows: Sequence[Any], *, term: UUID, day: date, by: UUID | None) -> int:
    """Of these orders, hand out those that wait for it; their accounts and items are locked."""
    mine = await _close(session, rows, "collected", by=by)
    if mine:
        await _move_goods(session, [row.id for row in mine], "sold", by)
        parts = [Part(row.id, step(row.id, "capture"), row.student_id, row.shop_id, row.points) for row in mine]
        await held.move(session, "capture", parts, term=term, day=day, by=by)
    return len(mine)


async def cancel(context: Context, *, order: UUID, by: UUID, reason: str = "") -> OrderOut:
    """Give an order up: the points go back to the purse, the goods to the shelf, the seats to their plugin.

    Raises:
        ProblemError: `conflict` when it is not waiting to be collected, or when the pupil gives up a seat at an event
            that has begun.
    """
    row = await find(context.session, order)
    note = sealed(context.seals, step(order, "release"), reason)
    if not await _release(context, [row], "cancelled", by=by, note=note):
        raise _not_so(await find(context.session, order))
    return await _out(context, order)


async def _release(
    context: Context,
    rows: Sequence[Any],
    state: Literal["cancelled", "expired"],
    *,
    by: UUID | None,
    note: bytes | None = None,
) -> int:
    """Of these orders, let go of those that wait to be collected."""
    session = context.session
    done = await let_go(session, rows, state, by=by, note=note, day=today_of(context))
    for row in done:
        if row.slot is not None:
            await seats.give_back(context, order=row.id, slot=row.slot)
    return len(done)


async def let_go(
    session: AsyncSession,
    rows: Sequence[Any],
    state: str,
    *,
    by: UUID | None,
    day: date,
    note: bytes | None = None,
) -> list[Any]:
    """The same without seats of another plugin: who calls it sees to those. A note is of a single order's release."""
    term = await held.term_kept_open(session)
    ids = {one for row in rows for one in (hold_of(row.id), account_id("purse", owner=row.student_id), row.item_id)}
    await held.lock(session, ids)
    mine = await _close(session, rows, state, by=by)
    if mine:
        await _move_goods(session, [row.id for row in mine], "release", by)
        parts = [Part(row.id, step(row.id, "release"), row.student_id, row.shop_id, row.points) for row in mine]
        await held.move(session, "release", parts, term=term, day=day, by=by, note=note)
    return mine


async def give_back(context: Context, *, order: UUID, by: UUID, reason: str) -> OrderOut:
    """A gift comes back: the capture is mirrored, the points go on to the purse and the goods to the shelf. Once.

    Raises:
        ProblemError: `conflict` when it was not handed out, came back before, or was bought in a term that is over.
    """
    session, row = context.session, await find(context.session, order)
    term, today, subject = await held.term_kept_open(session), today_of(context), row.lease_id or order
    purse = account_id("purse", owner=row.student_id)
    await held.lock(session, [hold_of(subject), shop_of(row.shop_id), purse, row.item_id])
    if not await _close(session, [row], "returned", by=by, was="collected"):
        raise _not_so(await find(session, order))
    await _move_goods(session, [order], "returned", by)
    if row.slot is not None:
        await seats.give_back(context, order=order, slot=row.slot)
    back = Part(
        subject, step(order, "return"), row.student_id, row.shop_id, row.points, reverses=step(order, "capture")
    )
    await held.move(session, "reverse", [back], term=term, day=today, by=by)
    rest = Part(subject, step(order, "refund"), row.student_id, row.shop_id, row.points)
    note = sealed(context.seals, rest.entry, reason)
    await held.move(session, "release", [rest], term=term, day=today, by=by, note=note)
    return await _out(context, order)


async def expire(context: Context) -> bool:
    """What nobody came for goes back, as much of it as one unit of work bears.

    Returns:
        Whether there may be more.
    """
    rows = await run(context.session, _LAPSED, today_of(context), BATCH)
    lapsed = await found(context.session, [row.id for row in rows])
    return bool(lapsed) and await _release(context, lapsed, "expired", by=None) > 0 and len(rows) == BATCH


async def pay_held(context: Context) -> bool:
    """Seats at events that have taken place are paid, as many of them as one unit of work bears.

    Returns:
        Whether there may be more.
    """
    rows = await run(context.session, _HELD, context.now, BATCH)
    seats_taken = await found(context.session, [row.id for row in rows])
    paid = bool(seats_taken) and await pay(context.session, seats_taken, day=today_of(context)) > 0
    return paid and len(rows) == BATCH


async def pay(session: AsyncSession, rows: Sequence[Any], *, day: date) -> int:
    """Of these orders, those that wait are paid without anybody handing out: a seat at an event has been taken."""
    term = await held.term_kept_open(session)
    await held.lock(session, {one for row in rows for one in (hold_of(row.id), shop_of(row.shop_id), row.item_id)})
    return await hand_out(session, rows, term=term, day=day, by=None)


async def find(session: AsyncSession, order: UUID) -> Any:  # noqa: ANN401 - a row
    """An order.

    Raises:
        ProblemError: `not-found`.
    """
    if not (rows := await found(session, [order])):
        raise ProblemError("not-found")
    return rows[0]


async def known(connection: AsyncConnection, district: District, order: UUID) -> bool:
    """Whether there is an order with this key already."""
    return bool(await read(connection, district, "SELECT 1 FROM {s}.points_order WHERE id = $1::uuid", order))


async def found(session: AsyncSession, orders: Sequence[UUID]) -> list[Any]:
    return list(await run(session, _FIND, list(orders)))


async def _close(
    session: AsyncSession, rows: Sequence[Any], state: str, *, by: UUID | None, was: str = "placed"
) -> list[Any]:
    """Compare and swap: those of them that were in the state the writer saw."""
    changed = await held.tried(session, _CLOSE, [row.id for row in rows], state, by, was)
    ids = {row.id for row in changed}
    return [row for row in rows if row.id in ids]


async def _move_goods(session: AsyncSession, orders: Sequence[UUID], kind: str, by: UUID | None) -> None:
    """Nothing to do for what is not counted."""
    there, promised = _GOODS[kind]
    await held.tried(session, _MOVE, list(orders), kind, there, promised, by)


_STATE_WORDS: Final = {
    "placed": Text(zh="还没有领取", en="it has not been collected"),
    "collected": Text(zh="已经领取", en="it has been collected already"),
    "cancelled": Text(zh="已经取消", en="it has been cancelled"),
    "expired": Text(zh="已经过期", en="it has expired"),
    "returned": Text(zh="已经退货", en="it has been returned already"),
}


def _not_so(row: Any) -> ProblemError:  # noqa: ANN401 - a row
    return ProblemError(
        "conflict", Text(zh="订单{state}", en="the order: {state}").format(state=_STATE_WORDS[row.state])
    )
