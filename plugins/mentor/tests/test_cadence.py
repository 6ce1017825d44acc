"""What is owed to each child: the board against a slow model, rules as data, and nothing that counts teachers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from openpyxl import load_workbook
from sqlalchemy.dialects.postgresql import insert

from gongyu.database.model import new_id
from gongyu.events.models import EventRow
from gongyu.people.models import AcademicSession, Guardianship, Org
from gongyu.people.rights.periods import today_in
from gongyu.testing.deployment import Deployment
from gongyu_mentor.talks.calendar import Span, calendar_of
from gongyu_mentor.talks.figures import growth_sections, indicators, remind, to_dos
from gongyu_mentor.talks.models import Talk, TalkFile

from .conftest import SINCE, MakeSite, Site
from .test_round_queries import _Statements
from .test_talks import add_person, log, pair

ZONE = ZoneInfo("Asia/Shanghai")
RULES: list[dict[str, Any]] = [
    {"key": "weekly", "title": "每周", "kinds": ["weekly", "key_moment"], "minimum": 1, "period": "week"},
    {"key": "monthly", "title": "每月", "kinds": ["weekly", "home_visit"], "minimum": 2, "period": "month"},
    {"key": "term", "title": "学期", "kinds": ["key_moment"], "minimum": 2, "period": "term"},
    {"key": "visit", "title": "家访", "kinds": ["home_visit"], "period": "year", "grades": ["07"]},
    {"key": "ninth", "title": "毕业", "kinds": ["key_moment"], "period": "term", "grades": ["09"]},
]


def today_here(site: Site) -> date:
    return today_in(site.state.district, datetime.now(UTC))


async def add_terms(site: Site, *, term: tuple[int, int], year: tuple[int, int] = (-200, 100)) -> None:
    today = today_here(site)
    async with site.platform.database.work(site.state.district) as session:
        for kind, (begins, ends) in (("term", term), ("schoolYear", year)):
            days = {"starts_on": today + timedelta(days=begins), "ends_on": today + timedelta(days=ends)}
            await session.execute(sa.insert(AcademicSession).values(id=new_id(), title=kind, type=kind, **days))


Version = tuple[str, datetime, bool]


def random_talks(students: Sequence[UUID], seed: int) -> dict[UUID, list[list[Version]]]:
    """Of each student some talks, each a list of versions: kind, when, withdrawn."""
    chance, now = Random(seed), datetime.now(UTC)  # noqa: S311 - a model, not a secret

    def version(*, first: bool) -> Version:
        kind = chance.choice(["weekly", "weekly", "key_moment", "home_visit", "message"])
        days = chance.choice([7, 35, 70, 250]) * chance.random()
        return kind, now - timedelta(days=days), not first and chance.random() < 0.5

    return {
        student: [
            [version(first=True), *([version(first=False)] if chance.random() < 0.3 else [])]
            for _ in range(chance.randrange(7))
        ]
        for student in students
    }


async def write(site: Site, talks: dict[UUID, list[list[Version]]], authors: Sequence[UUID]) -> None:
    """Straight into the table, whoever wrote them."""
    rows: list[dict[str, Any]] = []
    for student, of_student in talks.items():
        for versions in of_student:
            before, first = None, new_id()
            for number, (kind, when, withdrawn) in enumerate(versions, 1):
                id_ = first if number == 1 else new_id()
                rows.append(
                    {
                        "id": id_,
                        "talk_id": first,
                        "number": number,
                        "replaces": before,
                        "student_id": student,
                        "author_id": authors[len(rows) % len(authors)],
                        "school_id": site.school.org,
                        "kind": kind,
                        "moment": "term_start" if kind == "key_moment" else None,
                        "happened_at": when,
                        "level": "mentor",
                        "withdrawn": withdrawn,
                        "written_at": max(when, datetime.now(UTC)),
                    }
                )
                before = id_
    async with site.platform.database.work(site.state.district) as session:
        await session.execute(insert(TalkFile), [{"student_id": student} for student in talks])
        await session.execute(sa.insert(Talk), rows)


def model(
    talks: dict[UUID, list[list[Version]]], *, today: date, term: tuple[date, date], year: tuple[date, date]
) -> tuple[dict[str, tuple[int, int]], dict[str, list[tuple[str, int, str]]]]:
    """Slowly: how many each rule reached, and what is owed to each child."""

    def span(period: str) -> tuple[date, date]:
        if period in {"term", "year"}:
            return term if period == "term" else year
        days = [today + timedelta(days=n) for n in range(-40, 41)]
        same = [d for d in days if (d.isocalendar()[:2] == today.isocalendar()[:2] if period == "week" else
                                    (d.year, d.month) == (today.year, today.month))]  # fmt: skip
        return min(same), min(max(same), term[1])

    reached = {rule["key"]: [0, 0] for rule in RULES}
    owed: dict[str, list[tuple[str, int, str]]] = {}
    for student, of_student in talks.items():
        now = [versions[-1] for versions in of_student if not versions[-1][2]]
        for rule in RULES:
            if "07" not in rule.get("grades", ["07"]):
                continue
            begins, ends = span(rule["period"])
            done = sum(
                kind in rule["kinds"] and begins <= when.astimezone(ZONE).date() <= ends for kind, when, _ in now
            )
            reached[rule["key"]][1] += 1
            if done >= rule.get("minimum", 1):
                reached[rule["key"]][0] += 1
            else:
                owed.setdefault(str(student), []).append((rule["key"], done, ends.isoformat()))
    return {key: (done, of) for key, (done, of) in reached.items()}, owed


async def whole_board(site: Site, *, limit: int, query: str = "") -> tuple[list[Any], list[Any]]:
    """All pages."""
    items: list[Any] = []
    after = ""
    while True:
        path = f"/schools/{site.school.org}/board?limit={limit}{query}{after}"
        page = await site.done(site.school.head, "GET", path)
        items += page["items"]
        if page["next"] is None:
            return page["rules"], items
        after = f"&after={page['next']}"


def cells(book: bytes) -> list[list[Any]]:
    return [[cell.value for cell in row] for sheet in load_workbook(BytesIO(book)) for row in sheet.iter_rows()]


async def test_board_is_what_a_slow_model_counts_on_every_page_and_sheet(site: Site) -> None:
    today = today_here(site)
    await add_terms(site, term=(-60, 3))
    rules = await site.done(
        site.school.head, "PUT", f"/schools/{site.school.org}/rules", {"version": 0, "rules": RULES}
    )
    assert (rules["version"], rules["own"], len(rules["rules"])) == (1, True, len(RULES))
    for student in site.school.students[:20]:
        await pair(site, student, site.school.mentors[0])
    talks = random_talks(site.school.students, seed=11)
    await write(site, talks, site.school.mentors)
    day = timedelta(days=1)
    expected, owed = model(
        talks, today=today, term=(today - 60 * day, today + 3 * day), year=(today - 200 * day, today + 100 * day)
    )
    figures, items = await whole_board(site, limit=7)
    assert {one["rule"]: (one["reached"], one["of"]) for one in figures} == expected
    assert [one["student"] for one in items] == sorted(owed)
    assert {one["student"]: [(due["rule"], due["done"], due["due"]) for due in one["owed"]] for one in items} == owed
    with_mentor = {one["student"] for one in items if one["mentor"] == str(site.school.mentors[0])}
    assert with_mentor == set(owed) & {str(one) for one in site.school.students[:20]}
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("mentor", site.platform.state(site.state.district.slug), session)
        told = [(one.name, one.value, one.of) for one in await indicators(context, [site.school.org])]
    monday = today - timedelta(days=today.weekday())
    this_week = {
        student
        for student, of_student in talks.items()
        for kind, when, withdrawn in (versions[-1] for versions in of_student)
        if kind != "message" and not withdrawn and when.astimezone(ZONE).date() >= monday
    }
    reached = ("mentor.children_reached", len(this_week), 40)
    assert told == [("mentor.coverage", 20, 40), ("mentor.ratio", 20.0, None), reached]
    _, of_rule = await whole_board(site, limit=200, query="&rule=term")
    assert {one["student"] for one in of_rule} == {
        student for student, dues in owed.items() if "term" in [key for key, *_ in dues]
    }
    answer = await site.ask(site.school.head, "GET", f"/schools/{site.school.org}/board.xlsx")
    titles = {rule["title"] for rule in RULES}
    assert sum(len(row) > 4 and row[3] in titles for row in cells(answer.content)) == sum(map(len, owed.values()))
    # In what a mentor sees of their own it is the same.
    mine = await site.done(site.school.mentors[0], "GET", "/mine/students")
    assert {one["student"]: [(due["rule"], due["done"], due["due"]) for due in one["owed"]] for one in mine} == {
        str(student): owed.get(str(student), []) for student in site.school.students[:20]
    }


async def _all_that_is_shown(site: Site) -> list[Any]:
    """Everything a school gets to see of talks, as far as it can be compared."""
    figures, items = await whole_board(site, limit=200)
    book = await site.ask(site.school.head, "GET", f"/schools/{site.school.org}/board.xlsx")
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("mentor", site.platform.state(site.state.district.slug), session)
        told = await indicators(context, [site.school.org])
    return [figures, items, cells(book.content), told]


async def test_nothing_shown_depends_on_which_teacher_talked(site: Site) -> None:
    """教师厅〔2025〕2号: the same talks by one busy teacher or by eight give the same board, workbook and figures."""
    talks = random_talks(site.school.students, seed=5)
    schema = site.state.district.schema
    shown = []
    for authors in (site.school.mentors[:1], site.school.mentors, site.school.mentors[-2:]):
        await write(site, talks, authors)
        shown.append(await _all_that_is_shown(site))
        async with site.platform.database.owner.begin() as connection:
            await connection.execute(sa.text(f'DELETE FROM "{schema}".mentor_talk_file'))  # noqa: S608 - our own table
    assert shown[0] == shown[1] == shown[2]
    assert any(one["reached"] for one in shown[0][0])


async def test_rules_are_the_schools_or_the_districts_and_change_whole(site: Site) -> None:
    school, head = site.school.org, site.school.head
    laid_down = await site.done(head, "GET", f"/schools/{school}/rules")
    assert [(one["kinds"], one["minimum"], one["period"]) for one in laid_down["rules"]] == [
        (["weekly", "key_moment"], 1, "week"),
        (["home_visit"], 1, "term"),
        (["key_moment"], 1, "term"),
        (["message"], 1, "term"),
        (["home_visit"], 1, "year"),
    ]
    assert (laid_down["own"], all(one["source"] for one in laid_down["rules"])) == (False, True)
    root = (await site.rows(sa.select(Org.id).where(Org.parent_id.is_(None))))[0][0]
    bureau = await add_person(site, "局长", "districtAdministrator", org=root)
    await site.done(bureau, "PUT", f"/schools/{root}/rules", {"version": 0, "rules": RULES[:2]})
    own = {"version": 0, "rules": RULES[:1]}
    refused = [
        (await site.ask(who, "PUT", f"/schools/{place}/rules", own)).status_code
        for who, place in ((head, root), (site.schools[1].head, school), (site.school.mentors[0], school))
    ]
    assert refused == [404, 404, 403]
    await site.done(head, "PUT", f"/schools/{school}/rules", own)
    stale = await site.ask(head, "PUT", f"/schools/{school}/rules", own)
    twice = await site.ask(head, "PUT", f"/schools/{school}/rules", {"version": 1, "rules": [RULES[0], RULES[0]]})
    assert (stale.status_code, twice.status_code, twice.json()["errors"][0]["pointer"]) == (412, 422, "/rules/1/key")

    async def keys() -> list[list[str]]:
        answers = [
            await site.done(who, "GET", f"/schools/{place}/rules")
            for who, place in ((head, school), (site.schools[1].head, site.schools[1].org))
        ]
        return [[rule["key"] for rule in answer["rules"]] for answer in answers]

    assert await keys() == [["weekly"], ["weekly", "monthly"]]
    await site.done(head, "PUT", f"/schools/{school}/rules", {"version": 1, "rules": []})
    assert await keys() == [["weekly", "monthly"]] * 2


async def test_without_terms_in_the_roster_the_usual_school_year_counts(site: Site) -> None:
    autumn, spring = Span(date(2026, 9, 1), date(2027, 1, 31)), Span(date(2027, 2, 1), date(2027, 8, 31))
    terms = {
        date(2026, 11, 20): autumn,
        date(2027, 1, 31): autumn,
        date(2027, 2, 1): spring,
        date(2027, 8, 31): spring,
    }
    year = Span(date(2026, 9, 1), date(2027, 8, 31))
    async with site.platform.database.read(site.state.district) as connection:
        found = {day: await calendar_of(connection, day) for day in terms}
    assert {day: (one.term, one.year) for day, one in found.items()} == {
        day: (term, year) for day, term in terms.items()
    }


async def test_in_the_holidays_only_the_year_is_owed_and_nobody_is_reminded(site: Site) -> None:
    await add_terms(site, term=(-100, -1))
    figures, items = await whole_board(site, limit=200)
    assert [one["rule"] for one in figures] == ["home_visit_year"]
    assert len(items) == len(site.school.students)
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("mentor", site.platform.state(site.state.district.slug), session)
        assert [(one.name, one.value, one.of) for one in await indicators(context, None)] == [
            ("mentor.coverage", 0, 80)
        ]
        await remind(context)
    assert await site.rows(sa.select(EventRow.id).where(EventRow.type == "mentor.talk_due.v1")) == []


async def test_the_job_tells_of_each_child_two_days_before_with_ids_only(site: Site) -> None:
    mentor, reached = site.school.mentors[0], site.school.students[0]
    await site.done(site.school.head, "PUT", f"/schools/{site.school.org}/rules", {"version": 0, "rules": RULES[:1]})
    await site.done(
        site.schools[1].head,
        "PUT",
        f"/schools/{site.schools[1].org}/rules",
        {"version": 0, "rules": [RULES[3] | {"period": "year"}]},
    )
    today = today_here(site)
    friday = datetime.combine(today + timedelta(days=4 - today.weekday()), time(7), ZONE)
    sunday = friday.date() + timedelta(days=2)
    await write(site, {reached: [[("weekly", friday - timedelta(hours=4), False)]]}, [mentor])
    await pair(site, reached, mentor)
    waiting = site.school.students[1]
    await pair(site, waiting, mentor)
    state = site.platform.state(site.state.district.slug)
    for moment in (friday - timedelta(days=1), friday, friday + timedelta(days=1)):
        async with site.platform.database.work(site.state.district) as session:
            await remind(site.platform.context("mentor", state, session, moment))
    told = await site.rows(sa.select(EventRow.subject, EventRow.data).where(EventRow.type == "mentor.talk_due.v1"))
    assert sorted(told) == sorted(
        (str(one), {"student": str(one), "due": sunday.isoformat()}) for one in site.school.students[1:]
    )
    async with site.platform.database.work(site.state.district) as session:
        due = await to_dos(site.platform.context("mentor", state, session, friday), mentor)
    assert [(one.name, one.subject, one.due) for one in due] == [("mentor.talk_due", waiting, sunday)]


async def test_a_growth_record_has_messages_for_the_family_and_no_other_talk(site: Site) -> None:
    mentor, student = site.school.mentors[0], site.school.students[0]
    await pair(site, student, mentor)
    await log(site, mentor, student, kind="message", level="guardians", note="愿你保持好奇")
    await log(site, mentor, student, kind="message", level="mentor", note="只给你的话")
    await log(site, mentor, student, kind="weekly", level="guardians", note="谈了作业")
    today = today_here(site)
    async with site.platform.database.work(site.state.district) as session:
        context = site.platform.context("mentor", site.platform.state(site.state.district.slug), session)
        sections = await growth_sections(context, student=student, begins=today, ends=today)
    assert [(fact.on, fact.text) for section in sections for fact in section.facts] == [(today, "愿你保持好奇")]


async def test_the_board_on_a_terminal_names_children_and_says_which_school_there_is_not(
    site: Site, tmp_path: Path
) -> None:
    await site.done(site.school.head, "PUT", f"/schools/{site.school.org}/rules", {"version": 0, "rules": RULES[:1]})
    first, second = site.school.students[:2]
    for student in (first, second):
        await pair(site, student, site.school.mentors[0])
    await log(site, site.school.mentors[0], first)
    deployment = Deployment(tmp_path)
    deployment.environment["GONGYU_DATABASE_URL"] = site.platform.database.url

    async def board(school: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(deployment.gongyu, "mentor", "board", "ezhou", school, check=False)

    shown = await board("第1中学")
    words = shown.stdout.split()
    assert (shown.returncode, "学生1" in words, "学生0" in words, "每周: 1 of 40" in shown.stdout) == (
        0,
        True,
        False,
        True,
    )
    assert words.count("老师0") == 1
    missing = await board("第9中学")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.strip() == "0 schools are called “第9中学”; give the id"


async def _statements(site: Site, children: int) -> dict[str, int]:
    """How many statements each list takes, asked a second time."""
    school, mentor = site.school, site.school.mentors[0]
    for student in school.students[:children]:
        await pair(site, student, mentor)
        await log(site, mentor, student, level="guardians", promise={"text": "下次"})
        await log(site, mentor, student, level="guardians")
        new = {"id": str(new_id()), "student": str(student), "category": "留守", "plan": "每周看望"}
        await site.done(mentor, "POST", "/care", new | {"responsible": str(mentor)})
    async with site.platform.database.work(site.state.district) as session:
        for student in school.students[1:children]:
            bond = {"guardian_id": school.guardian, "student_id": student, "kind": "mother", "begins_on": SINCE}
            await session.execute(sa.insert(Guardianship).values(id=new_id(), **bond))
    found = {}
    statements = _Statements(site)
    for who, path in (
        (mentor, "/talks?limit=100"),
        (school.guardian, "/talks/mine?limit=100"),
        (mentor, "/mine/students"),
        (mentor, "/care?limit=100"),
        (school.head, f"/schools/{school.org}/board?limit=100"),
        (school.head, f"/schools/{school.org}/board.xlsx"),
    ):
        await site.ask(who, "GET", path)
        statements.seen.clear()
        answer = await site.ask(who, "GET", path)
        assert answer.status_code == 200
        found[path.partition("?")[0].replace(str(school.org), "…")] = len(statements.seen)
    return found


async def test_no_list_takes_more_statements_for_more_children(make_site: MakeSite) -> None:
    few, many = [
        await _statements(await make_site(slug, students=12), children) for slug, children in (("few", 2), ("many", 12))
    ]
    assert few == many
    assert all(many.values())
