"""The API: who may what, what a wrong amount does, what people see."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.people.models import Guardianship, Membership, Person
from gongyu.web.app import create_app

if TYPE_CHECKING:
    from tests.conftest import Scene


#: Litestar asks for markers that its third version will want; the house adopts them all at once.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


class Site:
    """The application without a server, asked as different people."""

    def __init__(self, scene: "Scene") -> None:
        app: Any = create_app(scene.platform)
        self.scene = scene
        self._transport = httpx.ASGITransport(app)
        self._tokens: dict[UUID, str] = {}

    async def ask(self, who: UUID, method: str, path: str, body: Any = None, raw: str | None = None) -> httpx.Response:  # noqa: ANN401 - any JSON
        if who not in self._tokens:
            async with self.scene.work() as session:
                expires = datetime.now(UTC) + timedelta(days=1)
                self._tokens[who] = await create_token(
                    session, person=who, name="测试", scopes=["*"], expires_at=expires
                )
        headers = {"Authorization": f"Bearer {self._tokens[who]}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://gongyu.test") as client:
            url = f"/api/v1/{self.scene.state.district.slug}/points{path}"
            if raw is None and body is None:
                return await client.request(method, url, headers=headers)
            return await client.request(
                method, url, headers=headers, **({"json": body} if raw is None else {"content": raw})
            )

    async def person(self, role: str, org: UUID) -> UUID:
        async with self.scene.work() as session:
            made = Person(id=new_id(), name=role)
            session.add(made)
            await session.flush()
            session.add(Membership(person_id=made.id, org_id=org, role=role, begins_on=date(2020, 9, 1)))
        return made.id


@pytest.fixture
async def site(scene: "Scene") -> Site:
    return Site(scene)


@pytest.mark.parametrize(
    "amount", ["0", "-5", "3", "2.0", '"10"', "1e3", "9223372036854775808", "null", "true", "[5]", "2.5", "NaN"]
)
async def test_wrong_amount_is_refused_by_name_and_changes_nothing(site: Site, amount: str) -> None:
    scene = site.scene
    await scene.open_term()
    raw = f'{{"id": "{new_id()}", "points": {amount}, "reason": "honest", "students": ["{scene.pupils[0][0]}"]}}'
    answer = await site.ask(scene.teachers[0], "POST", "/awards", raw=raw)
    assert answer.status_code == (400 if amount == "NaN" else 422), answer.text
    if amount != "NaN":
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/points"]
    assert await scene.books() == {"issue": -3000, "quota": 3000}


async def test_a_term_over_http(site: Site) -> None:
    scene = site.scene
    teacher, pupil, school = scene.teachers[0], scene.pupils[0][0], scene.school
    office = await site.person("districtAdministrator", scene.root)
    head = await site.person("principal", school)
    term = {"id": str(new_id()), "title": "2026 年秋季学期"}
    assert (await site.ask(teacher, "POST", "/terms", term)).status_code == 403
    assert (await site.ask(office, "POST", "/terms", term)).json() == 3

    award = {"id": str(new_id()), "points": 10, "reason": "reading", "students": [str(pupil)]}
    first, again = [await site.ask(teacher, "POST", "/awards", award) for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, again.json())
    assert first.json() == {
        "operation": award["id"],
        "points": 10,
        "students": [{"student": str(pupil), "entry": award["id"], "balance": 10}],
        "left": 990,
    }
    whole = {"id": str(new_id()), "points": 2, "reason": "tidy", "class_id": str(scene.classes[0])}
    assert len((await site.ask(teacher, "POST", "/awards", whole)).json()["students"]) == 3
    assert (await site.ask(pupil, "POST", "/awards", {**award, "id": str(new_id())})).status_code == 403

    quota = (await site.ask(teacher, "GET", "/quota")).json()
    assert quota == {"term": term["id"], "quota": 1000, "left": 984, "budgets": []}
    bought = {"id": str(new_id()), "student": str(pupil), "points": 12, "shop": str(school), "item": "午间电影"}
    assert (await site.ask(pupil, "POST", "/redemptions", bought)).json() == {"operation": bought["id"], "balance": 0}
    other = {**bought, "id": str(new_id()), "student": str(scene.pupils[0][1]), "points": 2}
    assert (await site.ask(pupil, "POST", "/redemptions", other)).status_code == 404

    undone = await site.ask(teacher, "POST", f"/awards/{award['id']}/undo", {"id": str(new_id())})
    assert undone.status_code == 409
    back = {"id": str(new_id()), "reason": "没有货了"}
    assert (await site.ask(head, "POST", f"/entries/{bought['id']}/reverse", back)).status_code == 201
    assert (await site.ask(teacher, "POST", f"/entries/{bought['id']}/reverse", back)).status_code == 403

    purse = (await site.ask(pupil, "GET", f"/students/{pupil}/purse")).json()
    assert purse == {
        "student": str(pupil),
        "balance": 12,
        "earned": 12,
        "by_dimension": {"intellectual": 10, "labour": 2},
        "by_reason": {"reading": 10, "tidy": 2},
    }
    path, lines = f"/students/{pupil}/statement?limit=3", []
    while True:
        page = (await site.ask(pupil, "GET", path)).json()
        lines += page["items"]
        if page["next"] is None:
            break
        path = f"/students/{pupil}/statement?limit=3&cursor={page['next']}"
    assert [(line["kind"], line["points"], line["balance"], line["reversed"]) for line in lines] == [
        ("reverse", 12, 12, False),
        ("redeem", -12, 0, True),
        ("award", 2, 12, False),
        ("award", 10, 10, False),
    ]
    equity = (await site.ask(teacher, "GET", f"/classes/{scene.classes[0]}/equity")).json()
    assert ([pupil["awards"] for pupil in equity["pupils"]], equity["without"]) == ([2, 1, 1], 0)
    assert (await site.ask(pupil, "GET", f"/classes/{scene.classes[0]}/equity")).status_code == 404

    closed = await site.ask(office, "POST", f"/terms/{term['id']}/close", {})
    assert closed.json() == {"accounts": 3, "points": 2984}
    found = (await site.ask(office, "GET", "/audit")).json()
    assert (found["sound"], {line["broken"] for line in found["invariants"]}) == (True, {0})


async def test_points_are_seen_by_relation_and_by_office_and_by_nobody_else(site: Site) -> None:
    scene = site.scene
    pupil, school = scene.pupils[0][0], scene.school
    mother, kept_away = [await site.person("guardian", school) for _ in range(2)]
    async with scene.work() as session:
        for guardian, allowed in ((mother, True), (kept_away, False)):
            values = {"guardian_id": guardian, "student_id": pupil, "kind": "parent", "begins_on": date(2020, 9, 1)}
            await session.execute(sa.insert(Guardianship).values(id=new_id(), contact_allowed=allowed, **values))
    people = {
        "self": pupil,
        "mother": mother,
        "homeroom": scene.teachers[0],
        "head": await site.person("principal", school),
        "classmate": scene.pupils[0][1],
        "kept away": kept_away,
        "another teacher": scene.teachers[1],
    }
    for path in ("purse", "statement"):
        answers = {
            name: (await site.ask(who, "GET", f"/students/{pupil}/{path}")).status_code for name, who in people.items()
        }
        assert answers == {
            "self": 200,
            "mother": 200,
            "homeroom": 200,
            "head": 200,
            "classmate": 404,
            "kept away": 403,
            "another teacher": 404,
        }


async def test_budget_is_spent_by_its_holder_alone(site: Site) -> None:
    scene = site.scene
    await scene.open_term()
    office = await site.person("districtAdministrator", scene.root)
    budget = {
        "id": str(new_id()),
        "title": "运动会",
        "points": 20,
        "holder": str(scene.teachers[2]),
        "org": str(scene.school),
    }
    for _ in range(2):
        granted = (await site.ask(office, "POST", "/budgets", budget)).json()
        assert granted["budgets"] == [{"id": budget["id"], "title": "运动会", "left": 20}]
    award = {"points": 20, "reason": "team_spirit", "students": [str(scene.pupils[1][0])], "budget": budget["id"]}
    statuses = [
        (await site.ask(who, "POST", "/awards", {**award, "id": str(new_id())})).status_code
        for who in (scene.teachers[0], scene.teachers[2], scene.teachers[2])
    ]
    assert statuses == [403, 201, 409]
    assert (await scene.audit()).sound
