"""Breaking the glass: a record opened in an emergency by somebody who has no case.

Two persons (who asks, and another who approves), a reason in words, a day at most, a line of its own in the audit log,
and the case's owner and the pupil are told.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.principal import Principal
from gongyu.database.model import new_id
from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_mentor.people import NOT_ONESELF, require_staff, school_of, schools_as
from gongyu_mentor.wellbeing.grounds import lead_schools, opened, owns
from gongyu_mentor.wellbeing.models import BreakGlass, Case, Lead
from gongyu_mentor.wellbeing.schemas import BreakGlassIn, BreakGlassOut

__all__ = ["approve", "ask", "name_leads", "of_owned_cases", "waiting"]

_LASTS: Final = timedelta(hours=24)


async def ask(context: Context, principal: Principal, *, asked: BreakGlassIn) -> BreakGlassOut:
    """Ask to open a pupil's record; for a school's principal or its lead for mental health."""
    school = await school_of(context, asked.student)
    if school is None or school not in await _schools(context, principal):
        raise ProblemError("not-found")
    id_ = new_id()
    row = sa.insert(BreakGlass).values(
        id=id_,
        student_id=asked.student,
        school_id=school,
        asked_by=principal.person,
        reason=context.seals.seal(asked.reason, BreakGlass.reason, id_),
        asked_at=context.now,
    )
    await context.session.execute(row)
    return BreakGlassOut(id=id_, student=asked.student, asked_by=principal.person, approved_by=None, ends_at=None)


async def waiting(context: Context, principal: Principal) -> list[BreakGlassOut]:
    """What was asked for within the day, one's own and what one may approve."""
    schools = await _schools(context, principal)
    found = (
        sa.select(BreakGlass)
        .where(BreakGlass.school_id.in_(schools), BreakGlass.asked_at > context.now - _LASTS)
        .order_by(BreakGlass.id)
    )
    return [_out(row) for row in (await context.session.execute(found)).scalars()]


async def of_owned_cases(context: Context, principal: Principal) -> list[BreakGlassOut]:
    """The openings of the last day that a case's owner is to be told of."""
    found = (
        sa.select(BreakGlass)
        .join(Case, Case.student_id == BreakGlass.student_id)
        .where(owns(principal), BreakGlass.ends_at > context.now)
        .order_by(BreakGlass.id)
    )
    return [_out(row) for row in (await context.session.execute(found)).scalars()]


def _out(row: BreakGlass) -> BreakGlassOut:
    return BreakGlassOut(
        id=row.id, student=row.student_id, asked_by=row.asked_by, approved_by=row.approved_by, ends_at=row.ends_at
    )


async def approve(context: Context, principal: Principal, glass: UUID) -> BreakGlassOut:
    """Approve what another asked for, within a day of the asking; it ends after a day by itself."""
    schools = await _schools(context, principal)
    values = {"approved_by": principal.person, "approved_at": context.now, "ends_at": context.now + _LASTS}
    done = (
        sa.update(BreakGlass)
        .where(
            BreakGlass.id == glass,
            BreakGlass.school_id.in_(schools),
            BreakGlass.asked_by != principal.person,
            BreakGlass.approved_by.is_(None),
            BreakGlass.asked_at > context.now - _LASTS,
        )
        .values(**values)
        .returning(BreakGlass.student_id, BreakGlass.asked_by, BreakGlass.ends_at)
    )
    row = (await context.session.execute(done)).first()
    if row is None:
        raise ProblemError("not-found")
    await opened(context, by=row.asked_by, students=[row.student_id], ground="break_glass", what="approved")
    return BreakGlassOut(
        id=glass, student=row.student_id, asked_by=row.asked_by, approved_by=principal.person, ends_at=row.ends_at
    )


async def _schools(context: Context, principal: Principal) -> frozenset[UUID]:
    leads = (await context.session.execute(lead_schools(principal))).scalars()
    return schools_as(principal, "principal") | frozenset(leads)


async def name_leads(context: Context, principal: Principal, *, school: UUID, people: list[UUID]) -> None:
    """Name the school's one or two leads for mental health; whoever was and is not named is one no more.

    Nobody names themselves: what the lead may read is nobody's by rank (promise 4).
    """
    if school not in schools_as(principal, "principal"):
        raise ProblemError("not-found")
    if principal.person in people:
        raise ProblemError("forbidden", NOT_ONESELF)
    await require_staff(context, school=school, whom=people, pointer="/people/{at}")
    await context.session.execute(sa.delete(Lead).where(Lead.school_id == school))
    rows = [
        {"school_id": school, "person_id": one, "named_by": principal.person, "since": context.now}
        for one in dict.fromkeys(people)
    ]
    if rows:
        await context.session.execute(sa.insert(Lead), rows)
