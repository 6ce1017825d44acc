"""The growth profile: what a child likes, can do, reads and aims at, written by the child and the mentor together."""

from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.people.models import Membership, Person
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.log.models import ProfileItem
from gongyu_mentor.log.schemas import ItemChange, ItemOut, NewItem
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks.relations import ME, guards

__all__ = ["add", "change", "lines", "read_profile"]

_PROGRESSES: Final = ("plan", "goal")


def _may(student: UUID, *, write: bool) -> sa.Select[Any]:
    """The child and the present mentor write; the guardians in law read too."""
    pair = aliased(Assignment)
    bonds = [
        sa.and_(
            sa.literal(student, sa.Uuid()) == ME,
            sa.exists().where(Membership.person_id == ME, Membership.role == "student"),
        ),
        sa.exists().where(pair.student_id == student, pair.mentor_id == ME, pair.ends_at.is_(None)),
    ]
    if not write:
        bonds.append(guards(sa.literal(student, sa.Uuid())))
    return sa.select(sa.or_(*bonds))


async def read_profile(source: AsyncConnection, seals: Seals, *, student: UUID, me: UUID, today: date) -> list[ItemOut]:
    """The lines as they read now, in the order in which they were begun.

    Raises:
        ProblemError: `not-found` for everybody else.
    """
    if not (await source.execute(_may(student, write=False), {"me": me, "today": today})).scalar():
        raise ProblemError("not-found")
    return await lines(source, seals, student=student)


async def lines(source: Any, seals: Seals, *, student: UUID) -> list[ItemOut]:  # noqa: ANN401 - connection or session
    """Without asking who reads."""
    begun = sa.func.min(ProfileItem.written_at).over(partition_by=ProfileItem.item_id)
    newest = (
        sa.select(ProfileItem.__table__, Person.name.label("by_name"), begun.label("begun"))
        .ext(distinct_on(ProfileItem.item_id))
        .outerjoin(Person, Person.id == ProfileItem.by_id)
        .where(ProfileItem.student_id == student)
        .order_by(ProfileItem.item_id, ProfileItem.number.desc())
    )
    return [
        ItemOut(
            id=row.item_id,
            kind=row.kind,
            text=seals.open(row.text, ProfileItem.text, row.id),
            progress=row.progress,
            version=row.number,
            by=row.by_id,
            by_name=row.by_name,
            written_at=row.written_at,
        )
        for row in sorted(await source.execute(newest), key=lambda row: (row.begun, row.item_id))
        if not row.removed
    ]


async def add(context: Context, *, student: UUID, me: UUID, new: NewItem, today: date) -> ItemOut:
    """A new line; sent twice, it is one.

    Raises:
        ProblemError: `not-found` for who may not; `conflict` for an id that is another line's; `invalid`.
    """
    await _require_writer(context, student, me, today)
    _require_fitting(new.kind, new.progress)
    await _write(context, new.id, 1, new.text, student_id=student, by_id=me, kind=new.kind, progress=new.progress)
    return await _one(context, student, new.id, text=new.text)


async def change(
    context: Context, *, student: UUID, item: UUID, me: UUID, asked: ItemChange, today: date
) -> ItemOut | None:
    """A line as it reads from now on; None where it was taken out.

    Raises:
        ProblemError: `not-found`; `conflict`: it was changed meanwhile.
    """
    await _require_writer(context, student, me, today)
    begun = sa.select(ProfileItem.kind).where(
        ProfileItem.item_id == item, ProfileItem.student_id == student, ProfileItem.number == 1
    )
    kind = (await context.session.execute(begun)).scalar_one_or_none()
    if kind is None:
        raise ProblemError("not-found")
    _require_fitting(kind, asked.progress)
    newest = sa.select(sa.func.max(ProfileItem.number)).where(ProfileItem.item_id == item)
    if (await context.session.execute(newest)).scalar_one() > asked.version:
        raise _late()
    number = asked.version + 1
    changed = {"student_id": student, "by_id": me, "kind": kind, "progress": asked.progress, "removed": asked.removed}
    if not await _write(context, item, number, asked.text, **changed):
        raise _late()
    return None if asked.removed else await _one(context, student, item, text=asked.text)


def _late() -> ProblemError:
    return ProblemError(
        "conflict", Text(zh="这一条刚刚被改过；请重新打开", en="this line was changed meanwhile; open it again")
    )


def _require_fitting(kind: str, progress: int | None) -> None:
    if progress is not None and kind not in _PROGRESSES:
        text = Text(zh="只有计划和目标有进度", en="only plans and goals have a progress")
        raise ProblemError("invalid", errors=[("/progress", text)])


async def _require_writer(context: Context, student: UUID, me: UUID, today: date) -> None:
    if not (await context.session.execute(_may(student, write=True), {"me": me, "today": today})).scalar():
        raise ProblemError("not-found")


async def _write(context: Context, item: UUID, number: int, text: str, **columns: object) -> bool:
    """One version; False where that number, or that id, is taken."""
    id_ = item if number == 1 else new_id()
    sealed = context.seals.seal(text, ProfileItem.text, id_)
    values = {"id": id_, "item_id": item, "number": number, "text": sealed, "written_at": context.now, **columns}
    written = await context.session.execute(
        insert(ProfileItem).values(values).on_conflict_do_nothing().returning(ProfileItem.id)
    )
    return written.first() is not None


async def _one(context: Context, student: UUID, item: UUID, *, text: str) -> ItemOut:
    found = [line for line in await lines(context.session, context.seals, student=student) if line.id == item]
    if not found or found[0].text != text:
        raise ProblemError("conflict", Text(zh="这个编号已用于另一条", en="this id belongs to another line"))
    return found[0]
