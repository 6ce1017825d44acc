"""Stock: what is there follows from movements, which are never changed; a count is put right by one more."""

from typing import Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from gongyu.plugin import Context, Text
from gongyu.web import Paged, ProblemError
from gongyu_points.books import run
from gongyu_points.shop.held import lock, tried
from gongyu_points.shop.items import require_item
from gongyu_points.shop.models import Move, StockCount
from gongyu_points.shop.schemas import CountOut, MoveOut, NewCount, NewMove

__all__ = ["COUNTS", "MOVES", "count", "record"]

_MOVE: Final = """
INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved, count_id, reason, by)
SELECT $1::uuid, $2::uuid, $3::text, $4::bigint, 0, $5::uuid, $6::text, $7::uuid
ON CONFLICT (id) DO NOTHING RETURNING id"""

_COUNT: Final = """
INSERT INTO {s}.points_stock_count (id, item_id, counted, expected, difference, reason, by)
SELECT $1::uuid, k.item_id, $3::bigint, k.on_hand, $3::bigint - k.on_hand, $4::text, $5::uuid
  FROM {s}.points_stock AS k WHERE k.item_id = $2::uuid
ON CONFLICT (id) DO NOTHING RETURNING id"""

_FOUND_MOVE: Final = """
SELECT id, kind, on_hand, reserved, order_id, reason, by, at, item_id FROM {s}.points_stock_move WHERE id = $1::uuid"""
_FOUND_COUNT: Final = """
SELECT id, item_id, counted, expected, difference, reason, by, at FROM {s}.points_stock_count WHERE id = $1::uuid"""

_NEWEST: Final = (-Move.seq).label("place")
_UNCOUNTED: Final = Text(zh="这种礼品不计库存", en="the stock of this item is not counted")


def _move_out(row: asyncpg.Record) -> MoveOut:
    return MoveOut(
        row["id"],
        row["kind"],
        row["on_hand"],
        row["reserved"],
        row["order_id"],
        row["reason"],
        row["by"],
        row["at"],
    )


def _count_out(row: asyncpg.Record) -> CountOut:
    return CountOut(
        row["id"],
        row["item_id"],
        row["counted"],
        row["expected"],
        row["difference"],
        row["reason"],
        row["by"],
        row["at"],
    )


#: Of one item, newest first.
MOVES: Final = Paged(
    sa.select(
        Move.id, Move.kind, Move.on_hand, Move.reserved, Move.order_id, Move.reason, Move.by, Move.at, _NEWEST
    ).where(Move.item_id == sa.bindparam("item", type_=sa.Uuid())),
    key=[_NEWEST],
    row=_move_out,
)

#: Of one item.
COUNTS: Final = Paged(
    sa.select(
        StockCount.id,
        StockCount.item_id,
        StockCount.counted,
        StockCount.expected,
        StockCount.difference,
        StockCount.reason,
        StockCount.by,
        StockCount.at,
    ).where(StockCount.item_id == sa.bindparam("item", type_=sa.Uuid())),
    key=[StockCount.at, StockCount.id],
    row=_count_out,
)


async def record(context: Context, *, item: UUID, new: NewMove, by: UUID, orgs: frozenset[UUID] | None) -> MoveOut:
    """A delivery, or a loss of what is not promised to anybody.

    Raises:
        ProblemError: `conflict` when stock is not counted, or would not be enough for what is promised.
    """
    found = await require_item(context, item, orgs=orgs)
    if not found.limited:
        raise ProblemError("conflict", _UNCOUNTED)
    await lock(context.session, [item])
    change = new.quantity if new.kind == "delivery" else -new.quantity
    await tried(context.session, _MOVE, new.id, item, new.kind, change, None, new.reason, by)
    row = (await run(context.session, _FOUND_MOVE, new.id))[0]
    if (row.item_id, row.kind, row.on_hand) != (item, new.kind, change):
        raise ProblemError("idempotency-mismatch")
    return MoveOut(*row[:-1])


async def count(context: Context, *, item: UUID, new: NewCount, by: UUID, orgs: frozenset[UUID] | None) -> CountOut:
    """Say what is really there; a difference becomes a movement of its own, with the reason.

    Raises:
        ProblemError: `conflict` when stock is not counted, or when less is there than orders and kiosks were promised.
    """
    found = await require_item(context, item, orgs=orgs)
    if not found.limited:
        raise ProblemError("conflict", _UNCOUNTED)
    await lock(context.session, [item])  # so that what is expected stays so until it is put right
    made = await tried(context.session, _COUNT, new.id, item, new.counted, new.reason, by)
    row = (await run(context.session, _FOUND_COUNT, new.id))[0]
    if (row.item_id, row.counted) != (item, new.counted):
        raise ProblemError("idempotency-mismatch")
    if made and row.difference:
        await tried(context.session, _MOVE, new.id, item, "correction", row.difference, new.id, new.reason, by)
    return CountOut(*row)
