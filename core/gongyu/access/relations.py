"""Rights that follow from a relation, answered by SQL: lists are filtered in the query, never after it.

Each relation is a selectable of student ids, for `WHERE student_id IN (...)`. A relation that ended yesterday gives
nothing today.
"""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.access.rights import FAMILY, Verdict, verdict
from gongyu.access.rules import ADMINISTRATORS
from gongyu.people.models import ClassGroup, Enrolment, Guardianship, Membership, Person
from gongyu.plugin import Permission
from gongyu.text import Text

__all__ = [
    "Students",
    "Why",
    "belongs",
    "guardian_of",
    "holds",
    "homeroom_teacher_of",
    "oneself",
    "people_of",
    "reaches",
    "students_in",
    "why",
]

#: Student ids, to be put into a query.
Students = sa.Select[UUID]


def holds(
    table: type[Guardianship | Membership | Enrolment], today: date | sa.BindParameter[date]
) -> sa.ColumnElement[bool]:
    """A period that is on today, its last day included."""
    return sa.and_(table.begins_on <= today, sa.or_(table.ends_on.is_(None), table.ends_on >= today))


def guardian_of(principal: Principal, *, today: date) -> Students:
    """Their children. Not those whom they may not contact: a court said so, and nobody is seen by blood alone."""
    return sa.select(Guardianship.student_id).where(
        Guardianship.guardian_id == principal.person, Guardianship.contact_allowed, holds(Guardianship, today)
    )


def homeroom_teacher_of(principal: Principal, *, today: date) -> Students:
    """The pupils of the classes they are 班主任 of."""
    teacher = aliased(Enrolment)
    return (
        sa.select(Enrolment.person_id)
        .join(teacher, teacher.class_id == Enrolment.class_id)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .where(
            Enrolment.role == "student",
            holds(Enrolment, today),
            teacher.person_id == principal.person,
            teacher.role == "teacher",
            teacher.is_primary,
            holds(teacher, today),
            ClassGroup.type == "homeroom",
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= today),
        )
    )


def oneself(principal: Principal, *, today: date) -> Students:
    """The pupil's own."""
    return sa.select(Membership.person_id).where(
        Membership.person_id == principal.person, Membership.role == "student", holds(Membership, today)
    )


def students_in(given: Verdict, *, today: date) -> Students:
    """The pupils of the orgs a verdict holds for."""
    found = sa.select(Membership.person_id).where(Membership.role == "student", holds(Membership, today))
    if not given.allowed:
        return found.where(sa.false())
    return found if given.orgs is None else found.where(Membership.org_id.in_(given.orgs))


def people_of(given: Verdict, *, today: date) -> sa.Select[UUID]:
    """Everybody who is of the orgs of a verdict and of no other, and runs nothing there: whose account gives whoever
    manages it nothing they could not reach already. People with ties elsewhere, and administrators, are the business
    of those above.
    """
    people = sa.select(Person.id)
    if not given.allowed:
        return people.where(sa.false())
    if given.orgs is None:
        return people
    child = aliased(Membership)
    staff = sa.select(Membership.person_id, Membership.org_id, Membership.role).where(holds(Membership, today))
    family = (
        sa.select(Guardianship.guardian_id, child.org_id, child.role)
        .join(child, child.person_id == Guardianship.student_id)
        .where(holds(Guardianship, today), child.begins_on <= today)
        .where(sa.or_(child.ends_on.is_(None), child.ends_on >= today))
    )
    ties = staff.union_all(family).subquery("ties")
    inside = ties.c.org_id.in_(given.orgs)
    above = sa.or_(~inside, ties.c.role.in_(ADMINISTRATORS))
    return people.where(
        sa.exists().where(ties.c.person_id == Person.id, inside),
        ~sa.exists().where(ties.c.person_id == Person.id, above),
    )


async def reaches(session: AsyncSession, given: Verdict, person: UUID, *, today: date) -> bool:
    """Whether somebody is among `people_of` a verdict."""
    found = people_of(given, today=today).where(Person.id == person)
    return (await session.execute(found)).first() is not None


def belongs(today: date | sa.BindParameter[date]) -> sa.ColumnElement[bool]:
    """Of a row of `Person`: still somebody here, by a membership or a child. Whoever is not cannot come in.

    What a slip of paper made somebody in a school hangs on the child alone: no roster would ever end it.
    """
    listed = sa.or_(Membership.role.not_in(FAMILY), Membership.from_roster)
    return sa.and_(
        sa.or_(Person.ended_on.is_(None), Person.ended_on >= today),
        sa.or_(
            sa.exists().where(Membership.person_id == Person.id, holds(Membership, today), listed),
            sa.exists().where(Guardianship.guardian_id == Person.id, holds(Guardianship, today)),
        ),
    )


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """For `gongyu access why`: the verdict, and what there is between the two people.

    Attributes:
        allowed: Whether the permission lets the principal at this subject by role and org; what a plugin grants by
            relation is its own to say, and the relations below are what it goes by.
        ground: Why, or why not.
        relations: Each relation that holds today.
    """

    allowed: bool
    ground: Text
    relations: tuple[Text, ...]


async def why(
    session: AsyncSession,
    principal: Principal,
    permission: Permission,
    subject: UUID,
    *,
    today: date,
    others: Mapping[Text, Students] | None = None,
) -> Why:
    """Explain what a person may do with a permission about another person.

    Args:
        session: The district's.
        principal: Who would act, with their memberships and scopes.
        permission: What they would do.
        subject: About whom.
        today: The district's date.
        others: What plugins say binds the principal to students.
    """
    given = verdict(principal, permission)
    orgs = [sa.true()] if given.orgs is None else [Membership.org_id.in_(given.orgs)]
    relations = {
        Text(zh="监护人", en="guardian"): guardian_of(principal, today=today),
        Text(zh="班主任", en="homeroom teacher"): homeroom_teacher_of(principal, today=today),
        Text(zh="本人", en="oneself"): sa.select(Person.id).where(Person.id == principal.person),
        **(others or {}),
    }
    within = sa.exists().where(Membership.person_id == subject, holds(Membership, today), *orgs)
    asked = [within, *(sa.literal(subject).in_(students) for students in relations.values())]
    inside, *held = (await session.execute(sa.select(*asked))).one()
    ground = given.ground
    if given.allowed and not inside:
        ground = Text(
            zh="{ground}，但对方现在不属于该范围", en="{ground}, but the subject is not within it today"
        ).format(ground=given.ground)
    found = tuple(text for text, true in zip(relations, held, strict=True) if true)
    return Why(allowed=given.allowed and bool(inside), ground=ground, relations=found)
