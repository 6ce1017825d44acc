"""Appeals: who files, who decides and who may not, what follows; and choosing anew before a rematch."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.access.tokens import create_token
from gongyu.people.models import Guardianship, Membership, Person
from gongyu_mentor.models import Appeal, Assignment, Refiling

from .conftest import SINCE, Site
from .test_round_life import run_and_publish

_REASONS = "孩子和这位老师有过矛盾"


async def _pairs(site: Site) -> dict[UUID, UUID]:
    found = sa.select(Assignment.student_id, Assignment.mentor_id).where(Assignment.ends_at.is_(None))
    return {row.student_id: row.mentor_id for row in await site.rows(found)}


async def second_head(site: Site) -> UUID:
    async with site.platform.database.work(site.state.district) as session:
        person = Person(name="副校长")
        session.add(person)
        await session.flush()
        session.add(Membership(person_id=person.id, org_id=site.school.org, role="principal", begins_on=SINCE))
        await session.flush()
        until = datetime.now(UTC) + timedelta(days=1)
        site.tokens[person.id] = await create_token(session, person=person.id, name="t", scopes=["*"], expires_at=until)
        head: UUID = person.id
    return head


@pytest.fixture
async def round_id(site: Site) -> str:
    made = await site.open_round(choosing=False, soft_cap=6, hard_cap=6)
    await site.file_lists(made)
    await run_and_publish(site, made)
    return made


async def _appeal(site: Site, round_id: str, who: UUID, student: UUID) -> dict[str, Any]:
    body = {"student": str(student), "reasons": _REASONS}
    made: dict[str, Any] = await site.done(who, "POST", f"/rounds/{round_id}/appeals", body)
    return made


async def _days_are_over(site: Site, round_id: str) -> None:
    async with site.platform.database.owner.begin() as connection:
        past = f'UPDATE "{site.state.district.schema}".mentor_round SET appeals_until = now() WHERE id = :id'  # noqa: S608 - our own schema
        await connection.execute(sa.text(past), {"id": round_id})


async def test_a_round_is_final_only_when_every_appeal_is_decided(site: Site, round_id: str) -> None:
    pupil, guardian, head = site.school.students[0], site.school.guardian, site.school.head
    other_head = await second_head(site)
    made = await _appeal(site, round_id, guardian, pupil)
    due = datetime.fromisoformat(made["due_at"]) - datetime.fromisoformat(made["filed_at"])
    assert (made["state"], made["reasons"], due) == ("filed", _REASONS, timedelta(days=5))
    again = await site.ask(pupil, "POST", f"/rounds/{round_id}/appeals", {"student": str(pupil), "reasons": "again"})
    assert again.status_code == 409
    await _days_are_over(site, round_id)
    late = {"student": str(site.school.students[1]), "reasons": "too late"}
    assert (await site.ask(site.school.students[1], "POST", f"/rounds/{round_id}/appeals", late)).status_code == 409
    assert (await site.done(pupil, "GET", f"/rounds/{round_id}"))["stage"] == "appeals"

    no = {"upheld": False, "answer": "已与双方谈过，建议先相处一个月"}
    path = f"/appeals/{made['id']}/decision"
    assert (await site.ask(head, "POST", path, no)).status_code == 403  # who published
    before = await _pairs(site)
    decided = await site.done(other_head, "POST", path, no)
    assert (decided["state"], await _pairs(site)) == ("rejected", before)
    assert (await site.ask(other_head, "POST", path, no)).status_code == 409
    assert (await site.done(pupil, "GET", f"/rounds/{round_id}"))["stage"] == "final"
    (mine,) = await site.done(pupil, "GET", "/appeals/mine")
    assert (mine["state"], mine["answer"]) == ("rejected", no["answer"])
    assert await site.done(site.school.students[1], "GET", "/appeals/mine") == []


async def test_what_was_said_is_sealed_and_each_reading_is_audited(site: Site, round_id: str) -> None:
    pupil, head = site.school.students[0], site.school.head
    made = await _appeal(site, round_id, pupil, pupil)
    (row,) = await site.rows(sa.select(Appeal.reasons))
    assert _REASONS.encode() not in row.reasons
    (line,) = await site.done(head, "GET", f"/rounds/{round_id}/appeals")
    assert (line["reasons"], line["student"], line["overdue"]) == (_REASONS, str(pupil), False)
    read = sa.select(AuditLine.subject, AuditLine.details).where(AuditLine.action == "mentor.appeal.review")
    assert [tuple(one) for one in await site.rows(read)] == [(f"person:{pupil}", {"appeal": made["id"]})]
    everything = str([tuple(one) for one in await site.rows(sa.select(AuditLine.details, AuditLine.subject))])
    assert _REASONS not in everything
    other = site.schools[1]
    assert (await site.ask(other.head, "GET", f"/rounds/{round_id}/appeals")).status_code == 404
    for stranger in (other.guardian, other.students[0], site.school.mentors[0], site.school.students[1]):
        assert (await site.ask(stranger, "DELETE", f"/appeals/{made['id']}")).status_code == 404
        body = {"student": str(site.school.students[2]), "reasons": "not mine"}
        assert (await site.ask(stranger, "POST", f"/rounds/{round_id}/appeals", body)).status_code == 404


async def test_upheld_the_pair_changes_and_nobody_elses(site: Site, round_id: str) -> None:
    first, second = site.school.students[:2]
    head = await second_head(site)
    before = await _pairs(site)
    loads = {mentor: list(before.values()).count(mentor) for mentor in site.school.mentors}
    full = next((m for m, n in loads.items() if n == 6 and m != before[first]), None)
    free = next(m for m, n in loads.items() if n < 6 and m not in {before[first], before[second]})
    one, two = [await _appeal(site, round_id, student, student) for student in (first, second)]
    path = f"/appeals/{one['id']}/decision"
    vague = await site.ask(head, "POST", path, {"upheld": True, "answer": "同意"})
    assert vague.status_code == 422
    if full is not None:
        refused = await site.ask(head, "POST", path, {"upheld": True, "answer": "同意", "mentor": str(full)})
        assert (refused.status_code, await _pairs(site)) == (409, before)
    await site.done(head, "POST", path, {"upheld": True, "answer": "同意更换", "mentor": str(free)})
    assert await _pairs(site) == before | {first: free}
    (mine,) = await site.done(first, "GET", "/assignments/mine")
    assert (mine["mentor"], mine["why"]["code"]) == (str(free), "PINNED")

    asked = {"upheld": True, "answer": "请重新选择", "choices": [str(free)]}
    await site.done(head, "POST", f"/appeals/{two['id']}/decision", asked)
    assert await _pairs(site) == before | {first: free, second: free}
    (mine,) = await site.done(second, "GET", "/assignments/mine")
    assert mine["why"]["code"] == "CHOICE_1"


async def test_a_head_does_not_decide_for_the_own_child_and_a_withdrawn_appeal_may_come_again(
    site: Site, round_id: str
) -> None:
    pupil, head = site.school.students[3], await second_head(site)
    async with site.platform.database.work(site.state.district) as session:
        session.add(Guardianship(guardian_id=head, student_id=pupil, kind="father", begins_on=SINCE))
    made = await _appeal(site, round_id, pupil, pupil)
    no = {"upheld": False, "answer": "no"}
    assert (await site.ask(head, "POST", f"/appeals/{made['id']}/decision", no)).status_code == 403
    await site.done(pupil, "DELETE", f"/appeals/{made['id']}")
    assert (await site.ask(head, "POST", f"/appeals/{made['id']}/decision", no)).status_code == 409
    assert (await _appeal(site, round_id, pupil, pupil))["state"] == "filed"
    assert len(await site.done(site.school.head, "GET", f"/rounds/{round_id}/appeals")) == 1


async def test_the_displaced_choose_anew_and_the_rematch_uses_it(site: Site, round_id: str) -> None:
    head, before = site.school.head, await _pairs(site)
    leaver = before[site.school.students[0]]
    displaced = [student for student, mentor in before.items() if mentor == leaver]
    stays = next(student for student, mentor in before.items() if mentor != leaver)
    path = f"/rounds/{round_id}/refiling"
    closes = datetime.now(UTC) + timedelta(seconds=60)
    window = {"gone": [str(leaver)], "closes_at": closes.isoformat()}
    shown = await site.done(head, "PUT", path, window)
    assert {one["student"] for one in shown["students"]} == set(map(str, displaced))
    assert (await site.ask(stays, "GET", f"{path}/mine")).status_code == 404

    first = displaced[0]
    seen = await site.done(first, "GET", f"{path}/mine")
    taken = {str(mentor): list(before.values()).count(mentor) for mentor in site.school.mentors if mentor != leaver}
    assert {one["mentor"]: one["free"] for one in seen["mentors"]} == {m: 6 - n for m, n in taken.items() if n < 6}
    wrong = await site.ask(first, "PUT", f"{path}/mine", {"choices": [str(leaver)]})
    assert wrong.status_code == 422
    wish = seen["mentors"][-1]["mentor"]
    assert (await site.done(first, "PUT", f"{path}/mine", {"choices": [wish], "version": 0}))["version"] == 1
    assert (await site.ask(first, "PUT", f"{path}/mine", {"choices": [wish], "version": 7})).status_code == 412
    for other in displaced[1:]:  # who wants nobody in particular takes no seat from anybody
        await site.done(other, "PUT", f"{path}/mine", {"choices": []})
    early = await site.ask(head, "POST", f"/rounds/{round_id}/rematch", {"gone": [str(leaver)]})
    assert (early.status_code, "still choosing" in early.json()["detail"]) == (409, True)

    async with site.platform.database.owner.begin() as connection:
        past = f"""UPDATE "{site.state.district.schema}".mentor_refiling
            SET opened_at = now() - interval '2 s', closes_at = now() - interval '1 s'"""  # noqa: S608 - our own schema
        await connection.execute(sa.text(past))
    assert (await site.ask(first, "PUT", f"{path}/mine", {"choices": []})).status_code == 409
    await site.done(head, "POST", f"/rounds/{round_id}/rematch", {"gone": [str(leaver)]})
    after = await _pairs(site)
    assert (str(after[first]), {s for s in after if after[s] != before[s]}) == (wish, set(displaced))
    (mine,) = await site.done(first, "GET", "/assignments/mine")
    assert mine["why"]["code"] == "CHOICE_1"
    assert (await site.rows(sa.select(Refiling.used_at)))[0].used_at is not None
    assert (await site.ask(first, "GET", f"{path}/mine")).status_code == 404
