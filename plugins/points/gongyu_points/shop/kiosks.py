"""Kiosks: devices with a token that can lease and sell, each for itself alone.

The token is the school administrator's who set the kiosk up, narrowed to one permission; so it ends with their office,
and whoever finds the device can do with it what anybody can at the device.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from gongyu.access.models import ApiToken
from gongyu.access.principal import Principal
from gongyu.access.rights import verdict
from gongyu.access.tokens import create_token, credential_digest, revoke_token
from gongyu.plugin import Context, Permission
from gongyu.web import Paged, ProblemError
from gongyu_points.books import run
from gongyu_points.shop.kiosk_schemas import KioskOut, NewKiosk, NewKioskOut
from gongyu_points.shop.models import Kiosk, Lease
from gongyu_points.shop.shops import require_shop

__all__ = ["KIOSKS", "SELL", "may_sell", "register", "require_kiosk", "retire"]

SELL: Final = "points.kiosk.sell"
_TOKEN_LASTS: Final = timedelta(days=370)

_FIND: Final = """
SELECT k.id, k.shop_id, k.name, k.active, k.token_id, s.org_id, s.state FROM {s}.points_kiosk AS k
  JOIN {s}.points_shop AS s ON s.id = k.shop_id WHERE k.id = $1::uuid"""

_PUT: Final = """
INSERT INTO {s}.points_kiosk (id, shop_id, name, token_id) SELECT $1::uuid, $2::uuid, $3::text, $4::uuid
ON CONFLICT (id) DO UPDATE SET name = excluded.name, token_id = excluded.token_id, active = true"""


def _out(row: asyncpg.Record) -> KioskOut:
    return KioskOut(row["id"], row["shop_id"], row["name"], row["active"], row["lease"], row["kept_until"])


#: Of one shop.
KIOSKS: Final = Paged(
    sa.select(Kiosk.id, Kiosk.shop_id, Kiosk.name, Kiosk.active, Lease.id.label("lease"), Lease.kept_until)
    .outerjoin(Lease, sa.and_(Lease.kiosk_id == Kiosk.id, Lease.state == "open"))
    .where(Kiosk.shop_id == sa.bindparam("shop", type_=sa.Uuid())),
    key=[Kiosk.name, Kiosk.id],
    row=_out,
)


async def register(
    context: Context, *, shop: UUID, new: NewKiosk, by: str, person: UUID, orgs: frozenset[UUID] | None
) -> NewKioskOut:
    """Set a device up, or give one that is known a new token; the one before opens nothing any more.

    Raises:
        ProblemError: `idempotency-mismatch` when the key is a kiosk's of another shop.
    """
    session = context.session
    await require_shop(await session.connection(), context.district, shop, orgs=orgs)
    before = await run(session, _FIND, new.id)
    if before and before[0].shop_id != shop:
        raise ProblemError("idempotency-mismatch")
    if before and before[0].token_id is not None:
        await revoke_token(session, token=before[0].token_id, by=by)
    expires = context.now + _TOKEN_LASTS
    text = await create_token(session, person=person, name=new.name, scopes=[SELL], expires_at=expires, by=by)
    token = (await session.scalars(sa.select(ApiToken.id).where(ApiToken.hash == credential_digest(text)))).one()
    await run(session, _PUT, new.id, shop, new.name, token)
    return NewKioskOut(new.id, text, expires)


def may_sell(person: Principal, permissions: Mapping[str, Permission]) -> bool:
    """Whether somebody's own rights reach as far as a kiosk's."""
    return verdict(person, permissions[SELL]).allowed


async def retire(context: Context, *, kiosk: UUID, by: str, orgs: frozenset[UUID] | None) -> None:
    """The device opens nothing any more; what it had leased goes back when the lease is withdrawn or ends."""
    row = await _found(context, kiosk, orgs)
    if row.token_id is not None:
        await revoke_token(context.session, token=row.token_id, by=by)
    await run(context.session, "UPDATE {s}.points_kiosk SET active = false WHERE id = $1::uuid", kiosk)


async def require_kiosk(context: Context, kiosk: UUID, *, caller: Principal, orgs: frozenset[UUID] | None) -> Any:  # noqa: ANN401 - a row
    """The kiosk, for its own token, or for a person who may sell there; a kiosk's token is no other kiosk's."""
    row = await _found(context, kiosk, orgs)
    if caller.scopes is not None and caller.via != f"token:{row.token_id}":
        raise ProblemError("not-found")
    return row


async def _found(context: Context, kiosk: UUID, orgs: frozenset[UUID] | None) -> Any:  # noqa: ANN401 - a row
    rows = await run(context.session, _FIND, kiosk)
    if not rows or not (orgs is None or rows[0].org_id in orgs):
        raise ProblemError("not-found")
    return rows[0]
