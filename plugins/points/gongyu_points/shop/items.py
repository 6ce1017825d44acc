"""What a shop offers: privileges first, because what costs nothing to give is often what is wanted most."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.plugin import Context, District, Text
from gongyu.web import Paged, ProblemError
from gongyu_points.books import read, run
from gongyu_points.shop.models import Item, Picture, Shop, Stock
from gongyu_points.shop.schemas import ItemChange, ItemOut, NewItem
from gongyu_points.shop.shops import require_shop

__all__ = ["ITEMS", "change", "create", "require_item", "require_own"]

_INSERT: Final = """
INSERT INTO {s}.points_item (id, shop_id, kind, title, description, price, term_limit, limited, slot,
                             held_at)
SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::bigint, $7::bigint, $8::boolean, $9::uuid,
       $10::timestamptz
ON CONFLICT (id) DO NOTHING RETURNING id"""

_UPDATE: Final = """
UPDATE {s}.points_item SET title = $3::text, description = $4::text, price = $5::bigint, term_limit = $6::bigint,
       active = $7::boolean, held_at = $8::timestamptz, version = version + 1
 WHERE id = $1::uuid AND version = $2::bigint RETURNING id"""

_FIND: Final = """
SELECT i.id, i.shop_id, s.org_id, s.state, i.kind, i.title, i.description, i.price, i.term_limit, i.limited, i.slot,
       i.held_at, i.active, k.on_hand - k.reserved AS left_over, p.digest, i.version
  FROM {s}.points_item AS i
  JOIN {s}.points_shop AS s ON s.id = i.shop_id
  LEFT JOIN {s}.points_stock AS k ON k.item_id = i.id
  LEFT JOIN {s}.points_item_picture AS p ON p.item_id = i.id
 WHERE i.id = $1::uuid"""

_RANK: Final = sa.case((Item.kind == "privilege", 1), (Item.kind == "event", 2), else_=3).label("rank")


def _listed(row: asyncpg.Record) -> ItemOut:
    return ItemOut(
        row["id"],
        row["shop_id"],
        row["kind"],
        row["title"],
        row["description"],
        row["price"],
        row["term_limit"],
        row["limited"],
        row["slot"],
        row["held_at"],
        row["active"],
        row["left_over"],
        row["digest"],
        row["version"],
    )


#: Of one shop; `retired` lists those no longer offered instead.
ITEMS: Final = Paged(
    sa.select(
        Item.id,
        Item.shop_id,
        Item.kind,
        Item.title,
        Item.description,
        Item.price,
        Item.term_limit,
        Item.limited,
        Item.slot,
        Item.held_at,
        Item.active,
        (Stock.on_hand - Stock.reserved).label("left_over"),
        Picture.digest,
        Item.version,
        _RANK,
    )
    .join(Shop, Shop.id == Item.shop_id)
    .outerjoin(Stock, Stock.item_id == Item.id)
    .outerjoin(Picture, Picture.item_id == Item.id)
    .where(
        Item.shop_id == sa.bindparam("shop", type_=sa.Uuid()),
        Item.active != sa.bindparam("retired", type_=sa.Boolean()),
    ),
    key=[_RANK, Item.title, Item.id],
    row=_listed,
)


async def require_item(context: Context, item: UUID, *, orgs: frozenset[UUID] | None) -> Any:  # noqa: ANN401 - a row
    """The item with its shop, where a permission holds for the school; another's looks like none."""
    rows = await run(context.session, _FIND, item)
    if not rows or not (orgs is None or rows[0].org_id in orgs):
        raise ProblemError("not-found")
    return rows[0]


async def require_own(
    connection: AsyncConnection, district: District, item: UUID, *, orgs: frozenset[UUID] | None
) -> None:
    """The same for whoever only reads."""
    rows = await read(connection, district, _FIND, item)
    if not rows or not (orgs is None or rows[0].org_id in orgs):
        raise ProblemError("not-found")


async def create(context: Context, *, shop: UUID, new: NewItem, orgs: frozenset[UUID] | None) -> ItemOut:
    """Offer something; sent again, it is the same.

    Raises:
        ProblemError: `invalid` for seats of another plugin with something that is no event or has a stock of its own;
            for an event without its time, and for a time of anything else.
    """
    await require_shop(await context.session.connection(), context.district, shop, orgs=orgs)
    if new.slot is not None and (new.kind != "event" or new.limited):
        text = Text(
            zh="只有活动可以引用场次，且座位不再计入库存",
            en="only an event has a slot, and its seats are then not counted as stock here",
        )
        raise ProblemError("invalid", errors=[("/slot", text)])
    _require_time(new.kind, new.held_at)
    made = await run(
        context.session,
        _INSERT,
        new.id,
        shop,
        new.kind,
        new.title,
        new.description,
        new.price,
        new.term_limit,
        new.limited,
        new.slot,
        new.held_at,
    )
    if made and new.limited:
        await run(context.session, "INSERT INTO {s}.points_stock (item_id) SELECT $1::uuid", new.id)
    row = await require_item(context, new.id, orgs=orgs)
    if (row.shop_id, row.kind, row.limited) != (shop, new.kind, new.limited):
        raise ProblemError("idempotency-mismatch")
    return _out(row)


async def change(context: Context, *, item: UUID, to: ItemChange, orgs: frozenset[UUID] | None) -> ItemOut:
    """Change its words, price, limit and time, or retire it; what has been ordered keeps its price.

    Raises:
        ProblemError: `precondition-failed` when somebody changed it meanwhile; `invalid` as `create`.
    """
    _require_time((await require_item(context, item, orgs=orgs)).kind, to.held_at)
    changed = await run(
        context.session,
        _UPDATE,
        item,
        to.version,
        to.title,
        to.description,
        to.price,
        to.term_limit,
        to.active,
        to.held_at,
    )
    if not changed:
        raise ProblemError("precondition-failed")
    return _out(await require_item(context, item, orgs=orgs))


def _require_time(kind: str, held_at: datetime | None) -> None:
    if (kind == "event") != (held_at is not None):
        text = Text(
            zh="活动须写明举办时间，其他礼品不写", en="an event says when it takes place, and nothing else does"
        )
    elif held_at is not None and held_at.tzinfo is None:
        text = Text(zh="应带时区", en="a time zone is expected")
    else:
        return
    raise ProblemError("invalid", errors=[("/held_at", text)])


def _out(row: Any) -> ItemOut:  # noqa: ANN401 - a row of `_FIND`
    return ItemOut(
        row.id,
        row.shop_id,
        row.kind,
        row.title,
        row.description,
        row.price,
        row.term_limit,
        row.limited,
        row.slot,
        row.held_at,
        row.active,
        row.left_over,
        row.digest,
        row.version,
    )
