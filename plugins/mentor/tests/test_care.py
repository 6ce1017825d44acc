"""The care list: for those who look after the child, sealed, in versions, and gone when the law says so."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.database.model import new_id
from gongyu.people.models import Enrolment, Membership
from gongyu.people.rights.contract import RetentionCategory
from gongyu.people.rights.periods import today_in
from gongyu_mentor.care.models import Care, CareNote, CarePlan
from gongyu_mentor.plugin import person_data, person_erased, retention_categories, to_dos
from gongyu_mentor.talks.models import Promise, Talk

from .conftest import SINCE, Site
from .test_talks import PROMISE, SENTENCE, add_person, log, pair

PLAN = "每周三课后一起做作业，两周一次电话给外婆"
VISIT = "外婆住院了，孩子一个人做饭"


def entry(student: UUID, responsible: UUID, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON
    plain = {"id": str(new_id()), "student": str(student), "category": "双留守", "plan": PLAN, "cadence_days": 14}
    return plain | {"responsible": str(responsible)} | fields


def note(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    return {"id": str(new_id()), "kind": "visit", "happened_on": day, "text": VISIT} | fields


@pytest.fixture
async def people(site: Site) -> dict[str, UUID]:
    """Around the first student, who is on the list with the counsellor responsible."""
    school, student = site.school, site.school.students[0]
    await pair(site, student, school.mentors[0])
    homeroom = await add_person(site, "班主任", "teacher")
    async with site.platform.database.work(site.state.district) as session:
        lead = {"class_id": school.class_id, "role": "teacher", "is_primary": True, "begins_on": SINCE}
        await session.execute(sa.insert(Enrolment).values(id=new_id(), person_id=homeroom, **lead))
    return {
        "pupil": student,
        "mentor": school.mentors[0],
        "homeroom": homeroom,
        "responsible": await add_person(site, "心理老师", "counselor"),
        "lead": await add_person(site, "德育主任", "teacher"),
        "other counsellor": await add_person(site, "另一位心理老师", "counselor"),
        "other mentor": school.mentors[1],
        "principal": school.head,
        "guardian": school.guardian,
        "other pupil": school.students[1],
        "far mentor": site.schools[1].mentors[0],
        "far principal": site.schools[1].head,
    }


async def test_care_is_seen_by_those_who_look_after_the_child_and_by_nobody_by_rank(
    site: Site, people: dict[str, UUID]
) -> None:
    org, student = site.school.org, people["pupil"]
    await site.done(people["principal"], "PUT", f"/schools/{org}/care-leads/{people['lead']}")
    new = entry(student, people["responsible"])
    opened = {
        name: (await site.ask(who, "POST", "/care", entry(student, people["responsible"]))).status_code
        for name, who in people.items()
        if name not in {"mentor", "homeroom", "lead"}
    }
    assert set(opened.values()) == {403}
    await site.done(people["mentor"], "POST", "/care", new)
    assert await site.done(people["mentor"], "POST", "/care", new) == {"id": new["id"]}  # sent again
    visit = note()
    await site.done(people["responsible"], "POST", f"/care/{new['id']}/notes", visit)

    async def readers() -> set[str]:
        found = set()
        for name, who in people.items():
            listed = await site.ask(who, "GET", "/care")
            whole = await site.ask(who, "GET", f"/care/{new['id']}")
            written = await site.ask(
                who, "POST", f"/care/{new['id']}/notes/{new_id()}/versions", note(replaces=new["id"])
            )
            assert whole.status_code in {200, 401, 403, 404}
            shown = listed.status_code == 200 and len(listed.json()["items"]) == 1
            assert shown == (whole.status_code == 200), name
            assert written.status_code in {401, 403, 404}
            if shown:
                found.add(name)
        return found

    assert await readers() == {"mentor", "homeroom", "responsible", "lead"}
    record = await site.done(people["lead"], "GET", f"/care/{new['id']}")
    assert (record["plans"][0]["plan"], [one["text"] for one in record["notes"]]) == (PLAN, [VISIT])
    assert (
        record["care"]["due"] == (datetime.fromisoformat(visit["happened_on"]) + timedelta(days=14)).date().isoformat()
    )
    lines = await site.rows(
        sa.select(AuditLine.actor, AuditLine.ground).where(
            AuditLine.action == "mentor.care.read", AuditLine.subject == f"person:{student}"
        )
    )
    assert {(actor, ground) for actor, ground in lines} == {
        (f"person:{people['mentor']}", "mentor"),
        (f"person:{people['homeroom']}", "homeroom teacher"),
        (f"person:{people['responsible']}", "responsible"),
        (f"person:{people['lead']}", "leads the care of the school"),
    }
    await site.done(people["principal"], "DELETE", f"/schools/{org}/care-leads/{people['lead']}")
    await pair(site, student, people["other mentor"])
    assert await readers() == {"other mentor", "homeroom", "responsible"}
    async with site.platform.database.work(site.state.district) as session:
        left = sa.update(Membership).where(Membership.person_id == student)
        await session.execute(left.values(ends_on=datetime.now(UTC).date() - timedelta(days=2)))
    assert await readers() == set()  # the child has left the school


async def test_plan_and_notes_change_by_versions_and_the_end_is_the_end(site: Site, people: dict[str, UUID]) -> None:
    mentor, responsible = people["mentor"], people["responsible"]
    new = entry(people["pupil"], responsible)
    wrong = await site.ask(mentor, "POST", "/care", entry(people["pupil"], people["far mentor"]))
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/responsible")
    await site.done(mentor, "POST", "/care", new)
    plan = {"number": 1, "category": "单亲", "plan": "改为每周一次", "cadence_days": 7}
    await site.done(mentor, "POST", f"/care/{new['id']}/plans", plan | {"responsible": str(people["other counsellor"])})
    stale = await site.ask(mentor, "POST", f"/care/{new['id']}/plans", plan | {"responsible": str(responsible)})
    assert stale.status_code == 412
    assert (await site.ask(responsible, "GET", f"/care/{new['id']}")).status_code == 404  # not theirs any more

    first = note()
    await site.done(mentor, "POST", f"/care/{new['id']}/notes", first)
    second = note(replaces=first["id"], text="外婆出院了")
    await site.done(mentor, "POST", f"/care/{new['id']}/notes/{first['id']}/versions", second)
    third = await site.ask(
        mentor, "POST", f"/care/{new['id']}/notes/{first['id']}/versions", note(replaces=first["id"])
    )
    future = await site.ask(mentor, "POST", f"/care/{new['id']}/notes", note(happened_on="2099-01-01"))
    assert (third.status_code, future.status_code) == (412, 422)
    async with site.platform.database.work(site.state.district) as session:
        state = site.platform.state(site.state.district.slug)
        context = site.platform.context("mentor", state, session)
        due = [one for one in await to_dos(context, people["other counsellor"]) if one.name == "mentor.care_due"]
    assert [(one.subject, one.due) for one in due] == [
        (people["pupil"], datetime.fromisoformat(first["happened_on"]).date() + timedelta(days=7))
    ]

    await site.done(mentor, "POST", f"/care/{new['id']}/end", {"outcome": "父母回来了"})
    after = [
        (await site.ask(mentor, "POST", f"/care/{new['id']}/{place}", body)).status_code
        for place, body in (("end", {"outcome": "x"}), ("notes", note()))
    ]
    assert after == [409, 409]
    assert (await site.done(mentor, "GET", "/care"))["items"] == []
    (closed,) = (await site.done(mentor, "GET", "/care?closed=true"))["items"]
    assert (closed["category"], closed["due"]) == ("单亲", None)
    record = await site.done(mentor, "GET", f"/care/{new['id']}")
    assert [(one["number"], one["category"]) for one in record["plans"]] == [(1, "双留守"), (2, "单亲")]
    assert [(one["number"], one["replaces"], one["text"]) for one in record["notes"]] == [
        (1, None, VISIT),
        (2, first["id"], "外婆出院了"),
    ]
    assert record["outcome"] == "父母回来了"
    schema = site.state.district.schema
    async with site.platform.database.work(site.state.district) as session:
        for table in ("mentor_care_plan", "mentor_care_note", "mentor_care_end"):
            for statement in (f'DELETE FROM "{schema}".{table}', f'UPDATE "{schema}".mentor_care SET school_id = NULL'):  # noqa: S608 - our own tables
                with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                    async with session.begin_nested():
                        await session.execute(sa.text(statement))
    async with site.platform.database.read(site.state.district) as connection:
        kept = [
            str(row)
            for table in (CarePlan, CareNote)
            for row in await connection.execute(sa.select(*table.__table__.columns))
        ]
    assert [words for words in (PLAN, VISIT, "双留守") if repr(words.encode())[2:-1] in "".join(kept)] == []


async def test_a_copy_tells_each_reader_what_is_theirs_and_erasure_takes_the_child_whole(
    site: Site, people: dict[str, UUID]
) -> None:
    mentor, student = people["mentor"], people["pupil"]
    await log(site, mentor, student, level="mentor", promise={"text": PROMISE})
    await log(site, mentor, student, level="guardians", note="家校一起看作业")
    new = entry(student, people["responsible"])
    await site.done(mentor, "POST", "/care", new)
    await site.done(mentor, "POST", f"/care/{new['id']}/notes", note())
    state = site.platform.state(site.state.district.slug)
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("mentor", state, session)
        parts = {part.name: part for part in await person_data(context, student)}
        of_mentor = {part.name: part for part in await person_data(context, mentor)}
    assert [row["note"] for row in parts["talks"].rows] == [SENTENCE, "家校一起看作业"]
    assert [row["note"] for row in parts["talks_for_guardians"].rows] == ["家校一起看作业"]
    assert [row["text"] for row in parts["promises"].rows] == [PROMISE]
    assert [row["text"] for row in parts["care"].rows] == [PLAN, VISIT]
    readers = {name: parts[name].readers for name in ("talks", "talks_for_guardians", "promises", "care")}
    assert readers == {
        "talks": frozenset({"self"}),
        "talks_for_guardians": frozenset({"self", "guardian"}),
        "promises": frozenset({"self"}),
        "care": frozenset({"self", "guardian"}),
    }
    assert [set(row) for row in of_mentor["talks_held"].rows] == [{"happened_at", "kind"}] * 2
    assert SENTENCE not in str(of_mentor)

    async def left() -> list[int]:
        keys = (Talk.id, Promise.id, Care.id, CarePlan.id, CareNote.id)
        return [len(await site.rows(sa.select(key))) for key in keys]

    for here, expected in ((True, [2, 1, 1, 1, 1]), (False, [0, 0, 0, 0, 0])):
        async with site.platform.database.work(site.state.district) as session:
            lines = await person_erased(site.platform.context("mentor", state, session), student, here=here)
        said = {line.what.en: (line.rows, line.kept is not None) for line in lines}
        assert (said["talks"], said["entries of the care list"]) == ((2, here), (1, here))
        assert await left() == expected


async def test_talks_go_a_year_after_the_child_and_care_a_year_after_its_end(
    site: Site, people: dict[str, UUID]
) -> None:
    mentor, student = people["mentor"], people["pupil"]
    await log(site, mentor, student)
    new = entry(student, people["responsible"])
    await site.done(mentor, "POST", "/care", new)
    await site.done(mentor, "POST", f"/care/{new['id']}/end", {"outcome": "好了"})
    state = site.platform.state(site.state.district.slug)
    today = today_in(site.state.district, datetime.now(UTC))

    async def expire(name: str, *, days: int) -> int:
        category: RetentionCategory = next(one for one in retention_categories() if one.name == name)
        async with site.platform.database.work(site.state.district) as session:
            context = site.platform.context("mentor", state, session)
            return await category.expire(context, today + timedelta(days=days) - category.keep)

    assert [await expire("mentor.care", days=days) for days in (365, 366, 366)] == [0, 1, 0]
    assert await expire("mentor.talks", days=5000) == 0  # the child is at school
    async with site.platform.database.work(site.state.district) as session:
        for table in (Membership, Enrolment):
            await session.execute(sa.update(table).where(table.person_id == student).values(ends_on=today))
    assert [await expire("mentor.talks", days=days) for days in (365, 366)] == [0, 1]
    assert await site.rows(sa.select(Talk.id)) == []
