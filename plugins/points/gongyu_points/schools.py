"""What depends on the school somebody is at."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.districts.registry import DistrictState
from gongyu.people.models import Membership, Org
from gongyu_points.settings import PointsSettings, of_schools

__all__ = ["is_at", "settings_at"]


async def settings_at(
    session: AsyncSession | AsyncConnection, *, state: DistrictState, orgs: Collection[UUID]
) -> PointsSettings | None:
    """The settings of the first of these schools that has its own."""
    schools = of_schools(state)
    if not schools:
        return None
    found = await session.scalars(sa.select(Org.identifier).where(Org.id.in_(orgs)))
    return next((schools[one] for one in sorted(filter(None, found)) if one in schools), None)


async def is_at(session: AsyncSession, *, person: UUID, org: UUID) -> bool:
    within = sa.exists().where(Membership.person_id == person, Membership.org_id == org)
    return bool((await session.execute(sa.select(within))).scalar())
