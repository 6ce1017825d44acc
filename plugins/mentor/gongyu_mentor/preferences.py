"""The students' side: a ranked list, replaced whole.

The deadline stands in the write itself, which holds the round's row in share: the first run takes that row for itself,
waits for every list on its way in, and lets none in after. So a list is in or is refused; none is lost in between.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.models import Membership
from gongyu.plugin import Text
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.models import AnyRow, Offer, Preference, Round
from gongyu_mentor.rounds import APPEALED, refuse, stage
from gongyu_mentor.schemas import Choices, ChoicesOut

__all__ = ["file_own", "file_paper", "read_own", "wrong_choices"]


def _out(row: AnyRow) -> ChoicesOut:
    return ChoicesOut(
        choices=list(row.choices), keep=row.keep, source=row.source, filed_at=row.filed_at, version=row.version
    )


async def read_own(connection: AsyncConnection | AsyncSession, *, round_id: UUID, student: UUID) -> ChoicesOut:
    found = sa.select(Preference.__table__).where(Preference.round_id == round_id, Preference.student_id == student)
    row = (await connection.execute(found)).first()
    return _out(row) if row else ChoicesOut(choices=[], keep=False, source="own", filed_at=None, version=0)


async def file_own(
    session: AsyncSession, *, round_id: UUID, student: UUID, asked: Choices, now: datetime, today: date
) -> ChoicesOut:
    """A student files their list, or files it anew. The deadline is the database's, of which there is one: `now`, the
    clock of whichever process took the request, only says why it was refused.

    Raises:
        ProblemError: `not-found` for a round that is not theirs, `conflict` when it is not open, `invalid` with every
            wrong choice, `precondition-failed` if another device was faster.
    """
    row = await _round_for(session, round_id, student, today)
    offered = set(await session.scalars(sa.select(Offer.mentor_id).where(Offer.round_id == round_id)))
    if errors := wrong_choices(asked.choices, offered=offered, most=row.list_length):
        raise ProblemError("invalid", errors=errors)
    arrived = sa.func.statement_timestamp()  # not when a lock is had: whoever came in time is in
    open_round = (
        sa.select(
            Round.id,
            sa.literal(student, sa.Uuid()),
            sa.literal(asked.choices, Preference.choices.type),
            sa.literal(asked.keep),
            sa.literal("own"),
            sa.literal(student, sa.Uuid()),
            arrived,
        )
        .where(Round.id == round_id, Round.state == "choosing", Round.opens_at <= arrived, arrived < Round.closes_at)
        .with_for_update(read=True, of=Round)
    )
    write = insert(Preference).from_select(_FILED, open_round)
    fresh = {name: write.excluded[name] for name in _FILED[2:]}
    unchanged = None if asked.version is None else Preference.version == asked.version
    written = write.on_conflict_do_update(
        index_elements=["round_id", "student_id"],
        set_={**fresh, "version": Preference.version + 1},
        where=unchanged,
    ).returning(Preference.__table__)
    done = (await session.execute(written)).first()
    if done is None:
        raise await _why_not(session, round_id, now)
    return _out(done)


_FILED = ["round_id", "student_id", "choices", "keep", "source", "filed_by", "filed_at"]


async def _round_for(session: AsyncSession, round_id: UUID, student: UUID, today: date) -> AnyRow:
    """The round, if this student takes part in it."""
    columns = sa.select(Round.school_id, Round.grades, Round.list_length)
    row = (
        await session.execute(columns.where(Round.id == round_id, Round.state != "draft", Round.kind == "students"))
    ).first()
    if row is not None:
        part = people.students_at(row.school_id, today=today, grades=row.grades)
        if (await session.execute(part.where(Membership.person_id == student))).first() is not None:
            return row
    raise ProblemError("not-found")


async def _why_not(session: AsyncSession, round_id: UUID, now: datetime) -> ProblemError:
    columns = sa.select(Round.state, Round.opens_at, Round.closes_at, Round.appeals_until, APPEALED)
    row = (await session.execute(columns.where(Round.id == round_id))).one()
    match stage(row, now):
        case "announced":
            return refuse("填报还没有开始", "choosing has not begun")
        case "choosing":
            return ProblemError("precondition-failed")
        case _:
            return refuse("填报已经截止，这次没有记录", "choosing is over; this was not taken down")


def wrong_choices(choices: Sequence[UUID], *, offered: set[UUID], most: int) -> list[tuple[str, Text]]:
    """Every wrong choice with its place."""
    errors = []
    if len(choices) > most:
        errors.append(("/choices", Text(zh=f"最多 {most} 个志愿", en=f"at most {most} choices")))
    seen: set[UUID] = set()
    for at, mentor in enumerate(choices):
        if mentor in seen:
            errors.append((f"/choices/{at}", Text(zh="重复", en="given twice")))
        elif mentor not in offered:
            errors.append((f"/choices/{at}", Text(zh="本轮没有这位导师", en="no mentor of this round")))
        seen.add(mentor)
    return errors


async def file_paper(
    session: AsyncSession, *, round_id: UUID, lists: Mapping[UUID, Sequence[UUID]], by: UUID | None, now: datetime
) -> int:
    """Lists from paper, typed in by the school: also after the deadline, as long as no run has been made."""
    open_round = sa.select(Round.id).where(Round.id == round_id, Round.state == "choosing", Round.opens_at <= now)
    if (await session.execute(open_round.with_for_update(read=True))).first() is None:
        raise refuse("现在不能录入：还没开始，或已经试算", "not open now: it has not begun, or a run has been made")
    rows = [
        {
            "round_id": round_id,
            "student_id": student,
            "choices": list(choices),
            "keep": False,
            "source": "paper",
            "filed_by": by,
            "filed_at": now,
        }
        for student, choices in lists.items()
    ]
    if rows:
        write = insert(Preference)
        fresh = {name: write.excluded[name] for name in _FILED[2:]}
        await session.execute(
            write.on_conflict_do_update(
                index_elements=["round_id", "student_id"], set_={**fresh, "version": Preference.version + 1}
            ),
            rows,
        )
    return len(rows)
