"""What waits on a desk, and how many letters were answered in time: nobody is counted by name."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Indicator, Text, ToDo
from gongyu_mentor.letters.models import Letter
from gongyu_mentor.letters.offices import desk_of
from gongyu_mentor.letters.threads import on_desk
from gongyu_mentor.people import as_principal

__all__ = ["indicators", "to_dos"]


async def indicators(context: Context, schools: Sequence[UUID] | None) -> list[Indicator]:
    """Of the letters that were answered or should have been by now, those answered in time."""
    today = today_in(context.district, context.now)
    late = sa.and_(Letter.in_time.is_(None), Letter.due_on < today)
    found = sa.select(
        sa.func.count().filter(Letter.in_time.is_(True)),
        sa.func.count().filter(sa.or_(Letter.in_time.is_not(None), late)),
    )
    if schools is not None:
        found = found.where(Letter.school_id.in_(schools))
    in_time, due = (await context.session.execute(found)).one()
    title = Text(zh="按时答复的悄悄话", en="letters answered in time")
    return [Indicator(name="mentor.letters_in_time", title=title, value=in_time, of=due)]


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    """The letters that wait for an answer on somebody's desk."""
    today = today_in(context.district, context.now)
    desk = desk_of(await as_principal(context, person))
    if not desk.schools and not desk.district:
        return []
    waiting = (
        sa.select(Letter.id, Letter.due_on, Letter.office)
        .where(on_desk(desk, today=today), Letter.state.in_(("received", "seen")))
        .order_by(Letter.due_on, Letter.id)
        .limit(50)
    )
    answer = Text(zh="答复一封悄悄话", en="Answer a letter")
    press = Text(zh="督促学校答复逾期的悄悄话", en="See that a school answers an overdue letter")
    return [
        ToDo(
            name="mentor.letter",
            title=answer if row.office == "district" or not desk.district else press,
            due=row.due_on,
            subject=row.id,
            link=f"mentor/letters/{row.id}",
        )
        for row in await context.session.execute(waiting)
    ]
