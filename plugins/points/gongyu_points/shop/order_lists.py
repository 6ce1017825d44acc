"""Orders as people see them: a pupil's own, and those of a shop for whoever hands out."""

from typing import Any, Final

import asyncpg
import sqlalchemy as sa

from gongyu.people.models import Person
from gongyu.web import Paged
from gongyu_points.shop.models import Order
from gongyu_points.shop.schemas import OrderOut

__all__ = ["COLUMNS", "OF_SHOP", "OF_STUDENT", "out"]

COLUMNS: Final = """
SELECT o.id, o.shop_id, o.item_id, o.title, o.student_id, coalesce(p.name, '') AS name, o.quantity, o.price, o.points,
       o.channel, o.state, o.placed_at, o.collect_by, o.closed_at, o.reason,
       o.slot, o.lease_id, o.placed_by, o.fingerprint
  FROM {s}.points_order AS o LEFT JOIN {s}.person AS p ON p.id = o.student_id"""


def out(row: Any) -> OrderOut:  # noqa: ANN401 - a row of `COLUMNS`
    return OrderOut(*row[:15])


def _listed(row: asyncpg.Record) -> OrderOut:
    return OrderOut(*(row[name] for name in _NAMES))


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
    Order.reason,
    _NEWEST,
).outerjoin(Person, Person.id == Order.student_id)
_NAMES: Final = [column.name for column in _SELECT.selected_columns][:-1]
_STATE: Final = sa.bindparam("state", type_=sa.Text())

#: Newest first.
OF_STUDENT: Final = Paged(
    _SELECT.where(Order.student_id == sa.bindparam("student", type_=sa.Uuid())), key=[_NEWEST], row=_listed
)

#: Newest first; `state` null is every state.
OF_SHOP: Final = Paged(
    _SELECT.where(
        Order.shop_id == sa.bindparam("shop", type_=sa.Uuid()), sa.or_(_STATE.is_(None), Order.state == _STATE)
    ),
    key=[_NEWEST],
    row=_listed,
)
