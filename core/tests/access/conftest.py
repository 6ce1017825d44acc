"""People to judge: a district with two schools, and one of each role."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.authenticate import Authenticator
from gongyu.access.keys import KeyRing
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.host import Host, load_host
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict

LONG_AGO = date(2020, 9, 1)


@pytest.fixture(scope="session")
def host() -> Host:
    return load_host(entry_points=[])  # rights need no plugin


@dataclass(frozen=True)
class People:
    """The orgs and persons of a small district, by what they are."""

    root: UUID
    first_school: UUID
    first_grade: UUID
    second_school: UUID
    admin: UUID
    principal: UUID
    teacher: UUID
    student: UUID


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, step: timedelta) -> None:
        self.now += step


async def add_org(session: AsyncSession, *, name: str, type_: str, parent: UUID | None) -> UUID:
    id_ = new_id()
    await session.execute(sa.insert(Org).values(id=id_, name=name, type=type_, parent_id=parent))
    return id_


async def add_person(session: AsyncSession, name: str, role: str | None = None, org: UUID | None = None) -> UUID:
    id_ = new_id()
    await session.execute(sa.insert(Person).values(id=id_, name=name))
    if role is not None:
        await add_membership(session, id_, role, org)
    return id_


async def add_membership(
    session: AsyncSession, person: UUID, role: str, org: UUID | None, *, ends_on: date | None = None
) -> UUID:
    id_ = new_id()
    values = {"id": id_, "person_id": person, "org_id": org, "role": role, "begins_on": LONG_AGO, "ends_on": ends_on}
    await session.execute(sa.insert(Membership).values(values))
    return id_


async def populate(session: AsyncSession) -> People:
    root = (await session.execute(sa.select(Org.id).where(Org.type == "district"))).scalar_one()
    first = await add_org(session, name="实验小学", type_="school", parent=root)
    grade = await add_org(session, name="一年级", type_="department", parent=first)
    second = await add_org(session, name="滨湖中学", type_="school", parent=root)
    return People(
        root=root,
        first_school=first,
        first_grade=grade,
        second_school=second,
        admin=await add_person(session, "管局长", "districtAdministrator", root),
        principal=await add_person(session, "校校长", "principal", first),
        teacher=await add_person(session, "师老师", "teacher", second),
        student=await add_person(session, "生同学", "student", first),
    )


@pytest.fixture
async def ezhou(make_district: MakeDistrict) -> DistrictState:
    return await make_district("ezhou")


@pytest.fixture
async def people(platform: Platform, ezhou: DistrictState) -> People:
    async with platform.database.work(ezhou.district) as session:
        return await populate(session)


@pytest.fixture
async def signals(platform: Platform) -> AsyncGenerator[None]:
    """The platform as a serving process has it: listening."""
    await platform.signals.start()
    yield
    await platform.signals.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def authenticator(platform: Platform, clock: Clock) -> AsyncGenerator[Authenticator]:
    authenticator = Authenticator(platform, clock=clock)
    yield authenticator
    await authenticator.close()


@pytest.fixture
def keys(platform: Platform) -> KeyRing:
    return KeyRing.load(platform.config, {})
