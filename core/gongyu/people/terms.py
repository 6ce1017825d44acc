"""Terms open and close by the calendar; each is told once, also when the server was down on the day."""

from datetime import date, time
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gongyu.events import outbox
from gongyu.people.events import TermClosed, TermOpened
from gongyu.people.models import AcademicSession
from gongyu.plugin import Context, Job
from gongyu.text import Text

__all__ = ["TERMS", "close_terms", "open_terms", "turn_terms"]

_TERMS: Final = AcademicSession.type.in_(["term", "semester"])


async def open_terms(context: Context, *, today: date) -> int:
    """Mark and tell the terms whose first day has come. One that is over already opened for nobody."""
    late = _TERMS & AcademicSession.opened_at.is_(None)
    over = sa.update(AcademicSession).where(late, AcademicSession.ends_on < today)
    await context.session.execute(over.values(opened_at=context.now, closed_at=context.now))
    due = sa.update(AcademicSession).where(late, AcademicSession.starts_on <= today, AcademicSession.ends_on >= today)
    opened = await context.session.scalars(due.values(opened_at=context.now).returning(AcademicSession.id))
    return len(await outbox.publish_all(context.session, [(TermOpened(session=term), term) for term in opened]))


async def close_terms(context: Context, *, today: date) -> int:
    """Mark and tell the terms whose last day is over."""
    due = sa.update(AcademicSession).where(
        _TERMS,
        AcademicSession.opened_at.is_not(None),
        AcademicSession.closed_at.is_(None),
        AcademicSession.ends_on < today,
    )
    closed = await context.session.scalars(due.values(closed_at=context.now).returning(AcademicSession.id))
    return len(await outbox.publish_all(context.session, [(TermClosed(session=term), term) for term in closed]))


async def turn_terms(context: Context) -> None:
    """Close what is over, then open what has begun: on the day between two terms in this order."""
    today = context.now.astimezone(ZoneInfo(context.district.timezone)).date()
    await close_terms(context, today=today)
    await open_terms(context, today=today)


#: The core's own scheduled work: soon after midnight, before the plugins' term jobs.
TERMS: Final = Job(
    name="turn_terms",
    title=Text(zh="学期开始与结束", en="Open and close terms"),
    run=turn_terms,
    every="daily",
    at=time(0, 5),
)
