"""Letters in the rights of those who wrote them. An anonymous letter is nobody's, so it is in nobody's copy."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.contract import Erased, PersonPart, RetentionCategory
from gongyu.plugin import Context, Text
from gongyu_mentor.letters.models import Letter
from gongyu_mentor.letters.threads import mine, open_mine
from gongyu_mentor.room import SELF

__all__ = ["RETENTION", "erased", "held"]


async def held(context: Context, person: UUID) -> list[PersonPart]:
    rows: list[dict[str, Any]] = []
    for line in await mine(context, person=person):
        thread = await open_mine(context, line.id, person=person)
        facts = {"sent_on": line.sent_on, "state": line.state}
        rows += [{**facts, "by_office": one.by_office, "at": one.at, "words": one.words} for one in thread.messages]
    labels = {
        "sent_on": Text(zh="寄出日期", en="sent on"),
        "state": Text(zh="状态", en="state"),
        "by_office": Text(zh="学校的答复", en="the office's answer"),
        "at": Text(zh="时间", en="at"),
        "words": Text(zh="内容", en="words"),
    }
    title = Text(zh="署名的悄悄话", en="Letters under one's name")
    return [PersonPart(name="letters", title=title, rows=rows, labels=labels, readers=SELF)]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:  # noqa: ARG001 - they go at any time
    gone = await context.session.execute(sa.delete(Letter).where(Letter.person_id == person).returning(Letter.id))
    return [Erased(what=Text(zh="署名的悄悄话", en="letters under one's name"), rows=len(gone.all()))]


async def _expire(context: Context, before: date) -> int:
    """Closed and answered ones; what waits for an answer is not forgotten by waiting."""
    old = sa.delete(Letter).where(Letter.state.in_(("answered", "closed")), Letter.due_on < before)
    return len((await context.session.execute(old.returning(Letter.id))).all())


RETENTION: Final = (
    RetentionCategory(
        name="mentor.letters",
        title=Text(zh="悄悄话", en="Letters"),
        purpose=Text(zh="听取并答复意见", en="Hearing and answering"),
        basis=Text(zh="个人信息保护法第十九条", en="PIPL 19"),
        keep=timedelta(days=3 * 365 + 1),
        expire=_expire,
    ),
)
