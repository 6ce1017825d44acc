"""Sealing anew what a district keeps sealed, after its key was rotated, so that the old key opens nothing any more.

Each row is changed only while it still holds what was read, so people go on working meanwhile; and what is sealed with
the newest key is passed over, so whatever was cut short is finished by running it again.
"""

from collections.abc import Callable
from typing import Any, Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from gongyu.access import audit
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account
from gongyu.events.idempotency import sealing_context
from gongyu.events.models import IdempotencyRow, WebhookRow
from gongyu.people.models import Person
from gongyu.people.rights.models import RightsRequest
from gongyu.platform import Platform
from gongyu.plugin import District

__all__ = ["SEALED", "Sealed", "reseal"]

_PAGE: Final = 500


class Sealed(msgspec.Struct, frozen=True):
    """A column of sealed text.

    Attributes:
        column: Which.
        context: What its text is bound to, by the row's primary key: as where it is sealed.
    """

    column: InstrumentedAttribute[Any]
    context: Callable[..., bytes]


def _named(prefix: str) -> Callable[[UUID], bytes]:
    return lambda id_: f"{prefix}:{id_}".encode()


#: Every column that `KeyRing.encrypt` fills; a test looks through a district for others.
SEALED: Final = (
    Sealed(Person.id_number, _named("person.id_number")),
    Sealed(Person.phone, _named("person.phone")),
    Sealed(RightsRequest.wish, _named("rights_request.wish")),
    Sealed(RightsRequest.reason, _named("rights_request.reason")),
    Sealed(Account.totp_secret, lambda person: b"account.totp:" + person.bytes),
    Sealed(WebhookRow.secret, _named("webhook")),
    Sealed(WebhookRow.previous_secret, _named("webhook")),
    Sealed(IdempotencyRow.body, sealing_context),
)


async def reseal(platform: Platform, district: District, *, actor: str) -> int:
    """Seal with the newest key everything that is sealed with an older one.

    Returns:
        How many texts were sealed anew.

    Raises:
        SealBrokenError, KeysError: A text does not open; what was done before stays done.
    """
    changed = 0
    for sealed in SEALED:
        changed += await _column(platform, district, sealed)
    await audit.append(
        platform.database,
        district,
        action="keys.resealed",
        actor=actor,
        details={"version": platform.keys.version(district.slug), "texts": changed},
    )
    return changed


async def _column(platform: Platform, district: District, sealed: Sealed) -> int:
    column = sealed.column
    key = list(cast("sa.Table", column.class_.__table__).primary_key.columns)
    page = sa.select(*key, column).where(column.is_not(None)).order_by(*key).limit(_PAGE)
    changed, after = 0, page
    while True:
        async with platform.database.work(district) as session:
            rows = (await session.execute(after)).all()
            for *ids, old in rows:
                if platform.keys.is_current(district.slug, old):
                    continue
                fresh = _anew(platform.keys, district, old, sealed.context(*ids))
                same = sa.and_(sa.tuple_(*key) == tuple(ids), column == old)
                update = sa.update(column.class_).where(same).values({column: fresh}).returning(column)
                done = await session.execute(update, execution_options={"synchronize_session": False})
                changed += done.first() is not None
        if len(rows) < _PAGE:
            return changed
        after = page.where(sa.tuple_(*key) > tuple(rows[-1][:-1]))


def _anew(keys: KeyRing, district: District, old: bytes, context: bytes) -> bytes:
    return keys.encrypt(district.slug, keys.decrypt(district.slug, old, context=context), context=context)
