"""Orders as people see them: a pupil's own, and those of a shop for whoever hands out."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.people.models import Person
from gongyu.plugin import District
from gongyu.web import Call, Page, Paged
from gongyu_points.notes import notes_of
from gongyu_points.shop.held import step
from gongyu_points.shop.models import Order
from gongyu_points.shop.schemas import OrderOut

__all__ = ["COLUMNS", "of_shop", "of_student", "out", "worded"]

COLUMNS: Final = """
SELECT o.id, o.shop_id, o.item_id, o.title, o.student_id, coalesce(p.name, '') AS name, o.quantity, o.price, o.points,
       o.channel, o.state, o.placed_at, o.collect_by, o.closed_at, o.closed_by, o.slot, o.lease_id, o.placed_by,
       o.fingerprint
  FROM {s}.points_order AS o LEFT JOIN {s}.person AS p ON p.id = o.student_id"""

#: The step whose entry has the words of whoever closed an order so.
_SAID: Final[Mapping[str, str]] = {"cancelled": "release", "returned": "refund"}
#: What nobody wrote: an order that was let go by itself says why by its state.
_BY_ITSELF: Final[Mapping[str, str]] = {
    "expired": "未按时领取 not collected in time",
    "cancelled": "学期结账 the term was closed",
}


#: Between a title and what was wished.
_COLON: Final = "："


def worded(title: str, wish: str) -> str:
    """The note of the entry that puts an order's points on hold: what was ordered, and what the pupil chose of it."""
    return f"{title}{_COLON}{wish}" if wish else title


def _wished(title: str, note: str) -> str:
    before = f"{title}{_COLON}"
    return note.removeprefix(before) if note.startswith(before) else ""


async def out(
    connection: AsyncConnection, district: District, seals: Seals, rows: Sequence[Any], *, wishes: bool = True
) -> list[OrderOut]:
    """Rows of `COLUMNS`, with the words of whoever closed them, and of whoever wished for something."""
    said = {row.id: step(row.id, _SAID[row.state]) for row in rows if row.state in _SAID and row.closed_by is not None}
    placed = {row.id: step(row.id, "hold") for row in rows if wishes and row.channel == "online"}
    operations = [*said.values(), *placed.values()]
    words = await notes_of(connection, district, seals, operations=operations) if operations else {}
    orders = []
    for row in rows:
        reason = words.get(said[row.id], "") if row.id in said else _told(row)
        wish = _wished(row.title, words.get(placed[row.id], "")) if row.id in placed else ""
        orders.append(OrderOut(*(*row[:14], reason, wish)))
    return orders


def _told(row: Any) -> str:  # noqa: ANN401 - a row
    return _BY_ITSELF.get(row.state, "") if row.closed_by is None else ""


class _Listed(NamedTuple):
    """An order on a page, as a row of `COLUMNS` begins."""

    id: UUID
    shop_id: UUID
    item_id: UUID
    title: str
    student_id: UUID
    name: str
    quantity: int
    price: int
    points: int
    channel: str
    state: str
    placed_at: datetime
    collect_by: date | None
    closed_at: datetime | None
    closed_by: UUID | None


def _listed(row: asyncpg.Record) -> _Listed:
    return _Listed(*(row[name] for name in _Listed._fields))


_NEWEST: Final = (-Order.seq).label("place")
_SELECT: Final = sa.select(
    Order.id,
    Order.shop_id,
    Order.item_id,
    Order.title,
    Order.student_id,
    sa.func.coalesce(Person.name, "").label("name"),
    Order.quantity,
    Order.price,
    Order.points,
    Order.channel,
    Order.state,
    Order.placed_at,
    Order.collect_by,
    Order.closed_at,
    Order.closed_by,
    _NEWEST,
).outerjoin(Person, Person.id == Order.student_id)
_STATE: Final = sa.bindparam("state", type_=sa.Text())

_OF_STUDENT: Final = Paged(
    _SELECT.where(Order.student_id == sa.bindparam("student", type_=sa.Uuid())), key=[_NEWEST], row=_listed
)
_OF_SHOP: Final = Paged(
    _SELECT.where(
        Order.shop_id == sa.bindparam("shop", type_=sa.Uuid()), sa.or_(_STATE.is_(None), Order.state == _STATE)
    ),
    key=[_NEWEST],
    row=_listed,
)


async def of_student(call: Call, *, student: UUID, limit: int, cursor: str | None) -> Page[OrderOut]:
    """Newest first."""
    return await _shown(call, await _OF_STUDENT.page(call, limit=limit, cursor=cursor, student=student))


async def of_shop(
    call: Call, *, shop: UUID, state: str | None, wishes: bool, limit: int, cursor: str | None
) -> Page[OrderOut]:
    """Newest first; `state` None is every state, and `wishes` are told to the office."""
    page = await _OF_SHOP.page(call, limit=limit, cursor=cursor, shop=shop, state=state)
    return await _shown(call, page, wishes=wishes)


async def _shown(call: Call, page: Page[_Listed], *, wishes: bool = True) -> Page[OrderOut]:
    return Page(await out(await call.db(), call.district, call.seals, page.items, wishes=wishes), page.next)
