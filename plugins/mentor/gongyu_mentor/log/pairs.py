"""Which pair of mentor and child a call is about: the one that is on now, and no other."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.models import Person
from gongyu.web import ProblemError
from gongyu_mentor.models import Assignment

__all__ = ["pair_of"]


async def pair_of(source: AsyncConnection | AsyncSession, *, student: UUID, mentor: UUID) -> Any:  # noqa: ANN401 - a row: id, school_id, begins_at, name
    """The mentor's own pair with this child, with the child's name.

    Raises:
        ProblemError: `not-found`: none, or it has ended; the two look the same.
    """
    found = (
        sa.select(Assignment.id, Assignment.school_id, Assignment.begins_at, Person.name)
        .join(Person, Person.id == Assignment.student_id)
        .where(Assignment.student_id == student, Assignment.mentor_id == mentor, Assignment.ends_at.is_(None))
    )
    row = (await source.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    return row
