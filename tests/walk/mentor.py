"""A round in which choices are open at each school, and at the first one (`class`) a draft besides. Each pupil has
filed, is pinned to their class's teacher, and has that one as mentor now.
"""

from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu_mentor import rounds
from gongyu_mentor.models import Assignment, Favour, Load, Pin, Preference
from gongyu_mentor.schemas import NewRound

from .ground import Bodies, Ground, Things

_ROUND: Final = "/api/v1/{district}/mentor/rounds/{round_id}"
BODIES: Final[Bodies] = {
    "POST /api/v1/{district}/mentor/rounds": {"school": "school", "term": None},
    f"PUT {_ROUND}/preferences/mine": {"choices": ["mentor"]},
    f"PUT {_ROUND}/favours/mine": {"students": ["person"], "keep": None},
    f"PUT {_ROUND}/pins/{{student}}": {"mentor": "mentor"},
}


async def things(session: AsyncSession, ground: Ground) -> Things:
    found = {}
    settings, hour = ground.state.settings["mentor"], timedelta(hours=1)
    for place, school in ground.schools.items():
        new = NewRound(school=school, title="双选", opens_at=ground.now - hour, closes_at=ground.now + hour)
        made = await rounds.create(
            session, new=new, settings=settings, schools={}, orgs=None, by=None, today=ground.today
        )
        found[place] = made.id
        if place != "class":
            await rounds.announce(session, made.id, orgs=None, by=None, now=ground.now, keys=ground.platform.keys)
        pupil, teacher = ground.pupils[place], ground.teachers[place]
        await session.execute(sa.insert(Preference).values(round_id=made.id, student_id=pupil, choices=[teacher]))
        await session.execute(sa.insert(Favour).values(round_id=made.id, mentor_id=teacher, students=[pupil]))
        pinned = {"student_id": pupil, "mentor_id": teacher, "reason": "转入"}
        await session.execute(sa.insert(Pin).values(round_id=made.id, **pinned))
        await session.execute(sa.insert(Load).values(school_id=school, mentor_id=teacher, places=9))
        pair = {"student_id": pupil, "mentor_id": teacher, "school_id": school, "begins_at": ground.now}
        await session.execute(sa.insert(Assignment).values(**pair))
    return {"round_id": found, "mentor": dict(ground.teachers)}
