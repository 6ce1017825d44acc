"""A whole year of mentoring: what the routes are asked for, and with which words."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from .ground import KIND, Bodies, Ground, Paths, Queries, Thing, Things
from .mentor_confided import confided_of
from .mentor_records import PICTURE, records_of
from .mentor_rounds import rounds_of

_ALL: Final = "/api/v1/{district}/mentor"
_ROUND: Final = f"{_ALL}/rounds/{{round_id}}"
_CARE: Final = f"{_ALL}/care/{{care_id}}"
_TALK: Final = f"{_ALL}/talks/{{talk}}/versions"
_LETTER: Final = f"{_ALL}/letters/{{letter}}"
_REPORT: Final = f"{_ALL}/reports/{{report}}"
_WELL: Final = f"{_ALL}/wellbeing"
_CASE: Final = f"{_WELL}/cases/{{case}}"
_SCREENINGS: Final = f"{_WELL}/schools/{{school}}/screenings"

_NOW: Final = datetime.now(UTC)
_TODAY: Final = _NOW.date().isoformat()
_PAST, _AHEAD = ((_NOW + timedelta(hours=hours)).isoformat() for hours in (-1, 48))


def _note(**more: str) -> Any:  # noqa: ANN401 - any JSON
    return {"kind": "visit", "happened_on": _TODAY, "text": "…", **more}


def _care_plan(thing: Thing, **more: Any) -> Any:  # noqa: ANN401 - any JSON
    return {"category": "留守", "plan": "…", "cadence_days": 7, "responsible": thing("mentor"), **more}


BODIES: Final[Bodies] = {
    f"POST {_ALL}/rounds": {"school": "school", "term": None},
    f"PUT {_ROUND}/preferences/mine": {"choices": ["mentor"]},
    f"PUT {_ROUND}/favours/mine": {"students": ["person"], "keep": None},
    f"PUT {_ROUND}/pins/{{student}}": {"mentor": "mentor"},
    f"PUT {_ROUND}/classes/{{class_id}}/preferences": {"choices": ["mentor"]},
    f"POST {_ROUND}/publish": {"run": "run"},
    f"POST {_ROUND}/what-if": lambda thing: {"edits": [{"mentor": thing("mentor"), "field": "capacity", "value": 1}]},
    f"POST {_ROUND}/appeals": {"student": "student"},
    f"POST {_ALL}/appeals/{{appeal}}/decision": lambda _: {"upheld": False, "answer": "名额已满"},
    f"PUT {_ROUND}/refiling": lambda thing: {"gone": [thing("mentor")], "closes_at": _AHEAD},
    f"PUT {_ROUND}/refiling/mine": lambda thing: {"choices": [thing("free")]},
    f"PUT {_ALL}/photo/mine": lambda _: PICTURE,
    # what is written
    f"POST {_ALL}/talks": {"id": "fresh", "students": ["student"]},
    f"POST {_TALK}": lambda thing: {"id": thing("fresh"), "replaces": thing("talk_school"), "happened_at": _PAST},
    f"POST {_TALK}{KIND}the mentor's": lambda thing: {
        "id": thing("fresh"),
        "replaces": thing("talk_mentor"),
        "happened_at": _PAST,
    },
    f"PUT {_ALL}/students/{{student}}/log/{{section}}": lambda _: {"version": 1, "text": "……"},
    f"POST {_ALL}/students/{{student}}/profile": {"id": "fresh"},
    f"POST {_ALL}/care": lambda thing: _care_plan(thing, id=thing("fresh"), student=thing("student")),
    f"POST {_CARE}/plans": lambda thing: _care_plan(thing, number=1),
    f"POST {_CARE}/notes": lambda thing: _note(id=thing("fresh")),
    f"POST {_CARE}/notes/{{note}}/versions": lambda thing: _note(id=thing("fresh"), replaces=thing("note")),
    f"PUT {_ALL}/trainings/{{training}}/attendance": {"attended": ["mentor"]},
    f"POST {_ALL}/schools/{{school}}/checks": lambda thing: {
        "person": thing("mentor"),
        "checked_on": _TODAY,
        "issuer": "鄂州市公安局",
    },
    # what is confided
    f"POST {_ALL}/letters": {"school": "school"},
    f"POST {_ALL}/letters/anonymous": {"school": "school", "once": "fresh"},
    f"POST {_ALL}/letters/changes": {"school": "school"},
    f"POST {_ALL}/letters/receipt": {"receipt": "receipt"},
    f"POST {_ALL}/letters/receipt/messages": {"receipt": "receipt"},
    f"POST {_ALL}/reports": {"student": "student"},
    f"POST {_REPORT}/suspects": {"suspects": ["teacher"]},
    f"POST {_WELL}/break-glass": {"student": "student"},
    f"POST {_WELL}/cases": {"student": "student"},
    f"POST {_WELL}/cases{KIND}the mentor's": lambda thing: {"student": thing("student"), "ground": "mentor"},
    f"POST {_WELL}/cases{KIND}the pupil's": lambda thing: {"student": thing("student"), "ground": "pupil"},
    f"POST {_WELL}/wishes/{{wish}}": lambda _: {"step": "arranged", "at": _AHEAD},
    f"PUT {_WELL}/schools/{{school}}/leads": {"people": ["colleague"]},
    f"PUT {_WELL}/schools/{{school}}/leads{KIND}oneself": {"people": ["oneself"]},
    f"POST {_SCREENINGS}/plan": lambda thing: thing("screening").encode(),
    f"POST {_SCREENINGS}": lambda thing: thing("screening").encode(),
}

PATHS: Final[Paths] = {
    f"GET {_ROUND}/lottery": {"round_id": "told"},
    f"GET {_ROUND}/offers": {"round_id": "told"},
    f"GET {_ROUND}/runs": {"round_id": "closed"},
    f"POST {_ROUND}/runs": {"round_id": "closed"},
    f"POST {_ROUND}/publish": {"round_id": "closed"},
    f"POST {_ROUND}/what-if": {"round_id": "closed"},
    f"GET {_ROUND}/classes": {"round_id": "class_round"},
    f"PUT {_ROUND}/classes/{{class_id}}/preferences": {"round_id": "class_round"},
    f"GET {_ROUND}/appeals": {"round_id": "published"},
    f"POST {_ROUND}/appeals": {"round_id": "quiet"},
    f"POST {_ROUND}/appeals{KIND}once more": {"round_id": "published"},
    f"PUT {_ROUND}/refiling": {"round_id": "published"},
    f"GET {_ROUND}/refiling": {"round_id": "published"},
    f"GET {_ROUND}/refiling/mine": {"round_id": "published"},
    f"PUT {_ROUND}/refiling/mine": {"round_id": "published"},
    f"PUT {_ALL}/schools/{{school}}/care-leads/{{person}}": {"person": "colleague"},
    f"PUT {_ALL}/schools/{{school}}/care-leads/{{person}}{KIND}oneself": {"person": "oneself"},
    f"PUT {_WELL}/schools/{{school}}/leads{KIND}oneself": {},
    f"DELETE {_ALL}/schools/{{school}}/care-leads/{{person}}": {"person": "lead"},
    f"GET {_TALK}": {"talk": "talk_school"},
    f"GET {_TALK}{KIND}the mentor's": {"talk": "talk_mentor"},
    f"POST {_TALK}": {"talk": "talk_school"},
    f"POST {_TALK}{KIND}the mentor's": {"talk": "talk_mentor"},
    f"GET {_ALL}/talks/mine/{{talk}}/versions": {"talk": "talk_guardians"},
    f"GET {_ALL}/talks/mine/{{talk}}/versions{KIND}the school's": {"talk": "talk_school"},
    f"GET {_ALL}/talks/mine/{{talk}}/versions{KIND}the mentor's": {"talk": "talk_mentor"},
    f"GET {_LETTER}{KIND}about the principal": {"letter": "letter_above"},
    f"GET {_LETTER}{KIND}overdue": {"letter": "letter_late"},
    f"GET {_LETTER}{KIND}overdue, to go on": {"letter": "letter_further"},
    f"POST {_LETTER}/messages{KIND}about the principal": {"letter": "letter_above"},
    f"POST {_LETTER}/messages{KIND}overdue": {"letter": "letter_late"},
    f"POST {_LETTER}/close": {"letter": "letter_answered"},
    f"GET {_REPORT}{KIND}on the principal": {"report": "report_of_head"},
    f"POST {_REPORT}/additions{KIND}on the principal": {"report": "report_of_head"},
    f"POST {_REPORT}/additions{KIND}on the reporter": {"report": "report_of_reporter"},
    f"POST {_REPORT}/steps{KIND}on the principal": {"report": "report_of_head"},
    f"POST {_WELL}/cases{KIND}the mentor's": {},
    f"POST {_WELL}/cases{KIND}the pupil's": {},
    f"POST {_WELL}/tasks/{{task}}/done": {"task": "task_mentor"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}for the homeroom": {"task": "task_homeroom"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}for the principal": {"task": "task_principal"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}for the lead": {"task": "task_lead"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}at home": {"task": "task_home"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}for the pupil": {"task": "task_pupil"},
    f"POST {_WELL}/tasks/{{task}}/done{KIND}for the doctor": {"task": "task_doctor"},
    f"POST {_WELL}/wishes/{{wish}}": {"wish": "wish_mentor"},
    f"POST {_WELL}/wishes/{{wish}}{KIND}for the homeroom": {"wish": "wish_homeroom"},
    f"POST {_WELL}/wishes/{{wish}}{KIND}for the counsellor": {"wish": "wish_counselor"},
    f"POST {_WELL}/wishes/{{wish}}{KIND}for the principal": {"wish": "wish_principal"},
}

QUERIES: Final[Queries] = {
    f"GET {_WELL}/students/{{student}}/screenings/as-lead": "reason=risk",
    f"POST {_SCREENINGS}/plan": "file=a.csv",
    f"POST {_SCREENINGS}": lambda thing: f"file=a.csv&digest={thing('digest')}",
}


async def things(session: AsyncSession, ground: Ground) -> Things:
    context = ground.platform.context("mentor", ground.state, session, ground.now)
    free = {"own": ground.teachers["class"], "class": ground.teachers["class"]}
    records = await records_of(context, ground)  # before rounds and cases: it makes the pairs they are about
    return {**records, **await rounds_of(session, ground), **await confided_of(context, ground), "free": free}
