"""Tasks of a plan, for whoever is to do them: "needs attention: do X", and nothing of why."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.access.relations import guardian_of, homeroom_teacher_of
from gongyu.people.models import Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_mentor.assignments import mentored_by
from gongyu_mentor.people import schools_as
from gongyu_mentor.wellbeing.grounds import lead_schools
from gongyu_mentor.wellbeing.models import Case, PlanItem
from gongyu_mentor.wellbeing.results import last_levels
from gongyu_mentor.wellbeing.schemas import TaskOut

__all__ = ["done", "mine", "reaching"]


def reaching(context: Context, principal: Principal) -> sa.ColumnElement[bool]:
    """The tasks that are somebody's by what they are to the pupil or the school now."""
    today = today_in(context.district, context.now)
    mentees = mentored_by(principal.person)
    whose = {
        "mentor": Case.student_id.in_(mentees),
        "homeroom": Case.student_id.in_(homeroom_teacher_of(principal, today=today)),
        "principal": Case.school_id.in_(schools_as(principal, "principal")),
        "lead": Case.school_id.in_(lead_schools(principal)),
        "home": Case.student_id.in_(guardian_of(principal, today=today)),
        "pupil": Case.student_id == principal.person,
    }
    for_me = [sa.and_(PlanItem.audience == audience, theirs) for audience, theirs in whose.items()]
    return sa.and_(Case.closed_at.is_(None), sa.or_(*for_me))


async def mine(context: Context, principal: Principal) -> list[TaskOut]:
    """One's own tasks, open ones first. A principal learns with a task that a child is in crisis; no other level."""
    pupil = aliased(Person)
    found = (
        sa.select(PlanItem.__table__, Case.student_id, pupil.name)
        .join(Case, Case.id == PlanItem.case_id)
        .join(pupil, pupil.id == Case.student_id)
        .where(reaching(context, principal))
        .order_by(PlanItem.done_at.is_not(None), PlanItem.due_on, PlanItem.id)
        .limit(200)
    )
    rows = (await context.session.execute(found)).all()
    heads = [row.student_id for row in rows if row.audience == "principal"]
    levels = await last_levels(context, heads) if heads else {}
    return [
        TaskOut(
            id=row.id,
            student=row.student_id,
            student_name=row.name,
            audience=row.audience,
            words=context.seals.open(row.words, PlanItem.words, row.id),
            due_on=row.due_on,
            done_at=row.done_at,
            crisis=row.audience == "principal" and levels.get(row.student_id) == "crisis",
        )
        for row in rows
    ]


async def done(context: Context, principal: Principal, task: UUID) -> UUID:
    """A task is done; saying it twice changes nothing. Returns the pupil."""
    found = (
        sa.select(PlanItem.done_at, Case.student_id)
        .join(Case, Case.id == PlanItem.case_id)
        .where(PlanItem.id == task, reaching(context, principal))
    )
    row = (await context.session.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    mark = sa.update(PlanItem).where(PlanItem.id == task, PlanItem.done_at.is_(None))
    await context.session.execute(mark.values(done_at=context.now, done_by=principal.person))
    student: UUID = row.student_id
    return student
