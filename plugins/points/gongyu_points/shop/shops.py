"""Shops: whose they are, and whether they are open."""

from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.database.reading import within_orgs
from gongyu.plugin import Context, District
from gongyu.web import Paged, ProblemError
from gongyu_points.books import read, run
from gongyu_points.shop.held import tried
from gongyu_points.shop.models import Shop
from gongyu_points.shop.schemas import NewShop, ShopChange, ShopOut

__all__ = ["SHOPS", "change", "create", "require_shop"]

_INSERT: Final = """
INSERT INTO {s}.points_shop (id, org_id, name, hours)
SELECT $1::uuid, o.id, $3::text, $4::text FROM {s}.org AS o WHERE o.id = $2::uuid AND o.type = 'school'
ON CONFLICT (id) DO NOTHING"""

_UPDATE: Final = """
UPDATE {s}.points_shop SET name = $3::text, hours = $4::text, state = $5::text, version = version + 1
 WHERE id = $1::uuid AND version = $2::bigint RETURNING id, org_id, name, hours, state, version"""

_FIND: Final = "SELECT id, org_id, name, hours, state, version FROM {s}.points_shop WHERE id = $1::uuid"


def _out(row: asyncpg.Record) -> ShopOut:
    return ShopOut(row["id"], row["org_id"], row["name"], row["hours"], row["state"], row["version"])


#: Of the schools where the caller's permission holds (`orgs`).
SHOPS: Final = Paged(
    sa.select(Shop.id, Shop.org_id, Shop.name, Shop.hours, Shop.state, Shop.version).where(within_orgs(Shop.org_id)),
    key=[Shop.name, Shop.id],
    row=_out,
)


async def require_shop(
    connection: AsyncConnection, district: District, shop: UUID, *, orgs: frozenset[UUID] | None
) -> Any:  # noqa: ANN401 - a row
    """The shop, where a permission holds for its school; another's looks like none."""
    rows = await read(connection, district, _FIND, shop)
    if not rows or not (orgs is None or rows[0].org_id in orgs):
        raise ProblemError("not-found")
    return rows[0]


async def create(context: Context, *, new: NewShop, orgs: frozenset[UUID] | None) -> ShopOut:
    """Open a school's shop; sent again, it is the same one.

    Raises:
        ProblemError: `not-found` for a school that is not the caller's; `conflict` for a name that is taken;
            `idempotency-mismatch` when the key is another shop's.
    """
    if orgs is not None and new.school not in orgs:
        raise ProblemError("not-found")
    await tried(context.session, _INSERT, new.id, new.school, new.name, new.hours)
    rows = await run(context.session, _FIND, new.id)
    if not rows:
        raise ProblemError("not-found")
    if (rows[0].org_id, rows[0].name) != (new.school, new.name):
        raise ProblemError("idempotency-mismatch")
    return ShopOut(*rows[0])


async def change(context: Context, *, shop: UUID, to: ShopChange, orgs: frozenset[UUID] | None) -> ShopOut:
    """Change its name, hours and state.

    Raises:
        ProblemError: `precondition-failed` when somebody changed it meanwhile.
    """
    await require_shop(await context.session.connection(), context.district, shop, orgs=orgs)
    rows = await tried(context.session, _UPDATE, shop, to.version, to.name, to.hours, to.state)
    if not rows:
        raise ProblemError("precondition-failed")
    return ShopOut(*rows[0])
