"""Who may see and do what: every id is tried by everybody, on every route."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.people.models import Membership, Org, Person
from gongyu_mentor.api import ROUTES
from gongyu_mentor.models import Assignment

from .conftest import MakeSite, Site
from .test_round_life import run_and_publish

#: What each kind of person may do at the first school, beside what everybody of it may read.
_MEMBERS = {"mentor_list_rounds", "mentor_read_round", "mentor_read_lottery", "mentor_list_offers"}
_EVERYBODY = {"mentor_list_rounds", "mentor_read_my_mentor", "mentor_read_my_appeals"}
_PUPIL = _MEMBERS | _EVERYBODY | {"mentor_read_my_preferences", "mentor_file_my_preferences"}
_MENTOR = (
    _MEMBERS
    | _EVERYBODY
    | {
        "mentor_fill_profile",
        "mentor_read_my_applicants",
        "mentor_star_applicants",
        "mentor_list_my_students",
        "mentor_show_photo",
        "mentor_remove_photo",
    }
)
#: A head of another school has the permissions, but nothing of this one: these answer with what is theirs (nothing).
_OWN_LISTS = _EVERYBODY | {"mentor_list_my_students", "mentor_show_photo", "mentor_remove_photo"}


@pytest.fixture
async def published(site: Site) -> str:
    round_id = await site.open_round(choosing=False)
    await site.file_lists(round_id)
    await run_and_publish(site, round_id)
    return round_id


async def test_every_id_is_tried_by_everybody_and_nobody_gets_further(site: Site, published: str) -> None:
    school, other = site.schools
    of_other = {row.student_id: row.mentor_id for row in await site.rows(sa.select(Assignment))}
    appellant = next(one for one in school.students[2:] if of_other[one] != of_other[school.students[1]])
    reasons = {"student": str(appellant), "reasons": "和这位导师有过矛盾"}
    appeal = await site.done(appellant, "POST", f"/rounds/{published}/appeals", reasons)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    window = {"gone": [str(of_other[appellant])], "closes_at": until}
    await site.done(school.head, "PUT", f"/rounds/{published}/refiling", window)
    ids = {
        "appeal": appeal["id"],
        "round_id": published,
        "mentor": school.mentors[0],
        "student": school.students[1],
        "school": school.org,
        "class_id": school.class_id,
    }
    person = str(ids["mentor"])
    bodies = {
        "mentor_create_round": {"school": str(school.org), "title": "x"},
        "mentor_change_round": {"version": 1},
        "mentor_set_offers": [{"mentor": person, "soft_cap": 1, "hard_cap": 1}],
        "mentor_fill_profile": {"introduction": "x"},
        "mentor_decide_fewer": {"granted": True},
        "mentor_file_my_preferences": {"choices": [person]},
        "mentor_star_applicants": {"students": []},
        "mentor_pin": {"mentor": person, "reason": "why not"},
        "mentor_what_if": {"edits": []},
        "mentor_publish": {"run": published},
        "mentor_rematch": {"gone": [person]},
        "mentor_file_appeal": reasons,
        "mentor_file_class_preferences": {"choices": [person]},
        "mentor_decide_appeal": {"upheld": False, "answer": "no"},
        "mentor_open_refiling": window,
        "mentor_file_my_refiling": {"choices": [person]},
    }
    askers = {
        "pupil": (school.students[1], _PUPIL),
        "guardian": (school.guardian, _MEMBERS | _EVERYBODY),
        "mentor": (school.mentors[0], _MENTOR),
        "other pupil": (other.students[0], _EVERYBODY),
        "other guardian": (other.guardian, _EVERYBODY),
        "other mentor": (other.mentors[0], _OWN_LISTS),
        "other head": (other.head, _OWN_LISTS),
    }
    leaked = []
    for kind, (who, allowed) in askers.items():
        for handler in ROUTES:
            (path,) = handler.paths
            for name, value in ids.items():
                path = path.replace(f"{{{name}:uuid}}", str(value))
            (method,) = handler.http_methods - {"OPTIONS"}
            answer = await site.ask(who, method, path, bodies.get(str(handler.operation_id)))
            not_theirs = kind == "other head" and '"/school"' in answer.text
            let_in = answer.status_code not in {401, 403, 404} and not not_theirs
            if let_in and handler.operation_id not in allowed:
                leaked.append((kind, handler.operation_id, answer.status_code, answer.text[:100]))
    assert leaked == []


@pytest.mark.usefixtures("published")
async def test_everybody_sees_their_own_and_nothing_else(site: Site) -> None:
    school, other = site.schools
    pupil = school.students[0]
    (mine,) = await site.done(pupil, "GET", "/assignments/mine")
    (childs,) = await site.done(school.guardian, "GET", "/assignments/mine")
    assert (mine["student"], childs) == (str(pupil), mine)
    assert await site.done(other.guardian, "GET", "/assignments/mine") == []
    of_each = {m: await site.done(m, "GET", "/students") for m in (*school.mentors, *other.mentors)}
    students = [one["student"] for listed in of_each.values() for one in listed]
    assert sorted(students) == sorted(map(str, school.students))
    assert all(one["mentor"] == str(mentor) for mentor, listed in of_each.items() for one in listed)
    assert [of_each[mentor] for mentor in other.mentors] == [[] for _ in other.mentors]

    view = await site.done(school.head, "GET", f"/schools/{school.org}")
    assert (view["students"], view["with_mentor"], sum(one["students"] for one in view["loads"])) == (40, 40, 40)
    listed = await site.done(other.head, "GET", f"/schools/{other.org}/students?without_mentor=true&limit=30")
    rest = await site.done(
        other.head, "GET", f"/schools/{other.org}/students?without_mentor=true&after={listed['next']}"
    )
    assert [one["student"] for one in listed["items"] + rest["items"]] == sorted(map(str, other.students))
    assert [one["id"] for one in (await site.done(other.students[0], "GET", "/rounds"))["items"]] == []


async def test_a_draft_is_nobodys_business_and_a_token_of_another_district_opens_nothing(
    site: Site, make_site: MakeSite
) -> None:
    school = site.school
    made = await site.done(school.head, "POST", "/rounds", {"school": str(school.org), "title": "草稿"})
    for who in (school.students[0], school.guardian, school.mentors[0]):
        assert (await site.ask(who, "GET", f"/rounds/{made['id']}")).status_code == 404
        assert (await site.done(who, "GET", "/rounds"))["items"] == []
    neighbour: Site = await make_site("wuhan", students=2, mentors=1, schools=1)
    site.tokens[neighbour.school.head] = neighbour.tokens[neighbour.school.head]
    assert (await site.ask(neighbour.school.head, "GET", f"/rounds/{made['id']}")).status_code == 401


async def test_the_district_office_runs_every_school(site: Site, published: str) -> None:
    async with site.platform.database.work(site.state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        person = Person(name="局长")
        session.add(person)
        await session.flush()
        role = "districtAdministrator"
        session.add(Membership(person_id=person.id, org_id=root, role=role, begins_on=date(2020, 1, 1)))
        await session.flush()
        until = datetime.now(UTC) + timedelta(days=1)
        site.tokens[person.id] = await create_token(session, person=person.id, name="t", scopes=["*"], expires_at=until)
        office: UUID = person.id
    assert [one["id"] for one in (await site.done(office, "GET", "/rounds"))["items"]] == [published]
    assert (await site.done(office, "GET", f"/schools/{site.school.org}"))["with_mentor"] == 40
