"""`make demo`: at each school with a principal a pupil writes a letter, is answered, and all see what changed."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from gongyu.access.relations import holds
from gongyu.people.models import Membership
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, DemoLine, Text
from gongyu_mentor import people
from gongyu_mentor.letters import board, sending, threads
from gongyu_mentor.letters.figures import indicators
from gongyu_mentor.letters.offices import desk_of
from gongyu_mentor.letters.schemas import ChangeIn, NewLetter, Reply

__all__ = ["play_letters"]


async def play_letters(context: Context) -> list[DemoLine]:
    today = today_in(context.district, context.now)
    heads = (
        sa.select(Membership.org_id, Membership.person_id)
        .ext(distinct_on(Membership.org_id))
        .where(Membership.role == "principal", holds(Membership, today))
        .order_by(Membership.org_id, Membership.person_id)
    )
    for school, head in (await context.session.execute(heads)).all():
        pupils = people.students_at(school, today=today).subquery()
        student = await context.session.scalar(sa.select(pupils.c.person_id).order_by(pupils.c.person_id).limit(1))
        if student is None:
            continue
        yesterday = replace(context, now=context.now - timedelta(days=1))
        words = "操场的路灯坏了，放学时看不清路"
        sent = await sending.send(yesterday, letter=NewLetter(school=school, words=words), person=student)
        desk = desk_of(await people.as_principal(context, head))
        said = Reply(words="谢谢你！今天已经请人来修", after=1)
        await threads.reply(context, sent.id, desk=desk, by=desk.person, said=said)
        change = ChangeIn(school=school, title="操场路灯", asked="放学时看不清路", changed="路灯已修好")
        await board.post_change(context, change=change, desk=desk)
    (letters,) = await indicators(context, None)
    share = f"{letters.value}/{letters.of}"
    return [DemoLine(title=Text(zh="按时答复的悄悄话", en="letters answered in time"), figure=share)]
