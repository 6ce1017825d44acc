"""On which ground somebody may open a pupil's record: always a relation or a task that holds now, never a rank.

The matrix is that of the house's rules for mental-health records (精神卫生法 4, 16, 23; 个人信息保护法 28): the mentor
of today, the counsellor who has the case, or two persons who broke the glass together.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.principal import Principal
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.models import Assignment
from gongyu_mentor.people import STAFF, schools_as
from gongyu_mentor.wellbeing.models import BreakGlass, Case, Lead, Opening

__all__ = [
    "GROUNDS",
    "Ground",
    "Opened",
    "ground_of",
    "lead_schools",
    "opened",
    "owns",
]

Ground = Literal["mentor", "case", "counselor", "break_glass", "lead"]

GROUNDS: Final[dict[Ground, Text]] = {
    "mentor": Text(zh="现任导师", en="mentor of today"),
    "case": Text(zh="受理个案的心理教师", en="counsellor who has the case"),
    "counselor": Text(zh="本校心理教师", en="counsellor of the school"),
    "break_glass": Text(zh="两人批准的紧急查阅", en="opened in an emergency, by two persons"),
    "lead": Text(zh="学校心理健康负责人", en="the school's lead for mental health"),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """By which right, and since when for a mentor: what was confided to the one before is not theirs."""

    ground: Ground
    since: datetime | None = None


def owns(principal: Principal) -> sa.ColumnElement[bool]:
    """Of a case: taken by them, at a school whose counsellor they still are, and not closed."""
    schools = schools_as(principal, "counselor")
    return sa.and_(Case.taken_by == principal.person, Case.school_id.in_(schools), Case.closed_at.is_(None))


async def ground_of(context: Context, principal: Principal, student: UUID) -> Opened:
    """By which right somebody may read a pupil's curve now.

    Raises:
        ProblemError: `not-found`: by none, or there is no such pupil; nobody learns which.
    """
    mentor = sa.select(Assignment.begins_at).where(
        Assignment.student_id == student, Assignment.mentor_id == principal.person, Assignment.ends_at.is_(None)
    )
    glass = sa.select(BreakGlass.id).where(
        BreakGlass.student_id == student, BreakGlass.asked_by == principal.person, BreakGlass.ends_at > context.now
    )
    case = sa.select(Case.id).where(Case.student_id == student, owns(principal))
    found = sa.select(
        mentor.limit(1).scalar_subquery().label("mentor"),
        sa.exists(case).label("case"),
        sa.exists(glass).label("glass"),
    )
    row = (await context.session.execute(found)).one()
    staff = bool(schools_as(principal, *STAFF))
    if row.case:
        return Opened("case")
    if row.mentor is not None and staff:
        return Opened("mentor", since=row.mentor)
    if row.glass and staff:
        return Opened("break_glass")
    raise ProblemError("not-found")


async def opened(context: Context, *, by: UUID, students: list[UUID], ground: Ground, what: str) -> None:
    """Write it down where the pupil can see it; the audit line is the call's."""
    rows = [{"student_id": one, "by": by, "ground": ground, "what": what, "at": context.now} for one in students]
    if rows:
        await context.session.execute(sa.insert(Opening), rows)


def lead_schools(principal: Principal) -> sa.Select[UUID]:
    """The schools somebody leads mental health at, as long as they work there."""
    return sa.select(Lead.school_id).where(
        Lead.person_id == principal.person, Lead.school_id.in_(schools_as(principal, *STAFF))
    )
