"""What the walk over all routes asks for: things that are there, near and far, so that a row proves something.

To add a plugin's: write `<plugin>.py` beside this file.

- `async def things(session, ground)` is called once, where the plugin is on, in the session of the district. It makes
  what the routes need and returns, for each name of a path parameter, what stands there for `own`, for another `class`
  of the same school and for another `school`. The core's (`person`, `student`, `class_id`, `school`, `teacher`) are
  there already; a plugin's name goes before the core's in this plugin's routes.
- `BODIES`, by route: the fields of a body that are to hold a thing, by its name. A body whose example names nothing
  real is found wanting before anybody looks whose it is. `["person"]` is a list of one; None takes a field of the
  example away; `oneself` is whoever asks; a name that stands for nothing, such as `fresh`, is a new id each time. The
  walk asks for each place in turn, as it does for the path. Where an example would not do, a function is given the
  things and returns the whole body; bytes are sent as they are.
- `PATHS`, by route, if there: which thing stands for a parameter of the path, where it is not the one of its name.
- `QUERIES`, by route, if there: what is asked for after the `?`; a string, or a function of the things.

A route that gives different things to different people has a row for each kind of thing: `PATHS`, and `BODIES` and
`QUERIES` with it, then name `<route> · <kind>` besides the route. The table has a row for every such name.
"""

from collections.abc import Callable, Mapping
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

__all__ = ["BODIES", "KIND", "PLACES", "Bodies", "Ground", "Here", "Paths", "Queries", "Thing", "Things", "of_core"]

PLACES: Final = ("own", "class", "school")
#: Between a route and the kind of thing that is asked for.
KIND: Final = " · "
#: By the name of a path parameter, then by place.
Things: TypeAlias = dict[str, dict[str, Any]]
#: What stands at one place, by its name.
Here: TypeAlias = dict[str, Any]
#: What stands at the place that is asked for, by its name.
Thing: TypeAlias = Callable[[str], str]
Bodies: TypeAlias = Mapping[str, Mapping[str, Any] | Callable[[Thing], Any]]
Paths: TypeAlias = Mapping[str, Mapping[str, str]]
Queries: TypeAlias = Mapping[str, str | Callable[[Thing], str]]


@dataclass(frozen=True)
class Ground:
    """Two schools and their people, by place: `own` and `class` are of the first school, `school` of the other.

    Attributes:
        teachers: Who has the class of each place; `own` is the walk's `homeroom`.
        persons: Who asks, by role.
    """

    platform: Platform
    state: DistrictState
    schools: Mapping[str, UUID]
    classes: Mapping[str, UUID]
    pupils: Mapping[str, UUID]
    teachers: Mapping[str, UUID]
    persons: Mapping[str, UUID]

    @property
    def mentors(self) -> Mapping[str, UUID]:
        """Of each pupil: the own one has the walk's `mentor`; the others are mentored by the teacher of their class."""
        return {**self.teachers, "own": self.persons["mentor"]}

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def today(self) -> date:
        return self.now.date()


_PEOPLE: Final = "/api/v1/{district}/people"
BODIES: Final[Bodies] = {
    f"POST {_PEOPLE}/{{person}}/consents/paper": {"by": "guardian"},
    f"POST {_PEOPLE}/requests/{{request_id}}/decision": lambda _: {
        "accept": True,
        "reason": "已核实",
        "done_by_hand": "学籍管理员",
    },
}


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
            by=ground.persons["guardian"] if place == "own" else None,
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
        "guardian": dict.fromkeys(PLACES, ground.persons["guardian"]),
        "id": dict.fromkeys(PLACES, import_),
    }
