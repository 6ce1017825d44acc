"""A round from the draft to the final assignment, through the door, and what the database itself refuses."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gongyu.access.models import AuditLine
from gongyu.events.models import EventRow
from gongyu_mentor import lottery
from gongyu_mentor.explanations import explain, reason, refusal_reason
from gongyu_mentor.matching import Result, Snapshot, solve
from gongyu_mentor.models import Assignment, Load, Run
from gongyu_mentor.outcome import opened
from gongyu_mentor.publishing import publish
from gongyu_mentor.rounds import managed, open_seed
from gongyu_mentor.snapshot import freeze
from gongyu_mentor.verification import BrokenAssignmentError, verify

from .conftest import Site


async def run_and_publish(site: Site, round_id: str) -> dict[str, Any]:
    run = await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")
    await site.done(site.school.head, "POST", f"/rounds/{round_id}/publish", {"run": run["id"]})
    made: dict[str, Any] = run
    return made


async def test_a_round_goes_from_draft_to_final_and_tells_everybody_why(site: Site) -> None:
    school = site.school
    head, first, mentor = school.head, school.students[0], school.mentors[0]
    round_id = await site.open_round(soft_cap=5, hard_cap=7)
    shown = await site.done(first, "GET", f"/rounds/{round_id}")
    assert (shown["stage"], len(shown["seed_hash"])) == ("choosing", 64)

    page = {
        "subjects": ["数学"],
        "talents": ["围棋"],
        "introduction": "一起下棋",
        "fewer": {"seats": 4, "reason": "带毕业班"},
    }
    await site.done(mentor, "PUT", f"/rounds/{round_id}/offers/mine", page)
    await site.done(head, "POST", f"/rounds/{round_id}/offers/{mentor}/fewer", {"granted": True})
    wish = {"choices": [str(one) for one in school.mentors[:3]]}
    assert (await site.done(first, "PUT", f"/rounds/{round_id}/preferences/mine", wish))["version"] == 1
    offers = (await site.done(first, "GET", f"/rounds/{round_id}/offers"))["items"]
    assert {one["mentor"]: (one["places"], one["demand"]) for one in offers} == {
        str(one): (4 if at == 0 else 5, int(at < 3)) for at, one in enumerate(school.mentors)
    }
    wrong = {"choices": [str(mentor), str(mentor), str(school.head)]}
    refused = await site.ask(first, "PUT", f"/rounds/{round_id}/preferences/mine", wrong)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/choices/1", "/choices/2"]

    await site.done(
        head, "PUT", f"/rounds/{round_id}/pins/{school.students[5]}", {"mentor": str(mentor), "reason": "亲属托付"}
    )
    early = await site.ask(head, "POST", f"/rounds/{round_id}/runs")
    assert (early.status_code, "must wait" in early.json()["detail"]) == (409, True)

    await site.file_lists_of_others(round_id)
    applicants = await site.done(mentor, "GET", f"/rounds/{round_id}/favours/mine")
    assert applicants["most"] == max(1, len(applicants["applicants"]) // 10)
    starred = applicants["applicants"][-1]["student"]
    await site.done(mentor, "PUT", f"/rounds/{round_id}/favours/mine", {"students": [starred]})
    await site.close(round_id)

    tried = await site.done(head, "POST", f"/rounds/{round_id}/runs")
    late = await site.ask(first, "PUT", f"/rounds/{round_id}/preferences/mine", wish)
    assert (late.status_code, tried["publishable"], tried["figures"]["students"]) == (409, True, len(school.students))
    assert await site.rows(sa.select(Assignment.id)) == []
    hidden = await site.done(first, "GET", f"/rounds/{round_id}/lottery")
    assert hidden["seed"] is None
    await site.done(head, "POST", f"/rounds/{round_id}/publish", {"run": tried["id"]})

    told = await site.done(first, "GET", f"/rounds/{round_id}/lottery")
    assert lottery.opens(seed=told["seed"], published=shown["seed_hash"])
    pairs = dict(await site.rows(sa.select(Assignment.student_id, Assignment.mentor_id)))
    assert set(pairs) == set(school.students)
    assert pairs[school.students[5]] == mentor
    assert {str(m): n for m, n in Counter(pairs.values()).items()} == {m: n for m, n in tried["loads"].items() if n}
    assert dict(await site.rows(sa.select(Load.mentor_id, Load.taken).where(Load.taken > 0))) == Counter(pairs.values())
    (decided,) = await site.done(school.students[5], "GET", "/assignments/mine")
    assert decided["why"]["text"] == "The school decided this pair and can tell you why."
    events = await site.rows(sa.select(EventRow.subject, EventRow.data).where(EventRow.type == "mentor.assigned.v1"))
    assert {subject: data["mentor"] for subject, data in events} == {str(s): str(m) for s, m in pairs.items()}
    assert all(set(data) == {"assignment", "student", "mentor"} for _, data in events)
    audited = [one.action for one in await site.rows(sa.select(AuditLine.action).order_by(AuditLine.seq))]
    assert audited[-2:] == ["mentor.run_made", "mentor.round_published"]


async def test_what_a_family_is_told_is_what_the_engine_says_word_for_word(site: Site) -> None:
    round_id = await site.open_round(choosing=False, soft_cap=5, hard_cap=6)
    await site.file_lists(round_id)
    async with site.platform.database.work(site.state.district) as session:
        row = await managed(session, UUID(round_id), orgs=None)
        seed = open_seed(row, district=site.state.district, keys=site.platform.keys)
        frozen = await freeze(session, row, seed=seed, keys=site.platform.keys, today=datetime.now(UTC).date())
    await run_and_publish(site, round_id)
    result = solve(frozen.snapshot)
    assert verify(frozen.snapshot, result) == []
    refusals = 0
    for student, mentor, told in zip(frozen.students, result.final, explain(frozen.snapshot, result), strict=True):
        (mine,) = await site.done(student, "GET", "/assignments/mine")
        refusals += len(told.refusals)
        assert (mine["student"], mine["mentor"], mine["why"]) == (
            str(student),
            str(frozen.mentors[mentor]),
            {
                "code": told.code,
                "text": reason(told).en,
                "refused": [
                    {"mentor": str(frozen.mentors[no.mentor]), "code": no.code, "text": refusal_reason(no).en}
                    for no in told.refusals
                ],
            },
        )
    assert refusals  # how many is the lot's doing


async def test_what_if_shows_who_would_move_and_writes_nothing(site: Site) -> None:
    head, mentors = site.school.head, site.school.mentors
    round_id = await site.open_round(choosing=False, soft_cap=6, hard_cap=8)
    await site.file_lists(round_id)
    before = [await site.rows(sa.select(sa.func.count()).select_from(table)) for table in (Run, Assignment, AuditLine)]
    edits = {"edits": [{"mentor": str(mentors[0]), "field": "capacity", "value": 0}]}
    answer = await site.done(head, "POST", f"/rounds/{round_id}/what-if", edits)
    assert (answer["loads"][str(mentors[0])], answer["after"]["matched"]) == (0, 40)
    assert len(answer["moved"]) >= 3
    after = [await site.rows(sa.select(sa.func.count()).select_from(table)) for table in (Run, Assignment, AuditLine)]
    assert after == before
    unknown = {"edits": [{"mentor": str(site.schools[1].mentors[0]), "field": "soft", "value": 1}]}
    assert (await site.ask(head, "POST", f"/rounds/{round_id}/what-if", unknown)).status_code == 422


async def test_nothing_is_published_when_seats_are_short_or_anything_changed_since_the_run(site: Site) -> None:
    head, mentors = site.school.head, site.school.mentors
    round_id = await site.open_round(choosing=False, soft_cap=4, hard_cap=4)
    await site.file_lists(round_id)
    short = await site.done(head, "POST", f"/rounds/{round_id}/runs")
    assert (short["publishable"], short["shortage"][0]["seats"], len(short["shortage"][0]["students"])) == (
        False,
        32,
        40,
    )
    refused = await site.ask(head, "POST", f"/rounds/{round_id}/publish", {"run": short["id"]})
    assert (refused.status_code, "8 students have no mentor" in refused.json()["detail"]) == (409, True)

    other = await site.open_round(choosing=False, soft_cap=5, hard_cap=5)
    await site.file_lists(other)
    run = await site.done(head, "POST", f"/rounds/{other}/runs")
    pin = {"mentor": str(mentors[0]), "reason": "家长申请"}
    await site.done(head, "PUT", f"/rounds/{other}/pins/{site.school.students[0]}", pin)
    changed = await site.ask(head, "POST", f"/rounds/{other}/publish", {"run": run["id"]})
    assert (changed.status_code, "changed since this run" in changed.json()["detail"]) == (409, True)
    assert await site.rows(sa.select(Assignment.id)) == []


async def test_a_broken_engine_publishes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    round_id = await site.open_round(choosing=False)
    await site.file_lists(round_id)
    run = await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")

    def swapped(snapshot: Snapshot) -> Result:
        result = solve(snapshot)
        a, b = next((i, j) for i in range(40) for j in range(i) if result.final[i] != result.final[j])
        for row in (result.stable, result.final):
            row[a], row[b] = row[b], row[a]
        return result

    monkeypatch.setattr("gongyu_mentor.publishing.solve", swapped)
    async with site.platform.database.session(site.state.district) as session:
        context = site.platform.context("mentor", site.state, session)
        with pytest.raises(BrokenAssignmentError):
            await publish(context, UUID(round_id), run=UUID(run["id"]), orgs=None, by=None)
    assert await site.rows(sa.select(Assignment.id)) == []


async def test_the_database_refuses_two_mentors_one_too_many_and_a_changed_run(site: Site) -> None:
    round_id = await site.open_round(choosing=False, soft_cap=5, hard_cap=5)
    await site.file_lists(round_id)
    await run_and_publish(site, round_id)
    student, school, mentor = site.school.students[0], site.school.org, site.school.mentors[0]
    stranger = site.schools[1].students[0]
    values = {"school_id": school, "mentor_id": mentor, "begins_at": sa.func.now()}
    for statement, said in (
        (sa.insert(Assignment).values(student_id=student, **values), "uq_mentor_assignment_open"),
        (sa.insert(Assignment).values(student_id=stranger, **values), "ck_mentor_load_places"),
        (sa.update(Run).values(number=9), "permission denied"),
        (sa.delete(Assignment), "permission denied"),
        (sa.update(Assignment).values(student_id=stranger), "permission denied"),
        (insert(Load).values(school_id=school, mentor_id=stranger, places=1, taken=2), "ck_mentor_load_places"),
    ):
        with pytest.raises(sa.exc.DBAPIError, match=said):
            async with site.platform.database.work(site.state.district) as session:
                await session.execute(statement)


async def test_a_care_category_earns_a_seat_and_is_told_to_nobody(site: Site) -> None:
    """All want one mentor, whose five places are kept for the five pupils of the group."""
    head, mentors, students = site.school.head, site.school.mentors, site.school.students
    round_id = await site.open_round(soft_cap=5, hard_cap=5)
    places = {"mentor": str(mentors[0]), "soft_cap": 5, "hard_cap": 5, "reserve": 5}
    await site.done(head, "PUT", f"/rounds/{round_id}/offers", [places])
    for student in students:
        body = {"choices": [str(one) for one in mentors]}
        await site.done(student, "PUT", f"/rounds/{round_id}/preferences/mine", body)
    await site.close(round_id)
    run = await run_and_publish(site, round_id)
    wanted = sa.select(Assignment.student_id).where(Assignment.mentor_id == mentors[0])
    assert {row.student_id for row in await site.rows(wanted)} == set(students[::8])
    (mine,) = await site.done(students[1], "GET", "/assignments/mine")
    assert mine["why"]["refused"][0]["text"].startswith("Full: some seats follow school policy.")

    (kept,) = await site.rows(sa.select(Run.outcome, Run.figures))
    outcome = opened(kept.outcome)
    assert outcome.__struct_fields__ == ("students", "mentors", "given", "told")
    assert outcome.told.__struct_fields__ == ("codes", "choices", "refused", "queues", "seats")
    assert set(kept.figures) & {"group", "reserves", "care"} == set()
    said = f"{run} {kept} {await site.done(head, 'GET', f'/schools/{site.school.org}')}"
    assert [word for word in ("left_behind", "double") if word in said] == []
    audited = await site.rows(sa.select(AuditLine.ground).where(AuditLine.action == "mentor.run_made"))
    assert [line.ground for line in audited] == ["mentor.round.manage; care categories were read for the reserves"]
