"""The mandatory report through the door: two taps, never withdrawn, and hidden from whom it suspects."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.access.tokens import create_token
from gongyu.events.models import EventRow
from gongyu.people.models import Membership, Person
from gongyu.people.rights.copy import collect
from gongyu_mentor.reports import clock
from gongyu_mentor.reports.figures import to_dos
from gongyu_mentor.reports.models import Report, ReportLine, Suspect
from gongyu_mentor.reports.records import RETENTION

from .confiding import Cast, cast, dump
from .conftest import SINCE, Site

WORDS = "手臂上有多处瘀伤"


@pytest.fixture
async def people(site: Site) -> Cast:
    return await cast(site)


async def _report(people: Cast, by: UUID, **fields: object) -> str:
    body = {"student": str(people.pupil), "kind": "violence", **fields}
    made = await people.site.done(by, "POST", "/reports", body)
    return str(made["id"])


async def _seen_by(people: Cast, who: UUID) -> set[str]:
    answer = await people.site.ask(who, "GET", "/reports")
    return {one["id"] for one in answer.json()["items"]} if answer.status_code == 200 else set()


async def test_any_adult_reports_in_two_taps_and_the_steps_follow(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    kinds = await site.done(people.mentor, "GET", "/reports/kinds")
    assert len(kinds["kinds"]) == 10
    assert "110" in kinds["paper"]
    for who in (people.mentor, people.operator, site.school.guardian):
        await _report(people, who)
    pupils = await site.ask(people.pupil, "POST", "/reports", {"student": str(people.pupil), "kind": "violence"})
    assert pupils.status_code == 403
    unknown = {"student": str(people.mentor), "kind": "violence", "suspects": [str(site.school.org)]}
    wrong = await site.ask(people.mentor, "POST", "/reports", unknown)
    assert [one["pointer"] for one in wrong.json()["errors"]] == ["/student", "/suspects/0"]

    report = await _report(people, people.mentor, words=WORDS)
    await site.done(people.mentor, "POST", f"/reports/{report}/additions", {"words": "今天又多了一处"})
    assert (await site.ask(people.homeroom, "POST", f"/reports/{report}/additions", {"words": "x"})).status_code == 404
    read = await site.done(head, "GET", f"/reports/{report}")
    assert (read["student"], read["kind"], read["state"]) == (str(people.pupil), "violence", "open")
    assert [(one["what"], one["by_reporter"], one["words"]) for one in read["lines"]] == [
        ("addition", True, WORDS),
        ("addition", True, "今天又多了一处"),
    ]
    assert str(people.mentor) not in str(read)  # who reported is not told
    steps = f"/reports/{report}/steps"
    early = await site.ask(head, "POST", steps, {"what": "closed", "words": "好"})
    assert [one["detail"] for one in early.json()["errors"]] == [
        "it has not been taken up",
        "it is not said whether the guardians were informed",
    ]
    unsaid = await site.ask(head, "POST", steps, {"what": "guardians_not_informed"})
    assert unsaid.status_code == 422
    for step in (
        {"what": "acknowledged"},
        {"what": "police_informed", "words": "110，回执 7"},
        {"what": "guardians_not_informed", "words": "监护人涉嫌"},
        {"what": "closed", "words": "移交公安"},
    ):
        await site.done(head, "POST", steps, step)
    assert (await site.ask(head, "POST", steps, {"what": "acknowledged"})).status_code == 409
    mine = await site.done(people.mentor, "GET", "/reports/mine")
    assert [one["state"] for one in mine if one["id"] == report] == ["closed"]
    assert "words" not in mine[0]
    stored = await dump(site)
    for words in (WORDS, "监护人涉嫌", "移交公安"):
        assert words not in stored
    events = await site.rows(sa.select(EventRow.type, EventRow.data).where(EventRow.type.like("mentor.report%")))
    assert {(one.type, *one.data) for one in events} == {("mentor.report_opened.v1", "report")}
    reads = await site.rows(
        sa.select(AuditLine.actor, AuditLine.subject).where(AuditLine.action == "mentor.report.handle")
    )
    assert (f"person:{head}", f"person:{people.pupil}") in reads
    assert f"person:{people.mentor}" not in {one.actor for one in reads}


async def test_a_report_can_be_neither_changed_nor_withdrawn(people: Cast) -> None:
    await _report(people, people.mentor, words=WORDS, suspects=[str(people.homeroom)])
    site = people.site
    for table in (Report, ReportLine, Suspect):
        for statement in (sa.delete(table), sa.update(table).values({"school_id" if table is Report else "at": None})):
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                async with site.platform.database.work(site.state.district) as session:
                    await session.execute(statement)
    async with site.client() as client:
        for method in ("DELETE", "PUT", "PATCH"):
            path = f"/reports/{people.pupil}"
            answer = await client.request(method, path, headers=site.headers(site.school.head))
            assert answer.status_code == 405


async def test_who_is_suspected_sees_nothing_whatever_they_are(people: Cast) -> None:
    site, school = people.site, people.site.school
    handlers = {"head": school.head, "office": people.office}
    free = await _report(people, people.homeroom)
    mentor = await _report(people, people.mentor, words=WORDS)
    assert await _seen_by(people, school.head) == {free, mentor}

    # The reporter comes under suspicion: their own report is not there for them any more.
    await site.done(school.head, "POST", f"/reports/{mentor}/suspects", {"suspects": [str(people.mentor)]})
    assert await site.done(people.mentor, "GET", "/reports/mine") == []
    late = {"words": "我没有"}
    assert (await site.ask(people.mentor, "POST", f"/reports/{mentor}/additions", late)).status_code == 404
    guardian = await _report(people, school.guardian, suspects=[str(school.guardian)])
    assert await site.done(school.guardian, "GET", "/reports/mine") == []
    assert guardian in await _seen_by(people, school.head)

    # The only principal: the report is the district's, at once, and its words were never sealed for the school.
    up = await _report(people, people.homeroom, words=WORDS, suspects=[str(school.head)])
    seen = {name: up in await _seen_by(people, who) for name, who in handlers.items()}
    assert seen == {"head": False, "office": True}
    assert (await site.done(people.office, "GET", f"/reports/{up}"))["lines"][0]["words"] == WORDS
    for method, path, body in (
        ("GET", "", None),
        ("POST", "/steps", {"what": "acknowledged"}),
        ("POST", "/additions", late),
        ("POST", "/suspects", {"suspects": [str(people.mentor)]}),
    ):
        assert (await site.ask(school.head, method, f"/reports/{up}{path}", body)).status_code == 404
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        assert up not in {str(one.subject) for one in await to_dos(context, school.head)}
        assert up in {str(one.subject) for one in await to_dos(context, people.office)}
        copy = await collect(
            platform, state, session, person=school.head, reader="self", actor="x", now=datetime.now(UTC)
        )
    assert up not in str(copy.parts)

    # With a second principal it stays at the school, with that one alone.
    deputy = await _principal(people)
    assert up in await _seen_by(people, deputy)
    # And the district's own officer, under suspicion, sees nothing either.
    officer = await _report(people, people.homeroom, suspects=[str(people.office), str(school.head), str(deputy)])
    assert [officer in await _seen_by(people, who) for who in (people.office, school.head, deputy)] == [False] * 3


async def _principal(people: Cast) -> UUID:
    site = people.site
    async with site.platform.database.work(site.state.district) as session:
        one = Person(name="副校长")
        session.add(one)
        await session.flush()
        session.add(Membership(person_id=one.id, org_id=site.school.org, role="principal", begins_on=SINCE))
        await session.flush()
        until = datetime.now(UTC) + timedelta(days=1)
        site.tokens[one.id] = await create_token(session, person=one.id, name="t", scopes=["*"], expires_at=until)
        id_: UUID = one.id
    return id_


async def test_a_report_nobody_takes_up_goes_to_the_district(people: Cast) -> None:
    site, head = people.site, people.site.school.head
    waits, taken = await _report(people, people.mentor, words=WORDS), await _report(people, people.mentor)
    await site.done(head, "POST", f"/reports/{taken}/steps", {"what": "acknowledged"})
    assert await _seen_by(people, people.office) == set()
    await people.run(clock.run, later=timedelta(hours=25))
    told: list[Any] = await site.rows(sa.select(EventRow.subject).where(EventRow.type == "mentor.report_overdue.v1"))
    assert [one.subject for one in told] == [waits]
    assert await _seen_by(people, people.office) == {waits}
    await people.run(clock.run, later=timedelta(hours=26))
    read = await site.done(people.office, "GET", f"/reports/{waits}")
    assert [(one["what"], one["words"]) for one in read["lines"]] == [("addition", WORDS), ("escalated", None)]
    assert await _seen_by(people, site.schools[1].head) == set()


async def test_the_district_sees_it_in_the_minute_the_clock_runs_out(people: Cast) -> None:
    waits = await _report(people, people.mentor)
    # As its owner alone could: the application has no way to move a report's clock.
    await people.owner("UPDATE mentor_report SET due_at = now() - interval '1 second'")
    assert await _seen_by(people, people.office) == {waits}


async def test_reports_end_after_twenty_years_and_not_a_day_before(people: Cast) -> None:
    site = people.site
    old, new = await _report(people, people.mentor, words=WORDS), await _report(people, people.mentor)
    for report, days in ((old, 20 * 365 + 7), (new, 20 * 365 - 30)):
        moved = "UPDATE mentor_report SET opened_at = now() - make_interval(days => :days) WHERE id = :id"
        await people.owner(moved, days=days, id=UUID(report))
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        assert await RETENTION[0].expire(context, context.now.date()) == 1  # whatever day is asked for
    assert await _seen_by(people, site.school.head) == {new}
