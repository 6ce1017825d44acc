"""Talks through the door: logged once, amended by versions, read by relation alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gongyu.access.models import ApiToken, AuditLine
from gongyu.access.tokens import credential, credential_digest
from gongyu.database.model import new_id
from gongyu.districts.service import apply_file, read_file
from gongyu.events.models import EventRow
from gongyu.people.models import Enrolment, Guardianship, Membership, Person
from gongyu_mentor.models import Assignment, Load
from gongyu_mentor.talks.levels import LEVELS
from gongyu_mentor.talks.models import Talk

from .conftest import SINCE, MakeSite, Site

SENTENCE = "爸爸妈妈又吵架了，不想回家"
PROMISE = "周五一起给外婆打电话"


async def pair(site: Site, student: UUID, mentor: UUID, *, org: UUID | None = None) -> None:
    """This student has this mentor from now on, and no other."""
    org = org or site.school.org
    now = datetime.now(UTC)
    async with site.platform.database.work(site.state.district) as session:
        over = sa.update(Assignment).where(Assignment.student_id == student, Assignment.ends_at.is_(None))
        await session.execute(over.values(ends_at=now, end_reason="replaced"))
        load = insert(Load).values(school_id=org, mentor_id=mentor, places=50)
        await session.execute(load.on_conflict_do_nothing())
        made = {"id": new_id(), "student_id": student, "mentor_id": mentor, "school_id": org, "begins_at": now}
        await session.execute(sa.insert(Assignment).values(made))


async def add_person(site: Site, name: str, role: str | None = None, *, org: UUID | None = None) -> UUID:
    """Somebody more, with a token."""
    who, text = new_id(), credential("gy", site.state.district.slug)
    expires = datetime.now(UTC) + timedelta(days=1)
    async with site.platform.database.work(site.state.district) as session:
        await session.execute(sa.insert(Person).values(id=who, name=name))
        if role:
            member = {"person_id": who, "org_id": org or site.school.org, "role": role, "begins_on": SINCE}
            await session.execute(sa.insert(Membership).values(id=new_id(), **member))
        token = {"person_id": who, "name": "t", "hash": credential_digest(text), "scopes": ["*"]}
        await session.execute(sa.insert(ApiToken).values(id=new_id(), expires_at=expires, **token))
    site.tokens[who] = text
    return who


def talk(*students: UUID, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON
    return {"id": str(new_id()), "students": [str(one) for one in students], "note": SENTENCE, **fields}


async def log(site: Site, mentor: UUID, *students: UUID, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON
    made: dict[str, Any] = await site.done(mentor, "POST", "/talks", talk(*students, **fields))
    return made


async def seen(site: Site, who: UUID) -> set[str]:
    """The ids of all talks somebody is shown, by either list; what is shown is also readable version by version."""
    found: set[str] = set()
    for place in ("/talks", "/talks/mine"):
        answer = await site.ask(who, "GET", place)
        assert answer.status_code in {200, 401, 403}
        if answer.status_code == 200:
            found |= {one["id"] for one in answer.json()["items"]}
    return found


async def opens(site: Site, who: UUID, talk_id: str) -> list[Any] | None:
    """The versions somebody gets by trying the id itself."""
    for place in (f"/talks/{talk_id}/versions", f"/talks/mine/{talk_id}/versions"):
        answer = await site.ask(who, "GET", place)
        assert answer.status_code in {200, 401, 403, 404}
        if answer.status_code == 200:
            versions: list[Any] = answer.json()
            return versions
    return None


@pytest.fixture
async def paired(site: Site) -> Site:
    """The first three students of each school have the first mentor of it."""
    for school in site.schools:
        for student in school.students[:3]:
            await pair(site, student, school.mentors[0], org=school.org)
    return site


async def test_a_draft_sent_again_is_one_talk_even_at_once_and_under_no_other_words(paired: Site) -> None:
    site, mentor = paired, paired.school.mentors[0]
    first, second = site.school.students[:2]
    earlier = datetime.now(UTC) - timedelta(days=6)
    draft = talk(first, second, happened_at=earlier.isoformat(), promise={"text": PROMISE, "due": "2099-01-05"})
    answers = await asyncio.gather(*(site.ask(mentor, "POST", "/talks", draft) for _ in range(5)))
    assert {(one.status_code, one.text) for one in answers} == {(201, answers[0].text)}
    assert [one["student"] for one in answers[0].json()["talks"]] == [str(first), str(second)]
    rows = await site.rows(sa.select(Talk.student_id, Talk.happened_at, Talk.number).order_by(Talk.student_id))
    assert rows == [(one, earlier, 1) for one in sorted([first, second])]
    events = await site.rows(sa.select(EventRow.data).where(EventRow.type == "mentor.talk_logged.v1"))
    assert sorted(data["student"] for (data,) in events) == sorted([str(first), str(second)])
    assert {frozenset(data) for (data,) in events} == {frozenset({"talk", "student"})}

    changed = await site.ask(mentor, "POST", "/talks", draft | {"note": "别的话"})
    stolen = await site.ask(site.schools[1].mentors[0], "POST", "/talks", draft)
    assert [(one.status_code, one.json()["errors"][0]["pointer"]) for one in (changed, stolen)] == [(409, "/id")] * 2
    await pair(site, first, site.school.mentors[1])
    assert (await site.ask(mentor, "POST", "/talks", draft)).text == answers[0].text  # the first answer was lost


async def test_wrong_talks_are_refused_by_field_and_leave_nothing(paired: Site) -> None:
    site, mentor = paired, paired.school.mentors[0]
    mine, other = site.school.students[0], site.school.students[5]
    late = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    wrong = {
        "future": (talk(mine, happened_at=late), 422, "/happened_at"),
        "long ago": (talk(mine, happened_at="2019-01-01T00:00:00Z"), 422, "/happened_at"),
        "no moment": (talk(mine, kind="key_moment"), 422, "/moment"),
        "a moment": (talk(mine, moment="graduation"), 422, "/moment"),
        "twice": (talk(mine, mine), 422, "/students"),
        "not mine": (talk(mine, other), 403, "/students/1"),
        "nobody": (talk(new_id()), 403, "/students/0"),
        "unknown field": (talk(mine, nOte="x"), 422, "/nOte"),
    }
    found = {}
    for name, (body, _, _) in wrong.items():
        answer = await site.ask(mentor, "POST", "/talks", body)
        found[name] = (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert found == {name: (status, pointer) for name, (_, status, pointer) in wrong.items()}
    assert await site.rows(sa.select(Talk.id)) == []
    retried = wrong["future"][0] | {"happened_at": datetime.now(UTC).isoformat()}
    assert (await site.ask(mentor, "POST", "/talks", retried)).status_code == 201  # a refused id is free still


async def _everybody(site: Site) -> dict[str, UUID]:
    """One person of each kind there is around the first student."""
    school, far, student = site.school, site.schools[1], site.school.students[0]
    homeroom = await add_person(site, "班主任", "teacher")
    carer, barred, father = [await add_person(site, name) for name in ("奶奶", "被限制的父亲", "继父")]
    async with site.platform.database.work(site.state.district) as session:
        lead = {"class_id": school.class_id, "role": "teacher", "is_primary": True, "begins_on": SINCE}
        await session.execute(sa.insert(Enrolment).values(id=new_id(), person_id=homeroom, **lead))
        for who, fields in (
            (carer, {"is_legal": False}),
            (barred, {"contact_allowed": False}),
            (father, {"ends_on": SINCE}),
        ):
            bond = {"guardian_id": who, "student_id": student, "kind": "relative", "begins_on": SINCE, **fields}
            await session.execute(sa.insert(Guardianship).values(id=new_id(), **bond))
    return {
        "pupil": student,
        "author": school.mentors[0],
        "homeroom": homeroom,
        "guardian": school.guardian,
        "carer": carer,
        "barred guardian": barred,
        "former guardian": father,
        "counsellor": await add_person(site, "心理老师", "counselor"),
        "principal": school.head,
        "other mentor": school.mentors[1],
        "other pupil": school.students[1],
        "administrator": await add_person(site, "局长", "districtAdministrator"),
        "far mentor": far.mentors[0],
        "far principal": far.head,
        "far guardian": far.guardian,
    }


async def test_each_level_is_read_by_whom_it_says_and_by_nobody_else(paired: Site) -> None:
    site = paired
    people = await _everybody(site)
    student, author, looked_after = people["pupil"], people["author"], people["counsellor"]
    plan = {"id": str(new_id()), "student": str(student), "category": "留守", "plan": "每周看望"}
    await site.done(author, "POST", "/care", plan | {"responsible": str(looked_after)})
    talks = {level: (await log(site, author, student, level=level))["id"] for level in LEVELS}

    async def table() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, who in people.items():
            listed = await seen(site, who)
            by_id = {one for one in talks.values() if await opens(site, who, one) is not None}
            assert listed == by_id, f"{name}: the list and the door of ids differ"
            found[name] = {level for level, one in talks.items() if one in listed}
        return found

    nothing: set[str] = set()
    expected = {
        "pupil": {"mentor", "school", "guardians"},
        "author": {"mentor", "school", "guardians"},
        "homeroom": {"school", "guardians"},
        "counsellor": {"school", "guardians"},
        "guardian": {"guardians"},
    }
    assert await table() == {name: expected.get(name, nothing) for name in people}

    await pair(site, student, people["other mentor"])  # the author is a former mentor from this moment
    expected |= {"author": nothing, "other mentor": {"school", "guardians"}}
    assert await table() == {name: expected.get(name, nothing) for name in people}
    async with site.platform.database.work(site.state.district) as session:  # and comes near again, in another office
        lead = {"class_id": site.school.class_id, "role": "teacher", "is_primary": True, "begins_on": SINCE}
        await session.execute(sa.insert(Enrolment).values(id=new_id(), person_id=author, **lead))
    expected |= {"author": {"school", "guardians"}}
    assert await table() == {name: expected.get(name, nothing) for name in people}
    change = {"id": str(new_id()), "replaces": talks["school"], "happened_at": datetime.now(UTC).isoformat()}
    refused = {
        name: (await site.ask(who, "POST", f"/talks/{talks['school']}/versions", change)).status_code
        for name, who in people.items()
    }
    assert set(refused.values()) <= {401, 403, 404}
    assert (await site.ask(author, "POST", "/talks", talk(student))).status_code == 403
    left = await site.done(author, "GET", "/mine/students")
    assert sorted(one["student"] for one in left) == sorted(str(one) for one in site.school.students[1:3])


async def test_a_token_for_something_else_and_another_district_open_no_talk(paired: Site, make_site: MakeSite) -> None:
    site, student = paired, paired.school.students[0]
    made = await log(site, site.school.mentors[0], student, level="guardians")
    async with site.platform.database.work(site.state.district) as session:
        await session.execute(sa.update(ApiToken).where(ApiToken.person_id == student).values(scopes=["points.*"]))
    assert (await site.ask(student, "GET", "/talks/mine")).status_code == 403
    assert await opens(site, student, made["id"]) is None
    there = await make_site("huangshi", students=2, mentors=2)
    stranger = there.school.mentors[0]
    assert await opens(there, stranger, made["id"]) is None
    site.tokens[stranger] = there.tokens[stranger]
    assert (await site.ask(stranger, "GET", "/talks")).status_code == 401


async def test_an_amendment_is_a_version_and_of_two_at_once_one_is_told_to_look_again(paired: Site) -> None:
    site, mentor, student, guardian = (
        paired,
        paired.school.mentors[0],
        paired.school.students[0],
        paired.school.guardian,
    )
    made = await log(site, mentor, student, level="mentor")
    when = datetime.now(UTC).isoformat()

    def change(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON
        plain = {"id": str(new_id()), "replaces": made["id"], "happened_at": when, "level": "guardians"}
        return plain | {"note": "改过的话"} | fields

    one, two = change(), change()
    answers = await asyncio.gather(*(site.ask(mentor, "POST", f"/talks/{made['id']}/versions", c) for c in (one, two)))
    assert sorted(answer.status_code for answer in answers) == [201, 412]
    (won,) = [body for body, answer in zip((one, two), answers, strict=True) if answer.status_code == 201]
    again = await site.ask(mentor, "POST", f"/talks/{made['id']}/versions", won)
    assert (again.status_code, again.json()) == (201, {"talk": made["id"], "version": won["id"]})
    mine = await site.done(student, "GET", f"/talks/mine/{made['id']}/versions")
    assert [(v["id"], v["replaces"], v["number"], v["note"]) for v in mine] == [
        (made["id"], None, 1, SENTENCE),
        (won["id"], made["id"], 2, "改过的话"),
    ]
    theirs = await opens(site, guardian, made["id"])  # what was the child's and the mentor's alone stays so
    assert theirs is not None
    assert [v["note"] for v in theirs] == ["改过的话"]

    gone = change(replaces=won["id"], withdrawn=True, note=None)
    await site.done(mentor, "POST", f"/talks/{made['id']}/versions", gone)
    readers = {who: await opens(site, who, made["id"]) is not None for who in (student, guardian, mentor)}
    assert readers == {student: False, guardian: False, mentor: True}
    async with site.platform.database.work(site.state.district) as session:
        for statement in ("UPDATE {}.mentor_talk SET note = NULL", "DELETE FROM {}.mentor_talk"):
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                async with session.begin_nested():
                    await session.execute(sa.text(statement.format(f'"{site.state.district.schema}"')))


async def test_a_promise_waits_with_the_child_and_ends_with_a_word(paired: Site) -> None:
    site, mentor, student = paired, paired.school.mentors[0], paired.school.students[0]
    hidden = await log(site, mentor, student, level="mentor", promise={"text": PROMISE})
    shared = await log(site, mentor, student, level="school", promise={"text": "换座位", "due": "2099-01-05"})

    async def waiting(who: UUID) -> list[tuple[str, str | None]]:
        mentees = await site.done(who, "GET", "/mine/students")
        return [(p["text"], p["due"]) for one in mentees if one["student"] == str(student) for p in one["promises"]]

    assert await waiting(mentor) == [("换座位", "2099-01-05"), (PROMISE, None)]
    successor = site.school.mentors[1]
    await pair(site, student, successor)
    assert (await waiting(mentor), await waiting(successor)) == ([], [("换座位", "2099-01-05")])
    end = {"outcome": "kept", "word": "换好了"}
    tried = {
        (who, one): (await site.ask(who, "POST", f"/promises/{one}/end", end)).status_code
        for who, one in product((mentor, successor, site.schools[1].mentors[0]), (hidden["id"], shared["id"]))
    }
    assert {key for key, status in tried.items() if status == 204} == {(successor, shared["id"])}
    assert set(tried.values()) == {204, 404}
    assert await waiting(successor) == []
    again = [
        await site.ask(successor, "POST", f"/promises/{shared['id']}/end", {"outcome": o}) for o in ("kept", "dropped")
    ]
    assert [one.status_code for one in again] == [204, 409]
    (own,) = [one for one in (await site.done(student, "GET", "/talks/mine"))["items"] if one["id"] == shared["id"]]
    assert (own["promise"]["outcome"], own["promise"]["word"]) == ("kept", "换好了")


async def test_every_reading_is_in_the_audit_log_with_its_ground_and_no_dump_shows_a_sentence(paired: Site) -> None:
    site, mentor, student, guardian = (
        paired,
        paired.school.mentors[0],
        paired.school.students[0],
        paired.school.guardian,
    )
    made = await log(site, mentor, student, level="guardians", promise={"text": PROMISE})
    for who in (mentor, student, guardian):
        await seen(site, who)
        await opens(site, who, made["id"])
    await site.done(mentor, "GET", "/mine/students")
    lines = await site.rows(
        sa.select(AuditLine.actor, AuditLine.subject, AuditLine.ground).where(AuditLine.action == "mentor.talk.read")
    )
    about = {(actor, ground) for actor, subject, ground in lines if subject == f"person:{student}"}
    assert about == {
        (f"person:{mentor}", "mentor"),
        (f"person:{student}", "oneself"),
        (f"person:{guardian}", "guardian"),
    }
    assert len([1 for actor, *_ in lines if actor == f"person:{mentor}"]) >= 3

    schema = site.state.district.schema
    async with site.platform.database.owner.connect() as connection:
        tables = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        names = list(await connection.scalars(tables, {"schema": schema}))
        selects = [sa.text(f'SELECT * FROM "{schema}"."{name}"') for name in names]  # noqa: S608 - our own tables
        dump = "".join([str(row) for select in selects for row in await connection.execute(select)])
    assert str(student) in dump
    assert [words for words in (SENTENCE, PROMISE) if words in dump or repr(words.encode())[2:-1] in dump] == []


async def test_training_and_check_come_first_where_the_school_asks_for_them(make_site: MakeSite) -> None:
    site: Site = await make_site(students=3, mentors=2)
    district = site.state.district
    text = f'[district]\nslug = "{district.slug}"\nname = "{district.name}"\n\n[plugins.mentor]\n'
    text += "training_before_talk = true\ncheck_required = true\n"
    await apply_file(site.platform, read_file(site.platform, text, file="d.toml"), actor="operator:test")
    school, mentor, student = site.school, site.school.mentors[0], site.school.students[0]
    await pair(site, student, mentor)
    today = datetime.now(UTC).date()

    async def refused() -> str:
        answer = await site.ask(mentor, "POST", "/talks", talk(student))
        return "" if answer.status_code == 201 else f"{answer.status_code} {answer.json()['detail'].split(';')[0]}"

    async def missing() -> list[tuple[bool, bool]]:
        lines = await site.done(school.head, "GET", f"/schools/{school.org}/mentors/missing")
        return [(one["training"], one["check"]) for one in lines if one["mentor"] == str(mentor)]

    assert (await refused()).startswith("403 Attend one of the school's sessions")
    assert await missing() == [(True, True)]
    began = datetime.now(UTC) - timedelta(hours=1)
    new = {"title": "岗前培训", "starts_at": began.isoformat(), "place": "报告厅"}
    made = await site.done(school.head, "POST", f"/schools/{school.org}/trainings", new)
    wrong = await site.ask(school.head, "PUT", f"/trainings/{made['id']}/attendance", {"attended": [str(student)]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/attended/0")
    await site.done(school.head, "PUT", f"/trainings/{made['id']}/attendance", {"attended": [str(mentor)]})
    assert [one["attended"] for one in await site.done(mentor, "GET", "/trainings")] == [[str(mentor)]]
    assert (await refused()).startswith("403 The school asks for a criminal-record check")

    async def check(days: int, result: str = "clear") -> None:
        on = (today - timedelta(days=days)).isoformat()
        body = {"person": str(mentor), "checked_on": on, "issuer": "市公安局", "result": result}
        await site.done(school.head, "POST", f"/schools/{school.org}/checks", body)

    await check(400)
    assert ((await refused())[:3], await missing()) == ("403", [(False, True)])
    await check(30)
    assert (await refused(), await missing()) == ("", [])
    await check(1, "found")
    assert ((await refused())[:3], await missing()) == ("403", [(False, True)])
    others = [site.schools[1].head, mentor, student]
    assert [(await site.ask(who, "GET", f"/schools/{school.org}/mentors/missing")).status_code for who in others] == [
        404,
        403,
        403,
    ]
