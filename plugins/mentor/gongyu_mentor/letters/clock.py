"""Once a day: tell of new anonymous letters, and tell the district of those whose time ran out."""

from uuid import UUID

import sqlalchemy as sa

from gongyu.events.outbox import publish_all
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Event
from gongyu_mentor.letters.events import LetterOverdue, LetterReceived
from gongyu_mentor.letters.models import Letter

__all__ = ["run"]


async def run(context: Context) -> None:
    """In the order of ids that tell no time, so that not even the order of events is that of the letters."""
    session, today = context.session, today_in(context.district, context.now)
    new = (
        sa.update(Letter).where(Letter.announced.is_(False), Letter.sent_on < today).values(announced=True)
    ).returning(Letter.id, Letter.office)
    late = (
        sa.update(Letter)
        .where(Letter.state.in_(("received", "seen")), Letter.due_on < today, Letter.escalated_at.is_(None))
        .values(escalated_at=context.now)
        .returning(Letter.id, Letter.school_id, Letter.office)
    )
    told: list[tuple[Event, UUID]] = [
        (LetterReceived(letter=row.id, holder=row.office), row.id) for row in sorted(await session.execute(new))
    ]
    told += [
        (LetterOverdue(letter=row.id, school=row.school_id, holder=row.office), row.id)
        for row in sorted(await session.execute(late))
    ]
    await publish_all(session, told)
