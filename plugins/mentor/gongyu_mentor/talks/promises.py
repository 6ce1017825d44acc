"""下次说好的事: they wait with the child until somebody says what became of them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from gongyu.access.sealing import Seals
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks import readers
from gongyu_mentor.talks.models import Promise, PromiseEnd, Talk
from gongyu_mentor.talks.reading import promise_out
from gongyu_mentor.talks.relations import mentored, my_mentees
from gongyu_mentor.talks.schemas import PromiseEndIn, PromiseOut

__all__ = ["end_promise", "open_promises", "promised"]


def promised(*columns: Any) -> sa.Select[*tuple[Any, ...]]:  # noqa: ANN401 - columns of `Promise`
    """Open promises to my students, of talks I may read; bound to `me` and `today`."""
    talk = aliased(Talk)
    return (
        sa.select(*columns)
        .join(talk, talk.talk_id == Promise.talk_id)
        .outerjoin(PromiseEnd, PromiseEnd.promise_id == Promise.id)
        .where(
            Promise.student_id.in_(my_mentees()),
            PromiseEnd.promise_id.is_(None),
            ~talk.withdrawn,
            readers.is_newest(talk),
            mentored(talk.student_id, talk.school_id),
            readers.staff_reads(talk),
        )
    )


async def open_promises(
    connection: AsyncConnection, *, students: Collection[UUID], values: dict[str, Any], seals: Seals
) -> dict[UUID, list[PromiseOut]]:
    """By student, the most urgent first."""
    nothing = sa.null()
    columns = [Promise.student_id, Promise.id.label("promise_id"), Promise.text.label("promise_text"), Promise.due_on]
    query = promised(*columns, nothing.label("outcome"), nothing.label("word")).where(Promise.student_id.in_(students))
    query = query.order_by(Promise.due_on.asc().nulls_last(), Promise.made_at)
    found: dict[UUID, list[PromiseOut]] = {}
    for row in (await connection.execute(query, values)).mappings():
        found.setdefault(row["student_id"], []).append(promise_out(row, seals))
    return found


async def end_promise(
    context: Context, promise: UUID, *, asked: PromiseEndIn, by: UUID, values: dict[str, Any]
) -> None:
    """Say what became of a promise, once.

    Raises:
        ProblemError: `not-found` unless the child is one's own and the promise for one's eyes; `conflict` if it was
            said already, otherwise.
    """
    mine = (
        sa.select(Promise.id)
        .join(Talk, Talk.talk_id == Promise.talk_id)
        .join(Assignment, Assignment.student_id == Promise.student_id)
        .where(Promise.id == promise, readers.is_newest(Talk), ~Talk.withdrawn, readers.staff_reads(Talk))
        .where(Assignment.mentor_id == by, Assignment.school_id == Talk.school_id, Assignment.ends_at.is_(None))
        .with_for_update(read=True, of=Assignment)
    )
    if (await context.session.execute(mine, values)).first() is None:
        raise ProblemError("not-found")
    end = {
        "promise_id": promise,
        "outcome": asked.outcome,
        "word": None if asked.word is None else context.seals.seal(asked.word, PromiseEnd.word, promise),
        "ended_by": by,
        "ended_at": context.now,
    }
    added = insert(PromiseEnd).values(end).on_conflict_do_nothing(index_elements=["promise_id"])
    if (await context.session.execute(added.returning(PromiseEnd.promise_id))).first() is not None:
        return
    before = sa.select(PromiseEnd.outcome).where(PromiseEnd.promise_id == promise)
    if (await context.session.execute(before)).scalar_one() != asked.outcome:
        raise ProblemError("conflict", Text(zh="这件事已经有了结果", en="what became of it was said already"))
