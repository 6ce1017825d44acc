"""我想和……谈谈: whom it reaches, and the clock: seen, arranged, talked; the pupil sees each."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.access.relations import holds, homeroom_teacher_of
from gongyu.database.model import new_id
from gongyu.districts.schools import settings_at
from gongyu.people.models import ClassGroup, Enrolment, Membership, Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.assignments import mentored_by
from gongyu_mentor.models import AnyRow, Assignment
from gongyu_mentor.people import STAFF, schools_as, staff_at
from gongyu_mentor.wellbeing.models import Wish
from gongyu_mentor.wellbeing.schemas import StepIn, TalkTo, WishLine, WishOut

__all__ = ["answer", "ask", "of_student", "reaching", "waiting"]


async def ask(context: Context, *, student: UUID, school: UUID, wanted: TalkTo) -> WishOut:
    """A wish to talk, and when it is to be answered by."""
    name = None
    if wanted.who == "named":
        name = await _name_of(context, school, wanted.person) if wanted.person else None
        if name is None:
            text = Text(zh="不是本校的教职工", en="nobody who works at your school")
            raise ProblemError("invalid", errors=[("/talk_to/person", text)])
    elif wanted.person is not None:
        text = Text(zh="只在指名时填写", en="only for somebody by name")
        raise ProblemError("invalid", errors=[("/talk_to/person", text)])
    if wanted.who != "named" and not await _anybody(context, student=student, school=school, who=wanted.who):
        text = Text(zh="现在没有这个人，请选别人", en="there is nobody there now; choose somebody else")
        raise ProblemError("invalid", errors=[("/talk_to/who", text)])
    hours = (await settings_at(context, [school])).talk_hours
    row = sa.insert(Wish).values(
        id=new_id(),
        student_id=student,
        school_id=school,
        wants=wanted.who,
        person_id=wanted.person,
        asked_at=context.now,
        due_at=context.now + timedelta(hours=hours),
    )
    made = (await context.session.execute(row.returning(*Wish.__table__.columns))).one()
    return _out(context, made, name)


async def _name_of(context: Context, school: UUID, person: UUID) -> str | None:
    """Of somebody who works at a school."""
    staff = staff_at(school, today=today_in(context.district, context.now))
    found = sa.select(Person.name).where(Person.id == person, Person.id.in_(staff))
    return (await context.session.execute(found)).scalar_one_or_none()


async def _anybody(context: Context, *, student: UUID, school: UUID, who: str) -> bool:
    """A wish that reaches nobody is worse than none: the child would wait."""
    today = today_in(context.district, context.now)
    if who == "mentor":
        found = sa.select(Assignment.id).where(Assignment.student_id == student, Assignment.ends_at.is_(None))
    elif who == "homeroom":
        teacher = aliased(Enrolment)
        found = (
            sa.select(teacher.id)
            .join(Enrolment, Enrolment.class_id == teacher.class_id)
            .join(ClassGroup, ClassGroup.id == teacher.class_id)
            .where(
                Enrolment.person_id == student,
                Enrolment.role == "student",
                holds(Enrolment, today),
                teacher.role == "teacher",
                teacher.is_primary,
                holds(teacher, today),
                ClassGroup.type == "homeroom",
            )
        )
    else:
        found = sa.select(Membership.id).where(
            Membership.org_id == school, Membership.role == who, holds(Membership, today)
        )
    return (await context.session.execute(found.limit(1))).first() is not None


async def of_student(context: Context, student: UUID) -> list[WishOut]:
    """A pupil's own wishes, newest first."""
    found = (
        sa.select(Wish.__table__, Person.name)
        .outerjoin(Person, Person.id == Wish.person_id)
        .where(Wish.student_id == student)
        .order_by(Wish.id.desc())
        .limit(50)
    )
    return [_out(context, row, row.name) for row in await context.session.execute(found)]


def _out(context: Context, row: AnyRow, name: str | None) -> WishOut:
    return WishOut(who=row.wants, person_name=name, talked_at=row.talked_at, **_clock(context, row))


def _clock(context: Context, row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "asked_at": row.asked_at,
        "due_at": row.due_at,
        "seen_at": row.seen_at,
        "arranged_at": row.arranged_at,
        "arranged_for": row.arranged_for,
        "overdue": row.arranged_at is None and row.talked_at is None and row.due_at < context.now,
    }


def reaching(context: Context, principal: Principal) -> sa.ColumnElement[bool]:
    """The wishes that are for somebody, by what they are to the pupil or the school now."""
    today = today_in(context.district, context.now)
    mentees = mentored_by(principal.person)
    return sa.and_(
        Wish.school_id.in_(schools_as(principal, *STAFF)),
        sa.or_(
            sa.and_(Wish.wants == "named", Wish.person_id == principal.person),
            sa.and_(Wish.wants == "mentor", Wish.student_id.in_(mentees)),
            sa.and_(Wish.wants == "homeroom", Wish.student_id.in_(homeroom_teacher_of(principal, today=today))),
            sa.and_(Wish.wants == "counselor", Wish.school_id.in_(schools_as(principal, "counselor"))),
            sa.and_(Wish.wants == "principal", Wish.school_id.in_(schools_as(principal, "principal"))),
        ),
    )


async def waiting(context: Context, principal: Principal) -> list[WishLine]:
    """What waits for somebody, the most urgent first. It says who wants to talk, not how they feel."""
    pupil = aliased(Person)
    found = (
        sa.select(Wish.__table__, pupil.name)
        .join(pupil, pupil.id == Wish.student_id)
        .where(Wish.talked_at.is_(None), reaching(context, principal))
        .order_by(Wish.due_at, Wish.id)
        .limit(200)
    )
    return [
        WishLine(student=row.student_id, student_name=row.name, who=row.wants, **_clock(context, row))
        for row in await context.session.execute(found)
    ]


async def answer(context: Context, principal: Principal, wish: UUID, *, step: StepIn) -> UUID:
    """A step of the answer; each is taken once, and one that is further on says the ones before. Returns the pupil.

    A talk can be arranged anew, for another time; when it was first arranged stays.
    """
    found = sa.select(Wish.__table__).where(Wish.id == wish, reaching(context, principal)).with_for_update()
    row = (await context.session.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    if row.talked_at is not None:
        raise ProblemError("conflict", Text(zh="已经谈过", en="they have talked"))
    if (step.step == "arranged") != (step.at is not None):
        raise ProblemError("invalid", errors=[("/at", Text(zh="约定时请写明时间", en="say when, if arranged"))])
    changes: dict[str, Any] = {"seen_at": row.seen_at or context.now, "answered_by": principal.person}
    if step.step == "arranged":
        changes |= {"arranged_at": row.arranged_at or context.now, "arranged_for": step.at}
    if step.step == "talked":
        changes["talked_at"] = context.now
    await context.session.execute(sa.update(Wish).where(Wish.id == wish).values(**changes))
    student: UUID = row.student_id
    return student
