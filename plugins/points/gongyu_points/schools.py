"""What depends on the school: a giver's denominations on where they give, a pupil's day on where they learn."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.principal import Principal
from gongyu.access.relations import holds
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Membership, Org
from gongyu.plugin import Context
from gongyu_points.calendar import today_of
from gongyu_points.settings import PointsSettings, of_schools

__all__ = ["caps", "day_cap", "is_at", "lowest_cap", "settings_of"]

_TODAY: Any = sa.bindparam("today", type_=sa.Date())
_OWN: Final = (
    sa.func.unnest(
        sa.bindparam("schools", type_=ARRAY(sa.Text())), sa.bindparam("school_caps", type_=ARRAY(sa.BigInteger()))
    )
    .table_valued(sa.column("school", sa.Text()), sa.column("cap", sa.BigInteger()))
    .render_derived("own")
)


async def settings_of(
    session: AsyncSession | AsyncConnection, *, state: DistrictState, giver: Principal, orgs: frozenset[UUID] | None
) -> PointsSettings:
    """The district's settings with the denominations of the schools where somebody gives: at two schools, of both.

    Args:
        session: Asked only where a school has settings of its own.
        state: The district.
        giver: Who gives or prints.
        orgs: Where their permission to do so holds; None: everywhere. Being a guardian elsewhere says nothing.
    """
    base: PointsSettings = state.settings["points"]
    own = of_schools(state)
    if not own or orgs is None:
        return base
    at = [one.org for one in giver.memberships if one.org in orgs]
    found = await session.scalars(sa.select(sa.func.coalesce(Org.identifier, "")).where(Org.id.in_(at)))
    allowed = {worth for school in found for worth in own.get(school, base).denominations}
    return msgspec.structs.replace(base, denominations=tuple(one for one in base.denominations if one in allowed))


async def day_cap(
    session: AsyncSession | AsyncConnection,
    *,
    settings: PointsSettings,
    schools: Mapping[str, PointsSettings],
    students: Sequence[UUID],
    today: date,
) -> int:
    """What each of these students may earn today: the lowest cap of the schools they are at, whoever gives.

    Args:
        session: Asked only where a school has settings of its own.
        settings: The district's.
        schools: The settings of schools that have their own, by identifier.
        students: All that get something at once.
        today: The district's date.
    """
    if not schools:
        return settings.day_cap
    of_these = Membership.person_id == sa.any_(sa.bindparam("students", type_=ARRAY(sa.Uuid())))
    values = {**caps(settings, schools), "students": list(students), "today": today}
    found: int = (await session.execute(sa.select(lowest_cap(of_these)), values)).scalar_one()
    return found


def lowest_cap(whose: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """The cap of some students as a value in a query, which binds `caps` and `today`."""
    lowest = sa.func.least(sa.bindparam("cap", type_=sa.BigInteger()), sa.func.min(_OWN.c.cap))
    return (
        sa.select(lowest)
        .select_from(Membership)
        .join(Org, Org.id == Membership.org_id)
        .join(_OWN, _OWN.c.school == Org.identifier)
        .where(Membership.role == "student", holds(Membership, _TODAY), whose)
        .scalar_subquery()
    )


def caps(settings: PointsSettings, schools: Mapping[str, PointsSettings]) -> dict[str, object]:
    """What `lowest_cap` is bound to."""
    lower = [one.day_cap for one in schools.values()]
    return {"cap": settings.day_cap, "schools": list(schools), "school_caps": lower}


async def is_at(context: Context, *, person: UUID, org: UUID) -> bool:
    """Whether they are somebody of this org today, whatever they are."""
    within = sa.exists().where(
        Membership.person_id == person, Membership.org_id == org, holds(Membership, today_of(context))
    )
    return bool((await context.session.execute(sa.select(within))).scalar())
