"""Reports on the desks that answer for them, and the steps taken."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.relations import holds
from gongyu.people.models import Membership, Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor.letters import boxes
from gongyu_mentor.letters.offices import Desk, private_keys
from gongyu_mentor.models import AnyRow
from gongyu_mentor.reports.kinds import STEPS
from gongyu_mentor.reports.models import Report, ReportLine, Suspect
from gongyu_mentor.reports.opening import add_line, context_of, name_suspects
from gongyu_mentor.reports.schemas import MyReport, ReportLineOut, ReportOut, ReportRow, StepIn

__all__ = ["add", "made_by", "on_desk", "overdue", "read", "reports_of", "suspect", "take_step", "unsuspected"]

_NEED_WORDS: Final = ("guardians_not_informed", "closed")


def _has(what: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(ReportLine.report_id == Report.id, ReportLine.what == what)


def overdue(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Report.due_at < now, ~_has("acknowledged"))


def unsuspected(person: UUID) -> sa.ColumnElement[bool]:
    """Who is suspected sees nothing: not as guardian, mentor or principal, and not as the one who reported."""
    return ~sa.exists().where(Suspect.report_id == Report.id, Suspect.person_id == person)


def on_desk(desk: Desk, *, now: datetime, context: Context) -> sa.ColumnElement[bool]:
    """The reports somebody answers for. The district has those that are its own, those whose clock ran out (by the
    clock itself, not by the job that tells of it), and those whose school has no principal free of suspicion.
    """
    mine = sa.and_(Report.office == "school", Report.school_id.in_(desk.schools))
    if desk.district:
        under = sa.select(Suspect.person_id).where(Suspect.report_id == Report.id).correlate(Report)
        free = sa.exists().where(
            Membership.org_id == Report.school_id,
            Membership.role == "principal",
            holds(Membership, today_in(context.district, now)),
            Membership.person_id.not_in(under),
        )
        mine = sa.or_(mine, Report.office == "district", _has("escalated"), overdue(now), ~free)
    return sa.and_(mine, unsuspected(desk.person))


_state: Final = sa.case(
    (_has("closed"), "closed"),
    (_has("acknowledged"), "acknowledged"),
    (sa.and_(Report.letter_id.is_not(None), Report.student_id.is_(None), ~_has("identified")), "draft"),
    else_="open",
)


def _rows(context: Context, desk: Desk) -> sa.Select[*tuple[Any, ...]]:
    """With the pupil and the kind as they were identified last."""
    last = (
        sa.select(ReportLine.student_id, ReportLine.kind)
        .where(ReportLine.report_id == Report.id, ReportLine.what == "identified")
        .order_by(ReportLine.id.desc())
        .limit(1)
        .lateral("last")
    )
    student = sa.func.coalesce(last.c.student_id, Report.student_id)
    pupil = aliased(Person)
    return (
        sa.select(
            Report.id,
            Report.school_id,
            Report.letter_id,
            Report.reporter_id,
            Report.opened_at,
            Report.due_at,
            student.label("student_id"),
            pupil.name.label("student_name"),
            sa.func.coalesce(last.c.kind, Report.kind).label("kind"),
            _state.label("state"),
            overdue(context.now).label("overdue"),
        )
        .select_from(Report)
        .outerjoin(last, sa.true())
        .outerjoin(pupil, pupil.id == student)
        .where(on_desk(desk, now=context.now, context=context))
    )


async def reports_of(context: Context, *, desk: Desk, limit: int, after: UUID | None) -> list[ReportRow]:
    found = _rows(context, desk).order_by(Report.id).limit(limit)
    if after is not None:
        found = found.where(Report.id > after)
    return [ReportRow(**_facts(row)) for row in await context.session.execute(found)]


def _facts(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "school": row.school_id,
        "letter": row.letter_id,
        "student": row.student_id,
        "student_name": row.student_name,
        "kind": row.kind,
        "state": row.state,
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "overdue": row.overdue,
    }


async def read(context: Context, report: UUID, *, desk: Desk, language: Language) -> ReportOut:
    """Raises `not-found` for whoever does not answer for it, or is under suspicion."""
    row = await _held(context, report, desk)
    found = sa.select(ReportLine.__table__).where(ReportLine.report_id == report).order_by(ReportLine.id)
    keys = await private_keys(context, desk)
    lines = [
        ReportLineOut(
            what=line.what,
            title=STEPS[line.what].pick(language),
            at=line.at,
            by_reporter=line.by is not None and line.by == row.reporter_id,
            words=boxes.opened(line.words, keys=keys, context=context_of(report)) if line.words else None,
        )
        for line in await context.session.execute(found)
    ]
    return ReportOut(**_facts(row), lines=lines)


async def _held(context: Context, report: UUID, desk: Desk) -> AnyRow:
    row = (await context.session.execute(_rows(context, desk).where(Report.id == report))).first()
    if row is None:
        raise ProblemError("not-found")
    return row


async def take_step(context: Context, report: UUID, *, desk: Desk, step: StepIn) -> None:
    """Note a step. A report is closed only when it was taken up, and it is said whether its guardians know."""
    row = await _held(context, report, desk)
    if step.what in _NEED_WORDS and not step.words:
        raise ProblemError("invalid", errors=[("/words", Text(zh="请写明理由", en="say why"))])
    if step.what == "identified" and (step.student is None or step.kind is None):
        raise ProblemError("invalid", errors=[("/student", Text(zh="请写明学生与情形", en="name pupil and kind"))])
    if step.what == "identified":
        await _must_be_pupil(context, step.student)
    if row.state == "closed":
        raise ProblemError("conflict", Text(zh="已经办结；可以补充", en="it is closed; something can be added"))
    if step.what == "closed":
        await _must_be_done(context, row)
    added = await add_line(
        context,
        report,
        what=step.what,
        by=desk.person,
        words=step.words,
        student=step.student if step.what == "identified" else None,
        kind=step.kind if step.what == "identified" else None,
    )
    if not added:
        raise ProblemError("conflict", Text(zh="已有人做过这一步", en="somebody has taken this step already"))


async def _must_be_pupil(context: Context, student: UUID | None) -> None:
    found = sa.select(Membership.id).where(Membership.person_id == student, Membership.role == "student").limit(1)
    if (await context.session.execute(found)).first() is None:
        raise ProblemError("invalid", errors=[("/student", Text(zh="不是学生", en="no pupil"))])


async def _must_be_done(context: Context, row: AnyRow) -> None:
    found = sa.select(ReportLine.what).where(ReportLine.report_id == row.id)
    done = set((await context.session.execute(found)).scalars())
    missing = []
    if "acknowledged" not in done:
        missing.append(Text(zh="尚未受理", en="it has not been taken up"))
    if not done & {"guardians_informed", "guardians_not_informed"}:
        missing.append(Text(zh="尚未写明是否告知监护人", en="it is not said whether the guardians were informed"))
    if missing:
        raise ProblemError("invalid", errors=[("/what", text) for text in missing])


async def add(context: Context, report: UUID, *, desk: Desk, words: str) -> None:
    """Add words, as the reporter or as whoever handles it."""
    await _reachable(context, report, desk)
    await add_line(context, report, what="addition", by=desk.person, words=words)


async def suspect(context: Context, report: UUID, *, desk: Desk, suspects: list[UUID]) -> None:
    """Name more people under suspicion; from this moment they see nothing of it."""
    await _reachable(context, report, desk)
    await name_suspects(context, report, suspects=suspects)


async def _reachable(context: Context, report: UUID, desk: Desk) -> None:
    own = sa.and_(Report.reporter_id == desk.person, unsuspected(desk.person))
    found = sa.select(Report.id).where(
        Report.id == report, sa.or_(own, on_desk(desk, now=context.now, context=context))
    )
    if (await context.session.execute(found)).first() is None:
        raise ProblemError("not-found")


async def made_by(context: Context, person: UUID) -> list[MyReport]:
    """A reporter's own reports, and whether they are being dealt with."""
    found = (
        sa.select(Report.id, Report.opened_at, _state.label("state"))
        .where(Report.reporter_id == person, unsuspected(person))
        .order_by(Report.opened_at.desc(), Report.id)
        .limit(200)
    )
    rows = await context.session.execute(found)
    return [MyReport(id=row.id, opened_at=row.opened_at, state=row.state) for row in rows]
