"""The care list for those who look after the child."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access.sealing import Seals
from gongyu.people.models import Person
from gongyu.plugin import District
from gongyu.web import Paged, ProblemError
from gongyu_mentor.care import readers
from gongyu_mentor.care.models import Care, CareEnd, CareNote, CarePlan
from gongyu_mentor.care.schemas import CareOut, CareRecord, NoteOut, PlanOut

__all__ = ["CARES", "care_dues", "care_out", "find_care", "record"]

_care, _plan, _end = aliased(Care), aliased(CarePlan), aliased(CareEnd)
_student, _responsible, _note = aliased(Person), aliased(Person), aliased(CareNote)
_last: Final = (
    sa.select(sa.func.max(_note.happened_on)).where(_note.care_id == _care.id).correlate(_care).scalar_subquery()
)
_OF: Final = sa.bindparam("student", type_=sa.Uuid())
_CLOSED: Final = sa.bindparam("closed", type_=sa.Boolean())
_ALL: Final = (
    sa.select(
        _care.id,
        _care.student_id,
        _student.name.label("student_name"),
        _care.school_id,
        _care.opened_at,
        _plan.id.label("plan_id"),
        _plan.number.label("plan_number"),
        _plan.category,
        _plan.cadence_days,
        _plan.responsible_id,
        _responsible.name.label("responsible_name"),
        _last.label("last_on"),
        _end.ended_at,
        _end.outcome,
        readers.care_ground(_care, _plan).label("ground"),
    )
    .select_from(_care)
    .join(_plan, sa.and_(_plan.care_id == _care.id, readers.newest_plan(_plan)))
    .join(_student, _student.id == _care.student_id)
    .outerjoin(_responsible, _responsible.id == _plan.responsible_id)
    .outerjoin(_end, _end.care_id == _care.id)
    .where(readers.reads_care(_care, _plan))
)


def _as_read(row: asyncpg.Record) -> asyncpg.Record:
    return row


CARES: Final = Paged(
    _ALL.where(sa.or_(_OF.is_(None), _care.student_id == _OF), _end.care_id.is_not(None) == _CLOSED),
    key=[_care.id],
    row=_as_read,
)


async def find_care(source: AsyncConnection | AsyncSession, care: UUID, *, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a row
    """One entry that is for the asker's eyes.

    Raises:
        ProblemError: `not-found`, also where there is one that is not.
    """
    row = (await source.execute(_ALL.where(_care.id == care), values)).mappings().first()
    if row is None:
        raise ProblemError("not-found")
    return row


def _due(row: Any, district: District) -> date:  # noqa: ANN401 - as above
    """So many days after the last time, or after it began."""
    began: date = row["last_on"] or row["opened_at"].astimezone(ZoneInfo(district.timezone)).date()
    return began + timedelta(days=row["cadence_days"])


async def care_dues(
    session: AsyncSession, *, responsible: UUID, district: District, today: date
) -> list[tuple[UUID, UUID, date]]:
    """Entry, child and day of each open plan that names this person."""
    mine = _ALL.where(_plan.responsible_id == responsible, _end.care_id.is_(None)).order_by(_care.id)
    rows = (await session.execute(mine, {"me": responsible, "today": today})).mappings()
    return [(row["id"], row["student_id"], _due(row, district)) for row in rows]


def care_out(row: Any, seals: Seals, district: District) -> CareOut:  # noqa: ANN401 - as above
    return CareOut(
        id=row["id"],
        student=row["student_id"],
        student_name=row["student_name"],
        school=row["school_id"],
        category=seals.open(row["category"], CarePlan.category, row["plan_id"]),
        responsible=row["responsible_id"],
        responsible_name=row["responsible_name"],
        cadence_days=row["cadence_days"],
        plan_number=row["plan_number"],
        opened_at=row["opened_at"],
        last_on=row["last_on"],
        due=None if row["ended_at"] else _due(row, district),
        closed_at=row["ended_at"],
    )


async def record(
    connection: AsyncConnection, care: UUID, *, values: dict[str, Any], seals: Seals, district: District
) -> tuple[str, CareRecord]:
    """All there is about one entry, and by which relation it is open."""
    row = await find_care(connection, care, values=values)
    plans = await connection.execute(sa.select(CarePlan).where(CarePlan.care_id == care).order_by(CarePlan.number))
    notes = await connection.execute(
        sa.select(CareNote).where(CareNote.care_id == care).order_by(CareNote.happened_on, CareNote.written_at)
    )
    return row["ground"], CareRecord(
        care=care_out(row, seals, district),
        plans=[
            PlanOut(
                number=one.number,
                category=seals.open(one.category, CarePlan.category, one.id),
                plan=seals.open(one.plan, CarePlan.plan, one.id),
                cadence_days=one.cadence_days,
                responsible=one.responsible_id,
                written_by=one.written_by,
                written_at=one.written_at,
            )
            for one in plans
        ],
        notes=[
            NoteOut(
                id=one.id,
                note=one.note_id,
                number=one.number,
                replaces=one.replaces,
                kind=one.kind,
                happened_on=one.happened_on,
                text=seals.open(one.text, CareNote.text, one.id),
                written_by=one.written_by,
                written_at=one.written_at,
            )
            for one in notes
        ],
        outcome=None if row["outcome"] is None else seals.open(row["outcome"], CareEnd.outcome, care),
    )
