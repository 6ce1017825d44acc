"""Who is whom at a school today, as selects to be put into other queries."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.principal import Membership as Held
from gongyu.access.principal import Principal
from gongyu.access.relations import guardian_of, holds
from gongyu.database.reading import within_orgs
from gongyu.people.models import ClassGroup, Enrolment, Membership, Org, Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError

__all__ = [
    "NOT_ONESELF",
    "STAFF",
    "as_principal",
    "bound",
    "homeroom",
    "orgs_of",
    "require_school",
    "require_staff",
    "school_of",
    "schools_as",
    "staff_at",
    "students_at",
]

#: What opens sensitive records is given by somebody else: rank alone opens nothing (promise 4).
NOT_ONESELF = Text(zh="不能任命自己；请由他人任命", en="nobody appoints themselves; somebody else has to")

#: Who may mentor: grown-ups who work at the school (OneRoster 1.2 role names).
STAFF = ("teacher", "counselor", "principal", "siteAdministrator", "aide")
#: Written into the statement: a `Prepared` query knows its parameters by name.
_STUDENT: Final[sa.ColumnElement[str]] = sa.literal_column("'student'")
_HOMEROOM: Final[sa.ColumnElement[str]] = sa.literal_column("'homeroom'")


def students_at(
    school: UUID | sa.ColumnElement[UUID], *, today: date | sa.BindParameter[date], grades: Sequence[str] = ()
) -> sa.Select[Any]:
    """`person_id` and `class_id` of the pupils of a school; the class is their homeroom, where they have one."""
    home = homeroom(today)
    found = (
        sa.select(Membership.person_id, home.c.class_id, home.c.grade)
        .ext(distinct_on(Membership.person_id))
        .join(Person, Person.id == Membership.person_id)
        .outerjoin(home, sa.and_(home.c.person_id == Membership.person_id, home.c.school_id == Membership.org_id))
        .where(
            Membership.org_id == school,
            Membership.role == _STUDENT,
            holds(Membership, today),
            sa.or_(Person.ended_on.is_(None), Person.ended_on >= today),
        )
        .order_by(Membership.person_id, home.c.class_id)
    )
    return found.where(home.c.grade.in_(list(grades))) if grades else found


def homeroom(today: date | sa.BindParameter[date]) -> sa.Subquery:
    """Each pupil's homeroom class today."""
    return (
        sa.select(
            Enrolment.person_id,
            Enrolment.class_id,
            Enrolment.number,
            ClassGroup.grade,
            ClassGroup.title,
            ClassGroup.school_id,
        )
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .where(
            Enrolment.role == _STUDENT,
            holds(Enrolment, today),
            ClassGroup.type == _HOMEROOM,
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= today),
        )
        .subquery("homeroom")
    )


def staff_at(school: UUID, *, today: date, roles: Sequence[str] = STAFF) -> sa.Select[Any]:
    """`person_id` of those who work at a school."""
    return (
        sa.select(Membership.person_id)
        .distinct()
        .join(Person, Person.id == Membership.person_id)
        .where(
            Membership.org_id == school,
            Membership.role.in_(roles),
            holds(Membership, today),
            sa.or_(Person.ended_on.is_(None), Person.ended_on >= today),
        )
    )


def bound(**orgs: frozenset[UUID] | None) -> dict[str, list[UUID] | None]:
    """Values for filters such as `within_orgs`; None is everywhere."""
    return {name: None if some is None else list(some) for name, some in orgs.items()}


async def require_school(source: AsyncConnection | AsyncSession, school: UUID, *, orgs: frozenset[UUID] | None) -> None:
    """A school of one's own, or nothing is there."""
    found = sa.select(Org.id).where(Org.id == school, within_orgs(Org.id))
    if (await source.execute(found, bound(orgs=orgs))).first() is None:
        raise ProblemError("not-found")


async def require_staff(context: Context, *, school: UUID, whom: Sequence[UUID], pointer: str) -> None:
    """Only those who work at a school look after its children, are trained there, lead there.

    Args:
        context: The district.
        school: Where.
        whom: Who is named.
        pointer: Where in what was sent; `{at}` is the place in a list.

    Raises:
        ProblemError: `invalid`, naming each who does not.
    """
    staff = set(await context.session.scalars(staff_at(school, today=today_in(context.district, context.now))))
    text = Text(zh="不是本校的教职工", en="nobody who works at this school")
    if errors := [(pointer.format(at=at), text) for at, one in enumerate(whom) if one not in staff]:
        raise ProblemError("invalid", errors=errors)


async def school_of(context: Context, student: UUID) -> UUID | None:
    """Where a pupil is at school today."""
    today = today_in(context.district, context.now)
    found = (
        sa.select(Membership.org_id)
        .where(Membership.person_id == student, Membership.role == "student", holds(Membership, today))
        .order_by(Membership.is_primary.desc(), Membership.begins_on.desc(), Membership.org_id)
        .limit(1)
    )
    return (await context.session.execute(found)).scalar_one_or_none()


def schools_as(principal: Principal, *roles: str) -> frozenset[UUID]:
    """The schools somebody holds one of these roles at; a role of the whole district is none of a school."""
    held = (one.orgs for one in principal.memberships if one.role in roles and not one.everywhere)
    return frozenset().union(*held)


async def as_principal(context: Context, person: UUID) -> Principal:
    """Somebody who does not ask themselves, as the gate would see them: today's roles, each at its own school."""
    today = today_in(context.district, context.now)
    held = (
        sa.select(Membership.role, Membership.org_id, Org.parent_id.is_(None).label("everywhere"))
        .join(Org, Org.id == Membership.org_id)
        .where(Membership.person_id == person, holds(Membership, today))
    )
    return Principal(
        person=person,
        name="",
        memberships=tuple(
            Held(role=row.role, org=row.org_id, orgs=frozenset({row.org_id}), everywhere=row.everywhere)
            for row in await context.session.execute(held)
        ),
        scopes=None,
        via="",
    )


async def orgs_of(connection: AsyncConnection, principal: Principal, *, today: date) -> frozenset[UUID] | None:
    """The orgs somebody belongs to, by a role of their own or through a child; None is the whole district."""
    if any(membership.everywhere for membership in principal.memberships):
        return None
    through = sa.select(Membership.org_id).where(
        Membership.person_id.in_(guardian_of(principal, today=today)), holds(Membership, today)
    )
    own = (membership.orgs for membership in principal.memberships)
    return frozenset((await connection.execute(through)).scalars()).union(*own)
