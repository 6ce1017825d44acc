# ruff: noqa: ANN401 - answers are plain JSON
"""The wellbeing curve through the door: gaps, the clock of an answer, and who sees what of a pupil's secrets."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.access.rotation import reseal
from gongyu_mentor.plugin import person_data, person_erased
from gongyu_mentor.wellbeing.figures import to_dos
from gongyu_mentor.wellbeing.models import Entry

from .confiding import Cast, cast, dump, workbook
from .conftest import MakeSite, Site

_HEADER = ["学籍号", "量表", "日期", "分数", "等级", "同意书编号"]
WORDS = "我谁也没告诉过"


@pytest.fixture
async def people(site: Site) -> Cast:
    return await cast(site)


async def _case_taken(people: Cast) -> str:
    site = people.site
    asked = {"ground": "pupil", "words": "想找人聊聊" + WORDS}
    await site.done(people.pupil, "POST", "/wellbeing/cases", asked)
    (case,) = await site.done(people.counsellor, "GET", "/wellbeing/cases")
    await site.done(people.counsellor, "POST", f"/wellbeing/cases/{case['id']}/take")
    return str(case["id"])


async def _screened(people: Cast, *, level: str = "危机", students: int = 12) -> None:
    site = people.site
    chosen = site.school.students[:students]
    await people.consent(*chosen)
    rows: list[list[object]] = [
        [f"G{at:04d}", "MHT", "2026-03-02", 70 + at, level, f"同意-{at}"] for at in range(students)
    ]
    path = f"/wellbeing/schools/{site.school.org}/screenings"
    content = workbook([_HEADER, *rows])
    plan = (await site.ask(people.counsellor, "POST", f"{path}/plan?file=r.xlsx", content=content)).json()
    assert plan["findings"] == []
    taken = await site.ask(people.counsellor, "POST", f"{path}?file=r.xlsx&digest={plan['digest']}", content=content)
    assert taken.status_code == 201, taken.text


async def test_gaps_stay_gaps_and_help_is_with_every_answer(people: Cast) -> None:
    site = people.site
    made = await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 2, "words": WORDS})
    phones = [line["phone"] for line in made["help_lines"]]
    assert phones == ["12355", "12356", "110"]
    async with site.client() as stranger:
        assert [line["phone"] for line in (await stranger.get("/help")).json()["help_lines"]] == phones
    today = date.fromisoformat(made["day"])
    await people.owner(
        "UPDATE mentor_wellbeing_entry SET day = :day WHERE id = :id",
        day=today - timedelta(days=3),
        id=UUID(made["id"]),
    )
    await site.done(people.mentor, "POST", f"/wellbeing/students/{people.pupil}/entries", {"mood": 4})
    await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 5})
    since = today - timedelta(days=4)
    own = await site.done(people.pupil, "GET", f"/wellbeing/mine?since={since}")
    assert [day["mood"] for day in own["days"]] == [None, 2, None, None, 5]
    assert [[(p["author"], p["mood"]) for p in day["points"]] for day in own["days"]] == [
        [],
        [("student", 2)],
        [],
        [],
        [("mentor", 4), ("student", 5)],
    ]
    wrong = await site.ask(people.pupil, "POST", "/wellbeing/entries", {"mood": 6})
    assert wrong.status_code == 422
    assert [one["pointer"] for one in wrong.json()["errors"]] == ["/mood"]
    assert WORDS not in await dump(site)


async def test_each_opening_is_audited_and_shown_to_the_pupil_and_a_former_mentor_is_out_at_once(
    people: Cast,
) -> None:
    site, path = people.site, f"/wellbeing/students/{people.pupil}"
    await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 2, "words": WORDS})
    await people.owner(
        "UPDATE mentor_wellbeing_entry SET at = :at", at=datetime.now(UTC) - timedelta(days=25)
    )  # confided to the mentor before
    await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 3, "words": "对现在的导师说"})
    assert (await site.ask(people.former, "GET", path)).status_code == 404
    curve = await site.done(people.mentor, "GET", path)
    points = curve["days"][-1]["points"]
    assert [(one["mood"], one["words"]) for one in points] == [(2, None), (3, "对现在的导师说")]
    (told,) = await site.done(people.pupil, "GET", "/wellbeing/openings")
    assert (told["by_name"], told["ground"], told["what"]) == ("老师0", "mentor of today", "curve")
    lines = await site.rows(
        sa.select(AuditLine.actor, AuditLine.subject, AuditLine.ground).where(
            AuditLine.action == "mentor.wellbeing.read"
        )
    )
    assert lines == [(f"person:{people.mentor}", f"person:{people.pupil}", "mentor of today")]
    await people.owner("UPDATE mentor_assignment SET ends_at = now() WHERE ends_at IS NULL")
    assert (await site.ask(people.mentor, "GET", path)).status_code == 404
    assert (await site.ask(people.mentor, "POST", f"{path}/entries", {"mood": 1})).status_code == 404


async def test_a_wish_to_talk_reaches_the_one_meant_and_its_clock_is_seen_by_the_pupil(people: Cast) -> None:
    site, school = people.site, people.site.school
    reached: dict[str, UUID] = {
        "mentor": people.mentor,
        "homeroom": people.homeroom,
        "counselor": people.counsellor,
        "principal": school.head,
        "named": school.mentors[5],
    }
    for wanted, one in reached.items():
        talk = {"who": wanted, **({"person": str(one)} if wanted == "named" else {})}
        await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 2, "words": WORDS, "talk_to": talk})
    everybody = {*school.mentors, people.counsellor, people.colleague, school.head}
    for who in everybody:
        meant = {name for name, one in reached.items() if one == who}
        meant |= {"counselor"} if who == people.colleague else set()
        listed = await site.done(who, "GET", "/wellbeing/wishes")
        assert {one["who"] for one in listed} == meant
        assert WORDS not in str(listed)
    (wish,) = await site.done(people.mentor, "GET", "/wellbeing/wishes")
    answer, when = f"/wellbeing/wishes/{wish['id']}", "2026-12-01T08:00:00Z"
    assert (await site.ask(people.homeroom, "POST", answer, {"step": "seen"})).status_code == 404
    assert (await site.ask(people.mentor, "POST", answer, {"step": "arranged"})).status_code == 422

    async def shown() -> list[Any]:
        mine = await site.done(people.pupil, "GET", "/wellbeing/mine")
        one = next(one for one in mine["wishes"] if one["id"] == wish["id"])
        steps = [one[f"{step}_at"] is not None for step in ("seen", "arranged", "talked")]
        return [*steps, one["arranged_for"], one["overdue"]]

    assert await shown() == [False, False, False, None, False]
    await people.owner("UPDATE mentor_talk_wish SET due_at = now() - interval '1 hour'")
    assert await shown() == [False, False, False, None, True]
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        waits = await to_dos(platform.context("mentor", state, session), people.mentor)
    assert [(one.name, one.due is not None and one.due <= datetime.now(UTC).date()) for one in waits] == [
        ("mentor.talk_wish", True)
    ]
    await site.done(people.mentor, "POST", answer, {"step": "seen"})
    assert await shown() == [True, False, False, None, True]
    await site.done(people.mentor, "POST", answer, {"step": "arranged", "at": when})
    assert await shown() == [True, True, False, when, False]
    await site.done(people.mentor, "POST", answer, {"step": "talked"})
    assert (await shown())[:3] == [True, True, True]
    assert (await site.ask(people.mentor, "POST", answer, {"step": "seen"})).status_code == 409
    pupil = people.site.school.students[1]
    named = {"mood": 3, "talk_to": {"who": "named", "person": str(pupil)}}
    assert (await site.ask(people.pupil, "POST", "/wellbeing/entries", named)).status_code == 422
    nobody = {"mood": 3, "talk_to": {"who": "mentor"}}  # who has no mentor would wait for nobody
    refused = await site.ask(pupil, "POST", "/wellbeing/entries", nobody)
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/talk_to/who"]


async def test_of_two_counsellors_one_has_the_case(people: Cast) -> None:
    site = people.site
    await site.done(people.mentor, "POST", "/wellbeing/cases", {"student": str(people.pupil), "ground": "mentor"})
    again = {"student": str(people.pupil), "ground": "crisis", "words": "天台"}
    await site.done(people.homeroom, "POST", "/wellbeing/cases", again)
    for who, ground in ((people.homeroom, "mentor"), (people.former, "mentor"), (people.homeroom, "pupil")):
        asked = {"student": str(people.pupil), "ground": ground}
        assert (await site.ask(who, "POST", "/wellbeing/cases", asked)).status_code == 404
    stranger = site.schools[1].mentors[0]
    assert (await site.ask(stranger, "POST", "/wellbeing/cases", again)).status_code == 404
    (case,) = await site.done(people.counsellor, "GET", "/wellbeing/cases")
    take = f"/wellbeing/cases/{case['id']}/take"
    both = (people.counsellor, people.colleague)
    answers = await asyncio.gather(*(site.ask(who, "POST", take) for who in both))
    assert sorted(one.status_code for one in answers) == [204, 409]
    owner = next(who for who, one in zip(both, answers, strict=True) if one.status_code == 204)
    read = await site.done(owner, "GET", f"/wellbeing/cases/{case['id']}")
    assert [one["words"] for one in read["notes"]] == ["天台"]  # what the second one said is not lost
    await site.done(owner, "POST", f"/wellbeing/cases/{case['id']}/close")
    assert (await site.ask(owner, "GET", f"/wellbeing/students/{people.pupil}")).status_code == 404


#: standards for a pupil's mental-health record, as one table: who gets what. Items and raw answers are not stored, so
#: nobody has them. "flag" is that a child is in crisis, known with a task only; "task" is one's own task alone.
_MATRIX = {
    # role: curve, scores, levels, notes, plan, figures
    "case owner": ("all", "all", "school", "all", "all", "school"),
    "other counsellor": ("-", "-", "school", "-", "-", "school"),
    "lead": ("-", "with reason", "school", "-", "all", "school"),
    "principal": ("-", "-", "flag", "-", "task", "school"),
    "homeroom": ("-", "-", "-", "-", "task", "-"),
    "mentor": ("all", "-", "-", "-", "task", "-"),
    "former mentor": ("-", "-", "-", "-", "-", "-"),
    "other teacher": ("-", "-", "-", "-", "-", "-"),
    "guardian": ("-", "-", "-", "-", "task", "-"),
    "pupil": ("own", "own", "-", "-", "all", "-"),
    "other pupil": ("-", "-", "-", "-", "-", "-"),
    "district": ("-", "-", "-", "-", "-", "district"),
    "administrator of computers": ("-", "-", "-", "-", "-", "-"),
    "head of another school": ("-", "-", "-", "-", "-", "-"),
    "glass broken by two": ("all", "all", "flag", "-", "task", "school"),
}


async def test_who_sees_what_of_a_pupils_record(people: Cast) -> None:
    site, school, pupil = people.site, people.site.school, people.pupil
    await site.done(pupil, "POST", "/wellbeing/entries", {"mood": 1, "words": WORDS})
    await _screened(people)
    case = await _case_taken(people)
    await site.done(people.counsellor, "POST", f"/wellbeing/cases/{case}/notes", {"words": "笔记" + WORDS})
    for audience in ("mentor", "homeroom", "principal", "home", "doctor"):
        item = {"audience": audience, "words": f"请这样做：{audience}"}
        await site.done(people.counsellor, "POST", f"/wellbeing/cases/{case}/plan", item)
    roles = {
        "case owner": people.counsellor,
        "other counsellor": people.colleague,
        "lead": people.lead,
        "principal": school.head,
        "homeroom": people.homeroom,
        "mentor": people.mentor,
        "former mentor": people.former,
        "other teacher": school.mentors[6],
        "guardian": school.guardian,
        "pupil": pupil,
        "other pupil": school.students[20],
        "district": people.office,
        "administrator of computers": people.operator,
        "head of another school": site.schools[1].head,
    }
    found = {name: await _seen(people, who, case) for name, who in roles.items()}
    asked = {"student": str(pupil), "reason": "学生失联，需要马上联系"}
    glass = await site.done(school.head, "POST", "/wellbeing/break-glass", asked)
    approve = f"/wellbeing/break-glass/{glass['id']}/approve"
    for who in (school.head, people.mentor, site.schools[1].head):
        assert (await site.ask(who, "POST", approve)).status_code == 404
    assert await _seen(people, school.head, case) == found["principal"]
    await site.done(people.lead, "POST", approve)
    found["glass broken by two"] = await _seen(people, school.head, case)
    assert found == _MATRIX

    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        waits = await to_dos(platform.context("mentor", state, session), people.counsellor)
    assert "mentor.glass_broken" in {one.name for one in waits}
    told = {one["ground"] for one in await site.done(pupil, "GET", "/wellbeing/openings")}
    assert told == {
        "counsellor who has the case",
        "counsellor of the school",
        "the school's lead for mental health",
        "mentor of today",
        "opened in an emergency, by two persons",
    }
    await people.owner("UPDATE mentor_break_glass SET ends_at = now() - interval '1 second'")
    assert await _seen(people, school.head, case) == found["principal"]
    assert WORDS not in await dump(site)


async def _seen(people: Cast, who: UUID, case: str) -> tuple[str, ...]:
    site, student = people.site, f"/wellbeing/students/{people.pupil}"

    async def got(path: str) -> Any:
        answer = await site.ask(who, "GET", path)
        assert answer.status_code in {200, 403, 404}, answer.text
        return answer.json() if answer.status_code == 200 else None

    own = await got("/wellbeing/mine")
    curve = "own" if own and WORDS in str(own) else "all" if WORDS in str(await got(student)) else "-"
    scores = "-"
    if await got(f"{student}/screenings"):
        scores = "all"
    elif await got(f"{student}/screenings/as-lead?reason=risk"):
        assert (await site.ask(who, "GET", f"{student}/screenings/as-lead")).status_code == 422
        scores = "with reason"
    elif mine := await got("/wellbeing/screenings/mine"):
        assert "level" not in mine[0]
        assert "not a diagnosis" in mine[0]["not_a_diagnosis"]
        scores = "own"
    tasks = await got("/wellbeing/tasks") or []
    assert not [one for one in tasks if one["student"] != str(people.pupil)]
    levels = "-"
    if await got(f"/wellbeing/schools/{site.school.org}/levels"):
        levels = "school"
    elif any(one["crisis"] for one in tasks):
        levels = "flag"
    notes = "all" if WORDS in str(await got(f"/wellbeing/cases/{case}")) else "-"
    plan = "all" if await got(f"{student}/plan") else "task" if tasks else "-"
    if plan == "task":
        assert len(tasks) == 1
    schools = {one["school"] for one in await got("/wellbeing/figures") or []}
    figures = "district" if None in schools else "school" if str(site.school.org) in schools else "-"
    return curve, scores, levels, notes, plan, figures


async def test_figures_are_about_ten_or_nobody(people: Cast) -> None:
    site = people.site
    await _screened(people, students=12)
    await people.owner("DELETE FROM mentor_screening WHERE student_id = ANY(:some)", some=site.school.students[9:12])
    nine = await site.done(people.office, "GET", "/wellbeing/figures")
    assert {(one["pupils"], *one["levels"].values()) for one in nine} == {(None, None, None, None, None)}


async def test_a_rotated_key_reseals_what_is_never_changed(people: Cast) -> None:
    site = people.site
    await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 2, "words": WORDS})
    await _screened(people, students=1)
    await _case_taken(people)
    site.platform.keys.rotate(site.state.district.slug)
    assert await reseal(site.platform, site.state.district, actor="operator:test") >= 3
    assert WORDS in str(await site.done(people.pupil, "GET", "/wellbeing/mine"))
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        async with site.platform.database.work(site.state.district) as session:
            await session.execute(sa.update(Entry).values(by=None))


async def test_a_neighbour_district_sees_nothing(people: Cast, make_site: MakeSite) -> None:
    site = people.site
    await site.done(people.pupil, "POST", "/wellbeing/entries", {"mood": 2})
    neighbour: Site = await make_site("wuhan", students=2, mentors=1, schools=1)
    site.tokens[neighbour.school.head] = neighbour.tokens[neighbour.school.head]
    for path in (f"/wellbeing/students/{people.pupil}", "/wellbeing/figures", "/letters", "/reports"):
        assert (await site.ask(neighbour.school.head, "GET", path)).status_code == 401


async def test_the_words_are_the_childs_in_a_copy_and_go_when_they_ask(people: Cast) -> None:
    site, pupil = people.site, people.pupil
    await site.done(pupil, "POST", "/wellbeing/entries", {"mood": 2, "words": WORDS, "talk_to": {"who": "mentor"}})
    await site.done(pupil, "POST", "/letters", {"school": str(site.school.org), "words": WORDS})
    await site.done(people.mentor, "POST", "/reports", {"student": str(pupil), "kind": "other"})
    await site.done(people.mentor, "GET", f"/wellbeing/students/{pupil}")
    await _case_taken(people)
    platform, state = site.platform, site.state
    async with platform.database.work(state.district) as session:
        context = platform.context("mentor", state, session)
        parts = {part.name: part for part in await person_data(context, pupil)}
        secret = {name for name, part in parts.items() if WORDS in str(part.rows)}
        assert secret == {"wellbeing", "letters"}
        own = ("wellbeing", "talk_wishes", "wellbeing_openings", "cases", "screenings", "letters", "reports_made")
        assert {name: parts[name].readers for name in own} == dict.fromkeys(own, frozenset({"self"}))
        assert "other" not in str({name: parts[name].rows for name in own})  # nobody's copy tells of a report on them
        here = await person_erased(context, pupil, here=True)
        assert [one.rows for one in here if one.what.en == "an open case"] == [1]
        assert not [one for one in await person_erased(context, pupil, here=False) if one.what.en == "an open case"]
        parts = {part.name: part for part in await person_data(context, pupil)}
        assert {name: list(parts[name].rows) for name in own} == {name: [] for name in own}
    assert len((await site.done(site.school.head, "GET", "/reports"))["items"]) == 1  # the law keeps it
