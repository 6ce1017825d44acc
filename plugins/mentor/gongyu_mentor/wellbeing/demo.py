"""`make demo`: some pupils tap their mood, on most days; one would like to talk, and is talked with."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from gongyu.plugin import Context, DemoLine, Text
from gongyu_mentor.models import Assignment
from gongyu_mentor.people import as_principal
from gongyu_mentor.wellbeing import curve, wishes
from gongyu_mentor.wellbeing.schemas import StepIn, StudentEntry, TalkTo

__all__ = ["play_wellbeing"]

#: Days ago and mood, of each of a few pupils; the days between stay empty.
_MOODS: Final = (
    ((12, 4), (11, 4), (9, 3), (8, 3), (5, 4), (2, 5)),
    ((10, 3), (9, 2), (6, 2), (3, 2), (1, 2)),
    ((7, 5), (4, 4)),
)
_DOWN: Final = 1
"""Which of them wants to talk."""


async def play_wellbeing(context: Context) -> list[DemoLine]:
    pairs = sa.select(Assignment.student_id, Assignment.mentor_id).where(Assignment.ends_at.is_(None))
    some = (await context.session.execute(pairs.order_by(Assignment.student_id).limit(len(_MOODS)))).all()
    taps = 0
    for (student, _), moods in zip(some, _MOODS, strict=False):
        for ago, mood in moods:
            then = replace(context, now=context.now - timedelta(days=ago))
            await curve.by_student(then, student=student, entry=StudentEntry(mood=mood))
            taps += 1
    talked = 0
    if len(some) > _DOWN:
        student, mentor = some[_DOWN]
        asked = StudentEntry(mood=2, words="最近有点累", talk_to=TalkTo(who="mentor"))
        made = await curve.by_student(
            replace(context, now=context.now - timedelta(hours=20)), student=student, entry=asked
        )
        taps += 1
        if made.wish is not None:
            await wishes.answer(context, await as_principal(context, mentor), made.wish.id, step=StepIn(step="talked"))
            talked += 1
    return [
        DemoLine(title=Text(zh="心情记录", en="moods tapped"), figure=taps),
        DemoLine(title=Text(zh="“我想谈谈”得到答复", en="wishes to talk that were answered"), figure=talked),
    ]
