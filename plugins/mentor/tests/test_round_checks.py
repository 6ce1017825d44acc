"""Where the school asks for it, nobody is assigned a pupil or a class without a valid criminal-record check (P-14)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.districts.service import apply_file, read_file
from gongyu_mentor.models import Appeal, Assignment, ClassAssignment, Run

from .conftest import MakeSite, Site
from .test_round_appeals import second_head
from .test_round_life import run_and_publish

_REFUSED = "The school asks for a criminal-record check that is still valid; have the school record it"


@pytest.fixture
async def strict(make_site: MakeSite) -> Site:
    """A school that asks for checks."""
    site: Site = await make_site(students=6, mentors=4, schools=1)
    district = site.state.district
    text = (
        f'[district]\nslug = "{district.slug}"\nname = "{district.name}"\n\n[plugins.mentor]\ncheck_required = true\n'
    )
    await apply_file(site.platform, read_file(site.platform, text, file="d.toml"), actor="operator:test")
    return site


async def _check(site: Site, *mentors: UUID, result: str = "clear", days: int = 1) -> None:
    on = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    for mentor in mentors:
        body = {"person": str(mentor), "checked_on": on, "issuer": "市公安局", "result": result}
        await site.done(site.school.head, "POST", f"/schools/{site.school.org}/checks", body)


async def _names(site: Site, who: UUID, path: str, body: dict[str, Any]) -> list[str]:
    """Whom the refusal names."""
    answer = await site.ask(who, "POST", path, body)
    told = answer.json()
    assert (answer.status_code, told["detail"]) == (409, _REFUSED)
    return [error["detail"] for error in told["errors"]]


async def _pairs(site: Site) -> dict[UUID, UUID]:
    found = sa.select(Assignment.student_id, Assignment.mentor_id).where(Assignment.ends_at.is_(None))
    return {row.student_id: row.mentor_id for row in await site.rows(found)}


async def test_a_round_is_published_only_when_everybody_in_it_is_checked(strict: Site) -> None:
    site, (first, second, old, found) = strict, strict.school.mentors
    round_id = await site.open_round(choosing=False, soft_cap=2, hard_cap=2)
    await site.file_lists(round_id, choices=4)
    run = await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")
    mentors = {UUID(mentor) for mentor, load in run["loads"].items() if load}
    await _check(site, first, second)
    await _check(site, old, days=400)
    await _check(site, found)
    await _check(site, found, result="found", days=0)
    expected = [
        f"老师{at}: no valid check" for at, one in enumerate(site.school.mentors) if one in mentors & {old, found}
    ]
    assert expected
    assert await _names(site, site.school.head, f"/rounds/{round_id}/publish", {"run": run["id"]}) == expected
    assert await _pairs(site) == {}
    assert (await site.done(site.school.head, "GET", f"/rounds/{round_id}"))["stage"] == "trial"
    await _check(site, old, found, days=0)
    await site.done(site.school.head, "POST", f"/rounds/{round_id}/publish", {"run": run["id"]})
    assert len(await _pairs(site)) == 6


async def test_in_mid_year_nobody_unchecked_gets_a_pupil_by_rematch_or_appeal(strict: Site) -> None:
    site, head = strict, strict.school.head
    await _check(site, *site.school.mentors)
    round_id = await site.open_round(choosing=False, soft_cap=3, hard_cap=4)
    await site.file_lists(round_id, choices=4)
    await run_and_publish(site, round_id)
    before = await _pairs(site)
    leaver = before[site.school.students[0]]
    heir = next(one for one in site.school.mentors if one != leaver)
    name = f"老师{site.school.mentors.index(heir)}: no valid check"
    await _check(site, heir, result="found", days=0)
    asked = {"gone": [str(leaver)], "successors": {str(leaver): str(heir)}}
    runs = await site.rows(sa.select(Run.id))
    assert await _names(site, head, f"/rounds/{round_id}/rematch", asked) == [name]
    assert (await _pairs(site), await site.rows(sa.select(Run.id))) == (before, runs)
    assert (await site.ask(head, "POST", f"/rounds/{round_id}/rematch", {**asked, "preview": True})).status_code == 200

    pupil = next(student for student, mentor in before.items() if mentor != heir)
    filed = {"student": str(pupil), "reasons": "和这位导师有过矛盾"}
    appeal = await site.done(pupil, "POST", f"/rounds/{round_id}/appeals", filed)
    other = await second_head(site)
    decision = {"upheld": True, "answer": "同意更换", "mentor": str(heir)}
    assert await _names(site, other, f"/appeals/{appeal['id']}/decision", decision) == [name]
    assert [row.state for row in await site.rows(sa.select(Appeal.state))] == ["filed"]
    # Whose own mentor is unchecked keeps them: a pair is not torn by somebody else's paper.
    others = {"gone": [str(leaver)], "successors": {}}
    stays = {student for student, mentor in before.items() if mentor == heir}
    answer = await site.ask(head, "POST", f"/rounds/{round_id}/rematch", others)
    assert answer.status_code in {200, 409}
    after = await _pairs(site)
    assert {student: after[student] for student in stays} == dict.fromkeys(stays, heir)


async def test_a_class_gets_no_unchecked_teacher(strict: Site) -> None:
    site, teacher = strict, strict.school.mentors[1]
    round_id = await site.open_round(kind="classes")
    invited = [{"mentor": str(teacher), "soft_cap": 1, "hard_cap": 1, "party_member": True}]
    await site.done(site.school.head, "PUT", f"/rounds/{round_id}/offers", invited)
    await site.close(round_id)
    run = await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")
    publish = f"/rounds/{round_id}/publish"
    assert await _names(site, site.school.head, publish, {"run": run["id"]}) == ["老师1: no valid check"]
    assert await site.rows(sa.select(ClassAssignment.id)) == []
    await _check(site, teacher)
    await site.done(site.school.head, "POST", publish, {"run": run["id"]})
    assert [row.mentor_id for row in await site.rows(sa.select(ClassAssignment.mentor_id))] == [teacher]
