"""One party-member teacher for each class: the same engine, with classes in the place of students.

A class's list is filed by its homeroom teacher or by the school; a teacher has one seat. What is different is who may
file, and the table in which the pairs stand.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.relations import holds
from gongyu.database.model import new_id
from gongyu.people.models import ClassGroup, Enrolment, Person
from gongyu.plugin import Context
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.class_schemas import ClassChoices, ClassLine, ClassMentor
from gongyu_mentor.matching import NOBODY, Result
from gongyu_mentor.models import AnyRow, ClassAssignment, ClassPreference, Offer, Round, Run
from gongyu_mentor.outcome import opened
from gongyu_mentor.preferences import wrong_choices
from gongyu_mentor.rounds import managed, refuse
from gongyu_mentor.runs import why_out
from gongyu_mentor.snapshot import Frozen

__all__ = ["file", "listed", "mentors_of_classes", "put_in_force", "sheet_rows"]


def _classes(row: AnyRow, today: date) -> sa.Select[UUID, str, list[UUID], int]:
    filed = sa.and_(ClassPreference.class_id == ClassGroup.id, ClassPreference.round_id == row.id)
    found = (
        sa.select(ClassGroup.id, ClassGroup.title, ClassPreference.choices, ClassPreference.version)
        .outerjoin(ClassPreference, filed)
        .where(
            ClassGroup.school_id == row.school_id,
            ClassGroup.type == "homeroom",
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= today),
        )
        .order_by(ClassGroup.grade, ClassGroup.title, ClassGroup.id)
    )
    return found.where(ClassGroup.grade.in_(row.grades)) if row.grades else found


async def listed(
    connection: AsyncConnection, round_id: UUID, *, orgs: frozenset[UUID] | None, today: date
) -> list[ClassLine]:
    """The classes of a round and their lists."""
    row = await managed(connection, round_id, orgs=orgs)
    return [
        ClassLine(class_id=id_, title=title, choices=list(choices or ()), version=version or 0)
        for id_, title, choices, version in await connection.execute(_classes(row, today))
    ]


async def file(
    session: AsyncSession,
    round_id: UUID,
    *,
    class_id: UUID,
    asked: ClassChoices,
    by: UUID,
    running: frozenset[UUID] | None,
    today: date,
) -> ClassLine:
    """File a class's list, or file it anew, until the deadline by the database's clock.

    Args:
        session: The district's.
        round_id: A round of classes.
        class_id: One of its classes.
        asked: Teachers, best first.
        by: Its homeroom teacher, or somebody of the school.
        running: The schools whose rounds `by` runs; None is all.
        today: The district's day.

    Raises:
        ProblemError: `not-found` for a class that is not theirs, `invalid`, `conflict` when it is not open,
            `precondition-failed` if somebody was faster.
    """
    columns = sa.select(Round.id, Round.school_id, Round.grades, Round.list_length)
    announced = columns.where(Round.id == round_id, Round.kind == "classes", Round.state != "draft")
    row = (await session.execute(announced)).first()
    if row is None:
        raise ProblemError("not-found")
    found = (await session.execute(_classes(row, today).where(ClassGroup.id == class_id))).first()
    theirs = running is None or row.school_id in running or await _homeroom_teacher(session, by, class_id, today)
    if found is None or not theirs:
        raise ProblemError("not-found")
    offered = set(await session.scalars(sa.select(Offer.mentor_id).where(Offer.round_id == round_id)))
    if errors := wrong_choices(asked.choices, offered=offered, most=row.list_length):
        raise ProblemError("invalid", errors=errors)
    arrived = sa.func.statement_timestamp()
    open_round = (
        sa.select(
            Round.id,
            sa.literal(class_id, sa.Uuid()),
            sa.literal(asked.choices, ClassPreference.choices.type),
            sa.literal(by, sa.Uuid()),
            arrived,
        )
        .where(Round.id == round_id, Round.state == "choosing", Round.opens_at <= arrived, arrived < Round.closes_at)
        .with_for_update(read=True, of=Round)
    )
    write = insert(ClassPreference).from_select(["round_id", "class_id", "choices", "filed_by", "filed_at"], open_round)
    fresh = {name: write.excluded[name] for name in ("choices", "filed_by", "filed_at")}
    unchanged = None if asked.version is None else ClassPreference.version == asked.version
    written = await session.execute(
        write.on_conflict_do_update(
            index_elements=["round_id", "class_id"],
            set_={**fresh, "version": ClassPreference.version + 1},
            where=unchanged,
        ).returning(ClassPreference.version)
    )
    version = written.scalar_one_or_none()
    if version is None:
        is_open = sa.select(sa.and_(Round.state == "choosing", Round.opens_at <= arrived, arrived < Round.closes_at))
        if await session.scalar(is_open.where(Round.id == round_id)):
            raise ProblemError("precondition-failed")
        raise refuse("现在不在填报时间", "choosing is not open now; this was not taken down")
    return ClassLine(class_id=class_id, title=found.title, choices=asked.choices, version=version)


async def _homeroom_teacher(session: AsyncSession, person: UUID, class_id: UUID, today: date) -> bool:
    found = sa.select(Enrolment.id).where(
        Enrolment.person_id == person,
        Enrolment.class_id == class_id,
        Enrolment.role == "teacher",
        Enrolment.is_primary,
        holds(Enrolment, today),
    )
    return (await session.execute(found)).first() is not None


async def put_in_force(
    context: Context, frozen: Frozen, result: Result, *, school: UUID, run: UUID
) -> tuple[int, int, int]:
    """End the pairs that end, begin those that begin, leave alone those that go on.

    Returns:
        How many began, ended, went on.
    """
    session, now = context.session, context.now
    everybody = list(zip(frozen.students, result.final, frozen.present, strict=True))
    over = [class_id for class_id, mentor, present in everybody if present not in {NOBODY, mentor}]
    ending = sa.and_(ClassAssignment.class_id.in_(over), ClassAssignment.ends_at.is_(None))
    await session.execute(sa.update(ClassAssignment).where(ending).values(ends_at=now))
    begun = [
        {
            "id": new_id(),
            "class_id": class_id,
            "mentor_id": frozen.mentors[mentor],
            "school_id": school,
            "run_id": run,
            "begins_at": now,
        }
        for class_id, mentor, present in everybody
        if mentor not in {NOBODY, present}
    ]
    if begun:
        await session.execute(sa.insert(ClassAssignment), begun)
    return len(begun), len(over), len(everybody) - len(begun)


async def mentors_of_classes(
    connection: AsyncConnection, *, school: UUID, orgs: frozenset[UUID] | None, today: date, language: Language
) -> list[ClassMentor]:
    """The classes of a school and the party-member teacher of each, with the reason."""
    pair = sa.and_(ClassAssignment.class_id == ClassGroup.id, ClassAssignment.ends_at.is_(None))
    await people.require_school(connection, school, orgs=orgs)
    found = (
        sa.select(
            ClassGroup.id,
            ClassGroup.title,
            ClassAssignment.mentor_id,
            Person.name,
            ClassAssignment.begins_at,
            ClassAssignment.run_id,
        )
        .outerjoin(ClassAssignment, pair)
        .outerjoin(Person, Person.id == ClassAssignment.mentor_id)
        .where(
            ClassGroup.school_id == school,
            ClassGroup.type == "homeroom",
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= today),
        )
        .order_by(ClassGroup.grade, ClassGroup.title, ClassGroup.id)
    )
    rows = (await connection.execute(found)).all()
    runs = sa.select(Run.id, Run.outcome).where(Run.id.in_({row.run_id for row in rows if row.run_id}))
    outcomes = {id_: opened(kept) for id_, kept in await connection.execute(runs)}
    answers = []
    for row in rows:
        outcome = outcomes.get(row.run_id)
        told = outcome.why(row.id) if outcome else None
        answers.append(
            ClassMentor(
                class_id=row.id,
                title=row.title,
                mentor=row.mentor_id,
                mentor_name=row.name,
                since=row.begins_at,
                why=why_out(told[1], outcome.mentors, language) if outcome and told else None,
            )
        )
    return answers


def sheet_rows(classes: Sequence[ClassMentor]) -> list[Sequence[object]]:
    return [(one.title, one.mentor_name, one.why.text if one.why else None) for one in classes]
