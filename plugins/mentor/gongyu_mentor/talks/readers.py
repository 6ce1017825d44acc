"""Who may read a talk, as conditions to be put into queries: by relation alone, never by rank."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu_mentor.care.readers import in_my_care, responsible_for
from gongyu_mentor.talks.models import Talk
from gongyu_mentor.talks.relations import (
    ME,
    Where,
    guarded,
    guards,
    homeroom_of,
    in_my_homerooms,
    mentored,
    my_mentees,
    word,
)

__all__ = ["authored", "family_ground", "family_reads", "is_newest", "staff_ground", "staff_reads"]


def is_newest(row: Any) -> Where:  # noqa: ANN401 - an alias of the table
    """No other version replaces it."""
    later = aliased(Talk)
    return ~sa.exists().where(later.replaces == row.id)


def authored(row: Any) -> Where:  # noqa: ANN401 - as above
    """Written by me, and the child is mine still: a former mentor reads nothing, their own words included."""
    return sa.and_(row.author_id == ME, mentored(row.student_id, row.school_id))


def staff_reads(row: Any) -> Where:  # noqa: ANN401 - as above
    looking_after = sa.or_(
        mentored(row.student_id, row.school_id),
        homeroom_of(row.student_id, row.school_id),
        responsible_for(row.student_id, row.school_id),
    )
    shared = sa.and_(row.level != word("mentor"), ~row.withdrawn, looking_after)
    near = sa.union_all(my_mentees(), in_my_homerooms(), in_my_care())
    return sa.and_(row.student_id.in_(near), sa.or_(authored(row), shared))


def family_reads(row: Any) -> Where:  # noqa: ANN401 - as above
    """The pupil's own; the guardians' where the level says so. What was withdrawn may be another child's."""
    shared = sa.and_(row.level == word("guardians"), guards(row.student_id))
    near = sa.union_all(sa.select(ME), guarded())
    return sa.and_(row.student_id.in_(near), ~row.withdrawn, sa.or_(row.student_id == ME, shared))


def staff_ground(row: Any) -> sa.ColumnElement[str]:  # noqa: ANN401 - as above
    """By which relation, for the audit log."""
    return sa.case(
        (mentored(row.student_id, row.school_id), word("mentor")),
        (homeroom_of(row.student_id, row.school_id), word("homeroom teacher")),
        else_=word("responsible for the care plan"),
    )


def family_ground(row: Any) -> sa.ColumnElement[str]:  # noqa: ANN401 - as above
    return sa.case((row.student_id == ME, word("oneself")), else_=word("guardian"))
