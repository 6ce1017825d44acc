"""Who stands how to whom, answered in the query."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from gongyu.access.principal import Principal
from gongyu.access.relations import (
    Students,
    guardian_of,
    homeroom_teacher_of,
    oneself,
    students_in,
    why,
)
from gongyu.access.rights import verdict
from gongyu.database.model import new_id
from gongyu.people.models import ClassGroup, Enrolment, Guardianship, Person
from gongyu.plugin import Permission
from gongyu.text import Text

if TYPE_CHECKING:
    from tests.access.conftest import Scene

READ = Permission("bulletin.notice.read", Text(zh="看", en="Read"), ("teacher", "principal", "districtAdministrator"))


def today(scene: "Scene") -> date:
    return scene.clock.now.astimezone(ZoneInfo(scene.state.district.timezone)).date()


async def principal(scene: "Scene", person: UUID) -> Principal:
    found = await scene.who(await scene.token(person))
    assert found is not None
    return found


async def names(scene: "Scene", students: Students) -> list[str]:
    """As a list endpoint does it: the relation is in the WHERE."""
    async with scene.work() as session:
        query = sa.select(Person.name).where(Person.id.in_(students)).order_by(Person.name)
        return list((await session.execute(query)).scalars())


async def test_guardian_has_the_children_of_today(scene: "Scene") -> None:
    now = today(scene)
    mother = await scene.person("母亲", "guardian", scene.people.first_school)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("现在", {}),
        ("今天止", {"ends_on": now}),
        ("昨天止", {"ends_on": now - timedelta(days=1)}),
        ("明天起", {"begins_on": now + timedelta(days=1)}),
        ("禁止联系", {"contact_allowed": False}),
        ("别人的", {"guardian_id": scene.people.teacher}),
    ]
    for name, change in cases:
        child = await scene.person(name, "student", scene.people.first_school)
        bond = {"guardian_id": mother, "student_id": child, "kind": "mother", "begins_on": scene.long_ago} | change
        await scene.execute(sa.insert(Guardianship).values(bond))
    assert await names(scene, guardian_of(await principal(scene, mother), today=now)) == ["今天止", "现在"]


async def a_class(scene: "Scene", title: str, **change: Any) -> UUID:  # noqa: ANN401 - a class's own columns
    id_ = new_id()
    values = {"id": id_, "title": title, "type": "homeroom", "school_id": scene.people.second_school} | change
    await scene.execute(sa.insert(ClassGroup).values(values))
    return id_


async def enrol(scene: "Scene", person: UUID, class_: UUID, role: str, **change: Any) -> None:  # noqa: ANN401 - as above
    values = {"person_id": person, "class_id": class_, "role": role, "begins_on": scene.long_ago} | change
    await scene.execute(sa.insert(Enrolment).values(values))


async def test_homeroom_teacher_has_the_pupils_of_their_class_of_today(scene: "Scene") -> None:
    now, teacher = today(scene), scene.people.teacher
    yesterday = now - timedelta(days=1)
    cases: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ("本班", {}, {"is_primary": True}, {}),
        ("科任班", {}, {}, {}),
        ("选修课", {"type": "scheduled"}, {"is_primary": True}, {}),
        ("已毕业班", {"ended_on": yesterday}, {"is_primary": True}, {}),
        ("前任班", {}, {"is_primary": True, "ends_on": yesterday}, {}),
        ("已转走", {}, {"is_primary": True}, {"ends_on": yesterday}),
    ]
    for name, of_class, of_teacher, of_student in cases:
        class_ = await a_class(scene, name, **of_class)
        await enrol(scene, teacher, class_, "teacher", **of_teacher)
        pupil = await scene.person(name, "student", scene.people.second_school)
        await enrol(scene, pupil, class_, "student", **of_student)
    assert await names(scene, homeroom_teacher_of(await principal(scene, teacher), today=now)) == ["本班"]
    assert await names(scene, homeroom_teacher_of(await principal(scene, scene.people.principal), today=now)) == []


async def test_role_reaches_the_pupils_of_its_orgs_and_no_others(scene: "Scene") -> None:
    now, people = today(scene), scene.people
    await scene.person("年级里的", "student", people.first_grade)
    await scene.person("另一校的", "student", people.second_school)
    reach = {
        who: await names(scene, students_in(verdict(await principal(scene, person), READ), today=now))
        for who, person in {
            "principal": people.principal,
            "teacher": people.teacher,
            "admin": people.admin,
            "student": people.student,
        }.items()
    }
    assert reach == {
        "principal": ["年级里的", "生同学"],
        "teacher": ["另一校的"],
        "admin": ["另一校的", "年级里的", "生同学"],
        "student": [],
    }
    assert await names(scene, oneself(await principal(scene, people.student), today=now)) == ["生同学"]
    assert await names(scene, oneself(await principal(scene, people.teacher), today=now)) == []


@pytest.mark.parametrize(
    ("who", "allowed", "ground", "relations"),
    [
        ("admin", True, "districtAdministrator of the whole district", []),
        ("principal", True, "principal of the org", []),
        ("teacher", False, "teacher of the org, but the subject is not within it today", ["guardian"]),
        ("student", False, "needs one of the roles", ["oneself"]),
    ],
)
async def test_why_names_the_ground_and_the_relations(
    scene: "Scene", who: str, allowed: object, ground: str, relations: list[str]
) -> None:
    people = scene.people
    bond = {"guardian_id": people.teacher, "student_id": people.student, "kind": "father", "begins_on": scene.long_ago}
    await scene.execute(sa.insert(Guardianship).values(bond))
    asking = await principal(scene, getattr(people, who))
    async with scene.work() as session:
        found = await why(session, asking, READ, people.student, today=today(scene))
    assert (found.allowed, [text.en for text in found.relations]) == (allowed, relations)
    assert ground in found.ground.en
