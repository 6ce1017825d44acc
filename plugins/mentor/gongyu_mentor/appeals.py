"""Appeals: a family says why the pair is wrong, and a head who did not publish it decides in words.

A round is final when the days are over and nothing is left undecided. Upheld, the pair changes through the rematch
and nothing else, so that everybody else keeps their mentor; both commit together.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access import audit
from gongyu.access.principal import Principal
from gongyu.access.relations import guardian_of, holds
from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.database.reading import within_orgs
from gongyu.people.models import Guardianship, Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.appeal_schemas import AppealDecision, AppealIn, AppealLine, AppealOut
from gongyu_mentor.models import AnyRow, Appeal, Assignment, Round
from gongyu_mentor.rematching import Exceptional, rematch
from gongyu_mentor.rounds import managed, refuse
from gongyu_mentor.schemas import RematchIn

__all__ = ["decide", "file", "listed", "own", "withdraw"]

_COLUMNS = list(Appeal.__table__.columns)


def _own(principal: Principal, today: date) -> sa.ColumnElement[bool]:
    return sa.or_(Appeal.student_id == principal.person, Appeal.student_id.in_(guardian_of(principal, today=today)))


def _out(row: AnyRow, seals: Seals) -> AppealOut:
    return AppealOut(
        id=row.id,
        round=row.round_id,
        student=row.student_id,
        state=row.state,
        reasons=seals.open(row.reasons, Appeal.reasons, row.id),
        filed_at=row.filed_at,
        due_at=row.due_at,
        answer=seals.open(row.answer, Appeal.answer, row.id) if row.answer else None,
        decided_at=row.decided_at,
    )


async def own(connection: AsyncConnection, principal: Principal, *, today: date, seals: Seals) -> list[AppealOut]:
    """A student's own appeals and those for one's children."""
    found = sa.select(*_COLUMNS).where(_own(principal, today)).order_by(Appeal.id)
    return [_out(row, seals) for row in await connection.execute(found)]


async def file(
    session: AsyncSession,
    round_id: UUID,
    *,
    asked: AppealIn,
    principal: Principal,
    today: date,
    seals: Seals,
) -> AppealOut:
    """File an appeal: by the student or a guardian, until the days are over by the database's clock.

    Raises:
        ProblemError: `not-found` for a round or a student that is not theirs, `conflict` when it is too late or there
            is one already.
    """
    theirs = asked.student == principal.person or await session.scalar(
        sa.select(guardian_of(principal, today=today).where(Guardianship.student_id == asked.student).exists())
    )
    now = sa.func.statement_timestamp()
    columns = sa.select(Round.answer_days, Round.appeals_until > now, now).join(
        Assignment,
        sa.and_(
            Assignment.school_id == Round.school_id,
            Assignment.student_id == asked.student,
            Assignment.ends_at.is_(None),
        ),
    )
    # Held in share: no publication and no rematch passes by while this is on its way in.
    published = columns.where(
        Round.id == round_id, Round.state == "published", Round.kind == "students"
    ).with_for_update(read=True, of=Round)
    found = (await session.execute(published)).first()
    if not theirs or found is None:
        raise ProblemError("not-found")
    answer_days, in_time, filed_at = found
    if not in_time:
        raise refuse("申诉期已过", "the days to appeal are over")
    one = sa.select(Appeal.id).where(
        Appeal.round_id == round_id, Appeal.student_id == asked.student, Appeal.state != "withdrawn"
    )
    if (await session.execute(one)).first() is not None:
        raise refuse("已经提出过申诉", "there is an appeal already")
    id_ = new_id()
    values = {
        "id": id_,
        "round_id": round_id,
        "student_id": asked.student,
        "reasons": seals.seal(asked.reasons, Appeal.reasons, id_),
        "filed_by": principal.person,
        "filed_at": filed_at,
        "due_at": filed_at + timedelta(days=answer_days),
    }
    row = (await session.execute(sa.insert(Appeal).values(**values).returning(*_COLUMNS))).one()
    await _noted(session, "mentor.appeal_filed", principal.person, id_, round_id)
    return _out(row, seals)


async def withdraw(session: AsyncSession, appeal_id: UUID, *, principal: Principal, today: date) -> None:
    """Take an appeal back, as long as nobody has decided it; a new one may follow."""
    row = await session.execute(
        sa.update(Appeal)
        .where(Appeal.id == appeal_id, _own(principal, today), Appeal.state == "filed")
        .values(state="withdrawn")
        .returning(Appeal.round_id)
    )
    round_id = row.scalar_one_or_none()
    if round_id is None:
        raise ProblemError("not-found")
    await _noted(session, "mentor.appeal_withdrawn", principal.person, appeal_id, round_id)


async def listed(
    connection: AsyncConnection, round_id: UUID, *, orgs: frozenset[UUID] | None, now: datetime, seals: Seals
) -> list[AppealLine]:
    """The appeals of a round, undecided and soonest due first; a round has few."""
    await managed(connection, round_id, orgs=orgs)
    student, mentor = aliased(Person), aliased(Person)
    has_now = sa.and_(Assignment.student_id == Appeal.student_id, Assignment.ends_at.is_(None))
    found = (
        sa.select(*_COLUMNS, student.name.label("student_name"), Assignment.mentor_id, mentor.name.label("mentor_name"))
        .join(student, student.id == Appeal.student_id)
        .outerjoin(Assignment, has_now)
        .outerjoin(mentor, mentor.id == Assignment.mentor_id)
        .where(Appeal.round_id == round_id, Appeal.state != "withdrawn")
        .order_by(Appeal.state != "filed", Appeal.due_at, Appeal.id)
    )
    return [
        AppealLine(
            id=row.id,
            student=row.student_id,
            student_name=row.student_name,
            mentor=row.mentor_id,
            mentor_name=row.mentor_name,
            state=row.state,
            reasons=seals.open(row.reasons, Appeal.reasons, row.id),
            filed_at=row.filed_at,
            due_at=row.due_at,
            overdue=row.state == "filed" and row.due_at < now,
            answer=seals.open(row.answer, Appeal.answer, row.id) if row.answer else None,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
        )
        for row in await connection.execute(found)
    ]


async def decide(
    context: Context, appeal_id: UUID, *, decision: AppealDecision, orgs: frozenset[UUID] | None, by: UUID
) -> AppealOut:
    """Uphold or reject, in words; upheld, the pair changes in the same transaction.

    Raises:
        ProblemError: `not-found`; `forbidden` for who published the round or is of the family; `conflict` when it is
            decided, withdrawn, no seat is free or a check is missing; `invalid` for a decision that does not say what
            follows.
    """
    session, seals, today = context.session, context.seals, today_in(context.district, context.now)
    found = (
        sa.select(Appeal.round_id)
        .join(Round, Round.id == Appeal.round_id)
        .where(Appeal.id == appeal_id, within_orgs(Round.school_id))
    )
    round_id = await session.scalar(found, people.bound(orgs=orgs))
    if round_id is None:
        raise ProblemError("not-found")
    row = await managed(session, round_id, orgs=orgs, lock=True)
    appeal = (await session.execute(sa.select(*_COLUMNS).where(Appeal.id == appeal_id).with_for_update())).one()
    if appeal.state != "filed":
        raise refuse("这份申诉已经处理或撤回", "this appeal is decided or withdrawn")
    if by in {row.published_by, appeal.filed_by} or await _family(session, by, appeal.student_id, today):
        text = Text(
            zh="公布结果的人和学生家人不能处理申诉", en="who published the round or is of the family cannot decide"
        )
        raise ProblemError("forbidden", text)
    if wrong := _wrong(decision):
        raise ProblemError("invalid", errors=wrong)
    run = None
    if decision.upheld:
        student = appeal.student_id
        changed = Exceptional(
            pins={student: (decision.mentor, f"申诉 appeal {appeal_id}")} if decision.mentor else {},
            released=frozenset() if decision.mentor else frozenset([student]),
        )
        again = RematchIn(gone=[], choices={student: decision.choices} if decision.choices else {})
        made = await rematch(context, round_id, asked=again, exceptional=changed, orgs=orgs, by=by)
        run = made.id
    values: dict[str, Any] = {
        "state": "upheld" if decision.upheld else "rejected",
        "answer": seals.seal(decision.answer, Appeal.answer, appeal_id),
        "decided_by": by,
        "decided_at": context.now,
        "run_id": run,
    }
    done = sa.update(Appeal).where(Appeal.id == appeal_id).values(**values).returning(*_COLUMNS)
    decided = (await session.execute(done)).one()
    await _noted(session, f"mentor.appeal_{decided.state}", by, appeal_id, round_id)
    return _out(decided, seals)


async def _family(session: AsyncSession, person: UUID, student: UUID, today: date) -> bool:
    relative = sa.select(Guardianship.student_id).where(
        Guardianship.guardian_id == person, Guardianship.student_id == student, holds(Guardianship, today)
    )
    return (await session.execute(relative)).first() is not None


def _wrong(decision: AppealDecision) -> Sequence[tuple[str, Text]]:
    what_follows = (decision.mentor is not None) + bool(decision.choices)
    if decision.upheld and what_follows != 1:
        return [("/mentor", Text(zh="支持申诉时须指定导师或新的志愿，二者取一", en="upheld: a mentor or new choices"))]
    if not decision.upheld and what_follows:
        return [("/mentor", Text(zh="不支持申诉时结对不变", en="rejected: the pair stays as it is"))]
    return []


async def _noted(session: AsyncSession, action: str, by: UUID, appeal: UUID, round_id: UUID) -> None:
    subject, details = f"appeal:{appeal}", {"round": str(round_id)}
    await audit.record(session, action=action, actor=f"person:{by}", subject=subject, details=details)
