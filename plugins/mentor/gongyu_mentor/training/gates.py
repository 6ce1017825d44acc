"""What a school asks of a mentor first: a training session, a clear check not too old (未成年人保护法 62, 130)."""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.districts.schools import settings_at
from gongyu.people.models import Person
from gongyu.people.rights.periods import birthday, today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.training.models import Attendance, Check, Training

__all__ = ["newest_checks", "require_checked", "require_ready", "unchecked", "valid_until"]

UNTRAINED = Text(
    zh="请先参加学校的导师培训，再开始谈心谈话；参加后由学校登记",
    en="Attend one of the school's sessions for mentors before the first talk; the school records who was there",
)
UNCHECKED = Text(
    zh="学校要求导师有有效的违法犯罪记录查询结果；请联系学校登记",
    en="The school asks for a criminal-record check that is still valid; have the school record it",
)


async def require_ready(context: Context, *, mentor: UUID, schools: Collection[UUID]) -> None:
    """Refuse a mentor's talk as long as something the school asks for is missing.

    Raises:
        ProblemError: `forbidden`, with what to do.
    """
    for school in sorted(schools):
        rules = await settings_at(context, [school]) or MentorSettings()
        if rules.training_before_talk and not await _attended(context, mentor, school):
            raise ProblemError("forbidden", UNTRAINED)
        if rules.check_required and await unchecked(context, people=[mentor], rules=rules):
            raise ProblemError("forbidden", UNCHECKED)


async def require_checked(context: Context, *, school: UUID, mentors: Collection[UUID]) -> None:
    """Refuse an assignment while a mentor has no valid check, where the school asks for one (P-14: before assignment).

    Raises:
        ProblemError: `conflict`, naming each of them.
    """
    rules = await settings_at(context, [school]) or MentorSettings()
    if not rules.check_required or not (missing := await unchecked(context, people=mentors, rules=rules)):
        return
    named = sa.select(Person.id, Person.name).where(Person.id.in_(missing)).order_by(Person.name, Person.id)
    says = Text(zh="{name}：没有有效的查询结果", en="{name}: no valid check")
    errors = [(f"/mentors/{row.id}", says.format(name=row.name)) for row in await context.session.execute(named)]
    raise ProblemError("conflict", UNCHECKED, errors=errors)


async def unchecked(context: Context, *, people: Collection[UUID], rules: MentorSettings) -> list[UUID]:
    """Those whose newest check is missing, not clear, or too old."""
    today = today_in(context.district, context.now)
    checks = newest_checks().subquery()
    found = sa.select(checks.c.person_id, checks.c.checked_on, checks.c.result).where(checks.c.person_id.in_(people))
    valid = {
        row.person_id
        for row in await context.session.execute(found)
        if row.result == "clear" and valid_until(row.checked_on, rules) >= today
    }
    return [one for one in people if one not in valid]


def valid_until(checked_on: date, rules: MentorSettings) -> date:
    """The last day on which a check counts."""
    return birthday(checked_on, rules.check_valid_years)


def newest_checks() -> sa.Select[Any]:
    """The newest check of each person, whichever school recorded it; of one day the one recorded last."""
    newest = sa.func.row_number().over(
        partition_by=Check.person_id, order_by=[Check.checked_on.desc(), Check.recorded_at.desc(), Check.id.desc()]
    )
    columns = [Check.person_id, Check.checked_on, Check.result, Check.issuer]
    ranked = sa.select(*columns, newest.label("place")).subquery()
    return sa.select(ranked).where(ranked.c.place == 1)


async def _attended(context: Context, mentor: UUID, school: UUID) -> bool:
    been = (
        sa.select(Attendance.mentor_id)
        .join(Training, Training.id == Attendance.training_id)
        .where(Attendance.mentor_id == mentor, Training.school_id == school)
    )
    return (await context.session.execute(been.limit(1))).first() is not None
