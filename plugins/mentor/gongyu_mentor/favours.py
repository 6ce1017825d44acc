"""The mentors' side of the choice: a few stars among the applicants, and whom they would go on with.

A full ranking by mentors costs the students 14 to 18 points of first choices, a tenth starred costs 6: hence the limit.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.models import Person
from gongyu.plugin import Text
from gongyu.web import ProblemError
from gongyu_mentor.models import Assignment, Favour, Offer, Preference, Round
from gongyu_mentor.rounds import refuse
from gongyu_mentor.schemas import Applicant, FavoursIn, FavoursOut

__all__ = ["file_favours", "most_stars", "read_favours"]


def most_stars(applicants: int, *, percent: int) -> int:
    """At most this share of the applicants, and one in any case where anything is allowed."""
    return max(1, applicants * percent // 100) if percent and applicants else 0


async def _terms(session: AsyncSession | AsyncConnection, round_id: UUID, mentor: UUID) -> int:
    """The round's share of stars, if this mentor is in the round."""
    found = (
        sa.select(Round.favour_percent)
        .join(Offer, Offer.round_id == Round.id)
        .where(Round.id == round_id, Offer.mentor_id == mentor, Round.state != "draft", Round.kind == "students")
    )
    percent = (await session.execute(found)).scalar_one_or_none()
    if percent is None:
        raise ProblemError("not-found")
    return percent


async def read_favours(connection: AsyncConnection | AsyncSession, *, round_id: UUID, mentor: UUID) -> FavoursOut:
    percent = await _terms(connection, round_id, mentor)
    mine = sa.select(Favour.students, Favour.keep).where(Favour.round_id == round_id, Favour.mentor_id == mentor)
    found = (await connection.execute(mine)).first()
    starred, keep = (set(found.students), list(found.keep)) if found else (set(), [])
    applied = (
        sa.select(Preference.student_id, Person.name)
        .join(Person, Person.id == Preference.student_id)
        .where(Preference.round_id == round_id, Preference.choices.any_() == mentor)
        .order_by(Person.name, Person.id)
    )
    applicants = [
        Applicant(one.student_id, one.name, one.student_id in starred) for one in await connection.execute(applied)
    ]
    return FavoursOut(applicants=applicants, most=most_stars(len(applicants), percent=percent), keep=keep)


async def file_favours(
    session: AsyncSession, *, round_id: UUID, mentor: UUID, asked: FavoursIn, now: datetime
) -> FavoursOut:
    """Until the first run; that waits for whoever is writing, and nobody writes after it."""
    present = await read_favours(session, round_id=round_id, mentor=mentor)
    applied = {one.student for one in present.applicants}
    errors = [
        (f"/students/{at}", Text(zh="没有填报您", en="does not list you"))
        for at, student in enumerate(asked.students)
        if student not in applied
    ]
    if len(set(asked.students)) > present.most or len(set(asked.students)) < len(asked.students):
        words = Text(zh="最多 {n} 人，不得重复", en="at most {n}, each once").format(n=present.most)
        errors.append(("/students", words))
    mine = sa.select(Assignment.student_id).where(Assignment.mentor_id == mentor, Assignment.ends_at.is_(None))
    students = set(await session.scalars(mine))
    errors += [
        (f"/keep/{at}", Text(zh="现在不是您的学生", en="is not a student of yours"))
        for at, student in enumerate(asked.keep)
        if student not in students
    ]
    if errors:
        raise ProblemError("invalid", errors=errors)
    open_round = (
        sa.select(
            Round.id,
            sa.literal(mentor, sa.Uuid()),
            sa.literal(asked.students, Favour.students.type),
            sa.literal(asked.keep, Favour.keep.type),
            sa.literal(now, sa.DateTime(timezone=True)),
        )
        .where(Round.id == round_id, Round.state == "choosing", Round.opens_at <= now)
        .with_for_update(read=True, of=Round)
    )
    write = insert(Favour).from_select(["round_id", "mentor_id", "students", "keep", "filed_at"], open_round)
    values = {"students": write.excluded.students, "keep": write.excluded.keep, "filed_at": write.excluded.filed_at}
    written = await session.execute(
        write.on_conflict_do_update(
            index_elements=["round_id", "mentor_id"], set_={**values, "version": Favour.version + 1}
        ).returning(Favour.version)
    )
    if written.first() is None:
        raise refuse("现在不能填报：还没开始，或已经试算", "not open now: it has not begun, or a run has been made")
    return await read_favours(session, round_id=round_id, mentor=mentor)
