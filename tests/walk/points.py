"""An open term, points that each pupil got from their mentor, vouchers printed by that mentor; at each school a shop
with goods, a pupil's order, a kiosk with a lease. At a second shop of the first school the walk's `student` is on duty.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.principal import Membership, Principal
from gongyu.database.model import new_id
from gongyu.plugin import Context
from gongyu_points.giving import award
from gongyu_points.schemas import NewAward, NewBudget, NewTerm
from gongyu_points.shop import duties, items, kiosks, leases, orders, pictures, shops, stock
from gongyu_points.shop.kiosk_schemas import NewKiosk, NewLease, WantedItem
from gongyu_points.shop.schemas import NewDuty, NewItem, NewMove, NewOrder, NewShop
from gongyu_points.terms import grant_budget, open_term
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import Batch, NewSheet

from .ground import KIND, PLACES, Bodies, Ground, Here, Paths, Thing, Things

_ALL: Final = "/api/v1/{district}/points"
_SHOP: Final = f"{_ALL}/shops/{{shop}}"
_ITEM: Final = f"{_ALL}/items/{{item}}"
_ORDER: Final = f"{_ALL}/orders/{{order}}"
_DUTY: Final = f"{KIND}on duty there"
#: The smallest PNG: one pixel.
_PICTURE: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
_NOW: Final = datetime.now(UTC)


def _lease(thing: Thing) -> Any:  # noqa: ANN401 - any JSON
    return {"id": thing("fresh"), "items": [{"item": thing("item"), "quantity": 1}], "students": [thing("student")]}


BODIES: Final[Bodies] = {
    f"POST {_ALL}/awards": {"id": "fresh", "students": ["person"], "class_id": None, "budget": None},
    f"POST {_ALL}/awards/{{award}}/undo": {"id": "fresh"},
    f"POST {_ALL}/entries/{{entry}}/reverse": {"id": "fresh"},
    f"POST {_ALL}/terms": {"id": "term"},
    f"POST {_ALL}/budgets": {"id": "fresh", "holder": "teacher", "org": "school"},
    f"POST {_ALL}/redemptions": {"id": "fresh", "student": "person", "shop": "school"},
    f"POST {_ALL}/sheets": {"id": "fresh", "org": "school"},
    f"POST {_ALL}/sheets/{{sheet}}/void": {"id": "fresh"},
    f"POST {_ALL}/deposits": lambda thing: {"id": thing("fresh"), "code": thing("code")},
    f"POST {_ALL}/deposits{KIND}for a pupil": {"id": "fresh", "code": "code", "student": "student"},
    f"POST {_ALL}/shops": lambda thing: {"id": thing("fresh"), "school": thing("school"), "name": "新驿站"},
    f"POST {_SHOP}/items": {"id": "fresh"},
    f"POST {_SHOP}/kiosks": {"id": "fresh"},
    f"POST {_SHOP}/sales": {"id": "fresh", "student": "student", "item": "item"},
    f"POST {_SHOP}/sales{_DUTY}": {"id": "fresh", "student": "student", "item": "duty_item"},
    f"POST {_SHOP}/duties": lambda thing: {
        "id": thing("fresh"),
        "person": thing("student"),
        "begins_at": _NOW.isoformat(),
        "ends_at": (_NOW + timedelta(hours=1)).isoformat(),
    },
    f"PUT {_ITEM}/picture": lambda _: _PICTURE,
    f"POST {_ITEM}/movements": {"id": "fresh"},
    f"POST {_ITEM}/counts": {"id": "fresh"},
    f"POST {_ALL}/orders": {"id": "fresh", "item": "item"},
    f"POST {_ALL}/kiosks/{{kiosk}}/leases": _lease,
    f"POST {_ALL}/leases/{{lease}}/sales": lambda thing: {"signature": thing("signature")},
}

PATHS: Final[Paths] = {
    f"GET {_ALL}/accounts/{{owner}}/statement{KIND}of a budget": {"owner": "budget"},
    f"GET {_ALL}/accounts/{{owner}}/statement{KIND}of a shop": {"owner": "shop"},
    f"POST {_ALL}/deposits{KIND}for a pupil": {},
    f"GET {_SHOP}/orders{_DUTY}": {"shop": "duty_shop"},
    f"POST {_SHOP}/sales{_DUTY}": {"shop": "duty_shop"},
    f"POST {_ORDER}/collect{_DUTY}": {"order": "duty_order"},
    f"POST {_ORDER}/refuse{_DUTY}": {"order": "duty_order"},
    f"POST {_ORDER}/return": {"order": "collected"},
    f"POST {_ORDER}/return{_DUTY}": {"order": "duty_collected"},
    f"POST {_ALL}/kiosks/{{kiosk}}/leases": {"kiosk": "idle"},
}


async def things(session: AsyncSession, ground: Ground) -> Things:
    context = ground.platform.context("points", ground.state, session, ground.now)
    term = new_id()
    await open_term(context, new=NewTerm(term, "秋季学期"))
    found: Things = {"term": dict.fromkeys(PLACES, term)}
    for place, school in ground.schools.items():
        made = await _given(context, ground, place)
        made |= {"owner": ground.mentors[place], "budget": await _budget(context, ground, place)}
        found.setdefault("shop", {})[place] = shop = (
            found["shop"]["own"] if place == "class" else await _shop(context, school, "书坊驿站")
        )
        made |= await _sold(context, ground, place, shop=shop)
        for name, thing in made.items():
            found.setdefault(name, {})[place] = thing
    found |= {f"duty_{name}": places for name, places in (await _on_duty(context, ground)).items()}
    return found


async def _given(context: Context, ground: Ground, place: str) -> Here:
    """Points, and a sheet of vouchers with the code of one that is on paper."""
    orgs = frozenset({ground.schools[place]})
    held = Membership("teacher", ground.schools[place], orgs, everywhere=False)
    giver = Principal(ground.mentors[place], "teacher", (held,), None, "test")
    given = [
        await award(
            context,
            new=NewAward(id=new_id(), points=points, reason="helps_others", students=(ground.pupils[place],)),
            giver=giver,
            orgs=orgs,
        )
        for points in (20, 20, 5)
    ][-1].operation
    sheet = NewSheet(id=new_id(), batches=(Batch(5, 2),), reason="helps_others")
    await print_sheet(context, new=sheet, printer=giver, orgs=orgs)
    papers = await fresh_codes(context, sheet=sheet.id, printer=giver.person)
    return {"award": given, "entry": given, "sheet": sheet.id, "code": papers[0].code}


async def _budget(context: Context, ground: Ground, place: str) -> UUID:
    new = NewBudget(new_id(), "运动会", 100, holder=ground.mentors[place], org=ground.schools[place])
    await grant_budget(context, new=new, by=ground.persons["administrator"])
    return new.id


async def _shop(context: Context, school: UUID, name: str) -> UUID:
    return (await shops.create(context, new=NewShop(id=new_id(), school=school, name=name), orgs=None)).id


async def _stocked(context: Context, shop: UUID, by: UUID) -> UUID:
    new = NewItem(id=new_id(), kind="good", title="签字笔", price=2)
    item = (await items.create(context, shop=shop, new=new, orgs=None)).id
    delivery = NewMove(id=new_id(), kind="delivery", quantity=20)
    await stock.record(context, item=item, new=delivery, by=by, orgs=None)
    return item


async def _ordered(context: Context, item: UUID, pupil: UUID, by: UUID) -> dict[str, UUID]:
    """An order that waits, and one that was handed out."""
    waits, done = [
        (await orders.place(context, new=NewOrder(id=new_id(), item=item), student=pupil, orgs=None)).id for _ in "ab"
    ]
    await orders.collect(context, order=done, by=by)
    return {"order": waits, "collected": done}


async def _sold(context: Context, ground: Ground, place: str, *, shop: UUID) -> Here:
    school, pupil, by = ground.schools[place], ground.pupils[place], ground.teachers[place]
    item = await _stocked(context, shop, by)
    await pictures.save(context, item=item, content=_PICTURE, orgs=None)
    idle, busy = [
        (
            await kiosks.register(
                context, shop=shop, new=NewKiosk(id=new_id(), name=name), by="test", person=by, orgs=None
            )
        ).id
        for name in (f"闲{place}", f"忙{place}")
    ]
    row = await kiosks.require_kiosk(
        context, busy, caller=Principal(by, "teacher", (), None, "test"), orgs=frozenset({school})
    )
    wanted = NewLease(id=new_id(), items=(WantedItem(item=item, quantity=1),), students=(pupil,))
    made = await _ordered(context, item, pupil, by)
    lease = await leases.take(context, kiosk=row, new=wanted, by=by)
    end = ground.now + timedelta(hours=1)
    spell = NewDuty(
        id=new_id(), person=ground.pupils["class"] if place != "school" else pupil, begins_at=ground.now, ends_at=end
    )
    duty = (await duties.give(context, shop=shop, new=spell, by=by, orgs=None)).id
    told = {"item": item, "kiosk": busy, "idle": idle, "duty": duty, "lease": lease.id, "signature": lease.signature}
    return {**made, **told}


async def _on_duty(context: Context, ground: Ground) -> Things:
    """The shop where `student` serves, and at the other school one where nobody does."""
    found: Things = {}
    near = await _shop(context, ground.schools["own"], "二号驿站")
    for place, pupil in ground.pupils.items():
        shop = near if place != "school" else await _shop(context, ground.schools[place], "二号驿站")
        item = await _stocked(context, shop, ground.teachers[place])
        made = {"shop": shop, "item": item, **await _ordered(context, item, pupil, ground.teachers[place])}
        for name, thing in made.items():
            found.setdefault(name, {})[place] = thing
    end = ground.now + timedelta(hours=1)
    spell = NewDuty(id=new_id(), person=ground.pupils["own"], begins_at=ground.now, ends_at=end)
    await duties.give(context, shop=near, new=spell, by=ground.teachers["own"], orgs=None)
    return found
