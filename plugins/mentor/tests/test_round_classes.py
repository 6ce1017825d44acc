"""One party-member teacher for each class: the same round, with classes in the place of pupils."""

from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from gongyu.database.model import new_id
from gongyu.people.models import ClassGroup, Enrolment
from gongyu_mentor.models import Assignment, ClassAssignment

from .conftest import SINCE, Site
from .test_overview import to_dos
from .test_round_life import run_and_publish


@pytest.fixture
async def classes(site: Site) -> list[UUID]:
    """Four more classes; the first of all has the first teacher as its homeroom teacher."""
    more = [new_id() for _ in range(4)]
    async with site.platform.database.work(site.state.district) as session:
        session.add_all(
            ClassGroup(id=id_, title=f"八年级{at}班", type="homeroom", grade="08", school_id=site.school.org)
            for at, id_ in enumerate(more)
        )
        await session.flush()
        session.add(
            Enrolment(
                person_id=site.school.mentors[0],
                class_id=site.school.class_id,
                role="teacher",
                is_primary=True,
                begins_on=SINCE,
            )
        )
    return [site.school.class_id, *more]


async def _round(site: Site, teachers: list[UUID]) -> str:
    made = await site.open_round(kind="classes")
    invited = [{"mentor": str(one), "soft_cap": 1, "hard_cap": 1, "party_member": True} for one in teachers]
    await site.done(site.school.head, "PUT", f"/rounds/{made}/offers", invited)
    return made


async def test_each_class_gets_one_teacher_and_none_has_two(site: Site, classes: list[UUID]) -> None:
    school, head = site.school, site.school.head
    teachers = school.mentors[1:7]
    round_id = await _round(site, teachers)
    homeroom, stranger = school.mentors[0], school.mentors[2]

    def path(class_id: UUID) -> str:
        return f"/rounds/{round_id}/classes/{class_id}/preferences"

    first: dict[str, Any] = {"choices": [str(teachers[0]), str(teachers[1])]}
    assert (await site.done(homeroom, "PUT", path(classes[0]), first))["version"] == 1
    assert (await site.ask(stranger, "PUT", path(classes[0]), first)).status_code == 404
    assert (await site.ask(homeroom, "PUT", path(classes[1]), first)).status_code == 404
    assert (await site.ask(homeroom, "PUT", path(classes[0]), {**first, "version": 9})).status_code == 412
    wrong = {"choices": [str(homeroom)]}
    assert (await site.ask(head, "PUT", path(classes[1]), wrong)).status_code == 422
    for class_id in classes[1:4]:
        await site.done(head, "PUT", path(class_id), first)
    listed = await site.done(head, "GET", f"/rounds/{round_id}/classes")
    assert {one["class_id"]: len(one["choices"]) for one in listed} == {
        str(class_id): 0 if class_id == classes[4] else 2 for class_id in classes
    }
    pupil = school.students[0]
    assert (await site.ask(pupil, "PUT", f"/rounds/{round_id}/preferences/mine", first)).status_code == 404
    pin = {"mentor": str(teachers[0]), "reason": "not here"}
    assert (await site.ask(head, "PUT", f"/rounds/{round_id}/pins/{pupil}", pin)).status_code == 409

    await site.close(round_id)
    run = await run_and_publish(site, round_id)
    assert (run["figures"]["students"], run["figures"]["matched"]) == (5, 5)
    assert (await site.ask(homeroom, "PUT", path(classes[0]), first)).status_code == 409
    pairs = {row.class_id: row.mentor_id for row in await site.rows(sa.select(ClassAssignment))}
    assert (set(pairs), len(set(pairs.values()))) == (set(classes), 5)
    assert set(pairs.values()) <= set(teachers)
    assert await site.rows(sa.select(Assignment.id)) == []
    shown = await site.done(head, "GET", f"/schools/{school.org}/classes")
    assert {one["class_id"]: one["mentor"] for one in shown} == {str(c): str(m) for c, m in pairs.items()}
    codes = {one["class_id"]: one["why"]["code"] for one in shown}
    assert sorted(codes.values()) == ["CHOICE_1", "CHOICE_2", "COMPLETION", "COMPLETION", "COMPLETION"]
    assert codes[str(classes[4])] == "COMPLETION"
    assert (await site.ask(site.schools[1].head, "GET", f"/schools/{school.org}/classes")).status_code == 404
    book = load_workbook(BytesIO((await site.ask(head, "GET", f"/schools/{school.org}/classes.xlsx")).content))
    assert len(list(book["班级导师 classes"].iter_rows(min_row=2))) == 5


async def test_who_is_in_the_party_is_seen_by_those_who_work_there_and_by_no_child_or_parent(
    site: Site, classes: list[UUID]
) -> None:
    school, other = site.schools
    students = await site.open_round()
    round_id = await _round(site, school.mentors[1:7])
    everybody = {"pupil": school.students[0], "parent": school.guardian, "mentor": school.mentors[2]}
    everybody |= {"head": school.head, "far mentor": other.mentors[0], "far head": other.head}
    paths = [f"/rounds/{round_id}", f"/rounds/{round_id}/offers", f"/rounds/{round_id}/lottery"]
    assert {
        kind: [(await site.ask(who, "GET", path)).status_code for path in paths] for kind, who in everybody.items()
    } == {
        "pupil": [404] * 3,
        "parent": [404] * 3,
        "mentor": [200] * 3,
        "head": [200] * 3,
        "far mentor": [404] * 3,
        "far head": [404] * 3,
    }
    listed = {kind: (await site.done(who, "GET", "/rounds"))["items"] for kind, who in everybody.items()}
    assert {kind: [one["id"] for one in rounds] for kind, rounds in listed.items()} == {
        "pupil": [students],
        "parent": [students],
        "mentor": [students, round_id],
        "head": [students, round_id],
        "far mentor": [],
        "far head": [],
    }
    (waits,) = await to_dos(site, school.mentors[0], "mentor.class_list")
    assert (waits["subject"], waits["link"]) == (
        str(classes[0]),
        f"mentor/rounds/{round_id}/classes/{classes[0]}/preferences",
    )
    await site.done(school.mentors[0], "PUT", waits["link"].removeprefix("mentor"), {"choices": []})
    assert await to_dos(site, school.mentors[0], "mentor.class_list") == []


async def test_only_party_members_are_invited_and_too_few_are_told(site: Site, classes: list[UUID]) -> None:
    head, mentors = site.school.head, site.school.mentors
    round_id = await _round(site, mentors[1:4])
    one = {"mentor": str(mentors[5]), "soft_cap": 1, "hard_cap": 1}
    refused = await site.ask(head, "PUT", f"/rounds/{round_id}/offers", [one])
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/0/party_member"]
    two = await site.ask(head, "PUT", f"/rounds/{round_id}/offers", [{**one, "party_member": True, "hard_cap": 2}])
    assert two.status_code == 422
    await site.close(round_id)
    run = await site.done(head, "POST", f"/rounds/{round_id}/runs")
    assert (run["publishable"], run["shortage"][0]["seats"], len(run["shortage"][0]["students"])) == (
        False,
        3,
        len(classes),
    )
    assert (await site.ask(head, "POST", f"/rounds/{round_id}/publish", {"run": run["id"]})).status_code == 409


async def test_the_next_year_a_class_may_change_and_the_database_refuses_two(site: Site, classes: list[UUID]) -> None:
    teachers = site.school.mentors[1:7]
    for _ in range(2):
        round_id = await _round(site, teachers)
        await site.close(round_id)
        await run_and_publish(site, round_id)
    standing = await site.rows(sa.select(ClassAssignment).where(ClassAssignment.ends_at.is_(None)))
    assert len(standing) == len(classes)
    taken = standing[0].mentor_id
    for class_id, mentor, said in (
        (classes[0], site.school.mentors[0], "uq_mentor_class_open"),
        (site.schools[1].class_id, taken, "uq_mentor_class_teacher"),
    ):
        values = {"class_id": class_id, "mentor_id": mentor, "school_id": site.school.org, "begins_at": sa.func.now()}
        async with site.platform.database.work(site.state.district) as session:
            with pytest.raises(sa.exc.IntegrityError, match=said):
                await session.execute(sa.insert(ClassAssignment).values(**values))
            await session.rollback()
