"""Handing over: a child gets a new mentor; the former one's summaries pass, if the child agrees, and nothing else."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from gongyu.access.sealing import Seals
from gongyu.people.models import Person
from gongyu.plugin import Context, Occurrence
from gongyu.web import ProblemError
from gongyu_mentor.log.models import Handover, LogPage
from gongyu_mentor.log.pairs import pair_of
from gongyu_mentor.log.schemas import Asked, HandoverOut, SummaryOut
from gongyu_mentor.models import Assignment

__all__ = ["answer", "ask", "asked_of", "packet"]


async def ask(context: Context, occurrence: Occurrence) -> None:
    """On `mentor.assigned.v1`: where a former mentor left a summary, the child is asked."""
    pair, student = UUID(occurrence.data["assignment"]), UUID(occurrence.data["student"])
    mentor = UUID(occurrence.data["mentor"])
    written = sa.exists().where(LogPage.pair_id == Assignment.id, LogPage.section == "summary")
    former = (
        sa.select(Assignment.id)
        .where(
            Assignment.student_id == student, Assignment.ends_at.is_not(None), Assignment.mentor_id != mentor, written
        )
        .order_by(Assignment.ends_at.desc())
        .limit(1)
    )
    found = (await context.session.execute(former)).scalar_one_or_none()
    if found is not None:
        question = insert(Handover).values(pair_id=pair, former_id=found, asked_at=context.now)
        await context.session.execute(question.on_conflict_do_nothing())


async def asked_of(source: AsyncConnection, *, student: UUID) -> list[Asked]:
    """The questions to a child whose mentor changed, the newest first."""
    now, before, new, old = aliased(Assignment), aliased(Assignment), aliased(Person), aliased(Person)
    found = (
        sa.select(
            Handover.pair_id, old.name.label("former"), new.name.label("mentor"), Handover.asked_at, Handover.agreed
        )
        .join(now, now.id == Handover.pair_id)
        .join(before, before.id == Handover.former_id)
        .join(new, new.id == now.mentor_id)
        .join(old, old.id == before.mentor_id)
        .where(now.student_id == student, now.ends_at.is_(None))
        .order_by(Handover.asked_at.desc())
    )
    return [
        Asked(pair=row.pair_id, former_mentor=row.former, mentor=row.mentor, asked_at=row.asked_at, agreed=row.agreed)
        for row in await source.execute(found)
    ]


async def answer(context: Context, *, pair: UUID, student: UUID, agreed: bool) -> None:
    """The child's word, and only the child's; it may be changed.

    Raises:
        ProblemError: `not-found`: no question, or another child's.
    """
    own = sa.exists().where(Assignment.id == pair, Assignment.student_id == student, Assignment.ends_at.is_(None))
    said = (
        sa.update(Handover)
        .where(Handover.pair_id == pair, own)
        .values(agreed=agreed, answered_at=context.now)
        .returning(Handover.pair_id)
    )
    if (await context.session.execute(said)).first() is None:
        raise ProblemError("not-found")


async def packet(source: AsyncConnection, seals: Seals, *, student: UUID, mentor: UUID) -> HandoverOut:
    """What the present mentor may read of the one before."""
    pair = await pair_of(source, student=student, mentor=mentor)
    old = aliased(Person)
    question = (
        sa.select(Handover.former_id, Handover.agreed, old.name)
        .join(Assignment, Assignment.id == Handover.former_id)
        .join(old, old.id == Assignment.mentor_id)
        .where(Handover.pair_id == pair.id)
    )
    found = (await source.execute(question)).first()
    if found is None or not found.agreed:
        return HandoverOut(
            student=student,
            former_mentor=found.name if found else None,
            agreed=found.agreed if found else None,
            summaries=[],
        )
    newest = (
        sa.select(LogPage.id, LogPage.term_begins, LogPage.text, LogPage.written_at)
        .ext(distinct_on(LogPage.term_begins))
        .where(LogPage.pair_id == found.former_id, LogPage.section == "summary")
        .order_by(LogPage.term_begins, LogPage.number.desc())
    )
    rows: list[Any] = list(await source.execute(newest))
    return HandoverOut(
        student=student,
        former_mentor=found.name,
        agreed=True,
        summaries=[
            SummaryOut(
                term_begins=row.term_begins,
                text=seals.open(row.text, LogPage.text, row.id),
                written_at=row.written_at,
            )
            for row in rows
        ],
    )
