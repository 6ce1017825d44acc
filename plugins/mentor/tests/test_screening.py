# ruff: noqa: ANN401 - answers are plain JSON
"""Screening results come in by table, whole or not at all, with consent, and stand nowhere else."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gongyu.people.rights.consent import say
from gongyu.people.rights.copy import collect
from gongyu_mentor.plugin import growth_sections
from gongyu_mentor.wellbeing.models import Screening
from gongyu_mentor.wellbeing.records import RETENTION
from gongyu_mentor.wellbeing.screening import PURPOSE, forget_withdrawn

from .confiding import Cast, cast, dump, workbook
from .conftest import Site

_HEADER: list[object] = ["学籍号", "量表", "版本", "日期", "分数", "等级", "同意书编号"]


@pytest.fixture
async def people(site: Site) -> Cast:
    made = await cast(site)
    await made.consent(*site.school.students[:3])
    return made


async def _plan(people: Cast, content: bytes, *, file: str = "筛查.xlsx") -> Any:
    path = f"/wellbeing/schools/{people.site.school.org}/screenings/plan"
    answer = await people.site.ask(people.counsellor, "POST", f"{path}?file={file}", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _take(people: Cast, content: bytes, digest: str, *, file: str = "筛查.xlsx") -> Any:
    path = f"/wellbeing/schools/{people.site.school.org}/screenings?file={file}&digest={digest}"
    return await people.site.ask(people.counsellor, "POST", path, content=content)


async def _stored(people: Cast) -> Sequence[Any]:
    return await people.site.rows(sa.select(Screening.student_id, Screening.scale, Screening.day, Screening.consent))


async def test_a_wrong_row_is_named_by_its_place_and_nothing_is_taken(people: Cast) -> None:
    rows: list[list[object]] = [
        _HEADER,
        ["G0000", "MHT", "1991", "2026-03-02", 45, "正常", "同意-1"],
        ["G0000", "MHT", "1991", "2026-03-02", 45, "正常", "同意-1"],
        ["G0001", "MHT", "1991", "2099-03-02", 45, "很糟", "同意-2"],
        ["G9999", "MHT", "1991", "2026-03-02", 45, "危机", "同意-3"],
        ["G0007", "MHT", "1991", "2026-03-02", 45, "危机", "同意-4"],
        ["G0002", "", "1991", "2026-03-02", "", "attention", ""],
    ]
    content = workbook(rows)
    plan = await _plan(people, content)
    found = [(one["row"], one["column"], one["text"]) for one in plan["findings"]]
    assert found == [
        (3, "学籍号", "the same pupil, scale and day are there twice"),
        (4, "日期", "a day not after today, such as 2026-10-08"),
        (4, "等级", "one of: normal, attention, high, crisis"),
        (5, "学籍号", "no pupil of this school"),
        (6, "同意书编号", "a guardian has not been asked"),
        (7, "量表", "it is required"),
        (7, "同意书编号", "it is required"),
    ]
    assert {one["file"] for one in plan["findings"]} == {"筛查.xlsx"}
    refused = await _take(people, content, plan["digest"])
    assert (refused.status_code, len(refused.json()["errors"])) == (422, 7)
    assert await _stored(people) == []


async def test_items_and_unreadable_files_are_refused(people: Cast) -> None:
    items = workbook([[*_HEADER, "第1题"], ["G0000", "MHT", "", "2026-03-02", 45, "正常", "同意-1", "是"]])
    (finding,) = (await _plan(people, items))["findings"]
    assert (finding["column"], finding["text"]) == (
        "第1题",
        "there is no such column; items and answers are not kept here",
    )
    for content in (b"", b"PK\x03\x04 broken", workbook([_HEADER]), b"\x00" * 100):
        plan = await _plan(people, content)
        assert plan["findings"], content
        assert (await _take(people, content, plan["digest"])).status_code == 422
    assert await _stored(people) == []


async def test_what_was_looked_at_is_taken_once_and_stands_nowhere_else(people: Cast) -> None:
    site, school = people.site, people.site.school
    lines = (
        "学籍号,量表,日期,分数,等级,同意书编号",
        "G0000,MHT-特,2026/3/2,87,危机,同意-特一",
        "G0001,MHT-特,2026/3/2,3,正常,同意-特二",
    )
    content = "\r\n".join(lines).encode("gb18030")
    plan = await _plan(people, content, file="r.csv")
    assert (plan["rows"], plan["new"], plan["findings"]) == (2, 2, [])
    assert (await _take(people, content + b"\r\n", plan["digest"], file="r.csv")).status_code == 409
    assert (await _take(people, content, plan["digest"], file="r.csv")).status_code == 201
    day = date(2026, 3, 2)
    assert sorted(await _stored(people)) == sorted(
        (student, "MHT-特", day, f"同意-特{number}") for student, number in zip(school.students, "一二", strict=False)
    )
    again = await _plan(people, content, file="r.csv")
    assert (again["new"], again["unchanged"], again["findings"]) == (0, 2, [])
    changed = content.replace(b"87", b"12")
    (finding,) = (await _plan(people, changed, file="r.csv"))["findings"]
    assert (finding["row"], finding["text"]) == (2, "another result of that day is on file")

    stored = await dump(site)
    held = [line for line in stored.splitlines() if "MHT-特" in line or "同意-特" in line]
    assert {line.split()[0] for line in held} == {"d_ezhou.mentor_screening"}
    assert "crisis" not in "".join(held)  # a level is a word too

    platform, state = site.platform, site.state
    pupil = people.pupil
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        sections = await growth_sections(context, student=pupil, begins=date(2020, 1, 1), ends=date(2030, 1, 1))
        assert "MHT-特" not in str(sections)
        copies = {
            reader: await collect(
                platform, state, session, person=pupil, reader=reader, actor="system", now=datetime.now(UTC)
            )
            for reader in ("self", "guardian", "carer", "operator")
        }
    assert {reader for reader, copy in copies.items() if "MHT-特" in str(copy.parts)} == {"self"}
    assert "screenings" in {one.part for one in copies["guardian"].absent}


async def test_only_the_schools_own_counsellor_takes_results_in(people: Cast) -> None:
    site, content = people.site, workbook([_HEADER])
    other = site.schools[1].org
    for who in (site.school.head, people.mentor, people.office, people.pupil, site.school.guardian):
        path = f"/wellbeing/schools/{site.school.org}/screenings/plan?file=x"
        assert (await site.ask(who, "POST", path, content=content)).status_code == 403
    path = f"/wellbeing/schools/{other}/screenings/plan?file=x"
    assert (await site.ask(people.counsellor, "POST", path, content=content)).status_code == 404


async def test_results_end_half_a_year_after_leaving(people: Cast) -> None:
    content = workbook([_HEADER, ["G0000", "MHT", "", "2026-03-02", 45, "正常", "同意-1"]])
    plan = await _plan(people, content)
    await _take(people, content, plan["digest"])
    left = datetime.now(UTC).date() - timedelta(days=181)
    for table in ("membership", "enrolment"):
        statement = f"UPDATE {table} SET ends_on = :left WHERE person_id = :pupil"  # noqa: S608 - the two above
        await people.owner(statement, left=left, pupil=people.pupil)
    platform, state = people.site.platform, people.site.state
    for before, rows in ((left, 0), (left + timedelta(days=1), 1)):
        async with platform.database.work(state.district) as session:
            assert await RETENTION[0].expire(platform.context("mentor", state, session), before) == rows
    assert await _stored(people) == []


async def test_a_consent_taken_back_ends_the_results(people: Cast) -> None:
    site = people.site
    content = workbook(
        [_HEADER, *([f"G000{at}", "MHT", "", "2026-03-02", 45, "正常", f"同意-{at}"] for at in range(2))]
    )
    plan = await _plan(people, content)
    await _take(people, content, plan["digest"])
    guardian = site.school.guardian
    async with site.platform.database.work(site.state.district) as session:
        await say(
            session,
            person=people.pupil,
            purpose=PURPOSE,
            version=1,
            word="refused",
            by=guardian,
            actor=f"person:{guardian}",
            now=datetime.now(UTC),
        )
    await people.run(forget_withdrawn)
    assert [one.student_id for one in await _stored(people)] == [site.school.students[1]]
