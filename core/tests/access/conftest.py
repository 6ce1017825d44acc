"""A district with two schools and one person of each role, and what is needed to let them in or not."""

from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import codes
from gongyu.access.accounts import create_account
from gongyu.access.authenticate import Authenticator
from gongyu.access.codes import Kind
from gongyu.access.keys import KeyRing
from gongyu.access.models import AuditLine
from gongyu.access.passwords import Passwords
from gongyu.access.principal import Principal
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import SignIn
from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.districts.service import apply_file, read_file
from gongyu.host import Host, load_host
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app
from gongyu.web.door import Door
from gongyu.web.observe import Observe
from gongyu.web.refusals import Refusals

LONG_AGO = date(2020, 9, 1)
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody


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

    def forward(self, **step: float) -> None:
        self.now += timedelta(**step)


class CountingHasher(PasswordHasher):
    """Argon2 made cheap, that says how often it was worked: equal work is equal time, without a clock."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.worked = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's own name
        self.worked += 1
        return super().verify(hash, password)


@dataclass(frozen=True)
class Scene:
    platform: Platform
    state: DistrictState
    people: People
    authenticator: Authenticator
    clock: Clock
    keys: KeyRing
    hashed: "CountingHasher"
    long_ago: date = LONG_AGO

    def work(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.platform.database.work(self.state.district)

    async def execute(self, *statements: sa.Executable) -> None:
        async with self.work() as session:
            for statement in statements:
                await session.execute(statement)

    async def token(self, person: UUID, *scopes: str) -> str:
        async with self.work() as session:
            return await create_token(
                session,
                person=person,
                name="报表",
                scopes=scopes or ("*",),
                expires_at=datetime.now(UTC) + timedelta(days=1),
            )

    async def who(self, token: str) -> Principal | None:
        return await self.authenticator.principal(self.state, f"Bearer {token}", None)

    @property
    def passwords(self) -> Passwords:
        return Passwords(self.hashed)

    async def account(self, person: UUID, username: str, password: str | None = PASSWORD) -> None:
        async with self.work() as session:
            await create_account(
                session,
                passwords=self.passwords,
                rules=AccessRules(),
                person=person,
                username=username,
                password=password,
                by="operator:test",
                now=self.clock.now,
            )

    async def audited(self, *actions: str) -> list[AuditLine]:
        async with self.work() as session:
            lines = sa.select(AuditLine).where(AuditLine.action.in_(actions)).order_by(AuditLine.seq)
            return list((await session.execute(lines)).scalars())

    async def person(self, name: str, role: str | None = None, org: UUID | None = None) -> UUID:
        async with self.work() as session:
            return await add_person(session, name, role, org)

    async def membership(self, person: UUID, role: str, org: UUID, *, ends_on: date | None = None) -> None:
        async with self.work() as session:
            await add_membership(session, person, role, org, ends_on=ends_on)

    @contextmanager
    def counted(self) -> Generator[Collection[str]]:
        """The statements that go to the database meanwhile."""
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        engine = self.platform.database.app.sync_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        yield seen
        sa.event.remove(engine, "before_cursor_execute", note)


async def add_org(session: AsyncSession, name: str, type_: str, parent: UUID) -> UUID:
    id_ = new_id()
    await session.execute(sa.insert(Org).values(id=id_, name=name, type=type_, parent_id=parent))
    return id_


async def add_person(session: AsyncSession, name: str, role: str | None = None, org: UUID | None = None) -> UUID:
    id_ = new_id()
    await session.execute(sa.insert(Person).values(id=id_, name=name))
    if role is not None and org is not None:
        await add_membership(session, id_, role, org)
    return id_


async def add_membership(
    session: AsyncSession, person: UUID, role: str, org: UUID, *, ends_on: date | None = None
) -> None:
    values = {"person_id": person, "org_id": org, "role": role, "begins_on": LONG_AGO, "ends_on": ends_on}
    await session.execute(sa.insert(Membership).values(id=new_id(), **values))


async def populate(session: AsyncSession) -> People:
    root = (await session.execute(sa.select(Org.id).where(Org.type == "district"))).scalar_one()
    first = await add_org(session, "实验小学", "school", root)
    grade = await add_org(session, "一年级", "department", first)
    second = await add_org(session, "滨湖中学", "school", root)
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


@pytest.fixture(scope="session")
def host() -> Host:
    return load_host(entry_points=[])  # rights need no plugin


@pytest.fixture
async def signals(platform: Platform) -> AsyncGenerator[None]:
    """The platform as a serving process has it: listening."""
    await platform.signals.start()
    yield
    await platform.signals.stop()


async def _scene(platform: Platform, state: DistrictState, authenticator: Authenticator, clock: Clock) -> Scene:
    async with platform.database.work(state.district) as session:
        people = await populate(session)
    return Scene(platform, state, people, authenticator, clock, platform.keys, CountingHasher())


@pytest.fixture
async def scene(platform: Platform, make_district: MakeDistrict) -> AsyncGenerator[Scene]:
    clock = Clock()
    authenticator = Authenticator(platform, clock=clock)
    yield await _scene(platform, await make_district("ezhou"), authenticator, clock)
    await authenticator.close()


@pytest.fixture
async def neighbour(platform: Platform, scene: Scene, make_district: MakeDistrict) -> Scene:
    """Another district of the same deployment."""
    return await _scene(platform, await make_district("huangshi", name="黄石市"), scene.authenticator, scene.clock)


@dataclass
class Web:
    """The application of a scene, and browsers in front of it."""

    scene: Scene
    app: Observe
    door: Door
    slug: str = "ezhou"
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, *, address: str = "203.0.113.7", **options: Any) -> httpx.AsyncClient:  # noqa: ANN401 - httpx's
        """Somebody's, with cookies of its own."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 40_000))  # type: ignore[arg-type]  # ASGI's types differ in name
        base = f"https://gongyu.test/api/v1/{self.slug}"
        made = httpx.AsyncClient(transport=transport, base_url=base, **options)
        self.opened.append(made)
        return made

    def script(self, token: str) -> httpx.AsyncClient:
        return self.browser(headers={"authorization": f"Bearer {token}"})

    async def signed_in(self, username: str, password: str = PASSWORD) -> httpx.AsyncClient:
        browser = self.browser()
        answer = await browser.post("/session", json={"username": username, "password": password})
        assert (answer.status_code, answer.json()["needs"]) == (201, ""), answer.text
        return browser

    async def administrator(self) -> httpx.AsyncClient:
        return self.script(await self.scene.token(self.scene.people.admin))

    async def rules(self, access: str) -> None:
        text = f'[district]\nslug = "ezhou"\nname = "鄂州市"\n\n[access]\n{access}\n'
        await apply_file(
            self.scene.platform, read_file(self.scene.platform, text, file="ezhou.toml"), actor="operator:t"
        )

    async def code(self, person: UUID, kind: Kind = "activation") -> str:
        async with self.scene.work() as session:
            issued = await codes.issue(
                session,
                keys=self.scene.keys,
                kind=kind,
                persons=[person],
                valid=timedelta(days=1),
                by="operator:test",
                now=datetime.now(UTC),
            )
        return issued[person]


@pytest.fixture
async def web(scene: Scene) -> AsyncGenerator[Web]:
    platform = scene.platform
    door = Door(SignIn(platform, scene.passwords), Refusals(platform.database))
    made = Web(scene, create_app(platform, door=door), door)
    yield made
    for browser in made.opened:
        await browser.aclose()
