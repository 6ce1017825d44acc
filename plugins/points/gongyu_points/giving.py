"""Giving: one student, several or a whole class, all of them or none."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.principal import Principal
from gongyu.access.relations import holds, homeroom_teacher_of
from gongyu.database.reading import within_orgs
from gongyu.people.models import Enrolment, Membership
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, account_id, balances, ensure_accounts, entry_id, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.events import PointsAwarded
from gongyu_points.models import DENOMINATIONS
from gongyu_points.schemas import AwardOut, BalanceOut, NewAward
from gongyu_points.settings import PointsSettings
from gongyu_points.terms import ensure_quota

__all__ = ["award", "award_for_plugin", "eligible"]

MENTEES: Final = "mentor.students_of"


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
        settings: The school's own, where it has some; else the district's.

    Raises:
        ProblemError: `invalid` with every wrong field; `forbidden` when a student is not the giver's to reward;
            `conflict` when the quota or a student's day is used up.
    """
    session, settings = context.session, settings or context.settings
    today, mark = today_of(context), fingerprint(giver.person, new)
    term, reason, known = await _facts(session, new.reason, new.id)
    if known:  # also when the term is over by now: whoever asks again learns what happened
        return await _given(session, new.id, giver.person, mark)
    students = await _students(session, new, today)
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
        note=new.note,
        day_cap=settings.day_cap,
    )
    if kind == "quota":
        await ensure_quota(session, term=term, giver=giver.person, points=settings.quota, today=today)
    return await _give(session, command, account_id(kind, owner=owner, term=term), students, new.points)


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
    wrong: list[tuple[str, Text]] = []
    if points not in DENOMINATIONS:
        wrong.append(("/points", Text(zh="面值应为 2、5、10、20", en="it must be 2, 5, 10 or 20")))
    found = sorted(set(students))
    mark = fingerprint(None, [budget, found, points, reason])
    term, reason_id, known = await _facts(context.session, reason, key)
    if known:
        return await _given(context.session, key, None, mark)
    if reason_id is None:
        wrong.append(("/reason", Text(zh="没有这个事由，或已停用", en="there is no such reason, or it is retired")))
    today = today_of(context)
    if not found or await eligible(context.session, found, orgs=None, today=today) != len(found):
        wrong.append(("/students", Text(zh="应为在校学生", en="they must be students of the district")))
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    if term is None:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
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
        day_cap=context.settings.day_cap,
    )
    return await _give(context.session, command, account_id("budget", owner=budget, term=term), found, points)


async def _give(
    session: AsyncSession, command: Command, source: UUID, students: Sequence[UUID], points: int
) -> AwardOut:
    purses = {student: account_id("purse", owner=student) for student in students}
    known = await balances(session, list(purses.values()))
    if missing := [student for student, purse in purses.items() if purse not in known]:
        await ensure_accounts(session, "purse", missing, None)
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
SELECT (SELECT id FROM {s}.points_term WHERE state = 'open') AS term,
       (SELECT id FROM {s}.points_reason WHERE code = $1::text AND active) AS reason,
       EXISTS (SELECT 1 FROM {s}.points_entry WHERE id = $2::uuid) AS known"""


async def _facts(session: AsyncSession, reason: str, operation: UUID) -> tuple[UUID | None, UUID | None, bool]:
    """The open term, the reason's id, and whether the command was carried out before."""
    row = (await run(session, _FACTS, reason, operation))[0]
    return row.term, row.reason, row.known


async def _students(session: AsyncSession, new: NewAward, today: date) -> list[UUID]:
    """In one order for everybody, so that two class awards never wait for each other."""
    if new.class_id is None:
        return sorted(set(new.students))
    if new.students:
        text = Text(zh="学生和班级只能选一种", en="name students or a class, not both")
        raise ProblemError("invalid", errors=[("/class_id", text)])
    members = sa.select(Enrolment.person_id).where(
        Enrolment.class_id == new.class_id, Enrolment.role == "student", holds(Enrolment, today)
    )
    return sorted(set((await session.scalars(members)).all()))


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
        theirs = homeroom_teacher_of(giver, today=today).where(Enrolment.person_id.in_(students))
        own = set((await session.scalars(theirs)).all())
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
