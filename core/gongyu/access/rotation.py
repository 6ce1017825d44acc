"""Sealing anew what a district keeps sealed, after its key was rotated, so that the old key opens nothing any more.

Each row is changed only while it still holds what was read, so people go on working meanwhile; and what is sealed with
the newest key is passed over, so whatever was cut short is finished by running it again.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from gongyu.access import audit
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account
from gongyu.access.sealing import bound_to
from gongyu.database.model import IN_REGISTRY, Base, RegistryBase, is_sealed
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
        in_registry: It stands in the `gongyu` schema, where a primary key begins with the district's number.
    """

    column: sa.Column[Any]
    context: Callable[..., bytes]
    in_registry: bool = False


def _of(column: InstrumentedAttribute[Any], context: Callable[..., bytes] | None = None) -> Sealed:
    found: sa.Column[Any] = column.property.columns[0]
    return Sealed(found, context or partial(bound_to, found))


def _webhook(id_: UUID) -> bytes:
    return f"webhook:{id_}".encode()


#: What the core seals; a test looks through a district for others.
SEALED: Final = (
    _of(Person.id_number),
    _of(Person.phone),
    _of(RightsRequest.wish),
    _of(RightsRequest.reason),
    _of(Account.totp_secret, lambda person: b"account.totp:" + person.bytes),
    _of(WebhookRow.secret, _webhook),
    _of(WebhookRow.previous_secret, _webhook),
    _of(IdempotencyRow.body, sealing_context),
)


def _declared(tables: Iterable[sa.Table], *, in_registry: bool = False) -> Iterator[Sealed]:
    """The columns that say themselves that they are sealed."""
    for table in tables:
        for column in table.columns:
            if is_sealed(column):
                yield Sealed(column, partial(bound_to, column), in_registry)


async def _sealed(platform: Platform, district: District) -> list[Sealed]:
    """Also in tables of plugins that are off here: their data stays, and must not stay readable with the old key."""
    found = [*SEALED, *_declared(Base.metadata.sorted_tables)]
    for plugin in platform.host.plugins.values():
        found += _declared(plugin.tables.sorted_tables)
    here = sa.text("SELECT table_name FROM information_schema.tables WHERE table_schema = :schema")
    async with platform.database.read(district) as connection:
        laid_out = set((await connection.execute(here, {"schema": district.schema})).scalars())
    held = [sealed for sealed in found if sealed.column.table.name in laid_out]
    return [*held, *_declared(RegistryBase.metadata.sorted_tables, in_registry=True)]


async def reseal(platform: Platform, district: District, *, actor: str) -> int:
    """Seal with the newest key everything that is sealed with an older one.

    Returns:
        How many texts were sealed anew.

    Raises:
        SealBrokenError, KeysError: A text does not open; what was done before stays done.
    """
    changed = 0
    for sealed in await _sealed(platform, district):
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
    table = column.table
    key = list(table.primary_key.columns)
    page = sa.select(*key, column).where(column.is_not(None)).order_by(*key).limit(_PAGE)
    if sealed.in_registry:
        page = page.where(key[0] == district.number)
    where = IN_REGISTRY if sealed.in_registry else {}
    changed, after = 0, page
    while True:
        # Also in tables to which the application can only add: it is the same text, under another key.
        async with platform.database.work_as_owner(district) as session:
            rows = (await session.execute(after, execution_options=where)).all()
            for *ids, old in rows:
                if platform.keys.is_current(district.slug, old):
                    continue
                fresh = _anew(platform.keys, district, old, sealed.context(*ids))
                same = sa.and_(sa.tuple_(*key) == tuple(ids), column == old)
                anew = sa.update(table).where(same).values({column: fresh}).returning(column)
                changed += (await session.execute(anew, execution_options=where)).first() is not None
        if len(rows) < _PAGE:
            return changed
        after = page.where(sa.tuple_(*key) > tuple(rows[-1][:-1]))


def _anew(keys: KeyRing, district: District, old: bytes, context: bytes) -> bytes:
    return keys.encrypt(district.slug, keys.decrypt(district.slug, old, context=context), context=context)
