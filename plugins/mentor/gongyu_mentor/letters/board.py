"""What changed (改了什么): a public board of the school, without names, so that all see that letters are read."""

from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_mentor.letters.models import Change
from gongyu_mentor.letters.offices import Desk
from gongyu_mentor.letters.schemas import ChangeIn, ChangeOut
from gongyu_mentor.models import AnyRow

__all__ = ["changes", "post_change", "take_down"]


async def changes(
    context: Context, *, schools: frozenset[UUID] | None, before: UUID | None, limit: int
) -> list[ChangeOut]:
    """The board of one's schools, newest first."""
    found = sa.select(Change.__table__).order_by(Change.id.desc()).limit(limit)
    if schools is not None:
        found = found.where(Change.school_id.in_(schools))
    if before is not None:
        found = found.where(Change.id < before)
    return [_out(context, row) for row in await context.session.execute(found)]


async def post_change(context: Context, *, change: ChangeIn, desk: Desk) -> ChangeOut:
    """Put up an entry; its principal's alone."""
    if change.school not in desk.schools:
        raise ProblemError("not-found")
    row = sa.insert(Change).values(
        school_id=change.school,
        title=change.title,
        asked=change.asked,
        changed=change.changed,
        by=desk.person,
        at=context.now,
    )
    return _out(context, (await context.session.execute(row.returning(*Change.__table__.columns))).one())


async def take_down(context: Context, change: UUID, *, desk: Desk) -> None:
    """For an entry that says too much after all."""
    gone = sa.delete(Change).where(Change.id == change, Change.school_id.in_(desk.schools)).returning(Change.id)
    if (await context.session.execute(gone)).first() is None:
        raise ProblemError("not-found")


def _out(context: Context, row: AnyRow) -> ChangeOut:
    on = today_in(context.district, row.at)
    return ChangeOut(id=row.id, school=row.school_id, title=row.title, asked=row.asked, changed=row.changed, on=on)
