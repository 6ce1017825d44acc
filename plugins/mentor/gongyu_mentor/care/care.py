"""A child is put on the care list, looked after, and taken off it with what came of it; nothing is overwritten."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from gongyu.access.relations import holds
from gongyu.database.model import new_id
from gongyu.people.models import Membership
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.care.models import Care, CareEnd, CareNote, CarePlan
from gongyu_mentor.care.readers import leads
from gongyu_mentor.care.reading import find_care
from gongyu_mentor.care.schemas import CareClosing, CareNoteChange, NewCare, NewCareNote, PlanChange
from gongyu_mentor.people import require_staff
from gongyu_mentor.talks.relations import homeroom_of, mentored
from gongyu_mentor.talks.sending import is_first

__all__ = ["add_note", "amend_note", "change_plan", "close_care", "open_care"]

Values = dict[str, Any]


async def open_care(context: Context, *, new: NewCare, by: UUID, values: Values) -> UUID:
    """By the child's mentor, homeroom teacher, or whoever leads the care of the school.

    Raises:
        ProblemError: `forbidden` by anybody else; `invalid` where the one responsible does not work there.
    """
    if not await is_first(context, new.id, by=by, content=new, about="care"):
        return new.id
    member = aliased(Membership)
    today = today_in(context.district, context.now)
    found = (
        sa.select(member.org_id)
        .where(member.person_id == new.student, member.role == "student", holds(member, today))
        .where(
            sa.or_(
                mentored(member.person_id, member.org_id),
                homeroom_of(member.person_id, member.org_id),
                leads(member.org_id),
            )
        )
    )
    school = (await context.session.execute(found, values)).scalars().first()
    if school is None:
        text = Text(
            zh="只有该生的导师、班主任或学校指定的关爱负责人可以列入",
            en="only the child's mentor, homeroom teacher or the appointed lead can do this",
        )
        raise ProblemError("forbidden", text)
    await require_staff(context, school=school, whom=[new.responsible], pointer="/responsible")
    row = {"id": new.id, "student_id": new.student, "school_id": school, "opened_by": by, "opened_at": context.now}
    await context.session.execute(sa.insert(Care).values(row))
    await context.session.execute(sa.insert(CarePlan).values(_plan(context, new.id, 1, new, by)))
    return new.id


def _plan(context: Context, care: UUID, number: int, asked: NewCare | PlanChange, by: UUID) -> dict[str, Any]:
    id_ = new_id()
    return {
        "id": id_,
        "care_id": care,
        "number": number,
        "category": context.seals.seal(asked.category, CarePlan.category, id_),
        "plan": context.seals.seal(asked.plan, CarePlan.plan, id_),
        "cadence_days": asked.cadence_days,
        "responsible_id": asked.responsible,
        "written_by": by,
        "written_at": context.now,
    }


async def _open(context: Context, care: UUID, values: Values) -> Any:  # noqa: ANN401 - a row
    found = await find_care(context.session, care, values=values)
    if found["ended_at"] is not None:
        raise ProblemError("conflict", Text(zh="这一关爱已经结束", en="it is closed"))
    return found


async def change_plan(context: Context, care: UUID, *, asked: PlanChange, by: UUID, values: Values) -> None:
    """The next number; of two at once, one is told to look again."""
    found = await _open(context, care, values)
    await require_staff(context, school=found["school_id"], whom=[asked.responsible], pointer="/responsible")
    row = _plan(context, care, asked.number + 1, asked, by)
    added = insert(CarePlan).values(row).on_conflict_do_nothing(constraint="uq_mentor_care_plan_number")
    current = found["plan_number"] == asked.number
    if not current or (await context.session.execute(added.returning(CarePlan.id))).first() is None:
        raise ProblemError("precondition-failed")


async def add_note(context: Context, care: UUID, *, new: NewCareNote, by: UUID, values: Values) -> UUID:
    if not await is_first(context, new.id, by=by, content=new, about=f"care {care}"):
        return new.id
    await _open(context, care, values)
    _past(context, new)
    row = {"id": new.id, "note_id": new.id, "number": 1, "care_id": care, **_note(context, new, by)}
    await context.session.execute(sa.insert(CareNote).values(row))
    return new.id


async def amend_note(
    context: Context, care: UUID, note: UUID, *, change: CareNoteChange, by: UUID, values: Values
) -> UUID:
    """By whoever wrote it, as long as the child is theirs to look after.

    Raises:
        ProblemError: `not-found`; `precondition-failed` if there is a newer version.
    """
    if not await is_first(context, change.id, by=by, content=change, about=f"care note {note}"):
        return change.id
    await _open(context, care, values)
    _past(context, change)
    newest = (
        sa.select(CareNote.id, CareNote.number)
        .where(CareNote.care_id == care, CareNote.note_id == note, CareNote.written_by == by)
        .order_by(CareNote.number.desc())
        .limit(1)
    )
    found = (await context.session.execute(newest)).first()
    if found is None:
        raise ProblemError("not-found")
    row = {
        "id": change.id,
        "note_id": note,
        "number": found.number + 1,
        "replaces": found.id,
        "care_id": care,
        **_note(context, change, by),
    }
    added = insert(CareNote).values(row).on_conflict_do_nothing(constraint="uq_mentor_care_note_replaces")
    if found.id != change.replaces or (await context.session.execute(added.returning(CareNote.id))).first() is None:
        raise ProblemError("precondition-failed")
    return change.id


def _note(context: Context, asked: NewCareNote | CareNoteChange, by: UUID) -> dict[str, Any]:
    return {
        "kind": asked.kind,
        "happened_on": asked.happened_on,
        "text": context.seals.seal(asked.text, CareNote.text, asked.id),
        "written_by": by,
        "written_at": context.now,
    }


def _past(context: Context, asked: NewCareNote | CareNoteChange) -> None:
    if asked.happened_on > today_in(context.district, context.now):
        raise ProblemError("invalid", errors=[("/happened_on", Text(zh="不能晚于今天", en="it lies in the future"))])


async def close_care(context: Context, care: UUID, *, asked: CareClosing, by: UUID, values: Values) -> None:
    """Take the child off the list, with what came of it."""
    await _open(context, care, values)
    row = {
        "care_id": care,
        "outcome": context.seals.seal(asked.outcome, CareEnd.outcome, care),
        "ended_by": by,
        "ended_at": context.now,
    }
    added = insert(CareEnd).values(row).on_conflict_do_nothing(index_elements=["care_id"]).returning(CareEnd.care_id)
    if (await context.session.execute(added)).first() is None:
        raise ProblemError("conflict", Text(zh="这一关爱已经结束", en="it is closed"))
