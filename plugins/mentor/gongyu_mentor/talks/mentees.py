"""My students before the next talk: when the last one was, what was promised, what is owed."""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.sealing import Seals
from gongyu.people.models import Person
from gongyu.plugin import District
from gongyu_mentor import people
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks.board import school_dues
from gongyu_mentor.talks.cadence import counts, owed
from gongyu_mentor.talks.models import Talk
from gongyu_mentor.talks.promises import open_promises
from gongyu_mentor.talks.readers import is_newest
from gongyu_mentor.talks.schemas import Mentee, Owed

__all__ = ["my_mentees", "owed_to_mentees"]


async def my_mentees(
    connection: AsyncConnection, *, mentor: UUID, district: District, today: date, seals: Seals
) -> list[Mentee]:
    """In the order of classes and names."""
    home = people.homeroom(today)
    last = (
        sa.select(sa.func.max(Talk.happened_at))
        .where(Talk.student_id == Assignment.student_id, Talk.kind != "message", ~Talk.withdrawn, is_newest(Talk))
        .correlate(Assignment)
        .scalar_subquery()
    )
    found = (
        sa.select(Assignment.student_id, Person.name, home.c.title, last.label("last_talk"))
        .join(Person, Person.id == Assignment.student_id)
        .outerjoin(home, sa.and_(home.c.person_id == Person.id, home.c.school_id == Assignment.school_id))
        .where(Assignment.mentor_id == mentor, Assignment.ends_at.is_(None))
        .order_by(home.c.title, Person.name, Assignment.student_id)
    )
    rows = {row.student_id: row for row in await connection.execute(found)}
    values: dict[str, Any] = {"me": mentor, "today": today}
    promises = await open_promises(connection, students=list(rows), values=values, seals=seals)
    due = await owed_to_mentees(connection, mentor=mentor, district=district, today=today)
    return [
        Mentee(
            student=student,
            name=row.name,
            class_title=row.title,
            last_talk=row.last_talk,
            promises=promises.get(student, []),
            owed=due.get(student, []),
        )
        for student, row in rows.items()
    ]


async def owed_to_mentees(
    source: AsyncConnection | AsyncSession, *, mentor: UUID, district: District, today: date
) -> dict[UUID, list[Owed]]:
    """What is owed to each of a mentor's students, by the rules of the school they are mentored at."""
    mine = sa.and_(Assignment.mentor_id == mentor, Assignment.ends_at.is_(None))
    found: dict[UUID, list[Owed]] = {}
    schools = (await source.execute(sa.select(Assignment.school_id).where(mine).distinct())).scalars().all()
    for school in schools:
        dues = await school_dues(source, school, today=today)
        if not dues:
            continue
        pupils = people.students_at(school, today=today).subquery()
        counted = counts(dues, district=district, students=sa.select(Assignment.student_id).where(mine))
        rows = await source.execute(
            sa.select(Assignment.student_id, pupils.c.grade, *[one for one in counted.c if one.key != "student_id"])
            .join(pupils, pupils.c.person_id == Assignment.student_id)
            .outerjoin(counted, counted.c.student_id == Assignment.student_id)
            .where(mine, Assignment.school_id == school)
            .order_by(Assignment.student_id)
        )
        found |= {row.student_id: owed(row, dues) for row in rows}
    return found
