"""Every id of talks, promises, care and training is tried by everybody, on every route."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gongyu.database.model import new_id
from gongyu_mentor.care.api import ROUTES as CARE
from gongyu_mentor.talks.api import ROUTES as TALKS
from gongyu_mentor.training.api import ROUTES as TRAINING

from .conftest import Site
from .test_talks import log, pair

#: What answers everybody, with what is theirs or is about nobody.
_OWN = {"mentor_list_levels", "mentor_list_own_talks"}
#: What answers everybody who works at a school, likewise.
_STAFF = _OWN | {"mentor_list_talks", "mentor_list_mentees", "mentor_list_care", "mentor_list_my_trainings"}


async def _ids(site: Site) -> dict[str, str]:
    """One of each thing, about the second student of the first school, all of it as open as it gets."""
    school, mentor, student = site.school, site.school.mentors[0], site.school.students[1]
    await pair(site, student, mentor)
    made = await log(site, mentor, student, level="guardians", promise={"text": "下次"})
    care = {"id": str(new_id()), "student": str(student), "category": "留守", "plan": "每周看望"}
    await site.done(mentor, "POST", "/care", care | {"responsible": str(mentor)})
    note = {"id": str(new_id()), "happened_on": "2026-01-01", "text": "去过了"}
    await site.done(mentor, "POST", f"/care/{care['id']}/notes", note)
    began = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    new = {"title": "培训", "starts_at": began, "place": "报告厅"}
    training = await site.done(school.head, "POST", f"/schools/{school.org}/trainings", new)
    return {
        "talk": made["id"],
        "promise": made["id"],
        "care_id": care["id"],
        "note": note["id"],
        "training": training["id"],
        "school": str(school.org),
        "person": str(mentor),
        "student": str(student),
    }


def _bodies(ids: dict[str, str]) -> dict[str, Any]:
    """What a change would be made with; each would be done for whoever may."""
    now = datetime.now(UTC).isoformat()
    plan = {"category": "x", "plan": "x", "cadence_days": 7, "responsible": ids["person"]}
    session = {"title": "x", "starts_at": now, "place": "x"}
    return {
        "mentor_log_talk": {"id": str(new_id()), "students": [ids["student"]]},
        "mentor_amend_talk": {"id": str(new_id()), "replaces": ids["talk"], "happened_at": now},
        "mentor_end_promise": {"outcome": "kept"},
        "mentor_set_rules": {"version": 0, "rules": []},
        "mentor_add_training": session,
        "mentor_change_training": session | {"version": 1},
        "mentor_record_attendance": {"attended": []},
        "mentor_record_check": {"person": ids["person"], "checked_on": "2026-01-01", "issuer": "x"},
        "mentor_open_care": {"id": str(new_id()), "student": ids["student"], **plan},
        "mentor_change_care_plan": {"number": 1, **plan},
        "mentor_add_care_note": {"id": str(new_id()), "happened_on": "2026-01-01", "text": "x"},
        "mentor_amend_care_note": {
            "id": str(new_id()),
            "replaces": ids["note"],
            "happened_on": "2026-01-01",
            "text": "x",
        },
        "mentor_close_care": {"outcome": "x"},
    }


async def test_every_id_is_tried_by_everybody_and_nobody_gets_further(site: Site) -> None:
    ids = await _ids(site)
    school, other = site.schools
    askers = {
        "another pupil": (school.students[2], _OWN),
        "another's guardian": (school.guardian, _OWN),
        "another mentor": (school.mentors[1], _STAFF),
        "far pupil": (other.students[0], _OWN),
        "far guardian": (other.guardian, _OWN),
        "far mentor": (other.mentors[0], _STAFF),
        "far head": (other.head, _STAFF),
    }
    further = []
    for kind, (who, allowed) in askers.items():
        for handler in (*TALKS, *CARE, *TRAINING):
            (path,) = handler.paths
            for name, value in ids.items():
                path = path.replace(f"{{{name}:uuid}}", value)
            (method,) = handler.http_methods - {"OPTIONS"}
            answer = await site.ask(who, method, path, _bodies(ids).get(str(handler.operation_id)))
            let_in = answer.status_code not in {401, 403, 404}
            if let_in and (handler.operation_id not in allowed or ids["student"] in answer.text):
                further.append((kind, handler.operation_id, answer.status_code, answer.text[:100]))
    assert further == []


async def test_the_head_of_the_school_runs_it_and_reads_nothing_confided(site: Site) -> None:
    ids = await _ids(site)
    head, school = site.school.head, ids["school"]
    doors = {}
    for path in (
        "/talks",
        "/talks/mine",
        "/care",
        f"/talks/{ids['talk']}/versions",
        f"/talks/mine/{ids['talk']}/versions",
        f"/care/{ids['care_id']}",
        f"/schools/{school}/board",
        f"/schools/{school}/trainings",
        f"/schools/{school}/care-leads",
    ):
        answer = await site.ask(head, "GET", path)
        doors[path.replace(school, "…")] = (answer.status_code, ids["student"] in answer.text)
    assert list(doors.values()) == [
        (200, False),
        (200, False),
        (200, False),
        (404, False),
        (404, False),
        (404, False),
        (200, True),
        (200, False),
        (200, False),
    ]
