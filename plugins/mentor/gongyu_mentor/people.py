"""Who is whom at a school today, as selects to be put into other queries."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.principal import Principal
from gongyu.access.relations import guardian_of, holds
from gongyu.people.models import ClassGroup, Enrolment, Membership, Person

__all__ = ["STAFF", "homeroom", "orgs_of", "staff_at", "students_at"]

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


async def orgs_of(connection: AsyncConnection, principal: Principal, *, today: date) -> frozenset[UUID] | None:
    """The orgs somebody belongs to, by a role of their own or through a child; None is the whole district."""
    if any(membership.everywhere for membership in principal.memberships):
        return None
    through = sa.select(Membership.org_id).where(
        Membership.person_id.in_(guardian_of(principal, today=today)), holds(Membership, today)
    )
    own = (membership.orgs for membership in principal.memberships)
    return frozenset((await connection.execute(through)).scalars()).union(*own)
