"""Awards as one statement: whose pupils they are is asked for all at once, then `points_give` writes those it may.

The statement is its own transaction: one round trip and one commit for as many awards as are there. It decides nothing
that the careful way (`giving.award`) would decide otherwise: whatever is refused or unusual has no answer here.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple, cast
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.principal import Principal
from gongyu.access.relations import holds, homeroom_teacher_of
from gongyu.database.model import new_id
from gongyu.database.reading import Prepared
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Enrolment, Membership
from gongyu.platform import Platform
from gongyu_points.books import entry_id
from gongyu_points.events import PointsAwarded
from gongyu_points.giving import MENTEES
from gongyu_points.schemas import AwardOut, BalanceOut

__all__ = ["Asked", "Ground", "write"]

#: What a statement may take; one that hangs must not keep all the others waiting behind it.
SECONDS: Final = 10
Ground = Literal["budget", "school", "mentor", "homeroom"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An award as it is asked for; `ground` is what will make the students the giver's to reward, if they are."""

    key: UUID
    fingerprint: bytes
    state: DistrictState
    today: date
    giver: UUID
    orgs: frozenset[UUID] | None
    ground: Ground
    budget: UUID | None
    students: Sequence[UUID]
    points: int
    reason: str
    note: bytes | None
    day_cap: int

    @property
    def source(self) -> UUID:
        """Whose account it comes out of: a budget, or the giver's quota."""
        return self.budget or self.giver


class _Line(NamedTuple):
    """An award to one of its students."""

    award: Asked
    student: UUID
    entry: UUID

    def values(self) -> tuple[object, ...]:
        """As `points_give` takes them, behind the day and the event's type."""
        one = self.award
        return (
            one.key,
            one.giver,
            "quota" if one.budget is None else "budget",
            one.source,
            one.reason,
            one.points,
            one.day_cap,
            one.ground,
            one.note if self.entry == one.key else None,
            one.fingerprint,
            self.entry,
            self.student,
            new_id(),
            msgspec.json.encode(PointsAwarded(entry=self.entry, operation=one.key, student=self.student)).decode(),
        )


_TODAY: Any = sa.bindparam("today", type_=sa.Date())


def _ids(name: str) -> sa.ScalarSelect[Any]:
    """An array whose length the planner does not see: it would find a plan for each length better than a kept one, and
    planning took a third of the database's time.
    """
    return sa.select(sa.bindparam(name, type_=ARRAY(sa.Uuid()))).scalar_subquery()


_PAIRS: Final = (
    sa.func.unnest(_ids("givers"), _ids("students"))
    .table_valued(sa.column("giver", sa.Uuid()), sa.column("student", sa.Uuid()))
    .render_derived("asked")
)
_GIVER: Any = _PAIRS.c.giver
_HOMEROOM: Final = Prepared(
    sa.select(_PAIRS.c.giver, _PAIRS.c.student).where(
        homeroom_teacher_of(Principal(_GIVER, "", (), None, ""), today=_TODAY)
        .where(Enrolment.person_id == _PAIRS.c.student)
        .correlate(_PAIRS)
        .exists()
    )
)
_SCHOOLS: Final = Prepared(
    sa.select(Membership.person_id, Membership.org_id).where(
        Membership.person_id == sa.any_(sa.bindparam("students", type_=ARRAY(sa.Uuid()))),
        Membership.role == "student",
        holds(Membership, _TODAY),
    )
)

_GIVE: Final = """
SELECT lines, purses, sources FROM {s}.points_give(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"""


async def write(platform: Platform, connection: AsyncConnection, asked: Sequence[Asked]) -> dict[UUID, AwardOut]:
    """Carry out those that can be carried out just so, in one commit.

    Args:
        platform: Whose plugins say who mentors whom.
        connection: For reading in their district, without a transaction.
        asked: All of one district and one day, each key once.

    Returns:
        The answers by key; an award without one was not carried out here, which says nothing about why.

    Raises:
        asyncpg.PostgresError: The database refuses them as a whole, and nothing of them is written.
    """
    own = await _own(platform, connection, asked)
    # By key, so that two processes which get the same two awards at once do not wait for each other in a ring.
    own.sort(key=lambda one: one.key)
    return await _give(connection, own) if own else {}


async def _own(platform: Platform, connection: AsyncConnection, asked: Sequence[Asked]) -> list[Asked]:
    """Those whose students are all the giver's to reward, each by its ground."""
    by_ground: dict[Ground, list[Asked]] = defaultdict(list)
    for one in asked:
        by_ground[one.ground].append(one)
    schema, today = asked[0].state.district.schema, asked[0].today
    own: list[Asked] = []
    if homeroom := by_ground["homeroom"]:
        pairs = [(one.giver, student) for one in homeroom for student in one.students]
        values = {"givers": [giver for giver, _ in pairs], "students": [pupil for _, pupil in pairs], "today": today}
        theirs = {tuple(row) for row in await _HOMEROOM.fetch(connection, schema, values)}
        own += [one for one in homeroom if all((one.giver, student) in theirs for student in one.students)]
    if at_school := by_ground["school"] + by_ground["budget"]:
        students = {student for one in at_school for student in one.students}
        orgs: dict[UUID, set[UUID]] = defaultdict(set)
        for student, org in await _SCHOOLS.fetch(connection, schema, {"students": list(students), "today": today}):
            orgs[student].add(org)
        own += [one for one in at_school if all(_within(orgs.get(student), one.orgs) for student in one.students)]
    if of_mentors := by_ground["mentor"]:
        mentees = await _mentees(platform, connection, of_mentors)
        own += [one for one in of_mentors if mentees[one.giver].issuperset(one.students)]
    return own


async def _mentees(platform: Platform, connection: AsyncConnection, asked: Sequence[Asked]) -> dict[UUID, set[UUID]]:
    """Whom each of these givers mentors, as the plugin that knows says: once for each giver."""
    found: dict[UUID, set[UUID]] = {}
    async with AsyncSession(connection, info={"district": asked[0].state.district}) as session:
        for one in asked:
            if one.giver not in found:
                context = platform.context("points", one.state, session)
                found[one.giver] = set(await context.capabilities[MENTEES](context, person=one.giver))
    return found


def _within(found: set[UUID] | None, orgs: frozenset[UUID] | None) -> bool:
    return bool(found) and (orgs is None or not orgs.isdisjoint(found or ()))


async def _give(connection: AsyncConnection, asked: Sequence[Asked]) -> dict[UUID, AwardOut]:
    lines = [
        _Line(one, student, entry_id(one.key, n, student)) for one in asked for n, student in enumerate(one.students)
    ]
    raw = await connection.get_raw_connection()
    driver: asyncpg.Connection[asyncpg.Record] = cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)
    try:
        row = await driver.fetchrow(
            _GIVE.replace("{s}", f'"{asked[0].state.district.schema}"'),
            asked[0].today,
            PointsAwarded.type,
            *zip(*(line.values() for line in lines), strict=True),
            timeout=SECONDS,
        )
    finally:
        if driver.is_closed():  # the pool learns of it only from its own statements
            await connection.invalidate()
    if row is None or row["lines"] is None:
        return {}
    return _answers([lines[n - 1] for n in row["lines"]], row["purses"], row["sources"])


def _answers(lines: Sequence[_Line], purses: Sequence[int], sources: Sequence[int]) -> dict[UUID, AwardOut]:
    """What each was after its own entry: the balances are those after all of them, so later ones are taken off."""
    later: dict[tuple[str, UUID], int] = defaultdict(int)
    answers: dict[UUID, AwardOut] = {}
    for line, purse, source in reversed(list(zip(lines, purses, sources, strict=True))):
        one, student = line.award, line.student
        to, out_of = ("to", student), ("from", one.source)
        answer = answers.get(one.key)
        if answer is None:
            answer = answers[one.key] = AwardOut(one.key, one.points, [], source + later[out_of])
        answer.students.insert(0, BalanceOut(student, line.entry, purse - later[to]))
        later[to] += one.points
        later[out_of] += one.points
    return answers
