"""What an import meant for people, told to plugins: where each pupil was before and is now, who works here no more.

Told by state and not by row, so that a corrected date or a second class of a course is no event.
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.events import outbox
from gongyu.people.events import Enrolled, GuardianLinked, GuardianUnlinked, Left, StaffLeft, Transferred
from gongyu.people.importing.comparing import Progress, by_chunks, stream
from gongyu.people.importing.plan import Plan
from gongyu.people.models import ClassGroup, Enrolment, Membership
from gongyu.people.roster.canonical import GUARDIAN_ROLES
from gongyu.plugin import Event

__all__ = ["Standing", "standing", "tell"]

Told = tuple[Event, UUID]
T = TypeVar("T")

_FEW: Final = 20_000  # up to so many people are looked up by id; beyond, one walk through the table is cheaper
_BATCH: Final = 5000
_NONE: Final[frozenset[UUID]] = frozenset()


class Standing:
    """Of some people: the schools and homeroom classes of pupils, and where staff work."""

    def __init__(self) -> None:
        self.schools: dict[UUID, frozenset[UUID]] = {}
        self.classes: dict[UUID, frozenset[UUID]] = {}
        self.posts: dict[UUID, frozenset[UUID]] = {}


async def standing(session: AsyncSession, people: Collection[UUID], *, today: date) -> Standing:
    """How it is now, of those periods that are not over."""
    found = Standing()
    if not people:
        return found
    held = sa.select(Membership.person_id, Membership.org_id, Membership.role).where(_lasting(Membership, today))
    async for person, org, role in _of(session, held, Membership.person_id, people):
        if role == "student":
            _add(found.schools, person, org)
        elif role not in GUARDIAN_ROLES:
            _add(found.posts, person, org)
    sits = (
        sa.select(Enrolment.person_id, Enrolment.class_id)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .where(Enrolment.role == "student", ClassGroup.type == "homeroom", _lasting(Enrolment, today))
    )
    async for person, class_ in _of(session, sits, Enrolment.person_id, people):
        _add(found.classes, person, class_)
    return found


def _lasting(table: type[Membership | Enrolment], today: date) -> sa.ColumnElement[bool]:
    return sa.or_(table.ends_on.is_(None), table.ends_on >= today)


async def _of(session: AsyncSession, query: sa.Select[*tuple[Any, ...]], column: Any, people: Collection[UUID]) -> Any:  # noqa: ANN401 - rows of any query
    if len(people) > _FEW:
        async for rows in stream(session, query):
            for row in rows:
                if row[0] in people:
                    yield row
        return
    for some in by_chunks(list(people)):
        for row in await session.execute(query.where(column.in_(some))):
            yield row


def _add(found: dict[UUID, frozenset[UUID]], person: UUID, place: UUID) -> None:
    found[person] = found.get(person, _NONE) | {place}


async def tell(session: AsyncSession, plan: Plan, before: Standing, after: Standing, *, progress: Progress) -> int:
    """Publish what changed; answers how many events."""
    told = [*_careers(plan, before, after), *_ties(plan)]
    for number, some in enumerate(by_chunks(told, _BATCH)):
        progress("events", number * _BATCH, len(told))
        await outbox.publish_all(session, some)
    return len(told)


def _careers(plan: Plan, before: Standing, after: Standing) -> Iterator[Told]:
    for person in sorted(plan.touched):
        was, is_ = before.schools.get(person, _NONE), after.schools.get(person, _NONE)
        sat, sits = before.classes.get(person, _NONE), after.classes.get(person, _NONE)
        if was and not is_:
            yield Left(student=person, school=min(was), class_id=_one(sat)), person
        elif is_ and not was:
            yield Enrolled(student=person, school=min(is_), class_id=_one(sits)), person
        elif was and (was != is_ or sat != sits):
            moved = Transferred(
                student=person,
                from_school=_one(was - is_) or min(was),
                to_school=_one(is_ - was) or min(is_),
                from_class=_one(sat - sits),
                to_class=_one(sits - sat),
            )
            yield moved, person
        posts = before.posts.get(person, _NONE)
        if posts and person in plan.lost and not after.posts.get(person):
            yield StaffLeft(person=person, orgs=sorted(posts)), person


def _one(ids: frozenset[UUID]) -> UUID | None:
    """The events name one place; a pupil in two homeroom classes is a slip of the source."""
    return min(ids, default=None)


def _ties(plan: Plan) -> Iterator[Told]:
    for begins, guardian, student in plan.guardians:
        event = GuardianLinked if begins else GuardianUnlinked
        yield event(guardian=guardian, student=student), student
