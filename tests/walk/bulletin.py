"""A notice of each school."""

from typing import Final

import sqlalchemy as sa
from gongyu_bulletin.models import Notice
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id

from .ground import Bodies, Ground, Things

BODIES: Final[Bodies] = {"POST /api/v1/{district}/bulletin/notices": {"org": "school"}}


async def things(session: AsyncSession, ground: Ground) -> Things:
    found = {school: new_id() for school in ground.schools.values()}
    rows = [{"id": id_, "org_id": school, "title": "通知", "body": "…"} for school, id_ in found.items()]
    await session.execute(sa.insert(Notice), rows)
    return {"notice": {place: found[school] for place, school in ground.schools.items()}}
