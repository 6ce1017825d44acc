"""The log of a pair, the profile of a child, and what passes to the next mentor."""

from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import docx
import pytest
import sqlalchemy as sa
from pypdf import PdfReader

from gongyu.database.model import new_id
from gongyu.events.outbox import publish, work
from gongyu.events.worker import drain
from gongyu.people.models import Membership
from gongyu_mentor.events import MentorAssigned
from gongyu_mentor.models import Assignment, Load

from .conftest import SINCE, Site

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def _pair(site: Site, student: UUID, mentor: UUID) -> UUID:
    """The present pair ends, this one begins, and what subscribes to it hears of it."""
    pair = new_id()
    now = sa.func.clock_timestamp()
    async with work(site.platform, site.state) as session:
        await session.execute(
            sa.update(Assignment)
            .where(Assignment.student_id == student, Assignment.ends_at.is_(None))
            .values(ends_at=now, end_reason="replaced")
        )
        places = {"school_id": site.school.org, "mentor_id": mentor, "places": 50}
        if not (await session.execute(sa.select(Load.mentor_id).where(Load.mentor_id == mentor))).first():
            await session.execute(sa.insert(Load).values(places))
        row = {"id": pair, "student_id": student, "mentor_id": mentor, "school_id": site.school.org}
        await session.execute(sa.insert(Assignment).values(**row, begins_at=now))
        await publish(session, MentorAssigned(assignment=pair, student=student, mentor=mentor), subject=student)
    await drain(site.platform, site.state.district.slug)
    return pair


async def test_a_log_is_written_by_the_present_mentor_and_closed_to_the_former_at_once(site: Site) -> None:
    child, (mentor, heir, *_) = site.school.students[0], site.school.mentors
    await _pair(site, child, mentor)
    at = f"/students/{child}/log"
    empty = await site.done(mentor, "GET", at)
    assert [(one["section"], one["version"]) for one in empty["sections"]] == [
        ("situation", 0),
        ("priorities", 0),
        ("measures", 0),
        ("effects", 0),
        ("summary", 0),
    ]
    first = {"version": 0, "text": "父母在外务工，跟奶奶住"}
    twice = [await site.done(mentor, "PUT", f"{at}/situation", first) for _ in range(2)]
    assert [one["version"] for one in twice] == [1, 1]
    late = await site.ask(mentor, "PUT", f"{at}/situation", {"version": 0, "text": "别的"})
    assert (late.status_code, late.json()["errors"][0]["pointer"]) == (409, "/version")
    await site.done(mentor, "PUT", f"{at}/situation", {"version": 1, "text": "父亲已回乡"})
    assert (await site.done(mentor, "GET", at))["sections"][0]["text"] == "父亲已回乡"
    readers = {"child": child, "heir": heir, "head": site.school.head, "parent": site.school.guardian}
    assert {who: (await site.ask(person, "GET", at)).status_code for who, person in readers.items()} == {
        "child": 403,
        "heir": 404,
        "head": 404,
        "parent": 403,
    }
    await _pair(site, child, heir)
    asked = [
        ("GET", at, None),
        ("PUT", f"{at}/situation", {"version": 2, "text": "x"}),
        ("GET", f"/students/{child}/book.pdf", None),
    ]
    assert [(await site.ask(mentor, *one)).status_code for one in asked] == [404, 404, 404]
    assert (await site.done(heir, "GET", at))["sections"][0]["version"] == 0


async def test_summaries_pass_when_the_child_agrees_and_nothing_else_does(site: Site) -> None:
    child, other, (mentor, heir, *_) = site.school.students[0], site.school.students[1], site.school.mentors
    await _pair(site, child, mentor)
    for section in ("situation", "summary"):
        body = {"version": 0, "text": f"{section}：心里的话" if section == "situation" else "小结：进步明显"}
        await site.done(mentor, "PUT", f"/students/{child}/log/{section}", body)
    pair = await _pair(site, child, heir)
    packet = f"/students/{child}/handover"

    async def passed() -> Any:  # noqa: ANN401 - JSON
        found = await site.done(heir, "GET", packet)
        return found["agreed"], [one["text"] for one in found["summaries"]]

    assert await passed() == (None, [])
    (question,) = await site.done(child, "GET", "/handovers")
    assert (question["pair"], question["agreed"]) == (str(pair), None)
    answer = f"/handovers/{pair}"
    assert (await site.ask(other, "PUT", answer, {"agreed": True})).status_code == 404
    await site.done(child, "PUT", answer, {"agreed": True})
    assert await passed() == (True, ["小结：进步明显"])
    await site.done(child, "PUT", answer, {"agreed": False})
    assert await passed() == (False, [])
    assert (await site.ask(mentor, "GET", packet)).status_code == 404


async def test_a_profile_is_written_by_child_and_mentor_together(site: Site) -> None:
    child, other, mentor = site.school.students[0], site.school.students[1], site.school.mentors[0]
    await _pair(site, child, mentor)
    async with site.platform.database.work(site.state.district) as session:  # as every import makes a guardian one
        belongs = {"person_id": site.school.guardian, "org_id": site.school.org, "role": "guardian"}
        await session.execute(sa.insert(Membership).values(**belongs, begins_on=SINCE))
    at, goal, hobby = f"/students/{child}/profile", str(uuid4()), str(uuid4())
    await site.done(child, "POST", at, {"id": goal, "kind": "goal", "text": "读完《西游记》", "progress": 10})
    await site.done(mentor, "POST", at, {"id": hobby, "kind": "hobby", "text": "围棋"})
    await site.done(mentor, "PATCH", f"{at}/{goal}", {"version": 1, "text": "读完《西游记》", "progress": 100})
    late = await site.ask(child, "PATCH", f"{at}/{goal}", {"version": 1, "text": "不读了", "progress": 0})
    assert late.status_code == 409
    wrong = await site.ask(child, "POST", at, {"id": str(uuid4()), "kind": "hobby", "text": "游泳", "progress": 5})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/progress")
    seen = await site.done(site.school.guardian, "GET", at)
    assert [(one["kind"], one["text"], one["progress"], one["version"]) for one in seen] == [
        ("goal", "读完《西游记》", 100, 2),
        ("hobby", "围棋", None, 1),
    ]
    assert (
        await site.ask(site.school.guardian, "PATCH", f"{at}/{goal}", {"version": 2, "text": "x"})
    ).status_code == 403
    assert [(await site.ask(who, "GET", at)).status_code for who in (other, site.school.head)] == [404, 404]
    assert (
        await site.ask(other, "PATCH", f"{at}/{hobby}", {"version": 1, "text": "x", "removed": True})
    ).status_code == 404
    gone = await site.ask(child, "PATCH", f"{at}/{hobby}", {"version": 1, "text": "围棋", "removed": True})
    assert gone.status_code == 200
    assert [one["kind"] for one in await site.done(child, "GET", at)] == ["goal"]


async def test_the_book_holds_the_log_and_what_is_private_only_when_asked_for(site: Site) -> None:
    child, mentor = site.school.students[0], site.school.mentors[0]
    await _pair(site, child, mentor)
    await site.done(mentor, "PUT", f"/students/{child}/log/measures", {"version": 0, "text": "每周下棋一次"})
    for level, note in (("mentor", "悄悄话"), ("school", "想进棋社")):
        talk = {"id": str(uuid4()), "students": [str(child)], "level": level, "note": note}
        await site.done(mentor, "POST", "/talks", talk)
    drafted = (await site.done(mentor, "GET", f"/students/{child}/log"))["draft"]
    assert drafted.startswith("日常谈心 2 次（")
    assert "悄悄话" not in drafted
    words = {"filed": {}, "own": {"params": {"private": "true"}}}
    for kind, options in words.items():
        pdf = await site.ask(mentor, "GET", f"/students/{child}/book.pdf", **options)
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.content)).pages)
        word = await site.ask(mentor, "GET", f"/students/{child}/book.docx", **options)
        document = docx.Document(BytesIO(word.content))
        cells = [cell.text for row in document.tables[0].rows for cell in row.cells]
        for whole in (text, "\n".join([*cells, *(one.text for one in document.paragraphs)])):
            assert {said: said in whole for said in ("每周下棋一次", "想进棋社", "悄悄话")} == {
                "每周下棋一次": True,
                "想进棋社": True,
                "悄悄话": kind == "own",
            }
