"""A district with a school: three teachers, two homeroom classes, and what is needed to give and to spend."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import work
from gongyu.people.models import ClassGroup, Enrolment, Membership, Org, Person
from gongyu.platform import Platform
from gongyu.plugin import Context
from gongyu.testing.plugin import MakeDistrict

LONG_AGO = date(2020, 9, 1)


@dataclass(frozen=True)
class Scene:
    """One district and the people in it."""

    platform: Platform
    state: DistrictState
    root: UUID
    school: UUID
    teachers: Sequence[UUID]
    classes: Sequence[UUID]
    pupils: Sequence[Sequence[UUID]]
    """By class, as `classes`; the first two teachers are 班主任 of the two classes."""

    def work(self) -> AbstractAsyncContextManager[AsyncSession]:
        return work(self.platform, self.state)

    def context(self, session: AsyncSession, now: datetime | None = None) -> Context:
        return self.platform.context("points", self.state, session, now or datetime.now(UTC))

    async def rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """As the application's role: what a slip in our own SQL could do."""
        async with self.platform.database.work(self.state.district) as session:
            text = sql.replace("{s}", self.state.district.schema)
            found = await session.execute(sa.text(text), values)
            return [tuple(row) for row in found] if found.returns_rows else []


async def populate(platform: Platform, state: DistrictState, *, pupils: int = 3) -> Scene:
    """People by hand: few, and known by name."""
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        school = Org(id=new_id(), name="武昌学校", type="school", parent_id=root, identifier="3142010001")
        session.add(school)
        await session.flush()

        async def person(name: str, role: str) -> UUID:
            made = Person(id=new_id(), name=name)
            session.add(made)
            await session.flush()
            session.add(Membership(person_id=made.id, org_id=school.id, role=role, begins_on=LONG_AGO))
            return made.id

        teachers = [await person(name, "teacher") for name in ("王老师", "李老师", "赵老师")]
        classes, everybody = [], []
        for number, teacher in enumerate(teachers[:2], 1):
            group = ClassGroup(id=new_id(), title=f"七（{number}）班", type="homeroom", school_id=school.id)
            session.add(group)
            await session.flush()
            mine = [await person(f"学生{number}-{n}", "student") for n in range(pupils)]
            session.add(
                Enrolment(person_id=teacher, class_id=group.id, role="teacher", is_primary=True, begins_on=LONG_AGO)
            )
            session.add_all(
                Enrolment(person_id=pupil, class_id=group.id, role="student", begins_on=LONG_AGO) for pupil in mine
            )
            classes.append(group.id)
            everybody.append(mine)
    return Scene(platform, state, root, school.id, teachers, classes, everybody)


@pytest.fixture
async def scene(platform: Platform, make_district: MakeDistrict) -> Scene:
    return await populate(platform, await make_district("ezhou", "[plugins.points]"))
