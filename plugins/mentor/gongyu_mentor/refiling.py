"""Choosing anew: before a rematch the school asks those whose mentor leaves, over mentors who still have seats.

September's list is over mentors who are full by now; it would scatter a group for nothing. The rematch uses what was
filed and closes the window for good.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.plugin import Text
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.appeal_schemas import FreeMentor, RefiledIn, RefilingIn, RefilingLine, RefilingOut, RefilingView
from gongyu_mentor.models import AnyRow, Assignment, Load, Offer, Refiled, Refiling, Round
from gongyu_mentor.preferences import wrong_choices
from gongyu_mentor.rounds import managed, of_students, refuse

__all__ = ["file_own", "lists_for", "open_window", "read_own", "view"]

_OPEN = (
    sa.select(
        Refiling.id,
        Refiling.round_id,
        Refiling.gone,
        Refiling.closes_at,
        Round.school_id,
        Round.grades,
        Round.hard_cap,
        Round.list_length,
    )
    .join(Round, Round.id == Refiling.round_id)
    .where(Refiling.used_at.is_(None))
)


async def open_window(
    session: AsyncSession,
    round_id: UUID,
    *,
    asked: RefilingIn,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    now: datetime,
    today: date,
) -> RefilingView:
    """Open it, or change who leaves and how long it is open as long as it has not been used."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    of_students(row)
    if row.state != "published":
        raise refuse("先要公布结果，才能调整", "the round must be published first")
    offered = set(await session.scalars(sa.select(Offer.mentor_id).where(Offer.round_id == round_id)))
    unknown = Text(zh="本轮没有这位导师", en="no mentor of this round")
    errors = [(f"/gone/{at}", unknown) for at, name in enumerate(asked.gone) if name not in offered]
    if asked.closes_at <= now:
        errors.append(("/closes_at", Text(zh="截止须在此刻之后", en="it must lie ahead")))
    if errors:
        raise ProblemError("invalid", errors=errors)
    write = insert(Refiling).values(
        id=new_id(), round_id=round_id, gone=asked.gone, opened_by=by, opened_at=now, closes_at=asked.closes_at
    )
    again = {"gone": write.excluded.gone, "closes_at": write.excluded.closes_at}
    await session.execute(
        write.on_conflict_do_update(index_elements=["round_id"], index_where=Refiling.used_at.is_(None), set_=again)
    )
    await audit.record(
        session,
        action="mentor.refiling_opened",
        actor=f"person:{by}" if by else "system",
        subject=f"round:{round_id}",
        details={"gone": [str(one) for one in asked.gone], "closes_at": str(asked.closes_at)},
    )
    return await view(await session.connection(), round_id, orgs=orgs, today=today)


async def _window(connection: AsyncConnection | AsyncSession, round_id: UUID, *, held: bool = False) -> AnyRow:
    found = _OPEN.where(Refiling.round_id == round_id)
    if held:  # the rematch takes the round's row for itself, waits for lists on their way in and admits none after
        found = found.with_for_update(read=True, of=Round)
    row = (await connection.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    return row


def _displaced(row: AnyRow, today: date) -> sa.Subquery:
    """Pupils of the round whose mentor leaves, or who have none."""
    part = people.students_at(row.school_id, today=today, grades=row.grades).subquery()
    return (
        sa.select(part.c.person_id)
        .outerjoin(Assignment, sa.and_(Assignment.student_id == part.c.person_id, Assignment.ends_at.is_(None)))
        .where(sa.or_(Assignment.id.is_(None), Assignment.mentor_id.in_(row.gone)))
        .subquery()
    )


async def view(
    connection: AsyncConnection, round_id: UUID, *, orgs: frozenset[UUID] | None, today: date
) -> RefilingView:
    """Who is displaced, and who has chosen anew."""
    await managed(connection, round_id, orgs=orgs)
    row = await _window(connection, round_id)
    displaced = _displaced(row, today)
    filed = sa.and_(Refiled.student_id == displaced.c.person_id, Refiled.refiling_id == row.id)
    found = (
        sa.select(displaced.c.person_id, Person.name, Refiled.filed_at)
        .join(Person, Person.id == displaced.c.person_id)
        .outerjoin(Refiled, filed)
        .order_by(Person.name, Person.id)
    )
    students = [RefilingLine(*one) for one in await connection.execute(found)]
    return RefilingView(gone=list(row.gone), closes_at=row.closes_at, students=students)


async def _free(connection: AsyncConnection | AsyncSession, row: AnyRow) -> list[FreeMentor]:
    load = sa.and_(Load.mentor_id == Offer.mentor_id, Load.school_id == row.school_id)
    free = sa.func.least(Offer.hard_cap, row.hard_cap) - sa.func.coalesce(Load.taken, 0)
    found = (
        sa.select(Offer.mentor_id, Person.name, free)
        .join(Person, Person.id == Offer.mentor_id)
        .outerjoin(Load, load)
        .where(Offer.round_id == row.round_id, Offer.left_at.is_(None), Offer.mentor_id.not_in(row.gone), free > 0)
        .order_by(Person.name, Offer.mentor_id)
    )
    return [FreeMentor(*one) for one in await connection.execute(found)]


async def _mine(connection: AsyncConnection | AsyncSession, row: AnyRow, student: UUID, today: date) -> None:
    displaced = _displaced(row, today)
    if (await connection.execute(sa.select(displaced).where(displaced.c.person_id == student))).first() is None:
        raise ProblemError("not-found")


async def read_own(connection: AsyncConnection, round_id: UUID, *, student: UUID, today: date) -> RefilingOut:
    """The window, as one of those displaced sees it."""
    row = await _window(connection, round_id)
    await _mine(connection, row, student, today)
    return await _own(connection, row, student)


async def _own(connection: AsyncConnection | AsyncSession, row: AnyRow, student: UUID) -> RefilingOut:
    mine = sa.select(Refiled.choices, Refiled.version).where(
        Refiled.refiling_id == row.id, Refiled.student_id == student
    )
    filed = (await connection.execute(mine)).first()
    return RefilingOut(
        closes_at=row.closes_at,
        choices=list(filed.choices) if filed else [],
        version=filed.version if filed else 0,
        mentors=await _free(connection, row),
    )


async def file_own(
    session: AsyncSession, round_id: UUID, *, student: UUID, asked: RefiledIn, today: date
) -> RefilingOut:
    """A displaced student files a new list, or files it anew, until the window closes by the database's clock.

    Raises:
        ProblemError: `not-found` for who is not displaced, `conflict` when it is too late, `invalid` with every wrong
            choice, `precondition-failed` if another device was faster.
    """
    row = await _window(session, round_id, held=True)
    await _mine(session, row, student, today)
    offered = {one.mentor for one in await _free(session, row)}
    if errors := wrong_choices(asked.choices, offered=offered, most=row.list_length):
        raise ProblemError("invalid", errors=errors)
    now = sa.func.statement_timestamp()
    open_now = sa.select(
        Refiling.id, sa.literal(student, sa.Uuid()), sa.literal(asked.choices, Refiled.choices.type), now
    ).where(Refiling.id == row.id, now < Refiling.closes_at)
    write = insert(Refiled).from_select(["refiling_id", "student_id", "choices", "filed_at"], open_now)
    fresh = {"choices": write.excluded.choices, "filed_at": write.excluded.filed_at, "version": Refiled.version + 1}
    unchanged = None if asked.version is None else Refiled.version == asked.version
    done = await session.execute(
        write.on_conflict_do_update(
            index_elements=["refiling_id", "student_id"], set_=fresh, where=unchanged
        ).returning(Refiled.version)
    )
    if done.first() is None:
        late = await session.scalar(sa.select(row.closes_at <= now))
        raise refuse("重新填报已经截止", "the window is closed") if late else ProblemError("precondition-failed")
    return await _own(session, row, student)


async def lists_for(
    session: AsyncSession, round_id: UUID, *, gone: list[UUID], now: datetime, preview: bool
) -> Mapping[UUID, list[UUID]]:
    """The new lists for a rematch without these mentors; unless it is a preview, the window is used up by it."""
    window = (await session.execute(_OPEN.where(Refiling.round_id == round_id))).first()
    if window is None or not set(window.gone) & set(gone):
        return {}
    if not preview:
        if now < window.closes_at:
            raise refuse("重新填报还没有截止", "the displaced are still choosing; a rematch must wait")
        await session.execute(sa.update(Refiling).where(Refiling.id == window.id).values(used_at=now))
    found = await session.execute(
        sa.select(Refiled.student_id, Refiled.choices).where(Refiled.refiling_id == window.id)
    )
    lists: dict[UUID, Any] = {one.student_id: list(one.choices) for one in found}
    return lists
