"""Sales that a kiosk uploads: each is judged by itself against what was put aside, and booked once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_points.books import fingerprint, run
from gongyu_points.calendar import today_of
from gongyu_points.shop import held, leases
from gongyu_points.shop.held import Part, shop_of, step
from gongyu_points.shop.kiosk_schemas import KioskSale, LeaseOut, Refused, Sales, SalesOut

__all__ = ["upload"]

#: A device's clock may be this much off ours.
_SKEW: Final = timedelta(minutes=10)

_KNOWN: Final = "SELECT id, lease_id, fingerprint FROM {s}.points_order WHERE id = ANY ($1::uuid[])"

_INSERT: Final = """
INSERT INTO {s}.points_order (id, shop_id, item_id, title, student_id, term_id, quantity, price, points, channel,
                              lease_id, placed_by, sold_at, fingerprint, state, closed_by, closed_at)
SELECT o.id, $1::uuid, o.item, i.title, o.student, $2::uuid, o.quantity, i.price, i.price * o.quantity, 'kiosk',
       $3::uuid, $4::uuid, o.at, o.mark, 'collected', $4::uuid, now()
  FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::bigint[], $9::timestamptz[], $10::bytea[])
       AS o(id, student, item, quantity, at, mark)
  JOIN {s}.points_lease_item AS i ON i.lease_id = $3::uuid AND i.item_id = o.item
 ORDER BY o.item, o.student, o.id"""

_GOODS: Final = """
INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved, order_id, by)
SELECT gen_random_uuid(), o.item_id, 'sold', -o.quantity, -o.quantity, o.id, o.placed_by FROM {s}.points_order AS o
  JOIN {s}.points_stock AS k ON k.item_id = o.item_id WHERE o.id = ANY ($1::uuid[]) ORDER BY o.item_id, o.id"""

_WORDS: Final[Mapping[str, Text]] = {
    "used": Text(zh="这个编号已用于另一笔销售", en="the key was used for another sale"),
    "time": Text(zh="不在离线额度有效期内", en="not within the time of the lease"),
    "pupil": Text(zh="学生不在离线名单中", en="the pupil is not in the lease"),
    "item": Text(zh="礼品不在离线清单中", en="the item is not in the lease"),
    "price": Text(zh="积分与单价、数量不符", en="the points are not price times quantity"),
    "quantity": Text(zh="超过了为自助机预留的数量", en="more than was put aside of the item"),
    "budget": Text(zh="超过了为该学生预留的积分", en="more than was put aside of the pupil's points"),
    "closed": Text(zh="离线额度已结清，预留的积分已退回", en="the lease has ended and its points have gone back"),
}


async def upload(context: Context, *, lease: UUID, data: Sales, by: UUID) -> SalesOut:
    """Book what a kiosk sold, as far as it was put aside for it.

    Args:
        context: Its session holds no other command of the books.
        lease: Whose kiosk the caller is.
        data: The sales, and whether they were the last.
        by: Whose token the kiosk has.

    Raises:
        ProblemError: `invalid` when the list was not signed by us, so that nothing of it is looked at.
    """
    session, row = context.session, await leases.find(context, lease)
    if row.signature.hex() != data.signature:
        text = Text(zh="不是这份离线额度的签名", en="not the signature of this lease")
        raise ProblemError("invalid", errors=[("/signature", text)])
    # A lease that has ended books nothing any more, so what became of its sales can be told between two terms as well.
    if row.state == "open" and await held.term_if_open(session):
        back = await leases.purses_of(session, [lease]) if data.settle else set()
        await held.lock(session, {shop_of(row.shop_id), *await leases.goods_of(session, [lease]), *back})
    now_so = await leases.show(context, await leases.find(context, lease))
    rows = await run(session, _KNOWN, [sale.id for sale in data.sales])
    judge = _Judge(context.now, now_so, {one.id: (one.lease_id, one.fingerprint) for one in rows})
    for sale in data.sales:
        judge.look_at(sale)
    if judge.accepted:
        await _book(context, row, judge.accepted, by=by)
    if data.settle and now_so.state == "open":
        await leases.settle(session, [lease], "settled", by=by, day=today_of(context))
    return SalesOut(
        accepted=[sale.id for sale in judge.accepted],
        repeated=judge.repeated,
        refused=judge.refused,
        state=(await leases.find(context, lease)).state,
    )


@dataclass
class _Judge:
    """Goes through the sales in their order, with what is left after each."""

    now: datetime
    lease: LeaseOut
    known: dict[UUID, tuple[UUID | None, bytes]]
    accepted: list[KioskSale] = field(default_factory=list)
    repeated: list[UUID] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._points = {one.student: one.budget - one.spent for one in self.lease.pupils}
        self._items = {one.item: one for one in self.lease.items}
        self._goods = {one.item: one.quantity - one.sold for one in self.lease.items if one.quantity is not None}

    def look_at(self, sale: KioskSale) -> None:
        before = self.known.get(sale.id)
        if before == (self.lease.id, _mark(sale)):
            self.repeated.append(sale.id)
            return
        code = "used" if before else self._wrong(sale)
        if code:
            self.refused.append(Refused(sale.id, code, _WORDS[code].zh, _WORDS[code].en))
            return
        self._points[sale.student] -= sale.points
        if sale.item in self._goods:
            self._goods[sale.item] -= sale.quantity
        self.known[sale.id] = (self.lease.id, _mark(sale))
        self.accepted.append(sale)

    def _wrong(self, sale: KioskSale) -> str | None:
        item = self._items.get(sale.item)
        in_time = (
            sale.at.tzinfo is not None
            and self.lease.taken_at - _SKEW <= sale.at <= min(self.lease.valid_until, self.now) + _SKEW
        )
        checks = (
            ("closed", self.lease.state == "open"),
            ("time", in_time),
            ("pupil", sale.student in self._points),
            ("item", item is not None),
            ("price", item is not None and sale.points == item.price * sale.quantity),
            ("quantity", sale.quantity <= self._goods.get(sale.item, sale.quantity)),
            ("budget", sale.points <= self._points.get(sale.student, 0)),
        )
        return next((code for code, fine in checks if not fine), None)


def _mark(sale: KioskSale) -> bytes:
    return fingerprint(None, sale)


async def _book(context: Context, lease: Any, sales: Sequence[KioskSale], *, by: UUID) -> None:  # noqa: ANN401 - a row
    ids = [sale.id for sale in sales]
    columns = [[getattr(sale, name) for sale in sales] for name in ("student", "item", "quantity", "at")]
    marks = [_mark(sale) for sale in sales]
    await held.tried(context.session, _INSERT, lease.shop_id, lease.term_id, lease.id, by, ids, *columns, marks)
    await held.tried(context.session, _GOODS, ids)
    parts = [Part(lease.id, step(sale.id, "capture"), sale.student, lease.shop_id, sale.points) for sale in sales]
    await held.move(context.session, "capture", parts, term=lease.term_id, day=today_of(context), by=by)
