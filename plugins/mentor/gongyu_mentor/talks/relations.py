"""What binds me to a child at this moment, as conditions to be put into queries.

Written with bound parameters `me` and `today`, so that lists are compiled once.
"""

from typing import Any, Final, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.relations import holds
from gongyu.people.models import ClassGroup, Enrolment, Guardianship
from gongyu_mentor.models import Assignment

__all__ = [
    "ME",
    "TODAY",
    "Where",
    "guarded",
    "guards",
    "homeroom_of",
    "in_my_homerooms",
    "mentored",
    "my_mentees",
    "word",
]

Where: TypeAlias = sa.ColumnElement[bool]
ME: Final = sa.bindparam("me", type_=sa.Uuid())
TODAY: Final = sa.bindparam("today", type_=sa.Date())


def word(text: str) -> sa.ColumnElement[Any]:
    """A fixed word, written into the statement: a compiled query knows its parameters by name."""
    return sa.literal_column(f"'{text}'")


def mentored(student: sa.SQLColumnExpression[Any], school: sa.SQLColumnExpression[Any]) -> Where:
    """I am this child's mentor at this school now."""
    pair = aliased(Assignment)
    return sa.exists().where(
        pair.student_id == student, pair.school_id == school, pair.mentor_id == ME, pair.ends_at.is_(None)
    )


def homeroom_of(student: sa.SQLColumnExpression[Any], school: sa.SQLColumnExpression[Any]) -> Where:
    """I am 班主任 of this child at this school today."""
    child, teacher, home = aliased(Enrolment), aliased(Enrolment), aliased(ClassGroup)
    return sa.exists().where(
        child.person_id == student,
        child.role == word("student"),
        holds(child, TODAY),
        teacher.class_id == child.class_id,
        teacher.person_id == ME,
        teacher.role == word("teacher"),
        teacher.is_primary,
        holds(teacher, TODAY),
        home.id == child.class_id,
        home.type == word("homeroom"),
        home.school_id == school,
        sa.or_(home.ended_on.is_(None), home.ended_on >= TODAY),
    )


def guards(student: sa.SQLColumnExpression[Any]) -> Where:
    """A guardian in law: a carer who is none has no right to a child's sensitive data (个人信息保护法 31)."""
    bond = aliased(Guardianship)
    return sa.exists().where(
        bond.student_id == student,
        bond.guardian_id == ME,
        bond.contact_allowed,
        bond.is_legal.is_not(sa.false()),
        holds(bond, TODAY),
    )


# The same relations the other way round: whose rows are worth looking at, so that a list of a million talks is found by
# the index on students. They decide nothing; the conditions above do.


def my_mentees() -> sa.Select[UUID]:
    pair = aliased(Assignment)
    return sa.select(pair.student_id).where(pair.mentor_id == ME, pair.ends_at.is_(None))


def in_my_homerooms() -> sa.Select[UUID]:
    child, teacher = aliased(Enrolment), aliased(Enrolment)
    return (
        sa.select(child.person_id)
        .join(teacher, teacher.class_id == child.class_id)
        .where(teacher.person_id == ME, teacher.is_primary, child.role == word("student"))
    )


def guarded() -> sa.Select[UUID]:
    bond = aliased(Guardianship)
    return sa.select(bond.student_id).where(bond.guardian_id == ME)
