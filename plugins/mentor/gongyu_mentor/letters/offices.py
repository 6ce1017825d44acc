"""Whose desk a letter or report lies on, and the keys of that desk."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gongyu.access.principal import Principal
from gongyu.plugin import Context
from gongyu_mentor.letters import boxes
from gongyu_mentor.letters.models import OfficeKey

__all__ = ["OFFICES", "Desk", "desk_of", "private_keys", "public_keys"]


#: The roles whose holders have a desk: a school's, or the district's.
OFFICES: Final = ("principal", "districtAdministrator")


@dataclass(frozen=True, slots=True)
class Desk:
    """What somebody answers for: as a principal some schools, as the district's administrator the district's office.

    One does not hold the other: whoever administers the district is not every school's principal, and a letter sealed
    for a school is not theirs to read.
    """

    person: UUID
    schools: frozenset[UUID]
    district: bool


def desk_of(principal: Principal) -> Desk:
    held = [one for one in principal.memberships if one.role == "principal" and not one.everywhere]
    return Desk(
        person=principal.person,
        schools=frozenset().union(*(one.orgs for one in held)),
        district=any(one.role == "districtAdministrator" and one.everywhere for one in principal.memberships),
    )


async def public_keys(context: Context, offices: Iterable[UUID | None]) -> dict[str, bytes]:
    """The public keys of some offices (None: the district's) by the id of each; made when first needed."""
    wanted = list(offices)
    found = await _public(context, wanted)
    for school in [one for one in wanted if one not in found]:
        key, (private, public) = uuid4(), boxes.new_pair()
        kept = context.seals.seal(private.hex(), OfficeKey.private_key, key)
        row = insert(OfficeKey).values(id=key, school_id=school, public_key=public, private_key=kept)
        await context.session.execute(row.on_conflict_do_nothing())  # somebody else may have been faster
    if len(found) < len(wanted):
        found = await _public(context, wanted)
    return dict(found.values())


async def _public(context: Context, offices: list[UUID | None]) -> dict[UUID | None, tuple[str, bytes]]:
    schools = [one for one in offices if one is not None]
    rows = sa.select(OfficeKey.school_id, OfficeKey.id, OfficeKey.public_key).where(
        sa.or_(OfficeKey.school_id.in_(schools), OfficeKey.school_id.is_(None) if None in offices else sa.false())
    )
    return {row.school_id: (str(row.id), row.public_key) for row in await context.session.execute(rows)}


async def private_keys(context: Context, desk: Desk) -> dict[str, bytes]:
    """The private keys of a reader's own offices: the query itself gives no others."""
    mine = sa.or_(OfficeKey.school_id.in_(desk.schools), OfficeKey.school_id.is_(None) if desk.district else sa.false())
    rows = await context.session.execute(sa.select(OfficeKey.id, OfficeKey.private_key).where(mine))
    opened = ((row.id, context.seals.open(row.private_key, OfficeKey.private_key, row.id)) for row in rows)
    return {str(id_): bytes.fromhex(text) for id_, text in opened}
