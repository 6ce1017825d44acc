"""What the walk over all routes asks for: things that are there, near and far, so that a row proves something.

To add a plugin's: write `<plugin>.py` beside this file.

- `async def things(session, ground)` is called once, where the plugin is on, in the session of the district. It makes
  what the routes need and returns, for each name of a path parameter, what stands there for `own`, for another `class`
  of the same school and for another `school`. The core's (`person`, `student`, `class_id`, `school`, `teacher`) are
  there already; a plugin's name goes before the core's in this plugin's routes.
- `BODIES`, by route: the fields of a body that are to hold a thing, by its name. A body whose example names nothing
  real is found wanting before anybody looks whose it is. `["person"]` is a list of one; None takes a field of the
  example away. The walk asks for each place in turn, as it does for the path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.approvals import ask
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.people.models import RosterImport
from gongyu.people.rights import requests
from gongyu.platform import Platform

__all__ = ["BODIES", "PLACES", "Bodies", "Ground", "Things", "of_core"]

PLACES: Final = ("own", "class", "school")
#: By the name of a path parameter, then by place.
Things: TypeAlias = dict[str, dict[str, UUID]]
Bodies: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ground:
    """Two schools and their people, by place: `own` and `class` are of the first school, `school` of the other.

    Attributes:
        teachers: Who has the class of each place; `own` is the walk's `homeroom`.
        guardian: Of the own pupil.
    """

    platform: Platform
    state: DistrictState
    schools: Mapping[str, UUID]
    classes: Mapping[str, UUID]
    pupils: Mapping[str, UUID]
    teachers: Mapping[str, UUID]
    guardian: UUID

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def today(self) -> date:
        return self.now.date()


BODIES: Final[Bodies] = {"POST /api/v1/{district}/people/{person}/consents/paper": {"by": "guardian"}}


async def of_core(session: AsyncSession, ground: Ground) -> Things:
    """A request about each pupil (the first by the guardian), what each teacher asks to be approved, and an import,
    which is the whole district's.
    """
    asked = {
        place: await requests.ask(
            session,
            keys=ground.platform.keys,
            kind="correction",
            person=pupil,
            wish="…",
            by=ground.guardian if place == "own" else None,
            asked_as="guardian",
            actor="operator:test",
            now=ground.now,
        )
        for place, pupil in ground.pupils.items()
    }
    import_ = new_id()
    await session.execute(sa.insert(RosterImport).values(id=import_, file="x.zip", state="applied", actor="system"))
    approvals = {
        place: await ask(
            session,
            seals=ground.platform.seals(ground.state.district),
            permission="district.audit.read",
            person=teacher,
            reason="…",
            until=ground.now + timedelta(days=1),
            now=ground.now,
        )
        for place, teacher in ground.teachers.items()
    }
    return {
        "request_id": asked,
        "approval": {place: one.id for place, one in approvals.items()},
        "guardian": dict.fromkeys(PLACES, ground.guardian),
        "id": dict.fromkeys(PLACES, import_),
    }
