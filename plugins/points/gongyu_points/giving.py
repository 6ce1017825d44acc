"""Giving: one student, several or a whole class, all of them or none."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.principal import Principal
from gongyu.access.relations import holds, homeroom_teacher_of
from gongyu.database.reading import within_orgs
from gongyu.people.models import Enrolment, Membership
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, account_id, ensure_accounts, entry_id, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.events import PointsAwarded
from gongyu_points.models import DENOMINATIONS
from gongyu_points.notes import sealed
from gongyu_points.schemas import AwardOut, BalanceOut, NewAward
from gongyu_points.schools import day_cap
from gongyu_points.settings import PointsSettings, capped
from gongyu_points.terms import ensure_quota

__all__ = ["MENTEES", "award", "award_for_plugin", "eligible", "in_class"]

#: The capability that says whom somebody mentors.
MENTEES: Final = "mentor.students_of"

# Built once: building it for each award took longer than the award.
_GIVER: Any = sa.bindparam("giver", type_=sa.Uuid())
_TODAY: Any = sa.bindparam("today", type_=sa.Date())
_HOMEROOM: Final = homeroom_teacher_of(Principal(_GIVER, "", (), None, ""), today=_TODAY).where(
    Enrolment.person_id == sa.any_(sa.bindparam("students", type_=ARRAY(sa.Uuid())))
)


async def award(
    context: Context,
    *,
    new: NewAward,
    giver: Principal,
    orgs: frozenset[UUID] | None,
    settings: PointsSettings | None = None,
) -> AwardOut:
    """Give points from the giver's quota, or from a budget they hold.

    Args:
        context: Its session holds no other command of the books.
        new: To whom, how many, what for.
        giver: Who gives.
        orgs: Where the giver's permission holds; None: everywhere.
        settings: With the denominations of the giver's schools; else the district's.

    Raises:
        ProblemError: `invalid` with every wrong field; `forbidden` when a student is not the giver's to reward;
            `conflict` when the quota or a student's day is used up.
    """
    session, settings = context.session, settings or context.settings
    today, mark = today_of(context), fingerprint(giver.person, new)
    students = await _students(session, new, today)
    facts = await _facts(session, new.reason, new.id, students, giver.person)
    if facts.known:  # also when the term is over by now: whoever asks again learns what happened
        return await _given(session, new.id, giver.person, mark)
    term, reason = facts.term, facts.reason
    wrong: list[tuple[str, Text]] = []
    if new.points not in settings.denominations:
        allowed = ", ".join(map(str, settings.denominations))
        wrong.append(("/points", Text(zh="面值应为 {n}", en="it must be one of {n}").format(n=allowed)))
    if reason is None:
        wrong.append(("/reason", Text(zh="没有这个事由，或已停用", en="there is no such reason, or it is retired")))
    if not students:
        wrong.append(("/students", Text(zh="至少一名学生，或一个班级", en="name a student, or a class")))
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    if term is None:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
    ground = await _ground(context, new=new, giver=giver, orgs=orgs, students=students, settings=settings, today=today)
    kind, owner = ("quota", giver.person) if new.budget is None else ("budget", new.budget)
    schools = capped(context.settings, context.schools)
    command = Command(
        operation=new.id,
        fingerprint=mark,
        kind="award",
        debit_kind=kind,
        credit_kind="purse",
        term=term,
        day=today,
        giver=giver.person,
        reason=reason,
        ground=ground,
        note=sealed(context.seals, new.id, new.note),
        day_cap=await day_cap(session, settings=settings, schools=schools, students=students, today=today),
    )
    if kind == "quota" and not facts.has_quota:  # they came after the term had opened
        await ensure_quota(context, term=term, giver=giver.person)
    source = account_id(kind, owner=owner, term=term)
    return await _give(session, command, source=source, without=facts.missing, students=students, points=new.points)


async def award_for_plugin(
    context: Context, *, key: UUID, budget: UUID, students: Sequence[UUID], points: int, reason: str, ground: str
) -> AwardOut:
    """The capability `points.award`: another plugin's rule rewards students out of a budget made for it.

    Args:
        context: The caller's; what it does and the award commit together.
        key: The same for the same deed, so that a rule that runs twice rewards once.
        budget: A budget of the open term.
        students: Whom.
        points: 2, 5, 10 or 20.
        reason: A reason's code.
        ground: The rule, in a word or two.

    Raises:
        ProblemError: As when people give.
    """
    session, settings, wrong = context.session, context.settings, list[tuple[str, Text]]()
    if points not in DENOMINATIONS:
        wrong.append(("/points", Text(zh="面值应为 2、5、10、20", en="it must be 2, 5, 10 or 20")))
    found = sorted(set(students))
    mark = fingerprint(None, [budget, found, points, reason])
    facts = await _facts(session, reason, key, found, None)
    if facts.known:
        return await _given(session, key, None, mark)
    term, reason_id = facts.term, facts.reason
    if reason_id is None:
        wrong.append(("/reason", Text(zh="没有这个事由，或已停用", en="there is no such reason, or it is retired")))
    today = today_of(context)
    if not found or await eligible(session, found, orgs=None, today=today) != len(found):
        wrong.append(("/students", Text(zh="应为在校学生", en="they must be students of the district")))
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    if term is None:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
    schools = capped(settings, context.schools)
    command = Command(
        operation=key,
        fingerprint=mark,
        kind="award",
        debit_kind="budget",
        credit_kind="purse",
        term=term,
        day=today,
        reason=reason_id,
        ground=ground,
        day_cap=await day_cap(session, settings=settings, schools=schools, students=found, today=today),
    )
    source = account_id("budget", owner=budget, term=term)
    return await _give(session, command, source=source, without=facts.missing, students=found, points=points)


async def _give(
    session: AsyncSession,
    command: Command,
    *,
    source: UUID,
    without: Sequence[UUID],
    students: Sequence[UUID],
    points: int,
) -> AwardOut:
    """From a quota or budget to each student's purse; `without` have none yet."""
    purses = {student: account_id("purse", owner=student) for student in students}
    if without:
        await ensure_accounts(session, "purse", without, None)
    entries = {student: entry_id(command.operation, n, student) for n, student in enumerate(students)}
    lines = [
        Line(
            id=entry,
            debit=source,
            credit=purses[student],
            points=points,
            subject=student,
            event=PointsAwarded(entry=entry, operation=command.operation, student=student),
        )
        for student, entry in entries.items()
    ]
    await post(session, command, lines)
    return await _given(session, command.operation, command.giver, command.fingerprint)


_GIVEN: Final = """
SELECT e.id, e.points, p.owner_id AS student, p.posted AS balance, q.posted AS left_over, e.giver, e.fingerprint
  FROM {s}.points_entry AS e
  JOIN {s}.points_account AS p ON p.id = e.credit
  JOIN {s}.points_account AS q ON q.id = e.debit
 WHERE e.id = $1 OR (e.operation = $1 AND e.id <> e.operation) ORDER BY e.seq"""


async def _given(session: AsyncSession, operation: UUID, giver: UUID | None, mark: bytes) -> AwardOut:
    """The answer, made of the entries, so that the hundredth asking gets it too.

    Raises:
        ProblemError: `not-found` when somebody else used the key, `idempotency-mismatch` for another request.
    """
    rows = await run(session, _GIVEN, operation)
    if not rows or rows[0].giver != giver:
        raise ProblemError("not-found")
    if rows[0].fingerprint != mark:
        raise ProblemError("idempotency-mismatch")
    return AwardOut(
        operation=operation,
        points=rows[0].points,
        students=[BalanceOut(row.student, row.id, row.balance) for row in rows],
        left=rows[0].left_over,
    )


_FACTS: Final = """
SELECT term.id AS term,
       (SELECT id FROM {s}.points_reason WHERE code = $1::text AND active) AS reason,
       EXISTS (SELECT 1 FROM {s}.points_entry WHERE id = $2::uuid) AS known,
       ARRAY (SELECT s FROM unnest($3::uuid[]) AS s WHERE NOT EXISTS
                (SELECT 1 FROM {s}.points_account AS a WHERE a.owner_id = s AND a.kind = 'purse')) AS missing,
       EXISTS (SELECT 1 FROM {s}.points_account AS a
                WHERE a.owner_id = $4::uuid AND a.kind = 'quota' AND a.term_id = term.id) AS has_quota
  FROM (SELECT 1) AS always LEFT JOIN {s}.points_term AS term ON term.state = 'open'"""


class _Facts(NamedTuple):
    """The open term, the reason, whether the command was carried out before, who has no purse, whether a quota is."""

    term: UUID | None
    reason: UUID | None
    known: bool
    missing: Sequence[UUID]
    has_quota: bool


async def _facts(
    session: AsyncSession, reason: str, operation: UUID, students: Sequence[UUID], giver: UUID | None
) -> _Facts:
    return _Facts(*(await run(session, _FACTS, reason, operation, list(students), giver))[0])


async def _students(session: AsyncSession, new: NewAward, today: date) -> list[UUID]:
    """In one order for everybody, so that two class awards never wait for each other."""
    if new.class_id is None:
        return sorted(set(new.students))
    if new.students:
        text = Text(zh="学生和班级只能选一种", en="name students or a class, not both")
        raise ProblemError("invalid", errors=[("/class_id", text)])
    return sorted(set((await session.scalars(in_class(new.class_id, today=today))).all()))


def in_class(class_id: UUID, *, today: date) -> sa.Select[UUID]:
    """The pupils of a class."""
    return sa.select(Enrolment.person_id).where(
        Enrolment.class_id == class_id, Enrolment.role == "student", holds(Enrolment, today)
    )


async def _ground(
    context: Context,
    *,
    new: NewAward,
    giver: Principal,
    orgs: frozenset[UUID] | None,
    students: Sequence[UUID],
    settings: PointsSettings,
    today: date,
) -> str:
    """Why the giver may reward these students; whoever is not theirs looks like whoever is not there."""
    session = context.session
    own: set[UUID] | None = None
    if new.budget is not None:
        held = await run(
            session, "SELECT 1 FROM {s}.points_budget WHERE id = $1 AND holder_id = $2", new.budget, giver.person
        )
        if not held:
            raise ProblemError("forbidden", Text(zh="不是您掌握的预算", en="this budget is not in your hands"))
        ground = "budget"
    elif settings.give_to == "school":
        ground = "school"
    elif mentees := context.capabilities.get(MENTEES):
        ground, own = "mentor", set(await mentees(context, person=giver.person))
    else:
        ground = "homeroom"
        values = {"giver": giver.person, "today": today, "students": list(students)}
        own = set((await session.scalars(_HOMEROOM, values)).all())
    if own is not None and not own.issuperset(students):
        raise ProblemError("forbidden", Text(zh="有学生不在您名下", en="not all of these students are yours"))
    if own is None and await eligible(session, students, orgs=orgs, today=today) != len(students):
        raise ProblemError(
            "forbidden", Text(zh="有学生不在您的学校", en="not all of these students are at your school")
        )
    return ground


async def eligible(
    session: AsyncSession, students: Sequence[UUID], *, orgs: frozenset[UUID] | None, today: date
) -> int:
    """How many of them are students of these orgs today."""
    found = sa.select(sa.func.count(sa.distinct(Membership.person_id))).where(
        Membership.person_id.in_(students),
        Membership.role == "student",
        holds(Membership, today),
        within_orgs(Membership.org_id),
    )
    return (await session.execute(found, {"orgs": None if orgs is None else list(orgs)})).scalar_one()
