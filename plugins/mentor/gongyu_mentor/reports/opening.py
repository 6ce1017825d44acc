"""Making a report, and adding to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.relations import holds
from gongyu.events.outbox import publish
from gongyu.people.models import Membership, Person
from gongyu.people.rights.periods import midnight_of, today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.letters import boxes
from gongyu_mentor.letters.offices import public_keys
from gongyu_mentor.models import AnyRow
from gongyu_mentor.people import school_of
from gongyu_mentor.reports.events import ReportOpened
from gongyu_mentor.reports.models import Report, ReportLine, Suspect
from gongyu_mentor.reports.schemas import NewReport

__all__ = ["add_line", "context_of", "make", "name_suspects", "open_draft", "principals_free"]


async def make(context: Context, *, report: NewReport, by: UUID) -> tuple[UUID, datetime]:
    """Make a report. It asks nobody's leave, and there is no way to take it back.

    Raises:
        ProblemError: `invalid`: no such pupil, or no such person among the suspects; nothing is kept then.
    """
    school = await school_of(context, report.student)
    wrong = [("/student", Text(zh="不是本区县的在校学生", en="no pupil of this district"))] if school is None else []
    wrong += await _strangers(context.session, report.suspects)
    if school is None or wrong:
        raise ProblemError("invalid", errors=wrong)
    id_, due = uuid4(), context.now + timedelta(hours=context.settings.report_hours)
    await _put(
        context,
        id=id_,
        school_id=school,
        office="school",
        reporter_id=by,
        student_id=report.student,
        kind=report.kind,
        opened_at=context.now,
        due_at=due,
        suspects=report.suspects,
        words=report.words,
    )
    await publish(context.session, ReportOpened(report=id_), subject=id_)
    return id_, due


async def open_draft(context: Context, *, letter: AnyRow, exact: bool) -> None:
    """A letter with harm words starts the report for its recipient, and the clock: see it through, or say why not.

    Of an anonymous letter only the day is kept, so its clock runs from the day's beginning: it may ring hours too
    early, never too late. No event is published here for the same reason; the desk shows it at once.
    """
    begun = context.now if exact else midnight_of(context.district, today_in(context.district, context.now))
    suspects: Sequence[UUID] = ()
    if letter.office == "district":  # a letter about the principal
        principals = _principals(letter.school_id, context)
        suspects = (await context.session.execute(principals)).scalars().all()
    await _put(
        context,
        id=uuid4(),
        school_id=letter.school_id,
        office=letter.office,
        letter_id=letter.id,
        opened_at=begun,
        due_at=begun + timedelta(hours=context.settings.report_hours),
        suspects=suspects,
        words=None,
        suspected_at=begun,
    )


async def _put(
    context: Context,
    *,
    suspects: Sequence[UUID],
    words: str | None,
    suspected_at: datetime | None = None,
    **values: Any,  # noqa: ANN401 - columns of a report
) -> None:
    session, id_ = context.session, values["id"]
    await session.execute(sa.insert(Report).values(**values))
    await _suspect(session, id_, suspects, at=suspected_at or context.now)
    if words:  # as a line: sealed for those who are free of suspicion once the suspects are known
        await add_line(context, id_, what="addition", by=values.get("reporter_id"), words=words)


async def add_line(
    context: Context,
    report: UUID,
    *,
    what: str,
    by: UUID | None,
    words: str | None = None,
    student: UUID | None = None,
    kind: str | None = None,
) -> bool:
    """Append a line; False when it is one that happens once and has happened."""
    found = sa.select(Report.school_id, Report.office).where(Report.id == report)
    row = (await context.session.execute(found)).one()
    offices: list[UUID | None] = [None]
    if row.office == "school" and await principals_free(context, report, row.school_id):
        offices.append(row.school_id)
    sealed = boxes.sealed(words, to=await public_keys(context, offices), context=context_of(report)) if words else None
    line = insert(ReportLine).values(
        report_id=report, what=what, by=by, at=context.now, words=sealed, student_id=student, kind=kind
    )
    done = await context.session.execute(line.on_conflict_do_nothing().returning(ReportLine.id))
    return done.first() is not None


async def name_suspects(context: Context, report: UUID, *, suspects: Sequence[UUID]) -> None:
    wrong = await _strangers(context.session, suspects)
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    await _suspect(context.session, report, suspects, at=context.now)


async def principals_free(context: Context, report: UUID, school: UUID) -> bool:
    """Whether the school has a principal who is not under suspicion; if not, the report is the district's."""
    under = sa.select(Suspect.person_id).where(Suspect.report_id == report)
    free = _principals(school, context).where(Membership.person_id.not_in(under)).limit(1)
    return (await context.session.execute(free)).first() is not None


def _principals(school: UUID, context: Context) -> sa.Select[UUID]:
    today = today_in(context.district, context.now)
    return sa.select(Membership.person_id).where(
        Membership.org_id == school, Membership.role == "principal", holds(Membership, today)
    )


async def _strangers(session: AsyncSession, suspects: Sequence[UUID]) -> list[tuple[str, Text]]:
    known = set((await session.execute(sa.select(Person.id).where(Person.id.in_(suspects)))).scalars())
    text = Text(zh="没有这个人", en="there is no such person")
    return [(f"/suspects/{at}", text) for at, one in enumerate(suspects) if one not in known]


async def _suspect(session: AsyncSession, report: UUID, suspects: Sequence[UUID], *, at: datetime) -> None:
    rows = [{"report_id": report, "person_id": one, "at": at} for one in dict.fromkeys(suspects)]
    if rows:
        await session.execute(insert(Suspect).on_conflict_do_nothing(), rows)


def context_of(report: UUID) -> str:
    return f"report:{report}"
