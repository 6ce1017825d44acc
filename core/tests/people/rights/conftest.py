"""A child and all who may be something to it, and `diary`: a plugin that keeps an entry about a person."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pluggy
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.access.models import AuditLine
from gongyu.access.tokens import create_token
from gongyu.config import Config
from gongyu.database.engine import quoted
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.host import Host, Plugin
from gongyu.people.care import sealed_care
from gongyu.people.models import CareCategory, Demographics, Guardianship, Membership, Org, Person
from gongyu.people.rights.contract import PROTECTED, Erased, PersonPart, Purpose, RetentionCategory
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.sealing import sealed
from gongyu.platform import Platform, open_platform
from gongyu.plugin import Context, PluginInfo, Text, hookimpl
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app

WORD = Text(zh="测试", en="test")
PHOTOS = Purpose(name="diary.photos", title=WORD, text=Text(zh="照片用于班级日记。", en="Photos for the diary."))
ENTRY = sa.Table("diary_entry", sa.MetaData(), sa.Column("person_id", sa.Uuid), sa.Column("text", sa.Text))
Data = Callable[[Context, UUID], Awaitable[Sequence[PersonPart]]]
Erase = Callable[[Context, UUID], Awaitable[None]]


async def entries(context: Context, person: UUID) -> Sequence[PersonPart]:
    rows = (await context.session.execute(sa.select(ENTRY.c.text).where(ENTRY.c.person_id == person))).mappings()
    title = Text(zh="日记", en="Diary")
    return [PersonPart(name="entries", title=title, rows=[dict(row) for row in rows], readers=PROTECTED)]


async def nothing(_: Context, __: UUID) -> None: ...


@dataclass
class Diary:
    """What the plugin does; a test changes it."""

    data: Data = entries
    erasing: Erase = nothing
    asked: list[tuple[UUID, bool]] = field(default_factory=list)
    categories: list[RetentionCategory] = field(default_factory=list)

    def host(self) -> Host:
        module = ModuleType("gongyu_diary")

        @hookimpl
        def consent_purposes() -> Sequence[Purpose]:
            return [PHOTOS, Purpose(name="core.schooling", title=WORD, text=WORD)]  # the second is not its to declare

        @hookimpl
        def retention_categories() -> Sequence[RetentionCategory]:
            return self.categories

        @hookimpl
        async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:
            return await self.data(context, person)

        @hookimpl
        async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # noqa: FBT001 - by keyword
            self.asked.append((person, here))
            gone = await context.session.execute(sa.delete(ENTRY).where(ENTRY.c.person_id == person))
            await self.erasing(context, person)
            return [Erased(what=Text(zh="日记", en="diary"), rows=gone.rowcount)]  # type: ignore[attr-defined]  # of a DELETE

        for hook in (consent_purposes, retention_categories, person_data, person_erased):
            setattr(module, hook.__name__, hook)
        manager = pluggy.PluginManager("gongyu")
        manager.add_hookspecs(hookspecs)
        manager.register(module, name="diary")
        info = PluginInfo(name="diary", title=Text(zh="班级日记", en="Class diary"), contract=">=1.0,<2")
        return Host({"diary": Plugin(info=info, distribution="diary", version="1", module=module)}, [], manager)


@dataclass
class Family:
    """Everybody by what they are to `child`, who is 13 until tomorrow."""

    platform: Platform
    state: DistrictState
    school: UUID
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    people: dict[str, UUID] = field(default_factory=dict)

    def __getattr__(self, name: str) -> UUID:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def today(self) -> date:
        return today_in(self.state.district, self.now)

    def work(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.platform.database.work(self.state.district)

    async def person(self, name: str, role: str | None = None, **period: Any) -> UUID:  # noqa: ANN401 - a membership's columns
        self.people[name] = id_ = new_id()
        async with self.work() as session:
            await session.execute(sa.insert(Person).values(id=id_, name=name))
            if role:
                values = {"person_id": id_, "org_id": self.school, "role": role, "begins_on": date(2020, 9, 1)}
                await session.execute(sa.insert(Membership).values(**values | period))
        return id_

    async def bond(self, guardian: str, student: str, **change: Any) -> None:  # noqa: ANN401 - a guardianship's columns
        values = {"guardian_id": self.people[guardian], "student_id": self.people[student], "kind": guardian}
        async with self.work() as session:
            await session.execute(sa.insert(Guardianship).values(**values | {"begins_on": date(2020, 9, 1)} | change))

    async def born(self, name: str, day: date) -> None:
        async with self.work() as session:
            await session.execute(sa.delete(Demographics).where(Demographics.person_id == self.people[name]))
            await session.execute(sa.insert(Demographics).values(person_id=self.people[name], birth_date=day))

    async def token(self, name: str, *scopes: str) -> str:
        expires = datetime.now(UTC) + timedelta(days=1)
        async with self.work() as session:
            return await create_token(
                session, person=self.people[name], name="t", scopes=scopes or ["*"], expires_at=expires
            )

    async def scalar(self, query: sa.Select[Any]) -> Any:  # noqa: ANN401 - whatever is asked for
        async with self.work() as session:
            return (await session.execute(query)).scalar()

    async def audited(self, person: str) -> list[str]:
        query = sa.select(AuditLine.action).where(AuditLine.subject == f"person:{self.people[person]}")
        async with self.work() as session:
            return list((await session.execute(query.order_by(AuditLine.seq))).scalars())


def years_before(day: date, years: int) -> date:
    """The latest birth date that makes somebody so old on a day."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def host(diary: Diary) -> Host:
    return diary.host()


@pytest.fixture
async def platform(database_url: str, host: Host, tmp_path: Path) -> AsyncGenerator[Platform]:
    """As in a server: a plugin's failure is recorded, not raised."""
    async with open_platform(Config(database_url=database_url, data=tmp_path), host=host) as opened:
        yield opened


@pytest.fixture
async def family(platform: Platform, make_district: MakeDistrict) -> Family:
    state = await make_district("ezhou", "[plugins.diary]\n")
    schema = quoted(state.district.schema)
    async with platform.database.owner.begin() as connection:
        for table in ("alembic_diary (version_num text PRIMARY KEY)", "diary_entry (person_id uuid, text text)"):
            await connection.execute(sa.text(f"CREATE TABLE {schema}.{table}"))
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        school, other = (
            Org(name="实验小学", type="school", parent_id=root),
            Org(name="二小", type="school", parent_id=root),
        )
        session.add_all([school, other])
        await session.flush()
    family = Family(platform, state, school.id)
    yesterday = family.today - timedelta(days=1)
    await family.person("child", "student")
    await family.born("child", years_before(family.today + timedelta(days=1), 14))
    await family.person("other_child", "student")
    await family.born("other_child", date(2015, 1, 1))
    bonds: dict[str, dict[str, Any]] = {
        "mother": {},
        "father": {"is_legal": True},
        "grandmother": {"is_legal": False},
        "former": {"ends_on": yesterday},
        "barred": {"contact_allowed": False},
    }
    for name, change in bonds.items():
        await family.person(name, "guardian")  # as rosters say it
        await family.bond(name, "child", **change)
    await family.person("stranger")
    await family.bond("stranger", "other_child")
    for name in ("former", "barred"):  # so that they can sign in at all
        await family.bond(name, "other_child")
    await family.person("principal", "principal")
    await family.person("other_principal", "principal", org_id=other.id)
    id_ = family.child
    async with family.work() as session:
        phone = sealed(platform.keys, state.district, "phone", id_, "13800000000")
        await session.execute(
            sa.update(Person)
            .where(Person.id == id_)
            .values(phone=phone, email="child@example.org", username="child.2012")
        )
        seals = platform.seals(state.district)
        care = sealed_care(seals, id_=new_id(), category="left_behind", value="double")
        await session.execute(sa.insert(CareCategory).values(student_id=id_, begins_on=date(2024, 9, 1), **care))
        await session.execute(sa.insert(ENTRY).values(person_id=id_, text="今天很开心"))
    return family


class Door:
    """The API as different people meet it."""

    def __init__(self, client: httpx.AsyncClient, family: Family) -> None:
        self._client, self._family = client, family
        self._tokens: dict[tuple[str, ...], str] = {}

    async def __call__(self, who: str, method: str, path: str, *scopes: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        if (who, *scopes) not in self._tokens:
            self._tokens[(who, *scopes)] = await self._family.token(who, *scopes)
        headers = {"authorization": f"Bearer {self._tokens[(who, *scopes)]}", "accept-language": "en"}
        return await self._client.request(method, f"/api/v1/ezhou{path}", headers=headers, **options)

    async def child(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        return await self(who, method, f"/people/{self._family.child}{path}", **options)


@pytest.fixture
async def door(family: Family) -> AsyncGenerator[Door]:
    await family.platform.signals.start()
    transport = httpx.ASGITransport(app=create_app(family.platform))  # type: ignore[arg-type]  # ASGI's types differ in name
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Door(client, family)
    await family.platform.signals.stop()
