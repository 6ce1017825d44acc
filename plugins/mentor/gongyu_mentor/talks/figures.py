"""What talks have to say beyond their own pages: indicators, to-dos, reminders, the growth record."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.relations import holds
from gongyu.districts.schools import settings_at
from gongyu.events.outbox import publish_all
from gongyu.people.models import Membership, Org, Person
from gongyu.people.rights.periods import midnight_of, today_in
from gongyu.plugin import Context, GrowthFact, GrowthSection, Indicator, Text, ToDo
from gongyu_mentor.models import Assignment
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.talks.board import school_dues, unreached
from gongyu_mentor.talks.calendar import calendar_of
from gongyu_mentor.talks.events import TalkDue
from gongyu_mentor.talks.mentees import owed_to_mentees
from gongyu_mentor.talks.models import Promise, Talk
from gongyu_mentor.talks.promises import promised
from gongyu_mentor.talks.readers import is_newest

__all__ = ["growth_sections", "indicators", "remind", "to_dos"]

_COVERED: Final = Text(zh="有导师的学生", en="pupils with a mentor")
_RATIO: Final = Text(zh="平均每位导师的学生", en="pupils to a mentor, on average")
_REACHED: Final = Text(zh="本周谈到的学生", en="pupils talked with this week")
_DUE: Final = Text(zh="有一名学生还没有谈到", en="A pupil has not been talked with yet")
_PROMISE: Final = Text(zh="和一名学生说好的事", en="Something promised to a pupil")


async def indicators(context: Context, schools: Sequence[UUID] | None) -> list[Indicator]:
    """Children with a mentor, children to a mentor, and those reached this week, which rests in the holidays."""
    today = today_in(context.district, context.now)
    week = (await calendar_of(context.session, today)).span("week")
    talk, member, pair = aliased(Talk), Membership, aliased(Assignment)
    reached = sa.exists().where(
        talk.student_id == member.person_id,
        talk.kind != "message",
        talk.happened_at >= midnight_of(context.district, week.begins if week else today),
        ~talk.withdrawn,
        is_newest(talk),
    )
    pupils = sa.func.count(sa.distinct(member.person_id))
    found = (
        sa.select(
            pupils,
            pupils.filter(reached),
            pupils.filter(pair.id.is_not(None)),
            sa.func.count(sa.distinct(pair.mentor_id)),
        )
        .join(Person, Person.id == member.person_id)
        .outerjoin(pair, sa.and_(pair.student_id == member.person_id, pair.ends_at.is_(None)))
        .where(member.role == "student", holds(member, today))
        .where(sa.or_(Person.ended_on.is_(None), Person.ended_on >= today))
    )
    if schools is not None:
        found = found.where(member.org_id.in_(schools))
    of, talked, covered, mentors = (await context.session.execute(found)).one()
    figures = [Indicator(name="mentor.coverage", title=_COVERED, value=covered, of=of)]
    if mentors:
        figures.append(Indicator(name="mentor.ratio", title=_RATIO, value=round(covered / mentors, 2)))
    if week is not None:
        figures.append(Indicator(name="mentor.children_reached", title=_REACHED, value=talked, of=of))
    return figures


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    """A mentor's: each child not reached, each open promise."""
    today = today_in(context.district, context.now)
    due = await owed_to_mentees(context.session, mentor=person, district=context.district, today=today)
    link = "mentor/mine/students"
    found = [
        ToDo(name="mentor.talk_due", title=_DUE, due=min(one.due for one in owed), subject=student, link=link)
        for student, owed in due.items()
        if owed
    ]
    promises = promised(Promise.student_id, Promise.due_on).order_by(Promise.due_on, Promise.id)
    rows = await context.session.execute(promises, {"me": person, "today": today})
    found += [
        ToDo(name="mentor.promise_due", title=_PROMISE, due=row.due_on, subject=row.student_id, link=link)
        for row in rows
    ]
    return found


async def growth_sections(context: Context, *, student: UUID, begins: date, ends: date) -> list[GrowthSection]:
    """成长寄语 that were written for guardians too; no other talk is for a record that many read."""
    talk, author = aliased(Talk), aliased(Person)
    first = midnight_of(context.district, begins)
    last = midnight_of(context.district, ends + timedelta(days=1))
    found = (
        sa.select(talk.id, talk.happened_at, talk.note, author.name)
        .outerjoin(author, author.id == talk.author_id)
        .where(talk.student_id == student, talk.kind == "message", talk.level == "guardians", ~talk.withdrawn)
        .where(is_newest(talk), talk.note.is_not(None), talk.happened_at >= first, talk.happened_at < last)
        .order_by(talk.happened_at, talk.id)
    )
    title = Text(zh="成长寄语", en="A mentor's message")
    facts = [
        GrowthFact(
            on=today_in(context.district, row.happened_at),
            title=title,
            text=context.seals.open(row.note, Talk.note, row.id),
            by=row.name or "",
        )
        for row in await context.session.execute(found)
    ]
    return [GrowthSection(name="mentor.messages", title=title, facts=facts)] if facts else []


async def remind(context: Context) -> None:
    """Tell of each child whose time runs out in so many days as the school wants to hear of it before: once for each
    day it falls due, ids only. Whoever turns it into a message asks who the mentor is.
    """
    today = today_in(context.district, context.now)
    with_pupils = sa.select(Membership.org_id).where(Membership.role == "student").distinct()
    session = context.session
    events: list[tuple[TalkDue, UUID]] = []
    for school in await session.scalars(sa.select(Org.id).where(Org.id.in_(with_pupils)).order_by(Org.id)):
        rules = await settings_at(context, [school]) or MentorSettings()
        day = today + timedelta(days=rules.remind_days)
        dues = [due for due in await school_dues(session, school, today=today) if due.span.ends == day]
        children = await unreached(session, dues, district=context.district, school=school, today=today)
        events += [(TalkDue(student=child.student, due=day), child.student) for child in children]
    await publish_all(session, [*events])
