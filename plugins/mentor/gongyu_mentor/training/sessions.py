"""Training sessions of a school, who was there, the checks on record, and of whom something is missing."""

from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.database.reading import within_orgs
from gongyu.districts.schools import settings_at
from gongyu.people.models import Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.models import Assignment, Round
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.training.gates import newest_checks, valid_until
from gongyu_mentor.training.models import Attendance, Check, Training
from gongyu_mentor.training.schemas import CheckIn, MissingOut, NewTraining, TrainingChange, TrainingOut

__all__ = ["add_training", "change_training", "missing", "record_attendance", "record_check", "trainings"]

_COLUMNS: Final = [
    Training.id,
    Training.school_id.label("school"),
    Training.round_id.label("round"),
    Training.title,
    Training.starts_at,
    Training.place,
    Training.version,
]
Orgs = frozenset[UUID] | None


async def trainings(
    source: AsyncConnection | AsyncSession,
    *,
    schools: Orgs,
    only: UUID | None = None,
    training: UUID | None = None,
) -> list[TrainingOut]:
    """The sessions of some schools, the latest first.

    Args:
        source: The district's.
        schools: Which; None: all.
        only: Show only whether this person was there.
        training: Only this one.
    """
    there = sa.func.array_agg(Attendance.mentor_id).filter(Attendance.mentor_id.is_not(None))
    on = Attendance.training_id == Training.id
    found = (
        sa.select(*_COLUMNS, there.label("attended"))
        .outerjoin(Attendance, on if only is None else sa.and_(on, Attendance.mentor_id == only))
        .where(within_orgs(Training.school_id))
        .group_by(Training.id)
        .order_by(Training.starts_at.desc(), Training.id)
        .limit(200)
    )
    if training is not None:
        found = found.where(Training.id == training)
    rows = await source.execute(found, people.bound(orgs=schools))
    return [TrainingOut(**{**row._mapping, "attended": sorted(row.attended or [])}) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def add_training(context: Context, *, school: UUID, new: NewTraining) -> TrainingOut:
    """Announce a session."""
    if new.round is not None:
        known = sa.select(Round.id).where(Round.id == new.round, Round.school_id == school)
        if (await context.session.execute(known)).first() is None:
            text = Text(zh="不是本校的轮次", en="no round of this school")
            raise ProblemError("invalid", errors=[("/round", text)])
    row = {
        "id": new_id(),
        "school_id": school,
        "round_id": new.round,
        "title": new.title,
        "starts_at": new.starts_at,
        "place": new.place,
    }
    await context.session.execute(sa.insert(Training).values(row))
    (made,) = await trainings(context.session, schools=None, training=row["id"])  # type: ignore[arg-type]  # a new id
    return made


async def _held(session: AsyncSession, training: UUID, orgs: Orgs) -> TrainingOut:
    found = await trainings(session, schools=orgs, training=training)
    if not found:
        raise ProblemError("not-found")
    return found[0]


async def change_training(context: Context, training: UUID, *, asked: TrainingChange, orgs: Orgs) -> TrainingOut:
    """Another time or place."""
    held = await _held(context.session, training, orgs)
    write = (
        sa.update(Training)
        .where(Training.id == held.id, Training.version == asked.version)
        .values(title=asked.title, starts_at=asked.starts_at, place=asked.place, version=Training.version + 1)
        .returning(Training.id)
    )
    if (await context.session.execute(write)).first() is None:
        raise ProblemError("precondition-failed")
    return await _held(context.session, training, orgs)


async def record_attendance(
    context: Context, training: UUID, *, attended: list[UUID], orgs: Orgs, by: UUID
) -> TrainingOut:
    """Who was there, once it has begun; the list is replaced whole.

    Raises:
        ProblemError: `invalid`, naming each who does not work at the school.
    """
    session = context.session
    held = await _held(session, training, orgs)
    if context.now < held.starts_at:
        raise ProblemError("conflict", Text(zh="培训还没有开始", en="the session has not begun"))
    await people.require_staff(context, school=held.school, whom=attended, pointer="/attended/{at}")
    gone = sa.delete(Attendance).where(Attendance.training_id == training, Attendance.mentor_id.not_in(attended))
    await session.execute(gone)
    if attended:
        rows = [{"training_id": training, "mentor_id": one, "recorded_by": by} for one in set(attended)]
        await session.execute(insert(Attendance).on_conflict_do_nothing(), rows)
    return await _held(session, training, orgs)


async def record_check(context: Context, *, school: UUID, asked: CheckIn, by: UUID) -> None:
    """Add what a check said; nothing that was known before is changed."""
    if asked.checked_on > today_in(context.district, context.now):
        raise ProblemError("invalid", errors=[("/checked_on", Text(zh="不能晚于今天", en="it lies in the future"))])
    await people.require_staff(context, school=school, whom=[asked.person], pointer="/person")
    row = {
        "id": new_id(),
        "person_id": asked.person,
        "school_id": school,
        "checked_on": asked.checked_on,
        "result": asked.result,
        "issuer": asked.issuer,
        "recorded_by": by,
    }
    await context.session.execute(sa.insert(Check).values(row))
    await audit.record(
        context.session,
        action="mentor.check_recorded",
        actor=f"person:{by}",
        subject=f"person:{asked.person}",
        details={"checked_on": asked.checked_on.isoformat()},
    )


async def missing(context: Context, *, school: UUID) -> list[MissingOut]:
    """Mentors of the school's pupils who may not talk yet, and what of theirs is missing."""
    rules = await settings_at(context, [school]) or MentorSettings()
    today = today_in(context.district, context.now)
    checks = newest_checks().subquery()
    trained = sa.exists().where(
        Attendance.mentor_id == Person.id, Attendance.training_id == Training.id, Training.school_id == school
    )
    mentoring = sa.exists().where(
        Assignment.mentor_id == Person.id, Assignment.school_id == school, Assignment.ends_at.is_(None)
    )
    found = (
        sa.select(Person.id, Person.name, trained.label("trained"), checks.c.checked_on, checks.c.result)
        .outerjoin(checks, checks.c.person_id == Person.id)
        .where(mentoring)
        .order_by(Person.name, Person.id)
    )
    lines = [_line(row, rules, today) for row in await context.session.execute(found)]
    return [line for line in lines if line.training or line.check]


def _line(row: Any, rules: MentorSettings, today: date) -> MissingOut:  # noqa: ANN401 - a row
    until = valid_until(row.checked_on, rules) if row.checked_on and row.result == "clear" else None
    return MissingOut(
        mentor=row.id,
        name=row.name,
        training=rules.training_before_talk and not row.trained,
        check=rules.check_required and (until is None or until < today),
        checked_on=row.checked_on,
        valid_until=until,
    )
