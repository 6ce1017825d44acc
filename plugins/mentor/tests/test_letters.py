# ruff: noqa: ANN401 - answers are plain JSON
"""The principal's mailbox through the door: confidence, anonymity, the clock, and who can open what."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.access.rotation import reseal
from gongyu.events.models import EventRow
from gongyu.people.rights.copy import collect
from gongyu_mentor.letters import boxes, clock, receipts
from gongyu_mentor.letters.figures import indicators, to_dos
from gongyu_mentor.letters.harm import asks_for_help
from gongyu_mentor.letters.models import Letter, Message, ReceiptTry
from gongyu_mentor.letters.offices import Desk, private_keys
from gongyu_mentor.letters.sending import context_of
from gongyu_mentor.settings import MentorSettings

from .confiding import Cast, cast, dump
from .conftest import Site

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEXT = "食堂的菜总是凉的，请想想办法"


@pytest.fixture
async def people(site: Site) -> Cast:
    return await cast(site)


def _letter(people: Cast, **fields: Any) -> dict[str, Any]:
    return {"school": str(people.site.school.org), "words": TEXT, **fields}


async def _anonymous(people: Cast, **fields: Any) -> Any:
    return await people.site.done(people.pupil, "POST", "/letters/anonymous", _letter(people, **fields))


async def _by_receipt(people: Cast, receipt: str, path: str = "", **fields: Any) -> Any:
    async with people.site.client() as nobody:  # signed in as nobody
        return await nobody.post(f"/letters/receipt{path}", json={"receipt": receipt, **fields})


async def test_an_anonymous_letter_is_answered_both_ways_and_nothing_stored_leads_to_its_writer(people: Cast) -> None:
    site, head, pupil = people.site, people.site.school.head, people.pupil
    before = await dump(site)
    once = str(uuid4())
    headers = {"idempotency-key": '"twice"'}
    async with site.client() as browser:
        sent = [
            await browser.post(
                "/letters/anonymous",
                json=_letter(people, words="有人打我" + TEXT, once=once, acknowledged=True),
                headers=site.headers(pupil) | headers,
            )
            for _ in range(2)  # the answer was lost on its way
        ]
    assert [one.status_code for one in sent] == [201, 201]
    receipt = sent[0].json()["receipt"]
    assert sent[0].json() == sent[1].json()
    ((letter_id, sent_on),) = await site.rows(sa.select(Letter.id, Letter.sent_on))
    assert letter_id.version == 4  # no time in it
    listed = (await site.done(head, "GET", "/letters"))["items"]
    assert [(one["id"], one["writer"], one["writer_name"], one["state"]) for one in listed] == [
        (str(letter_id), "student", None, "received")
    ]
    opened = await site.done(head, "GET", f"/letters/{letter_id}")
    assert [one["words"] for one in opened["messages"]] == ["有人打我" + TEXT]
    await site.done(head, "POST", f"/letters/{letter_id}/messages", {"words": "我们会查", "after": 1})
    thread = (await _by_receipt(people, receipt.lower().replace("-", " "))).json()
    assert [(one["by_office"], one["words"]) for one in thread["messages"]] == [
        (False, "有人打我" + TEXT),
        (True, "我们会查"),
    ]
    written = await _by_receipt(people, receipt, "/messages", words="谢谢", after=2)
    assert (written.status_code, written.json()["state"]) == (201, "received")
    await people.run(clock.run, later=timedelta(days=2))

    after = await dump(site)
    fresh = set(after.splitlines()) - set(before.splitlines())
    assert len(fresh) > 8
    # The token that was used notes when it was, as for any request; nothing else of what is new knows the writer.
    leads = [line for line in fresh if str(pupil) in line and not line.startswith("d_ezhou.api_token ")]
    assert leads == []
    assert not [line for line in fresh if "idempotency" in line.split()[0]]
    assert not [line for line in fresh if receipt in line or "127.0.0.1" in line]
    for words in (TEXT, "我们会查", "谢谢"):
        assert words not in after
    # Of the writer's own doing no time is kept but the day.
    midnights = await site.rows(sa.select(Message.at).where(Message.by_office.is_(False)))
    assert {one.at.astimezone(SHANGHAI) for one in midnights} == {datetime.combine(sent_on, time(), SHANGHAI)}
    events = await site.rows(sa.select(EventRow.type, EventRow.subject, EventRow.data))
    mine = [one for one in events if one.type.startswith(("mentor.letter", "mentor.report"))]
    assert ("mentor.letter_received.v1", str(letter_id)) in {(one.type, one.subject) for one in mine}
    assert {key for one in mine for key in one.data} <= {"letter", "holder", "report", "school"}
    copies = []
    async with site.platform.database.work(site.state.district) as session:
        copies.append(
            await collect(
                site.platform, site.state, session, person=pupil, reader="self", actor="x", now=datetime.now(UTC)
            )
        )
    assert str(letter_id) not in str(copies)


async def test_a_receipt_cannot_be_guessed(people: Cast) -> None:
    receipt = (await _anonymous(people))["receipt"]
    assert len(receipt.replace("-", "")) == 20
    wrong = receipt[:-1] + ("A" if receipt[-1] != "A" else "B")
    answers = [await _by_receipt(people, guess) for guess in (wrong, "x", "〇", "0" * 20)]
    bodies = [{k: v for k, v in one.json().items() if k != "request_id"} for one in answers]
    assert [one.status_code for one in answers] == [404] * 4
    assert all(body == bodies[0] for body in bodies)
    assert (await _by_receipt(people, receipt)).status_code == 200
    assert len(await people.site.rows(sa.select(ReceiptTry.id))) == 4  # the right one left no trace
    many = await asyncio.gather(*(_by_receipt(people, f"{at:020d}") for at in range(1, 40)))
    assert sorted({one.status_code for one in many}) == [404, 429]
    assert sum(one.status_code == 404 for one in many) <= receipts._MOST - 4
    while (await _by_receipt(people, "1" * 20)).status_code != 429:
        pass
    assert (await _by_receipt(people, receipt)).status_code == 429  # nor is a right one told from a wrong one now
    await people.owner("UPDATE mentor_receipt_try SET at = at - interval '16 minutes'")
    assert (await _by_receipt(people, receipt)).status_code == 200
    assert await people.site.rows(sa.select(ReceiptTry.id)) == []


@pytest.mark.parametrize(
    ("words", "speaks"),
    [
        ("老 师 打*我", True),
        ("他让我拍裸 照", True),
        ("我不想活了", True),
        ("放学总有人要保护费", True),
        ("He HITS me.", True),
        ("i don't want to live", True),
        ("食堂的汤太咸，打饭要排很久的队", False),
        ("Grandpa scraped grapes for therapeutic juice", False),
    ],
)
def test_words_of_harm_are_found_as_children_write_them(words: str, *, speaks: bool) -> None:
    assert asks_for_help(words, listed=MentorSettings().harm_words) is speaks


async def test_harm_words_are_shown_the_protocol_before_anything_is_sent(people: Cast) -> None:
    site = people.site
    check = await site.done(people.pupil, "POST", "/letters/check", {"words": "他 打、我"})
    assert check["harm"] is True
    assert "mandatory report" in check["protocol"]
    assert [line["phone"] for line in check["help_lines"]] == ["12355", "12356", "110"]
    calm = await site.done(people.pupil, "POST", "/letters/check", {"words": TEXT})
    assert (calm["harm"], calm["protocol"]) == (False, "")
    for path in ("/letters", "/letters/anonymous"):
        refused = await site.ask(people.pupil, "POST", path, _letter(people, words="我不 想 活 了"))
        assert refused.status_code == 422
        assert refused.json()["errors"] == [{"pointer": "/acknowledged", "detail": check["protocol"]}]
    assert await site.rows(sa.select(Letter.id)) == []
    assert (await site.done(site.school.head, "GET", "/reports"))["items"] == []
    sent = await site.done(people.pupil, "POST", "/letters", _letter(people, words="他打我", acknowledged=True))
    (draft,) = (await site.done(site.school.head, "GET", "/reports"))["items"]
    assert (draft["letter"], draft["state"], draft["student"]) == (sent["id"], "draft", None)
    step = {"what": "identified", "student": str(people.pupil), "kind": "bullying"}
    await site.done(site.school.head, "POST", f"/reports/{draft['id']}/steps", step)
    (found,) = (await site.done(site.school.head, "GET", "/reports"))["items"]
    assert (found["state"], found["student"], found["kind"]) == ("open", str(people.pupil), "bullying")


async def test_a_letter_about_the_principal_is_the_districts_alone(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    harm = _letter(people, words="校长打我", about_principal=True, acknowledged=True)
    sent = await site.done(people.pupil, "POST", "/letters", harm)
    assert sent["holder"] == "district"
    assert (await site.done(head, "GET", "/letters"))["items"] == []
    assert (await site.done(head, "GET", "/reports"))["items"] == []
    for method, path, body in (
        ("GET", f"/letters/{sent['id']}", None),
        ("POST", f"/letters/{sent['id']}/messages", {"words": "x", "after": 1}),
        ("POST", f"/letters/{sent['id']}/close", None),
    ):
        assert (await site.ask(head, method, path, body)).status_code == 404
    opened = await site.done(people.office, "GET", f"/letters/{sent['id']}")
    assert [one["words"] for one in opened["messages"]] == ["校长打我"]
    (report,) = (await site.done(people.office, "GET", "/reports"))["items"]
    assert report["letter"] == sent["id"]


async def test_no_other_office_can_open_a_letter_even_with_the_row_in_hand(people: Cast) -> None:
    site, school = people.site, people.site.school
    sent = await site.done(people.pupil, "POST", "/letters", _letter(people))
    for who, status in (
        (people.office, 404),
        (site.schools[1].head, 404),
        (people.mentor, 403),
        (people.counsellor, 403),
        (people.operator, 403),
        (school.students[1], 403),
        (school.guardian, 403),
    ):
        assert (await site.ask(who, "GET", f"/letters/{sent['id']}")).status_code == status
    for who in (school.students[1], school.guardian, people.mentor):
        assert (await site.ask(who, "GET", f"/letters/mine/{sent['id']}")).status_code == 404
    other = await site.done(
        site.schools[1].students[0], "POST", "/letters", {"school": str(site.schools[1].org), "words": TEXT}
    )
    await site.done(people.pupil, "POST", "/letters", _letter(people, about_principal=True))
    assert other["holder"] == "school"
    desks = {
        "school": Desk(school.head, frozenset({school.org}), district=False),
        "another school": Desk(site.schools[1].head, frozenset({site.schools[1].org}), district=False),
        "district": Desk(people.office, frozenset(), district=True),
    }
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        keys = {name: await private_keys(context, desk) for name, desk in desks.items()}
        row = (await session.execute(sa.select(Message).where(Message.letter_id == UUID(sent["id"])))).scalar_one()
        place = context_of(row.letter_id, row.number)
        opened = {name: boxes.opened(row.body, keys=found, context=place) for name, found in keys.items()}
    assert all(len(found) == 1 for found in keys.values())
    assert opened == {"school": TEXT, "another school": None, "district": None}
    assert (
        await site.ask(people.pupil, "POST", "/letters", _letter(people, school=str(site.schools[1].org)))
    ).status_code == 404


async def test_the_time_runs_out_and_the_district_learns_the_fact_and_not_the_words(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    closed = await site.done(people.pupil, "POST", "/letters", _letter(people))
    open_ = await site.done(people.pupil, "POST", "/letters", _letter(people, then_district=True))
    assert date.fromisoformat(closed["due_on"]) - datetime.now(SHANGHAI).date() in {
        timedelta(days=4),
        timedelta(days=5),
        timedelta(days=6),
    }
    assert (await site.done(people.office, "GET", "/letters"))["items"] == []
    await people.owner("UPDATE mentor_letter SET due_on = due_on - 10, sent_on = sent_on - 10")
    listed = (await site.done(people.office, "GET", "/letters"))["items"]
    assert {(one["id"], one["overdue"], one["readable"], one["writer_name"]) for one in listed} == {
        (closed["id"], True, False, None),
        (open_["id"], True, True, "学生0"),
    }
    assert (await site.ask(people.office, "GET", f"/letters/{closed['id']}")).status_code == 403
    assert (await site.done(people.office, "GET", f"/letters/{open_['id']}"))["messages"][0]["words"] == TEXT
    for _ in range(2):  # once, however often the job runs
        await people.run(clock.run)
    events = await site.rows(
        sa.select(EventRow.subject, EventRow.data).where(EventRow.type == "mentor.letter_overdue.v1")
    )
    assert {(one.subject, *sorted(one.data)) for one in events} == {
        (one["id"], "holder", "letter", "school") for one in (closed, open_)
    }
    assert len(events) == 2
    mine = await site.done(people.pupil, "GET", "/letters/mine")
    assert {(one["overdue"], one["told_district"], one["holder"]) for one in mine} == {(True, True, "school")}
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        waits = {who: await to_dos(context, who) for who in (head, people.office, people.mentor)}
        assert [len(found) for found in waits.values()] == [2, 2, 0]
        (figure,) = await indicators(context, None)
        assert (figure.value, figure.of) == (0, 2)
    await site.done(head, "POST", f"/letters/{closed['id']}/messages", {"words": "迟复为歉", "after": 1})
    own = await site.done(people.pupil, "GET", f"/letters/mine/{closed['id']}")
    assert ([one["words"] for one in own["messages"]], own["state"]) == ([TEXT, "迟复为歉"], "answered")


async def test_of_two_who_answer_at_once_one_is_told_and_no_message_is_lost_or_changed(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    sent = await site.done(people.pupil, "POST", "/letters", _letter(people))
    path = f"/letters/{sent['id']}/messages"
    answers = await asyncio.gather(
        *(site.ask(head, "POST", path, {"words": f"答复{at}", "after": 1}) for at in range(5)),
        site.ask(people.pupil, "POST", f"/letters/mine/{sent['id']}/messages", {"words": "还有", "after": 1}),
    )
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409, 409, 409]
    assert (await site.rows(sa.select(sa.func.count()).select_from(Message)))[0][0] == 2
    for statement in (sa.update(Message).values(number=9), sa.delete(Message)):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            async with site.platform.database.work(site.state.district) as session:
                await session.execute(statement)


async def test_letters_open_after_the_districts_key_rotates_and_each_opening_is_audited(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    receipt = (await _anonymous(people))["receipt"]
    named = await site.done(people.pupil, "POST", "/letters", _letter(people))
    site.platform.keys.rotate(site.state.district.slug)
    await reseal(site.platform, site.state.district, actor="operator:test")
    assert (await _by_receipt(people, receipt)).json()["messages"][0]["words"] == TEXT
    assert (await site.done(head, "GET", f"/letters/{named['id']}"))["messages"][0]["words"] == TEXT
    assert (await site.done(people.pupil, "GET", f"/letters/mine/{named['id']}"))["state"] == "seen"
    lines = await site.rows(sa.select(AuditLine.actor, AuditLine.action, AuditLine.subject).order_by(AuditLine.seq))
    about = [one for one in lines if one.subject == f"letter:{named['id']}"]
    assert about == [
        (f"person:{head}", "mentor.letter.answer", f"letter:{named['id']}"),
        (f"person:{people.pupil}", "mentor.letter.read", f"letter:{named['id']}"),
    ]


async def test_the_board_says_what_changed_to_the_whole_school_and_to_no_other(people: Cast) -> None:
    site, school = people.site, people.site.school
    entry = {"school": str(school.org), "title": "热菜", "asked": "菜凉", "changed": "加了保温台"}
    posted = await site.done(school.head, "POST", "/letters/changes", entry)
    for who in (people.pupil, school.guardian, people.mentor):
        (seen,) = (await site.done(who, "GET", "/letters/changes"))["items"]
        assert {key: seen[key] for key in entry} == entry
        assert not {"by", "writer", "name"} & seen.keys()
    assert (await site.done(site.schools[1].students[0], "GET", "/letters/changes"))["items"] == []
    assert (await site.ask(site.schools[1].head, "POST", "/letters/changes", entry)).status_code == 404
    assert (await site.ask(people.pupil, "POST", "/letters/changes", entry)).status_code == 403
    assert (await site.ask(site.schools[1].head, "DELETE", f"/letters/changes/{posted['id']}")).status_code == 404
    await site.done(school.head, "DELETE", f"/letters/changes/{posted['id']}")
    assert (await site.done(people.pupil, "GET", "/letters/changes"))["items"] == []
