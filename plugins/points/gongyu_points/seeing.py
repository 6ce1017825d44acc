"""Whose points one may see: one's own, one's children's, one's pupils' (of whom a plugin may say so, too: mentees), and
by office those of one's school.
"""

from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.relations import guardian_of, holds, homeroom_teacher_of, oneself, students_in
from gongyu.access.rights import verdict
from gongyu.people.models import ClassGroup, Enrolment, Membership
from gongyu.web import Call, ProblemError

__all__ = ["OVERSEE", "pupils_of_school", "require_class", "require_student"]

OVERSEE: Final = "points.statement.oversee"


async def require_student(call: Call, student: UUID, *, today: date) -> None:
    """Whoever is not the caller's to see looks like whoever is not there."""
    by_office = verdict(call.principal, call.platform.host.permissions[OVERSEE])
    relations = [relation(call.principal, today=today) for relation in (oneself, guardian_of, homeroom_teacher_of)]
    relations += [one.students(call.principal.person, call.now) for one in call.platform.relations(call.state)]
    relations.append(students_in(by_office, today=today))
    seen = sa.select(sa.or_(*(sa.literal(student, sa.Uuid()).in_(students) for students in relations)))
    if not (await (await call.db()).execute(seen)).scalar():
        raise ProblemError("not-found")


async def pupils_of_school(call: Call, school: UUID, *, today: date) -> list[UUID]:
    """The pupils of a school for whoever serves there; any other looks like one without pupils, and like none."""
    pupils = sa.select(Membership.person_id).where(
        Membership.org_id == school, Membership.role == "student", holds(Membership, today)
    )
    found = set((await (await call.db()).execute(pupils)).scalars())
    if not found or call.verdict is None or not call.verdict.covers(school):
        raise ProblemError("not-found")
    return list(found)


async def require_class(call: Call, class_id: UUID, *, today: date) -> None:
    """Its teachers, and by office those of its school."""
    by_office = verdict(call.principal, call.platform.host.permissions[OVERSEE])
    teaches = sa.exists().where(
        Enrolment.class_id == class_id,
        Enrolment.person_id == call.principal.person,
        Enrolment.role == "teacher",
        holds(Enrolment, today),
    )
    found = (
        await (await call.db()).execute(sa.select(ClassGroup.school_id, teaches).where(ClassGroup.id == class_id))
    ).first()
    if found is None or not (found[1] or by_office.covers(found[0])):
        raise ProblemError("not-found")
