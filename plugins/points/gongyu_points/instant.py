"""The quick way of giving: the usual award joins the others of the moment and is answered after their one commit.

What is not usual (a wrong amount, others' pupils, a key seen before, a limit reached) has no answer here and is given
the careful way (`giving.award`), which knows why and says it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.principal import Principal
from gongyu.database.reading import Prepared
from gongyu.districts.registry import DistrictState
from gongyu.platform import Platform
from gongyu_points.books import fingerprint
from gongyu_points.calendar import local
from gongyu_points.giving import MENTEES, in_class
from gongyu_points.instant_queue import Queues
from gongyu_points.instant_write import Asked, Ground
from gongyu_points.notes import sealed
from gongyu_points.schemas import AwardOut, NewAward
from gongyu_points.schools import day_cap
from gongyu_points.settings import PointsSettings, of_schools

__all__ = ["asked_for", "give"]

_CLASS: Any = sa.bindparam("class_id", type_=sa.Uuid())
_TODAY: Any = sa.bindparam("today", type_=sa.Date())
_IN_CLASS: Final = Prepared(in_class(_CLASS, today=_TODAY))


async def give(
    platform: Platform,
    state: DistrictState,
    *,
    new: NewAward,
    giver: Principal,
    orgs: frozenset[UUID] | None,
    settings: PointsSettings,
    now: datetime,
) -> AwardOut | None:
    """Give points in a unit of work of its own, with as many others as there are.

    Args:
        platform: The process's; the caller holds none of its connections while waiting here.
        state: The district.
        new: To whom, how many, what for.
        giver: Who gives.
        orgs: Where the giver's permission holds; None: everywhere.
        settings: Those that hold for the giver.
        now: The time.

    Returns:
        The answer, when it is committed; None when the careful way is to be taken, which has the same key.
    """
    asked = await asked_for(platform, state, new=new, giver=giver, orgs=orgs, settings=settings, now=now)
    return await platform.kept(Queues).give(asked) if asked else None


async def asked_for(
    platform: Platform,
    state: DistrictState,
    *,
    new: NewAward,
    giver: Principal,
    orgs: frozenset[UUID] | None,
    settings: PointsSettings,
    now: datetime,
) -> Asked | None:
    """What `give` asks for, of `give`'s arguments; None when it is plainly not usual."""
    if new.points not in settings.denominations or (new.students and new.class_id):
        return None
    today = local(now, state.district).date()
    students = await _students(platform, state, new, today)
    if not students:
        return None
    return Asked(
        key=new.id,
        fingerprint=fingerprint(giver.person, new),
        state=state,
        today=today,
        giver=giver.person,
        orgs=orgs,
        ground=_ground(platform, state, new, settings),
        budget=new.budget,
        students=students,
        points=new.points,
        reason=new.reason,
        note=sealed(platform.seals(state.district), new.id, new.note),
        day_cap=await _day_cap(platform, state, students, settings, today),
    )


async def _students(platform: Platform, state: DistrictState, new: NewAward, today: date) -> Sequence[UUID]:
    if new.class_id is None:
        return sorted(set(new.students))
    async with platform.database.read(state.district) as connection:
        rows = await _IN_CLASS.fetch(connection, state.district.schema, {"class_id": new.class_id, "today": today})
    return sorted({row[0] for row in rows})


async def _day_cap(
    platform: Platform, state: DistrictState, students: Sequence[UUID], settings: PointsSettings, today: date
) -> int:
    schools = of_schools(state)
    if not schools:
        return settings.day_cap
    async with platform.database.read(state.district) as connection:
        return await day_cap(connection, settings=settings, schools=schools, students=students, today=today)


def _ground(platform: Platform, state: DistrictState, new: NewAward, settings: PointsSettings) -> Ground:
    if new.budget is not None:
        return "budget"
    if settings.give_to == "school":
        return "school"
    offered = platform.host.capabilities.get(MENTEES)
    return "mentor" if offered and offered[0] in state.enabled else "homeroom"
