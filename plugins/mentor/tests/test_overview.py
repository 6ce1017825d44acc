"""What this plugin says to the list of the day, to the figures of a school and to the growth record: whole answers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from gongyu.events.worker import drain
from gongyu.people.rights.periods import today_in

from .conftest import MakeSite, Site
from .test_round_appeals import second_head
from .test_round_life import run_and_publish
from .test_talks import log

WEEKLY = {"key": "weekly", "title": "每周谈心", "kinds": ["weekly"], "period": "week"}


async def _core(site: Site, who: UUID, path: str) -> Any:  # noqa: ANN401 - plain JSON
    return await site.done(who, "GET", f"http://gongyu.test/api/v1/{site.state.district.slug}{path}")


async def to_dos(site: Site, who: UUID, *names: str) -> list[dict[str, Any]]:
    """Somebody's list of the day; only of these names, where there are any."""
    found = await _core(site, who, "/me/to-dos")
    assert found["missing"] == []
    return [one for one in found["items"] if not names or one["name"] in names]


def _item(name: str, english: str, due: date | None, subject: object, link: str) -> tuple[object, ...]:
    return (f"mentor.{name}", english, None if due is None else due.isoformat(), str(subject), f"mentor/{link}")


def _told(items: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [(one["name"], one["title"]["en"], one["due"], one["subject"], one["link"]) for one in items]


async def _a_year(site: Site) -> str:
    """A round is published; its mentors and pupils know each other."""
    await site.done(site.school.head, "PUT", f"/schools/{site.school.org}/rules", {"version": 0, "rules": [WEEKLY]})
    round_id = await site.open_round(choosing=False, soft_cap=2, hard_cap=3)
    await site.file_lists(round_id, choices=2)
    await run_and_publish(site, round_id)
    await drain(site.platform, site.state.district.slug)
    return round_id


async def _mentor_of(site: Site, student: UUID) -> UUID:
    (pair,) = await site.done(student, "GET", "/assignments/mine")
    return UUID(pair["mentor"])


async def test_everybody_is_told_what_waits_for_them_and_nothing_else(make_site: MakeSite) -> None:
    site: Site = await make_site(students=4, mentors=3)
    school, (child, other, *_) = site.school, site.school.students
    today = today_in(site.state.district, datetime.now(UTC))
    sunday = today + timedelta(days=6 - today.weekday())
    first = await _a_year(site)
    mentor = await _mentor_of(site, child)
    await site.done(mentor, "PUT", f"/students/{child}/log/summary", {"version": 0, "text": "进步明显"})
    await site.done(school.head, "POST", f"/rounds/{first}/rematch", {"gone": [str(mentor)]})
    await drain(site.platform, site.state.district.slug)
    heir = await _mentor_of(site, child)
    (question,) = await site.done(child, "GET", "/handovers")
    appeal = await site.done(other, "POST", f"/rounds/{first}/appeals", {"student": str(other), "reasons": "不合适"})
    head = await second_head(site)
    second = await site.open_round(title="春季双选")
    shown = await site.done(child, "GET", f"/rounds/{second}")
    closes = today_in(site.state.district, datetime.fromisoformat(shown["closes_at"]))
    decides = today_in(site.state.district, datetime.fromisoformat(appeal["due_at"]))

    choose = _item("choose", "Rank your mentors", closes, second, f"rounds/{second}/preferences/mine")
    handover = _item("handover", "May your new mentor read the former summaries?", None, question["pair"], "handovers")
    page = _item("page", "Fill in your page for those who choose", closes, second, f"rounds/{second}/offers/mine")
    decide = _item("appeal", "Decide an appeal", decides, appeal["id"], f"rounds/{first}/appeals")
    assert _told(await to_dos(site, child)) == [choose, handover]
    assert _told(await to_dos(site, head)) == [decide]
    assert _told(await to_dos(site, school.head)) == []  # who published decides no appeal
    for nobody in (school.guardian, site.schools[1].head, site.schools[1].students[0], site.schools[1].mentors[0]):
        assert await to_dos(site, nobody) == []

    mine = await site.done(heir, "GET", "/mine/students")
    talks = [
        _item("talk_due", "A pupil has not been talked with yet", sunday, one["student"], "mine/students")
        for one in mine
    ]
    assert sorted(_told(await to_dos(site, heir)), key=str) == sorted([page, *talks], key=str)

    await site.done(child, "PUT", f"/rounds/{second}/preferences/mine", {"choices": [str(heir)]})
    await site.done(child, "PUT", f"/handovers/{question['pair']}", {"agreed": False})
    await site.done(
        heir, "PUT", f"/rounds/{second}/offers/mine", {"subjects": ["数学"], "talents": [], "introduction": ""}
    )
    for one in mine:
        await log(site, heir, UUID(one["student"]))
    await site.done(head, "POST", f"/appeals/{appeal['id']}/decision", {"upheld": False, "answer": "先相处一个月"})
    assert [await to_dos(site, who) for who in (child, heir, head)] == [[], [], []]


async def test_the_displaced_are_told_that_they_may_choose_anew(make_site: MakeSite) -> None:
    site: Site = await make_site(students=4, mentors=3, schools=1)
    first = await _a_year(site)
    pupils = {student: await _mentor_of(site, student) for student in site.school.students}
    leaver = pupils[site.school.students[0]]
    until = datetime.now(UTC) + timedelta(days=2)
    window = {"gone": [str(leaver)], "closes_at": until.isoformat()}
    await site.done(site.school.head, "PUT", f"/rounds/{first}/refiling", window)
    day = today_in(site.state.district, until)
    anew = _item("choose_anew", "Rank your mentors anew", day, first, f"rounds/{first}/refiling/mine")
    assert {student: _told(await to_dos(site, student)) for student in pupils} == {
        student: [anew] if mentor == leaver else [] for student, mentor in pupils.items()
    }
    await site.done(site.school.students[0], "PUT", f"/rounds/{first}/refiling/mine", {"choices": []})
    assert await to_dos(site, site.school.students[0]) == []


async def test_a_schools_figures_are_of_children_and_name_and_rank_no_teacher(make_site: MakeSite) -> None:
    site: Site = await make_site(students=4, mentors=3)
    school, (child, *_) = site.school, site.school.students
    await _a_year(site)
    mentor = await _mentor_of(site, child)
    await log(site, mentor, child)
    await site.done(child, "POST", "/letters", {"school": str(school.org), "words": "食堂的汤太咸"})
    (letter,) = (await site.done(school.head, "GET", "/letters"))["items"]
    answer = {"words": "已告诉食堂", "after": 1}
    mentors = {await _mentor_of(site, student) for student in school.students}

    def whole(*, answered: int) -> dict[str, Any]:
        figures = (
            ("mentor.coverage", "有导师的学生", "pupils with a mentor", 4, 4),
            ("mentor.ratio", "平均每位导师的学生", "pupils to a mentor, on average", round(4 / len(mentors), 2), None),
            ("mentor.children_reached", "本周谈到的学生", "pupils talked with this week", 1, 4),
            ("mentor.letters_in_time", "按时答复的悄悄话", "letters answered in time", answered, answered),
        )
        return {
            "indicators": [
                {"name": name, "title": {"zh": zh, "en": en}, "value": value, "of": of}
                for name, zh, en, value, of in figures
            ],
            "missing": [],
        }

    assert await _core(site, school.head, "/indicators") == whole(answered=0)
    await site.done(school.head, "POST", f"/letters/{letter['id']}/messages", answer)
    assert await _core(site, school.head, f"/indicators?school={school.org}") == whole(answered=1)


async def test_words_of_encouragement_stand_once_in_the_growth_record(make_site: MakeSite) -> None:
    site: Site = await make_site(students=2, mentors=2, schools=1)
    child = site.school.students[0]
    await _a_year(site)
    mentor = await _mentor_of(site, child)
    await log(site, mentor, child, kind="message", level="guardians", note="愿你保持好奇")
    await log(site, mentor, child, kind="message", level="mentor", note="只给你的话")
    book = {"id": str(uuid4()), "kind": "book", "text": "《西游记》"}
    hobby = {"id": str(uuid4()), "kind": "hobby", "text": "围棋"}
    for line in (book, hobby):
        await site.done(child, "POST", f"/students/{child}/profile", line)
    today = today_in(site.state.district, datetime.now(UTC)).isoformat()
    record = await _core(site, child, f"/people/{child}/growth-record")
    (mine,) = record["plugins"]
    assert [
        (section["name"], [(fact["on"], fact["text"], fact["by"]) for fact in section["facts"]])
        for section in mine["sections"]
    ] == [
        ("mentor.messages", [(today, "愿你保持好奇", f"老师{site.school.mentors.index(mentor)}")]),
        ("mentor.profile", [(today, "《西游记》", "学生0")]),
    ]
