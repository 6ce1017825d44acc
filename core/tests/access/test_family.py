"""Parents: three words of rosters that are one, roles that hang on the child, bans no slip of paper goes around."""

from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access import guardians
from gongyu.access.authenticate import changed
from gongyu.access.guardians import GuardianError
from gongyu.events import outbox
from gongyu.events.models import EventRow
from gongyu.people.models import Guardianship, Membership

from ..command import Command  # noqa: TID252 - test folders are no packages and have no absolute names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.access.conftest import Scene, Web

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.usefixtures("signals"),
]
FRESH = "battery staple horse"
DAY = timedelta(days=1)


async def parent_of(scene: "Scene", child: UUID, role: str, **bond: object) -> UUID:
    person = await scene.person(f"家长 {role}", role, scene.people.first_school)
    values = {"guardian_id": person, "student_id": child, "kind": "mother", "begins_on": scene.long_ago} | bond
    await scene.execute(sa.insert(Guardianship).values(**values))
    return person


async def bonds(scene: "Scene", guardian: UUID) -> list[tuple[str, bool, date, date | None]]:
    table = Guardianship
    found = sa.select(table.kind, table.contact_allowed, table.begins_on, table.ends_on)
    async with scene.work() as session:
        rows = await session.execute(found.where(table.guardian_id == guardian).order_by(table.begins_on))
        return [(row.kind, row.contact_allowed, row.begins_on, row.ends_on) for row in rows]


@pytest.mark.parametrize("role", ["guardian", "parent", "relative"])
async def test_whatever_a_roster_calls_a_parent_they_read_their_childs_growth_record(web: "Web", role: str) -> None:
    scene, people = web.scene, web.scene.people
    mother = web.script(await scene.token(await parent_of(scene, people.student, role)))
    stranger = await scene.person("别人", "student", people.first_school)
    statuses = [
        (await mother.get(f"/people/{child}/growth-record")).status_code for child in (people.student, stranger)
    ]
    assert statuses == [200, 404]
    me = (await mother.get("/me")).json()
    assert me["memberships"] == [{"role": role, "org": str(people.first_school)}]
    assert "district.growth_record.read" in me["permissions"]


GONE = {"begins_on": date(2020, 9, 1), "ends_on": date(2021, 7, 1)}


@pytest.mark.parametrize(
    ("what", "stays"),
    [
        ("guardianship over", False),
        ("contact forbidden", True),
        ("child left", True),
        ("child at another school", True),
    ],
)
async def test_parents_role_ends_with_what_it_hangs_on(web: "Web", what: str, stays: bool) -> None:  # noqa: FBT001 - a case
    scene, people = web.scene, web.scene.people
    code = await web.code(people.student, "guardian")
    new = {"name": "李芳", "username": "lifang", "password": FRESH}
    bound = await web.browser().post("/guardianships", json={"code": code, "kind": "mother", "guardian": new})
    mother = UUID(bound.json()["guardian"])
    browser, script = await web.signed_in("lifang", FRESH), web.script(await scene.token(mother))
    assert len((await script.get("/me")).json()["memberships"]) == 1
    schooling = sa.update(Membership).where(Membership.person_id == people.student)
    await scene.execute(
        {
            "guardianship over": sa.update(Guardianship).values(GONE),
            "contact forbidden": sa.update(Guardianship).values(contact_allowed=False),
            "child left": schooling.values(GONE),
            "child at another school": schooling.values(org_id=people.second_school),
        }[what]
    )
    await changed(scene.platform, "ezhou")
    for door in (browser, script):
        answer = await door.get("/me")
        if stays:  # they still speak for the child, or for themselves, about their data; the school's rooms are shut
            assert (answer.json()["memberships"], answer.json()["permissions"]) == ([], [])
        else:
            assert answer.status_code == 401
    again = await web.browser().post("/session", json={"username": "lifang", "password": FRESH})
    assert again.status_code == (201 if stays else 401)


async def test_parent_whom_a_roster_ended_comes_back_by_a_new_slip_as_the_same_person(web: "Web") -> None:
    scene, people = web.scene, web.scene.people
    new = {"name": "李芳", "username": "lifang", "password": FRESH}
    binding = {"code": await web.code(people.student, "guardian"), "kind": "mother", "guardian": new}
    mother = UUID((await web.browser().post("/guardianships", json=binding)).json()["guardian"])
    await scene.execute(sa.update(Guardianship).values(GONE))
    wrong = binding | {"guardian": new | {"password": "another than hers"}}
    assert (await web.browser().post("/guardianships", json=wrong)).status_code == 422  # the user name is taken
    again = await web.browser().post("/guardianships", json=binding)
    assert (again.status_code, again.json()["guardian"]) == (201, str(mother))
    assert [(contact, ends) for _, contact, _, ends in await bonds(scene, mother)] == [
        (True, GONE["ends_on"]),
        (True, None),
    ]
    assert (await (await web.signed_in("lifang", FRESH)).get("/me")).json()["memberships"] != []


async def test_nobody_is_bound_by_paper_to_a_child_somebody_is_kept_from(web: "Web") -> None:
    scene, people = web.scene, web.scene.people
    await parent_of(scene, people.student, "parent", contact_allowed=False)
    known = await scene.person("阿姨", "guardian", people.first_school)
    sibling = await scene.person("弟弟", "student", people.first_school)
    code, other = await web.code(people.student, "guardian"), await web.code(sibling, "guardian")
    new = {"name": "王五", "username": "wangwu", "password": FRESH}
    refused = await web.browser(headers={"accept-language": "zh"}).post(
        "/guardianships", json={"code": code, "kind": "father", "guardian": new}
    )
    assert (refused.status_code, refused.json()["detail"]) == (403, "这个孩子的家长绑定须到学校办理，请带上有效证件")
    bound = await web.browser().post("/guardianships", json={"code": other, "kind": "father", "guardian": new})
    assert bound.status_code == 201  # nothing of the refused one was left, and the sibling's slip opens
    browser = await web.signed_in("wangwu", FRESH)
    assert (await browser.post("/guardianships", json={"code": code, "kind": "father"})).status_code == 403
    (first, second) = await scene.audited("guardian.refused")
    assert first.subject == second.subject == f"person:{people.student}"
    today = scene.clock.now.date()
    async with outbox.work(scene.platform, scene.state.district) as session:
        await guardians.add(
            session, guardian=known, student=people.student, kind="relative", by="operator:t", today=today
        )
    assert [kind for kind, *_ in await bonds(scene, known)] == ["relative"]


async def test_operator_parts_and_joins_with_all_that_was_kept(scene: "Scene") -> None:
    child = scene.people.student
    father = await parent_of(scene, child, "parent", kind="father", from_roster=True)
    today = scene.clock.now.date()
    pair = {"guardian": father, "student": child, "by": "operator:t"}

    async def settle(how: str, day: date) -> str:
        try:
            async with outbox.work(scene.platform, scene.state.district) as session:
                match how:
                    case "add":
                        await guardians.add(session, **pair, kind="father", today=day)  # type: ignore[arg-type]  # a case
                    case "end":
                        await guardians.end(session, **pair, today=day)  # type: ignore[arg-type]  # a case
                    case _:
                        await guardians.forbid(session, **pair, kind=None, today=day)  # type: ignore[arg-type]  # a case
        except GuardianError as error:
            return error.text.en
        return ""

    already, banned = "they are a guardian of the child already", "contact is forbidden already"
    steps = [("add", 0), ("forbid", 0), ("forbid", 0), ("add", 1), ("forbid", 1), ("add", 2), ("end", 3), ("end", 3)]
    said = [await settle(how, today + days * DAY) for how, days in steps]
    assert said == [already, "", banned, "", "", "", "", "they are no guardian of the child"]
    assert await bonds(scene, father) == [
        ("father", True, scene.long_ago, today - DAY),
        ("father", False, today, today),
        ("father", False, today + DAY, today + DAY),
        ("father", False, today + 2 * DAY, today + 2 * DAY),
    ]
    actions = ("guardian.added", "guardian.ended", "guardian.forbidden")
    assert [(line.action, line.actor) for line in await scene.audited(*actions)] == [
        (f"guardian.{action}", "operator:t") for action in ("forbidden", "added", "forbidden", "added", "ended")
    ]
    async with scene.work() as session:
        told = (await session.execute(sa.select(EventRow.type).order_by(EventRow.id))).scalars().all()
    assert [type_.removeprefix("people.guardian_") for type_ in told] == [
        "unlinked.v1",
        "linked.v1",
        "unlinked.v1",
        "linked.v1",
        "unlinked.v1",
    ]


async def test_narrow_token_opens_the_own_routes_of_its_scope_alone(web: "Web") -> None:
    scene, people = web.scene, web.scene.people
    paths = ("/me/tokens", "/me/to-dos", "/me/consents", f"/people/{people.teacher}/copy", "/approvals/mine")
    opened = {
        scopes: {(await web.script(await scene.token(people.teacher, *scopes)).get(path)).status_code for path in paths}
        for scopes in (("points.*",), ("people.own",), ("*",))
    }
    assert opened == {("points.*",): {403}, ("people.own",): {200}, ("*",): {200}}
    script = web.script(await scene.token(people.teacher, "points.*"))
    refused = await script.get("/me/tokens", headers={"accept-language": "en"})
    assert refused.json()["detail"] == "the token's scope leaves out people.own"
    assert (await script.get("/me")).status_code == 200
    line = (await scene.audited("access.refused"))[0]
    assert (line.actor, line.details["permission"]) == (f"person:{people.teacher}", "people.own")


async def test_operator_settles_guardians_at_the_terminal(database_url: str, tmp_path: "Path") -> None:
    gongyu = Command(database_url, tmp_path)
    await gongyu.well("district", "create", "huangshi", "--name", "黄石")
    made = [
        (await gongyu.well("user", "create", "huangshi", "--name", name, "--role", role)).split()[0]
        for name, role in (("生同学", "student"), ("王五", "parent"))
    ]
    guardian = ("person", "guardian")
    assert await gongyu.well(*guardian, "add", "huangshi", *made, "--kind", "father") == "added\n"
    assert (await gongyu.well(*guardian, "forbid", "huangshi", *made)).startswith("contact is forbidden; from now on")
    twice = await gongyu(*guardian, "forbid", "huangshi", *made)
    assert (twice.code, twice.err) == (2, "contact is forbidden already\n")
    assert (await gongyu.well(*guardian, "end", "huangshi", *made)).startswith("ended; ")
    itself = await gongyu(*guardian, "add", "huangshi", made[1], made[0])
    assert (itself.code, itself.err) == (2, "the child must be a pupil of a school here\n")
