"""The year after the round: a mentor leaves, a pupil leaves, a pair goes on, somebody asks to be forgotten."""

import dataclasses
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.events.models import EventRow
from gongyu.events.outbox import publish, work
from gongyu.events.worker import drain
from gongyu.people.events import Left, Transferred
from gongyu.people.models import Guardianship
from gongyu.plugin import Context
from gongyu_mentor.models import Assignment, Favour, Load, Offer, Preference

from .conftest import MakeSite, Site
from .test_round_life import run_and_publish


async def _pairs(site: Site) -> dict[UUID, UUID]:
    found = sa.select(Assignment.student_id, Assignment.mentor_id).where(Assignment.ends_at.is_(None))
    return {row.student_id: row.mentor_id for row in await site.rows(found)}


async def _published(site: Site, **fields: Any) -> str:  # noqa: ANN401 - fields of a round
    round_id = await site.open_round(choosing=False, **fields)
    await site.file_lists(round_id)
    await run_and_publish(site, round_id)
    return round_id


async def _count(site: Site, type_: str) -> int:
    return len(await site.rows(sa.select(EventRow.id).where(EventRow.type == type_)))


async def test_a_leaver_is_succeeded_and_nobody_else_moves(site: Site) -> None:
    round_id = await _published(site, soft_cap=5, hard_cap=8)
    before = await _pairs(site)
    leaver, heir = site.school.mentors[0], site.school.mentors[1]
    displaced = {student for student, mentor in before.items() if mentor == leaver}
    body = {"gone": [str(leaver)], "successors": {str(leaver): str(heir)}}
    preview = await site.done(site.school.head, "POST", f"/rounds/{round_id}/rematch", {**body, "preview": True})
    assert (await _pairs(site), preview["publishable"]) == (before, True)
    assert len(await site.done(leaver, "GET", "/students")) == len(displaced)

    await site.done(site.school.head, "POST", f"/rounds/{round_id}/rematch", body)
    after = await _pairs(site)
    assert set(after) == set(before)
    assert {student for student in after if after[student] != before[student]} == displaced
    assert await site.done(leaver, "GET", "/students") == []  # at once
    assert await _count(site, "mentor.ended.v1") == len(displaced)
    reasons = []
    for student in displaced:
        (mine,) = await site.done(student, "GET", "/assignments/mine")
        assert mine["mentor"] == str(after[student])
        reasons.append(mine["why"]["code"])
    assert set(reasons) == {"HANDOVER"} | ({"COMPLETION"} if len(displaced) > 3 else set())
    stayed = next(iter(set(before) - displaced))
    (mine,) = await site.done(stayed, "GET", "/assignments/mine")
    assert mine["why"]["code"] != "KEPT"  # still told why it was this one in autumn
    taken = await site.rows(sa.select(Load.mentor_id, Load.taken).where(Load.taken > 0))
    assert {row.mentor_id: row.taken for row in taken} == {m: list(after.values()).count(m) for m in after.values()}
    offered = (await site.done(stayed, "GET", f"/rounds/{round_id}/offers"))["items"]
    assert str(leaver) not in [one["mentor"] for one in offered]


async def test_a_rematch_without_seats_changes_nothing_and_wrong_names_are_told(site: Site) -> None:
    round_id = await _published(site, soft_cap=5, hard_cap=5)
    before = await _pairs(site)
    head, mentor, other = site.school.head, site.school.mentors[0], site.schools[1].mentors[0]
    short = await site.ask(head, "POST", f"/rounds/{round_id}/rematch", {"gone": [str(mentor)]})
    assert (short.status_code, await _pairs(site)) == (409, before)
    wrong = {"gone": [str(mentor), str(other)], "successors": {str(mentor): str(mentor)}, "declined": [str(other)]}
    answer = await site.ask(head, "POST", f"/rounds/{round_id}/rematch", wrong)
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/gone/1",
        f"/successors/{mentor}",
        "/declined/0",
    ]


async def test_a_pair_goes_on_when_both_wish_and_only_then(site: Site) -> None:
    await _published(site, soft_cap=5, hard_cap=8)
    before = await _pairs(site)
    mentor = site.school.mentors[0]
    mine = [student for student, who in before.items() if who == mentor]
    both, alone = mine[0], mine[1]
    round_id = await site.open_round(soft_cap=6, hard_cap=8)
    others = [str(one) for one in site.school.mentors[1:5]]
    for student in (both, alone):
        body = {"choices": others, "keep": True}
        await site.done(student, "PUT", f"/rounds/{round_id}/preferences/mine", body)
    await site.done(mentor, "PUT", f"/rounds/{round_id}/favours/mine", {"students": [], "keep": [str(both)]})
    refused = await site.ask(
        mentor, "PUT", f"/rounds/{round_id}/favours/mine", {"students": [], "keep": [str(site.schools[1].students[0])]}
    )
    assert refused.status_code == 422
    await site.close(round_id)
    await run_and_publish(site, round_id)
    after = await _pairs(site)
    assert (after[both], str(after[alone]) in others) == (mentor, True)
    (told,) = await site.done(both, "GET", "/assignments/mine")
    assert told["why"]["code"] == "KEPT"
    kept = await site.rows(sa.select(Assignment.id).where(Assignment.student_id == both))
    assert len(kept) == 1  # the same pair goes on; it did not end and begin


async def test_rules_are_kept_own_child_sex_and_grade(site: Site) -> None:
    mentors, students = site.school.mentors, site.school.students
    async with site.platform.database.work(site.state.district) as session:
        session.add(
            Guardianship(guardian_id=mentors[0], student_id=students[0], kind="mother", begins_on=date(2020, 1, 1))
        )
    round_id = await site.open_round(soft_cap=8, hard_cap=10)
    for student in students:
        body = {"choices": [str(one) for one in mentors[:3]]}
        await site.done(student, "PUT", f"/rounds/{round_id}/preferences/mine", body)
    places = {"soft_cap": 8, "hard_cap": 10}
    rules = [
        {"mentor": str(mentors[1]), **places, "sex": "male"},
        {"mentor": str(mentors[2]), **places, "grades": ["09"]},
    ]
    await site.done(site.school.head, "PUT", f"/rounds/{round_id}/offers", rules)
    await site.close(round_id)
    await run_and_publish(site, round_id)
    pairs = await _pairs(site)
    assert mentors[0] in pairs.values()
    assert {mentors[1], mentors[2]}.isdisjoint(pairs.values())
    (mine,) = await site.done(students[0], "GET", "/assignments/mine")
    assert [no["code"] for no in mine["why"]["refused"]] == ["NOT_ELIGIBLE"] * 3


async def test_a_pupil_who_leaves_frees_the_place_and_is_told_of_once(site: Site) -> None:
    await _published(site)
    gone, moved, stayed = site.school.students[:3]
    here, there = site.school.org, site.schools[1].org
    async with work(site.platform, site.state) as session:
        await publish(session, Left(student=gone, school=here), subject=gone)
        await publish(session, Transferred(student=moved, from_school=here, to_school=there), subject=moved)
        await publish(session, Transferred(student=stayed, from_school=here, to_school=here), subject=stayed)
    await drain(site.platform, site.state.district.slug)
    left = await _pairs(site)
    assert {gone, moved}.isdisjoint(left)
    assert len(left) == len(site.school.students) - 2
    assert (await site.rows(sa.select(sa.func.sum(Load.taken))))[0][0] == len(left)
    assert await _count(site, "mentor.ended.v1") == 2


async def test_another_plugin_asks_for_my_students_without_an_import(site: Site) -> None:
    await _published(site)
    mentor = next(iter((await _pairs(site)).values()))
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("points", site.state, session)
        answer = await context.capabilities["mentor.students_of"](context, person=mentor)
    pairs = await _pairs(site)
    assert answer == sorted(student for student, who in pairs.items() if who == mentor)


async def _context(site: Site, session: Any) -> Context:  # noqa: ANN401 - a session
    return dataclasses.replace(site.platform.context("mentor", site.state, session), now=datetime.now(UTC))


async def test_a_copy_holds_ones_own_and_erasure_leaves_numbers_only(site: Site) -> None:
    round_id = await _published(site)
    student, mentor = site.school.students[0], site.school.mentors[0]
    contexts: list[tuple[str, Context]]
    async with site.platform.database.work(site.state.district) as session:
        session.add(Favour(round_id=UUID(round_id), mentor_id=mentor, students=[student], keep=[]))
        await session.flush()
        contexts = [("mentor", await _context(site, session))]
        parts = (await site.platform.dispatcher.call(hookspecs.person_data, contexts, person=student))["mentor"]
        told = {part.name: part.rows for part in parts}
        assert [len(told[name]) for name in ("choices", "pairs", "decided", "pages", "mentored")] == [1, 1, 0, 0, 0]
        for person in (student, mentor):
            gone = await site.platform.dispatcher.call(hookspecs.person_erased, contexts, person=person, here=False)
            kept = {one.what.en for one in gone["mentor"] if one.kept}
            assert kept & {"mentors ranked", "a mentor's stars", "a mentor's pages", "photo", "pairs"} == {"pairs"}
    assert await site.rows(sa.select(Preference.student_id).where(Preference.student_id == student)) == []
    (offer,) = await site.rows(sa.select(Offer.introduction, Offer.subjects).where(Offer.mentor_id == mentor))
    assert tuple(offer) == ("", [])
    assert await site.rows(sa.select(Favour.mentor_id)) == []


async def test_the_demonstration_plays_a_round_and_a_departure(make_site: MakeSite) -> None:
    site: Site = await make_site(students=480, mentors=40)
    async with site.platform.database.work(site.state.district) as session:
        contexts = [("mentor", await _context(site, session))]
        lines = (await site.platform.dispatcher.call(hookspecs.demo_played, contexts))["mentor"]
    figures = {line.title.en: line.figure for line in lines}
    assert (figures["pupils who ranked mentors"], figures["pupils with a mentor"]) == (960, "100.0%")
    assert figures["pupils who can be told why"] == 960
    assert len(await _pairs(site)) == 960
    assert 10 <= int(figures["moved when a mentor left"]) <= 40
    assert figures["children not yet talked to"] == 960 - int(figures["talks written down"]) > 0
    assert (figures["moods tapped"], figures["wishes to talk that were answered"]) == (14, 1)
    assert figures["letters answered in time"] == "2/2"
