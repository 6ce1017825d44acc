"""The API: who may what, what a wrong amount does, what people see."""

import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from gongyu.access import audit
from gongyu.access.audit_search import AuditQuery, search
from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.people.models import AcademicSession, Guardianship, Membership, Org, Person
from gongyu.plugin import Capability, Context
from gongyu.testing.plugin import MakeDistrict
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu.web.app import create_app
from gongyu_points.schemas import NewBudget
from gongyu_points.terms import grant_budget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gongyu.districts.registry import DistrictState
    from gongyu.platform import Platform
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
    assert quota == {
        "term": term["id"],
        "ends_on": None,
        "quota": 1000,
        "left": 984,
        "denominations": [2, 5, 10, 20],
        "budgets": [],
    }
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
    fresh = {key: budget[key] for key in ("id", "title", "holder", "org")} | {"granted": 20, "left": 20}
    (term,) = [str(row[0]) for row in await scene.rows("SELECT id FROM {s}.points_term")]
    for _ in range(2):
        granted = await site.ask(office, "POST", "/budgets", budget)
        assert (granted.status_code, granted.json()) == (201, fresh | {"term": term})
    another = await site.person("districtAdministrator", scene.root)
    assert (await site.ask(another, "POST", "/budgets", budget)).status_code == 404  # the key is the first one's
    award = {"points": 20, "reason": "team_spirit", "students": [str(scene.pupils[1][0])], "budget": budget["id"]}
    statuses = [
        (await site.ask(who, "POST", "/awards", {**award, "id": str(new_id())})).status_code
        for who in (scene.teachers[0], scene.teachers[2], scene.teachers[2])
    ]
    assert statuses == [403, 201, 409]
    spent = fresh | {"term": term, "left": 0}
    assert (await site.ask(scene.teachers[2], "GET", "/quota")).json()["budgets"] == [spent]
    seen = [(await site.ask(who, "GET", "/budgets")).json()["items"] for who in (office, *scene.teachers)]
    assert seen == [[spent], [], [], [spent]]
    gone = await site.person("teacher", scene.school)
    async with scene.work() as session:
        ends = sa.update(Membership).where(Membership.person_id == gone).values(ends_on=date(2021, 1, 1))
        await session.execute(ends)
    late = await site.ask(office, "POST", "/budgets", {**budget, "id": str(new_id()), "holder": str(gone)})
    assert [error["pointer"] for error in late.json()["errors"]] == ["/holder"]
    assert (await scene.audit()).sound


async def test_quota_is_of_givers_alone_and_shown_before_the_first_award(site: Site) -> None:
    scene, pupil = site.scene, site.scene.pupils[0][0]
    today = datetime.now(UTC).date()
    async with scene.work() as session:
        days = {"starts_on": today, "ends_on": today + timedelta(days=100)}
        autumn = AcademicSession(id=new_id(), title="秋季", type="term", **days)
        session.add(autumn)
    await scene.open_term(id_=autumn.id, give_to="school")
    head, late = await site.person("principal", scene.school), await site.person("teacher", scene.school)

    async def quota(who: UUID) -> tuple[Any, ...]:
        found = (await site.ask(who, "GET", "/quota")).json()
        return found["quota"], found["left"], found["ends_on"]

    ends = str(autumn.ends_on)
    assert [await quota(head), await quota(late)] == [(0, 0, ends), (1000, 1000, ends)]
    before = await scene.books()
    async with scene.work() as session:
        await session.execute(
            sa.text(
                f"UPDATE {scene.state.district.schema}.enrolment SET person_id = :late "  # noqa: S608 - our own schema
                "WHERE role = 'teacher' AND class_id = :id"
            ),
            {"late": late, "id": scene.classes[0]},
        )
        await session.execute(
            sa.text(
                f"UPDATE {scene.state.district.schema}.enrolment SET person_id = :head "  # noqa: S608 - as above
                "WHERE role = 'teacher' AND class_id = :id"
            ),
            {"head": head, "id": scene.classes[1]},
        )
    award = {"points": 5, "reason": "reading", "students": [str(pupil)]}
    his = {**award, "id": str(new_id()), "students": [str(scene.pupils[1][0])]}
    sheet = {"id": str(new_id()), "reason": "reading", "batches": [{"points": 5, "count": 1}]}
    for path, body in (("/awards", his), ("/sheets", sheet)):
        refused = await site.ask(head, "POST", path, body)
        assert (refused.status_code, "no quota" in refused.text or "没有积分额度" in refused.text) == (403, True)
    assert await scene.books() == before
    assert (await site.ask(late, "POST", "/awards", {**award, "id": str(new_id())})).json()["left"] == 995
    assert await quota(late) == (1000, 995, ends)


async def test_office_of_one_school_does_nothing_for_the_whole_district(site: Site) -> None:
    scene = site.scene
    term = await scene.open_term()
    small = await site.person("districtAdministrator", scene.school)
    reason = {"code": "luck", "zh": "好运", "en": "Luck", "dimension": "moral"}
    budget = {"id": str(new_id()), "title": "运动会", "points": 5, "holder": str(scene.teachers[0])}
    asks = [
        ("PUT", "/reasons", reason),
        ("POST", "/terms", {"id": str(new_id()), "title": "另一学期"}),
        ("POST", f"/terms/{term}/close", {}),
        ("POST", "/budgets", {**budget, "org": str(scene.school)}),
        ("GET", "/audit", None),
    ]
    answers = [await site.ask(small, *ask) for ask in asks]
    assert [(one.status_code, one.json()["type"].rpartition("/")[2]) for one in answers] == [(403, "forbidden")] * 5
    assert await scene.rows("SELECT state FROM {s}.points_term") == [("open",)]
    assert await scene.books() == {"issue": -3000, "quota": 3000}


async def test_who_issues_points_is_on_record(site: Site) -> None:
    scene = site.scene
    office = await site.person("districtAdministrator", scene.root)
    term, budget = {"id": str(new_id()), "title": "2026 年秋季学期"}, new_id()
    granted = {"id": str(budget), "title": "运动会", "points": 50, "holder": str(scene.teachers[0])}
    award, undone, sheet, giver = new_id(), new_id(), new_id(), scene.teachers[0]
    given = {"id": str(award), "points": 5, "reason": "tidy", "students": [str(scene.pupils[0][0])]}
    asks = [
        (office, "/terms", term),
        (office, "/budgets", {**granted, "org": str(scene.school)}),
        (giver, "/awards", given),
        (office, f"/entries/{award}/reverse", {"id": str(undone), "reason": "发错了人"}),
        (giver, "/sheets", {"id": str(sheet), "batches": [{"points": 5, "count": 2}], "reason": "tidy"}),
        (giver, f"/sheets/{sheet}/void", {"id": str(new_id())}),
        (office, f"/terms/{term['id']}/close", {}),
    ]
    for who, path, body in asks:
        first, again = [await site.ask(who, "POST", path, body) for _ in range(2)]
        assert (first.status_code, again.status_code) in {(201, 201), (201, 409)}, first.text
        if path == "/terms":
            assert again.json() == 0
    async with scene.platform.database.read(scene.state.district) as connection:
        lines = [line for line in await search(connection, AuditQuery(), limit=20) if line.action.startswith("points.")]
        assert (await audit.verify(connection)).broken_at is None
    said = {line.action: (line.actor, line.subject, line.details) for line in lines}
    whose = f"person:{office}"
    about = {"points": 50, "holder": str(scene.teachers[0]), "org": str(scene.school)}
    assert (len(lines), said) == (
        5,
        {
            "points.term_opened": (whose, f"term:{term['id']}", {"title": term["title"], "quotas": 3}),
            "points.budget_granted": (whose, f"budget:{budget}", about),
            "points.reversed": (whose, f"entry:{award}", {"operation": str(undone)}),
            "points.vouchers_voided": (f"person:{giver}", f"sheet:{sheet}", {"points": 10}),
            "points.term_closed": (whose, f"term:{term['id']}", {"expired": 3050}),
        },
    )
    givers = await scene.rows("SELECT giver, points FROM {s}.points_entry WHERE kind = 'grant' ORDER BY points")
    assert givers == [(office, 50), *[(None, 1000)] * 3]


async def test_a_school_goes_lower_for_its_givers_and_for_its_pupils(
    platform: "Platform",
    make_district: MakeDistrict,
    new_scene: "Callable[[Platform, DistrictState], Awaitable[Scene]]",
) -> None:
    """The giver's schools say how much of what, the pupil's how much in a day; where one is a parent says nothing."""
    lower = '[schools."3142010001".points]\nquota = 100\nday_cap = 20\ndenominations = [2, 5]\n'
    scene = await new_scene(platform, await make_district("ezhou", f'[plugins.points]\ngive_to = "school"\n\n{lower}'))
    site, strict = Site(scene), scene.pupils[0][0]
    async with scene.work() as session:
        free_school = Org(id=new_id(), name="鄂城学校", type="school", parent_id=scene.root, identifier="3142010002")
        session.add(free_school)
    free = await site.person("student", free_school.id)
    here, parent, both = scene.teachers[0], *[await site.person("teacher", free_school.id) for _ in range(2)]
    office = await site.person("districtAdministrator", scene.root)
    async with scene.work() as session:
        for who, role in ((parent, "guardian"), (both, "teacher")):
            session.add(Membership(person_id=who, org_id=scene.school, role=role, begins_on=date(2020, 9, 1)))
        away = Membership(person_id=here, org_id=free_school.id, role="guardian", begins_on=date(2020, 9, 1))
        session.add(away)
        child = {"guardian_id": here, "student_id": free, "kind": "parent", "begins_on": date(2020, 9, 1)}
        await session.execute(sa.insert(Guardianship).values(id=new_id(), contact_allowed=True, **child))
    late = await site.person("teacher", free_school.id)
    assert (await site.ask(office, "POST", "/terms", {"id": str(new_id()), "title": "秋季"})).json() == 6
    async with scene.work() as session:
        session.add(Membership(person_id=late, org_id=scene.school, role="teacher", begins_on=date(2020, 9, 1)))

    async def quota(who: UUID) -> tuple[int, list[int]]:
        found = (await site.ask(who, "GET", "/quota")).json()
        return found["quota"], found["denominations"]

    assert await quota(here) == (100, [2, 5])
    assert [await quota(who) for who in (parent, both, late)] == [(1000, [2, 5, 10, 20])] * 3

    async def give(who: UUID, student: UUID, points: int) -> int:
        award = {"id": str(new_id()), "points": points, "reason": "reading", "students": [str(student)]}
        return (await site.ask(who, "POST", "/awards", award)).status_code

    assert [await give(here, strict, 10), await give(parent, strict, 5), await give(parent, free, 20)] == [
        422,
        403,
        201,
    ]
    # The first opens the purse and goes the careful way, those after it the quick one.
    assert [await give(who, strict, points) for who, points in ((here, 5), (both, 10), (both, 5))] == [201] * 3
    assert [await give(both, strict, 2), await give(both, free, 20), await give(both, free, 20)] == [409, 201, 201]
    assert await give(both, free, 2) == 409
    caps = await scene.rows(
        "SELECT DISTINCT a.owner_id, e.day_cap FROM {s}.points_entry AS e JOIN {s}.points_account AS a "
        "ON a.id = e.credit WHERE e.kind = 'award' ORDER BY e.day_cap"
    )
    assert caps == [(strict, 20), (free, 60)]
    rows = (await site.ask(both, "GET", "/pupils?limit=200")).json()["items"]
    day = {row["student"]: (row["balance"], row["earned_today"], row["left_today"]) for row in rows}
    assert (len(day), day[str(strict)], day[str(free)]) == (7, (20, 20, 0), (60, 60, 0))
    assert day[str(scene.pupils[1][0])] == (0, 0, 20)

    async def by_rule(student: UUID, points: int) -> None:
        async with scene.work() as session:
            context = scene.platform.context("reading_club", scene.state, session)
            reward = {"budget": budget, "students": [student], "points": points, "reason": "reading", "ground": "r"}
            await context.capabilities["points.award"](context, key=new_id(), **reward)

    budget, other = new_id(), scene.pupils[0][1]
    async with scene.work() as session:
        new = NewBudget(budget, "读书会", 100, here, scene.school)
        await grant_budget(scene.context(session), new=new, by=office)
    await by_rule(other, 20)
    with pytest.raises(ProblemError, match="more than a pupil may earn"):
        await by_rule(other, 2)


async def test_giver_sees_whom_they_may_give_to_and_nobody_else(site: Site) -> None:
    scene = site.scene
    await scene.open_term()
    mine, others = scene.pupils
    await scene.give(mine[1], points=5, now=datetime.now(UTC) - timedelta(days=2))
    await scene.give(mine[1], points=20)

    async def listed(who: UUID, query: str = "") -> list[dict[str, Any]]:
        path, found = f"/pupils?limit=2{query}", list[dict[str, Any]]()
        while True:
            page = (await site.ask(who, "GET", path)).json()
            found += page["items"]
            if page["next"] is None:
                return found
            path = f"/pupils?limit=2{query}&cursor={page['next']}"

    rows = await listed(scene.teachers[0])
    whole = {"class_id": str(scene.classes[0]), "class_title": "七（1）班"}
    plain = {**whole, "balance": 0, "earned_today": 0, "left_today": 60}
    assert rows == [
        {"student": str(mine[0]), "name": "学生1-0", **plain},
        {"student": str(mine[1]), "name": "学生1-1", **whole, "balance": 25, "earned_today": 20, "left_today": 40},
        {"student": str(mine[2]), "name": "学生1-2", **plain},
    ]
    assert [row["student"] for row in await listed(scene.teachers[1])] == [str(one) for one in others]
    assert (await site.ask(mine[0], "GET", "/pupils")).status_code == 403
    assert await listed(scene.teachers[0], f"&class_id={scene.classes[1]}") == []
    assert await listed(scene.teachers[2]) == []

    async def students_of(context: Context, *, person: UUID) -> list[UUID]:
        assert context.district == scene.state.district
        return [mine[2], others[0]] if person == scene.teachers[2] else []

    host = copy.copy(scene.platform.host)
    offered = Capability("mentor.students_of", Text(zh="导师的学生", en="Mentees"), students_of)
    host.capabilities = {**host.capabilities, offered.name: ("points", offered)}
    site = Site(replace(scene, platform=replace(scene.platform, host=host)))
    assert [row["name"] for row in await listed(scene.teachers[2])] == ["学生1-2", "学生2-0"]
    assert await listed(scene.teachers[0]) == []
