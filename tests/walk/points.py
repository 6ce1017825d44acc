"""An open term, and points that each pupil got from the teacher of their class."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.principal import Membership, Principal
from gongyu.database.model import new_id
from gongyu_points.giving import award
from gongyu_points.schemas import NewAward, NewTerm
from gongyu_points.terms import open_term

from .ground import PLACES, Bodies, Ground, Things

BODIES: Final[Bodies] = {
    "POST /api/v1/{district}/points/awards": {"students": ["person"], "class_id": None, "budget": None},
    "POST /api/v1/{district}/points/budgets": {"holder": "teacher", "org": "school"},
    "POST /api/v1/{district}/points/redemptions": {"student": "person", "shop": "school"},
}


async def things(session: AsyncSession, ground: Ground) -> Things:
    context = ground.platform.context("points", ground.state, session, ground.now)
    term = new_id()
    await open_term(context, new=NewTerm(term, "秋季学期"))
    given = {}
    for place, pupil in ground.pupils.items():
        orgs = frozenset({ground.schools[place]})
        held = Membership("teacher", ground.schools[place], orgs, everywhere=False)
        giver = Principal(ground.teachers[place], "teacher", (held,), None, "test")
        new = NewAward(id=new_id(), points=5, reason="helps_others", students=(pupil,))
        given[place] = (await award(context, new=new, giver=giver, orgs=orgs)).operation
    return {"term": dict.fromkeys(PLACES, term), "award": given, "entry": given}
