# ruff: noqa: ANN401 - bodies and answers are plain JSON
"""A district with two schools, entered by hand: pupils, mentors, heads, guardians, care categories."""

import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar.exceptions import LitestarDeprecationWarning

from gongyu.access.models import ApiToken
from gongyu.access.tokens import credential, credential_digest
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.host import Host, load_host
from gongyu.people.care import sealed_care
from gongyu.people.models import (
    CareCategory,
    ClassGroup,
    Demographics,
    Enrolment,
    Guardianship,
    Membership,
    Org,
    Person,
)
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app
from gongyu_mentor.models import Preference

SINCE = date(2020, 9, 1)


@dataclass
class School:
    """Ids of one school's people, and a token for each."""

    org: UUID
    class_id: UUID
    head: UUID
    mentors: list[UUID]
    students: list[UUID]
    guardian: UUID
    """Of the first student."""
    tokens: dict[UUID, str]


@dataclass
class Site:
    """A running application without a server, with a clock that can be moved."""

    platform: Platform
    state: DistrictState
    schools: list[School]
    app: Any
    tokens: dict[UUID, str] = field(default_factory=dict)

    @property
    def school(self) -> School:
        return self.schools[0]

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app)
        base = f"http://gongyu.test/api/v1/{self.state.district.slug}/mentor"
        async with httpx.AsyncClient(transport=transport, base_url=base, timeout=60) as client:
            yield client

    async def ask(self, who: UUID, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.request(method, path, json=body, headers=self.headers(who), **options)

    def headers(self, who: UUID) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[who]}", "accept-language": "en"}

    async def done(self, who: UUID, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(who, method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def rows(self, query: sa.Select[*tuple[Any, ...]]) -> list[Any]:
        async with self.platform.database.read(self.state.district) as connection:
            return list(await connection.execute(query))

    async def open_round(self, *, choosing: bool = True, **fields: Any) -> str:
        """A round of the first school, announced and open (or already over)."""
        now = datetime.now(UTC)
        opens, closes = now - timedelta(hours=2), now + timedelta(hours=1)
        new = {"school": str(self.school.org), "title": "秋季双选", **fields}
        made = await self.done(self.school.head, "POST", "/rounds", new)
        times = {"version": made["version"], "opens_at": opens.isoformat(), "closes_at": closes.isoformat()}
        await self.done(self.school.head, "PATCH", f"/rounds/{made['id']}", times)
        await self.done(self.school.head, "POST", f"/rounds/{made['id']}/announce")
        if not choosing:
            await self.close(made["id"])
        return str(made["id"])

    async def close(self, round_id: str) -> None:
        """The deadline passes."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        async with self.platform.database.owner.begin() as connection:
            schema = self.state.district.schema
            await connection.execute(
                sa.text(f'UPDATE "{schema}".mentor_round SET closes_at = :past WHERE id = :id'),  # noqa: S608 - our own schema
                {"past": past, "id": round_id},
            )

    async def file_lists_of_others(self, round_id: str) -> dict[UUID, list[UUID]]:
        """All but the first student."""
        return await self.file_lists(round_id, but=self.school.students[:1])

    async def file_lists(
        self, round_id: str, *, seed: int = 7, choices: int = 5, but: Sequence[UUID] = ()
    ) -> dict[UUID, list[UUID]]:
        """Every student files a random list, straight into the table."""
        random = Random(seed)  # noqa: S311 - wishes, not secrets
        lists = {s: random.sample(self.school.mentors, choices) for s in self.school.students if s not in but}
        rows = [{"round_id": UUID(round_id), "student_id": s, "choices": c} for s, c in lists.items()]
        async with self.platform.database.work(self.state.district) as session:
            await session.execute(sa.insert(Preference), rows)
        return lists


async def populate(
    platform: Platform, state: DistrictState, *, students: int = 40, mentors: int = 8, schools: int = 2
) -> list[School]:
    made: list[School] = []
    expires = datetime.now(UTC) + timedelta(days=1)
    seals = platform.seals(state.district)
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        for number in range(schools):
            org, class_id = new_id(), new_id()
            session.add(Org(id=org, name=f"第{number + 1}中学", type="school", parent_id=root))
            await session.flush()
            session.add(ClassGroup(id=class_id, title="七年级1班", type="homeroom", grade="07", school_id=org))
            people = {
                "head": [new_id()],
                "teacher": [new_id() for _ in range(mentors)],
                "student": [new_id() for _ in range(students)],
                "guardian": [new_id()],
            }
            names = {"head": "校长", "teacher": "老师", "student": "学生", "guardian": "家长"}
            everybody = [(who, f"{names[kind]}{at}") for kind, ids in people.items() for at, who in enumerate(ids)]
            await session.execute(sa.insert(Person), [{"id": who, "name": name} for who, name in everybody])
            roles = {"head": "principal", "teacher": "teacher", "student": "student"}
            await session.execute(
                sa.insert(Membership),
                [
                    {"id": new_id(), "person_id": who, "org_id": org, "role": role, "begins_on": SINCE}
                    for kind, role in roles.items()
                    for who in people[kind]
                ],
            )
            await session.execute(
                sa.insert(Enrolment),
                [
                    {
                        "id": new_id(),
                        "person_id": who,
                        "class_id": class_id,
                        "role": "student",
                        "number": str(at + 1),
                        "begins_on": SINCE,
                    }
                    for at, who in enumerate(people["student"])
                ],
            )
            await session.execute(
                sa.insert(Demographics), [{"person_id": who, "sex": "female"} for who in people["student"]]
            )
            await session.execute(
                sa.insert(CareCategory),
                [
                    {**sealed_care(seals, id_=new_id(), category="left_behind", value=value), "student_id": who}
                    | {"begins_on": SINCE}
                    for at, who in enumerate(people["student"])
                    for value in ["double" if at % 8 == 0 else "none"]
                ],
            )
            session.add(
                Guardianship(
                    guardian_id=people["guardian"][0], student_id=people["student"][0], kind="mother", begins_on=SINCE
                )
            )
            tokens = {who: credential("gy", state.district.slug) for who, _ in everybody}
            await session.execute(
                sa.insert(ApiToken),
                [
                    {
                        "id": new_id(),
                        "person_id": who,
                        "name": "test",
                        "hash": credential_digest(text),
                        "scopes": ["*"],
                        "expires_at": expires,
                    }
                    for who, text in tokens.items()
                ],
            )
            made.append(
                School(
                    org,
                    class_id,
                    people["head"][0],
                    people["teacher"],
                    people["student"],
                    people["guardian"][0],
                    tokens,
                )
            )
    return made


@pytest.fixture(scope="session")
def host() -> Host:
    return load_host(only=["mentor"])


MakeSite = Callable[..., Any]


@pytest.fixture
async def make_site(platform: Platform, make_district: MakeDistrict) -> MakeSite:
    async def make(slug: str = "ezhou", **sizes: int) -> Site:
        state = await make_district(slug, "[plugins.mentor]\n")
        schools = await populate(platform, state, **sizes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LitestarDeprecationWarning)  # the platform's own routes, not this plugin's
            site = Site(platform, state, schools, create_app(platform))
        for school in schools:
            site.tokens |= school.tokens
        return site

    return make


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    made: Site = await make_site()
    return made
