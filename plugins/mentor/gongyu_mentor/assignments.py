"""Who has whom, for those who may know: the student and their guardians, the mentor, the school."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.access.relations import guardian_of
from gongyu.events.outbox import publish_all
from gongyu.people.models import Person
from gongyu.plugin import Context, Occurrence
from gongyu.text import Language
from gongyu_mentor import people
from gongyu_mentor.events import MentorEnded
from gongyu_mentor.explanations import Explanation
from gongyu_mentor.models import AnyRow, Assignment, Offer, Round, Run
from gongyu_mentor.outcome import opened
from gongyu_mentor.runs import why_out
from gongyu_mentor.schemas import AssignmentOut, MentorLoad, SchoolView, StudentLine

__all__ = [
    "class_lists",
    "end_of_leaver",
    "end_of_transferred",
    "mentored_by",
    "mine",
    "my_students",
    "school_view",
    "students_of",
    "students_of_school",
]

_student, _mentor = aliased(Person), aliased(Person)
_OPEN: Final = (
    sa.select(
        Assignment.id,
        Assignment.student_id,
        _student.name.label("student_name"),
        Assignment.mentor_id,
        _mentor.name.label("mentor_name"),
        Assignment.begins_at,
        Assignment.run_id,
        Assignment.school_id,
    )
    .join(_student, _student.id == Assignment.student_id)
    .join(_mentor, _mentor.id == Assignment.mentor_id)
    .where(Assignment.ends_at.is_(None))
)


def _out(row: AnyRow) -> AssignmentOut:
    return AssignmentOut(
        id=row.id,
        student=row.student_id,
        student_name=row.student_name,
        mentor=row.mentor_id,
        mentor_name=row.mentor_name,
        since=row.begins_at,
    )


async def mine(
    connection: AsyncConnection, principal: Principal, *, today: date, language: Language
) -> list[AssignmentOut]:
    """A student's own mentor, or those of a guardian's children, each with the reason."""
    whose = sa.or_(
        Assignment.student_id == principal.person,
        Assignment.student_id.in_(guardian_of(principal, today=today)),
    )
    rows = (await connection.execute(_OPEN.where(whose).order_by(Assignment.id))).all()
    told = await _told(connection, [row.id for row in rows])
    return [_with(_out(row), told.get(row.id), language) for row in rows]


_Why = tuple[Explanation, Sequence[UUID]]


def _with(one: AssignmentOut, told: _Why | None, language: Language) -> AssignmentOut:
    return msgspec.structs.replace(one, why=why_out(*told, language) if told else None)


async def _told(connection: AsyncConnection, pairs: Sequence[UUID]) -> dict[UUID, _Why]:
    """The reason from the run that made the pair, or from a later round in which it went on: the newest that knows."""
    published = sa.select(Round.run_id).where(Round.school_id == Assignment.school_id, Round.run_id.is_not(None))
    runs = sa.func.array_append(sa.func.array(published.scalar_subquery()), Assignment.run_id)
    in_force = (
        sa.select(Assignment.id, Assignment.student_id, Assignment.mentor_id, Run.outcome)
        .join(Run, Run.id == sa.any_(runs))
        .where(Assignment.id.in_(pairs), sa.or_(Run.id == Assignment.run_id, Run.made_at >= Assignment.begins_at))
        .order_by(Run.made_at)
    )
    told: dict[UUID, _Why] = {}
    for row in await connection.execute(in_force):
        outcome = opened(row.outcome)
        if (known := outcome.why(row.student_id)) is not None:
            told.pop(row.id, None)
            if known[0] == row.mentor_id:
                told[row.id] = known[1], outcome.mentors
    return told


async def my_students(connection: AsyncConnection, *, mentor: UUID) -> list[AssignmentOut]:
    """A mentor's students now; one who has gone to another mentor is gone from here in the same moment."""
    rows = await connection.execute(_OPEN.where(Assignment.mentor_id == mentor).order_by(_student.name, Assignment.id))
    return [_out(row) for row in rows]


async def school_view(
    connection: AsyncConnection, *, school: UUID, orgs: frozenset[UUID] | None, today: date
) -> SchoolView:
    """Coverage, loads and reached ranks. Children are counted, teachers are not: a load is a number of places taken."""
    await people.require_school(connection, school, orgs=orgs)
    pupils = people.students_at(school, today=today).subquery()
    pair = aliased(Assignment)
    covered = (
        sa.select(sa.func.count(), sa.func.count(pair.id))
        .select_from(pupils)
        .outerjoin(pair, sa.and_(pair.student_id == pupils.c.person_id, pair.ends_at.is_(None)))
    )
    students, with_mentor = (await connection.execute(covered)).one()
    staff = people.staff_at(school, today=today).subquery()
    loads = (
        sa.select(Assignment.mentor_id, Person.name, sa.func.count(), sa.func.bool_or(staff.c.person_id.is_not(None)))
        .join(Person, Person.id == Assignment.mentor_id)
        .outerjoin(staff, staff.c.person_id == Assignment.mentor_id)
        .where(Assignment.school_id == school, Assignment.ends_at.is_(None))
        .group_by(Assignment.mentor_id, Person.name)
        .order_by(Person.name, Assignment.mentor_id)
    )
    rows = [MentorLoad(*row) for row in await connection.execute(loads)]
    last = (
        sa.select(Run.figures, Round.id)
        .join(Round, Round.run_id == Run.id)
        .where(Round.school_id == school, Round.kind == "students")
        .order_by(Round.published_at.desc())
        .limit(1)
    )
    published = (await connection.execute(last)).first()
    opted_down = 0
    if published is not None:
        granted = sa.select(sa.func.count()).where(Offer.round_id == published.id, Offer.fewer_state == "granted")
        opted_down = (await connection.execute(granted)).scalar_one()
    return SchoolView(
        students=students,
        with_mentor=with_mentor,
        loads=rows,
        ranks=published.figures["ranks"] if published else {},
        opted_down=opted_down,
    )


async def students_of_school(
    connection: AsyncConnection,
    *,
    school: UUID,
    orgs: frozenset[UUID] | None,
    today: date,
    without: bool,
    after: UUID | None,
    limit: int,
) -> list[StudentLine]:
    """The pupils of a school with their mentors, or only those who have none."""
    await people.require_school(connection, school, orgs=orgs)
    pupils = people.students_at(school, today=today).subquery()
    home = people.homeroom(today)
    pair, who = aliased(Assignment), aliased(Person)
    found = (
        sa.select(pupils.c.person_id, Person.name, sa.func.min(home.c.title), pair.mentor_id, who.name)
        .join(Person, Person.id == pupils.c.person_id)
        .outerjoin(home, sa.and_(home.c.person_id == pupils.c.person_id, home.c.school_id == school))
        .outerjoin(pair, sa.and_(pair.student_id == pupils.c.person_id, pair.ends_at.is_(None)))
        .outerjoin(who, who.id == pair.mentor_id)
        .group_by(pupils.c.person_id, Person.name, pair.mentor_id, who.name)
        .order_by(pupils.c.person_id)
        .limit(limit)
    )
    if without:
        found = found.where(pair.id.is_(None))
    if after is not None:
        found = found.where(pupils.c.person_id > after)
    return [StudentLine(*row) for row in await connection.execute(found)]


async def class_lists(
    connection: AsyncConnection, *, school: UUID, orgs: frozenset[UUID] | None, today: date
) -> list[Sequence[object]]:
    """Class, student, mentor: what a school pins up in the staff room."""
    await people.require_school(connection, school, orgs=orgs)
    pupils = people.students_at(school, today=today).subquery()
    home, pair, who = people.homeroom(today), aliased(Assignment), aliased(Person)
    found = (
        sa.select(home.c.title, Person.name, who.name)
        .select_from(pupils)
        .join(Person, Person.id == pupils.c.person_id)
        .outerjoin(home, sa.and_(home.c.person_id == pupils.c.person_id, home.c.class_id == pupils.c.class_id))
        .outerjoin(pair, sa.and_(pair.student_id == pupils.c.person_id, pair.ends_at.is_(None)))
        .outerjoin(who, who.id == pair.mentor_id)
        .order_by(home.c.title, sa.func.length(home.c.number), home.c.number, Person.name, Person.id)
    )
    return [tuple(row) for row in await connection.execute(found)]


def mentored_by(person: UUID, _now: datetime | None = None) -> sa.Select[UUID]:
    """The relation `mentor.mentor_of`: whose mentor somebody is now. A pair is over once its end is written down,
    whatever the clock of the process that asks: a former mentor reads nothing from that moment.
    """
    return sa.select(Assignment.student_id).where(Assignment.mentor_id == person, Assignment.ends_at.is_(None))


async def students_of(context: Context, *, person: UUID) -> list[UUID]:
    """The capability `mentor.students_of`: whom this person mentors now, for plugins that ask "is this my mentee?"."""
    found = mentored_by(person).order_by(Assignment.student_id)
    return list(await context.session.scalars(found))


async def end_of_leaver(context: Context, occurrence: Occurrence) -> None:
    """A pupil left the district: the pair ends with it."""
    await _end(context.session, UUID(occurrence.data["student"]), context.now, "left", sa.true())


async def end_of_transferred(context: Context, occurrence: Occurrence) -> None:
    """A pupil changed schools (a change of class alone leaves the mentor)."""
    if occurrence.data["from_school"] != occurrence.data["to_school"]:
        left = Assignment.school_id == UUID(occurrence.data["from_school"])
        await _end(context.session, UUID(occurrence.data["student"]), context.now, "transferred", left)


async def _end(session: AsyncSession, student: UUID, now: datetime, reason: str, which: sa.ColumnElement[bool]) -> None:
    over = (
        sa.update(Assignment)
        .where(Assignment.student_id == student, Assignment.ends_at.is_(None), which)
        .values(ends_at=now, end_reason=reason)
        .returning(Assignment.id, Assignment.mentor_id)
    )
    events = [
        (MentorEnded(assignment=row.id, student=student, mentor=row.mentor_id), student)
        for row in await session.execute(over)
    ]
    await publish_all(session, events)
