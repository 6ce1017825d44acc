"""A district with a school: three teachers, two homeroom classes, and what is needed to give and to spend."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.principal import Membership as Held
from gongyu.access.principal import Principal
from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import work
from gongyu.people.models import ClassGroup, Enrolment, Membership, Org, Person
from gongyu.platform import Platform
from gongyu.plugin import Context
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app
from gongyu_points.audit import Audit, audit
from gongyu_points.giving import award
from gongyu_points.reversing import undo
from gongyu_points.schemas import AwardOut, NewAward, NewRedemption, NewTerm, RedemptionOut, ReversalOut
from gongyu_points.settings import Denomination
from gongyu_points.spending import redeem
from gongyu_points.terms import Closed, close_term, open_term

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

    def principal(self, person: UUID, role: str = "teacher") -> Principal:
        """As the gate would make them, of their school."""
        orgs = frozenset({self.school})
        return Principal(person, role, (Held(role, self.school, orgs, everywhere=False),), None, "test")

    async def open_term(self, title: str = "2026 年秋季学期", *, id_: UUID | None = None, **settings: object) -> UUID:
        term = id_ or new_id()
        async with self.work() as session:
            await open_term(self.with_settings(session, **settings), new=NewTerm(term, title))
        return term

    def with_settings(self, session: AsyncSession, **settings: object) -> Context:
        context = self.context(session)
        return replace(context, settings=msgspec.structs.replace(context.settings, **settings))

    async def give(
        self,
        *students: UUID,
        teacher: int = 0,
        points: Denomination = 5,
        key: UUID | None = None,
        class_id: UUID | None = None,
        reason: str = "helps_others",
        now: datetime | None = None,
        **settings: object,
    ) -> AwardOut:
        new = NewAward(id=key or new_id(), points=points, reason=reason, students=students, class_id=class_id)
        async with self.work() as session:
            context = self.with_settings(session, **settings)
            return await award(
                replace(context, now=now or context.now),
                new=new,
                giver=self.principal(self.teachers[teacher]),
                orgs=frozenset({self.school}),
            )

    async def spend(self, student: UUID, points: int, *, key: UUID | None = None) -> RedemptionOut:
        new = NewRedemption(key or new_id(), student, points, self.school, "签字笔")
        async with self.work() as session:
            return await redeem(self.context(session), new=new, actor=self.teachers[2])

    async def undo(self, operation: UUID, *, teacher: int = 0, key: UUID | None = None) -> ReversalOut:
        async with self.work() as session:
            return await undo(
                self.context(session), key=key or new_id(), operation=operation, giver=self.teachers[teacher]
            )

    async def close(self, term: UUID, **settings: object) -> Closed:
        own = msgspec.structs.replace(self.state.settings["points"], **settings)
        return await close_term(self.work, term=term, settings=own, today=datetime.now(UTC).date())

    async def audit(self) -> Audit:
        async with self.platform.database.read(self.state.district) as connection:
            return await audit(connection, self.state.district)

    async def books(self) -> dict[str, int]:
        """What stands in the accounts, by kind."""
        rows = await self.rows("SELECT kind, sum(posted)::bigint FROM {s}.points_account GROUP BY kind")
        return {str(kind): total for kind, total in rows if isinstance(total, int)}

    async def rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """As the application's role: what a slip in our own SQL could do."""
        async with self.platform.database.work(self.state.district) as session:
            text = sql.replace("{s}", self.state.district.schema)
            found: Any = await session.execute(sa.text(text), values)
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


@pytest.fixture
def new_scene() -> Callable[[Platform, DistrictState], Awaitable[Scene]]:
    """People for a district that is there already."""
    return populate


class Storefront:
    """A school's shop over HTTP, with somebody who runs it."""

    def __init__(self, scene: Scene) -> None:
        app: Any = create_app(scene.platform)
        self.scene = scene
        self.clerk = self.shop = UUID(int=0)
        self.transport = httpx.ASGITransport(app)
        self._tokens: dict[UUID, str] = {}

    async def token(self, who: UUID) -> str:
        if who not in self._tokens:
            async with self.scene.work() as session:
                expires = datetime.now(UTC) + timedelta(days=1)
                self._tokens[who] = await create_token(
                    session, person=who, name="测试", scopes=["*"], expires_at=expires
                )
        return self._tokens[who]

    async def ask(
        self,
        who: UUID | str,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - any JSON
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """As a person, or with a token."""
        token = who if isinstance(who, str) else await self.token(who)
        send: dict[str, Any] = {"json": body} if body is not None else {"content": content or b""}
        async with httpx.AsyncClient(transport=self.transport, base_url="http://gongyu.test") as client:
            url = f"/api/v1/{self.scene.state.district.slug}/points{path}"
            return await client.request(
                method, url, headers={"Authorization": f"Bearer {token}", **(headers or {})}, **send
            )

    async def person(self, role: str, org: UUID) -> UUID:
        async with self.scene.work() as session:
            made = Person(id=new_id(), name=role)
            session.add(made)
            await session.flush()
            session.add(Membership(person_id=made.id, org_id=org, role=role, begins_on=LONG_AGO))
        return made.id

    async def open(self) -> "Storefront":
        self.clerk = await self.person("siteAdministrator", self.scene.school)
        shop = {"id": str(new_id()), "school": str(self.scene.school), "name": "书坊驿站", "hours": "12:00—12:40"}
        made = await self.ask(self.clerk, "POST", "/shops", shop)
        assert made.status_code == 201, made.text
        self.shop = UUID(shop["id"])
        return self

    async def item(self, *, stock: int | None = 5, **values: object) -> UUID:
        """On the shelf; `stock` None is not counted. An event takes place tomorrow."""
        item = {"id": str(new_id()), "kind": "good", "title": "签字笔", "price": 5, "limited": stock is not None}
        if values.get("kind") == "event":
            item["held_at"] = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        made = await self.ask(self.clerk, "POST", f"/shops/{self.shop}/items", item | values)
        assert made.status_code == 201, made.text
        if stock:
            came = {"id": str(new_id()), "kind": "delivery", "quantity": stock}
            assert (await self.ask(self.clerk, "POST", f"/items/{item['id']}/movements", came)).status_code == 201
        return UUID(str(item["id"]))

    async def order(self, pupil: UUID, item: UUID, *, key: UUID | None = None, **values: object) -> httpx.Response:
        return await self.ask(pupil, "POST", "/orders", {"id": str(key or new_id()), "item": str(item)} | values)

    async def on_duty(self, who: UUID) -> None:
        """For an hour."""
        now = datetime.now(UTC)
        duty = {"id": str(new_id()), "person": str(who), "begins_at": str(now - timedelta(minutes=1))}
        made = await self.ask(
            self.clerk, "POST", f"/shops/{self.shop}/duties", duty | {"ends_at": str(now + timedelta(hours=1))}
        )
        assert made.status_code == 201, made.text

    async def balance(self, pupil: UUID) -> int:
        balance: int = (await self.ask(pupil, "GET", f"/students/{pupil}/purse")).json()["balance"]
        return balance

    async def stock(self, item: UUID) -> tuple[object, ...]:
        """What is there, and how much of it is promised."""
        return (await self.scene.rows("SELECT on_hand, reserved FROM {s}.points_stock WHERE item_id = :id", id=item))[0]


@pytest.fixture
async def store(scene: Scene) -> Storefront:
    return await Storefront(scene).open()


@pytest.fixture
def new_store() -> Callable[[Scene], Awaitable[Storefront]]:
    """A shop for people who are there already."""

    async def open_(scene: Scene) -> Storefront:
        return await Storefront(scene).open()

    return open_
