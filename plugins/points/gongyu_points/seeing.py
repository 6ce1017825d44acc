"""Whose points one may see: one's own, one's children's, one's pupils' (of whom a plugin may say so, too: mentees), and
by office those of one's school. And whose quotas, budgets and shops: one's own, and by office those of one's school.
"""

from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.relations import guardian_of, holds, homeroom_teacher_of, oneself, students_in
from gongyu.access.rights import verdict
from gongyu.people.models import ClassGroup, Enrolment, Membership
from gongyu.web import Call, ProblemError
from gongyu_points.books import read

__all__ = ["OVERSEE", "pupils_of_school", "require_account", "require_class", "require_student"]

OVERSEE: Final = "points.statement.oversee"
_GIVE: Final = "points.award.give"

# A quota is its giver's, and of the schools where they could give while the term was open.
_ACCOUNT: Final = """
SELECT a.id, CASE a.kind WHEN 'quota' THEN a.owner_id ELSE b.holder_id END AS whose,
       CASE a.kind WHEN 'budget' THEN ARRAY[b.org_id] WHEN 'shop' THEN ARRAY[coalesce(s.org_id, a.owner_id)] ELSE
         ARRAY(SELECT m.org_id FROM {s}.membership AS m
                WHERE m.person_id = a.owner_id AND m.role = ANY ($3::text[])
                  AND m.begins_on <= coalesce(t.closed_at, now())::date
                  AND (m.ends_on IS NULL OR m.ends_on >= t.opened_at::date)) END AS orgs
  FROM {s}.points_account AS a
  LEFT JOIN {s}.points_term AS t ON t.id = a.term_id
  LEFT JOIN {s}.points_budget AS b ON b.id = a.owner_id AND a.kind = 'budget'
  LEFT JOIN {s}.points_shop AS s ON s.id = a.owner_id AND a.kind = 'shop'
 WHERE a.owner_id = $1::uuid AND a.kind IN ('quota', 'budget', 'shop') AND ($2::uuid IS NULL OR a.term_id = $2::uuid)
 ORDER BY t.opened_at DESC LIMIT 1"""


async def require_student(call: Call, student: UUID, *, today: date) -> None:
    """Whoever is not the caller's to see looks like whoever is not there."""
    by_office = verdict(call.principal, call.platform.host.permissions[OVERSEE])
    relations = [relation(call.principal, today=today) for relation in (oneself, guardian_of, homeroom_teacher_of)]
    relations += [one.students(call.principal.person, call.now) for one in call.platform.relations(call.state)]
    relations.append(students_in(by_office, today=today))
    seen = sa.select(sa.or_(*(sa.literal(student, sa.Uuid()).in_(students) for students in relations)))
    if not (await (await call.db()).execute(seen)).scalar():
        raise ProblemError("not-found")


async def require_account(call: Call, owner: UUID, *, term: UUID | None) -> tuple[UUID, bool]:
    """The account of a giver's quota, a budget or a shop, and whether it is the caller's own.

    Args:
        call: Who asks.
        owner: The giver, the budget, the shop; or the school, for what its till takes without one.
        term: Of a quota, which term's; None for the latest.
    """
    roles = list(call.platform.host.permissions[_GIVE].roles)
    rows = await read(await call.db(), call.district, _ACCOUNT, owner, term, roles)
    if rows:
        account, whose, orgs = rows[0]
        by_office = verdict(call.principal, call.platform.host.permissions[OVERSEE])
        covered = by_office.allowed and (by_office.orgs is None or not by_office.orgs.isdisjoint(orgs))
        if covered or whose == call.principal.person:
            return account, whose == call.principal.person
    raise ProblemError("not-found")


async def pupils_of_school(call: Call, school: UUID, *, today: date) -> list[UUID]:
    """The pupils of a school for whoever serves there; any other looks like one without pupils, and like none."""
    pupils = sa.select(Membership.person_id).where(
        Membership.org_id == school, Membership.role == "student", holds(Membership, today)
    )
    found = set((await (await call.db()).execute(pupils)).scalars())
    if not found or call.verdict is None or not call.verdict.covers(school):
        raise ProblemError("not-found")
    return list(found)


async def require_class(call: Call, class_id: UUID, *, today: date) -> None:
    """Its teachers, and by office those of its school."""
    by_office = verdict(call.principal, call.platform.host.permissions[OVERSEE])
    teaches = sa.exists().where(
        Enrolment.class_id == class_id,
        Enrolment.person_id == call.principal.person,
        Enrolment.role == "teacher",
        holds(Enrolment, today),
    )
    found = (
        await (await call.db()).execute(sa.select(ClassGroup.school_id, teaches).where(ClassGroup.id == class_id))
    ).first()
    if found is None or not (found[1] or by_office.covers(found[0])):
        raise ProblemError("not-found")
