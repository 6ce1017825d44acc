"""The demonstration's shop: opened, stocked, ordered from, sold at the till; one gift comes back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from gongyu.database.model import new_id
from gongyu.plugin import Context
from gongyu_points.books import account_id, balances
from gongyu_points.shop import items, orders, shops, stock
from gongyu_points.shop.schemas import NewCount, NewItem, NewMove, NewOrder, NewSale, NewShop

__all__ = ["Played", "play"]

_DELIVERED: Final = 30
_SOON: Final = timedelta(days=3)
_OFFERED: Final = (
    NewItem(id=UUID(int=0), kind="privilege", title="点歌一首", price=2, limited=False, term_limit=3),
    NewItem(id=UUID(int=0), kind="privilege", title="与校长共进午餐", price=20, limited=False, term_limit=1),
    NewItem(id=UUID(int=0), kind="event", title="午间电影", price=10, description="座位有限"),
    NewItem(id=UUID(int=0), kind="good", title="签字笔", price=5),
    NewItem(id=UUID(int=0), kind="good", title="笔记本", price=8),
)


class Played(NamedTuple):
    """Orders placed beforehand; gifts handed out, also straight at the till; gifts that came back."""

    placed: int
    collected: int
    returned: int


async def play(context: Context, *, school: UUID, clerk: UUID, pupils: Sequence[UUID]) -> Played:
    """Each pupil orders the dearest they can pay; every third order nobody comes for, the first gift comes back."""
    shop = NewShop(id=new_id(), school=school, name="书坊驿站", hours="周一至周五 12:00—12:40")
    await shops.create(context, new=shop, orgs=None)
    shelf = [await _offered(context, shop=shop.id, item=item, clerk=clerk) for item in _OFFERED]
    placed, handed = 0, list[UUID]()
    for number, pupil in enumerate(pupils):
        purse = account_id("purse", owner=pupil)
        points = (await balances(context.session, [purse])).get(purse, 0)
        item = max((one for one in shelf if one.price <= points), key=lambda one: one.price, default=None)
        if item is None:
            continue
        if number % 3 == 1:
            sale = NewSale(id=new_id(), student=pupil, item=item.id)
            handed.append((await orders.sell(context, new=sale, shop=shop.id, by=clerk)).id)
            continue
        new = NewOrder(id=new_id(), item=item.id)
        await orders.place(context, new=new, student=pupil, orgs=None)
        placed += 1
        if number % 3 == 0:
            handed.append((await orders.collect(context, order=new.id, by=clerk)).id)
    for order in handed[:1]:
        await orders.give_back(context, order=order, by=clerk, reason="质量问题")
    counted = NewCount(id=new_id(), counted=_DELIVERED - 1, reason="月末盘点")
    await stock.count(context, item=shelf[-1].id, new=counted, by=clerk, orgs=None)
    return Played(placed, len(handed), len(handed[:1]))


async def _offered(context: Context, *, shop: UUID, item: NewItem, clerk: UUID) -> NewItem:
    new = NewItem(
        id=new_id(),
        kind=item.kind,
        title=item.title,
        description=item.description,
        price=item.price,
        term_limit=item.term_limit,
        limited=item.limited,
        held_at=context.now + _SOON if item.kind == "event" else None,
    )
    await items.create(context, shop=shop, new=new, orgs=None)
    if new.limited:
        came = NewMove(id=new_id(), kind="delivery", quantity=_DELIVERED)
        await stock.record(context, item=new.id, new=came, by=clerk, orgs=None)
    return new
