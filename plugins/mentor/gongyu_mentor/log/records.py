"""Copies and endings of what the log, the profile and the hand-over hold about one person."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.contract import PROTECTED, Erased, PersonPart, RetentionCategory
from gongyu.people.rights.periods import last_days, midnight_of
from gongyu.plugin import Context, Text
from gongyu_mentor.log import profile
from gongyu_mentor.log.models import Handover, LogPage, ProfileItem
from gongyu_mentor.log.pages import TITLES
from gongyu_mentor.models import Assignment
from gongyu_mentor.room import SELF

__all__ = ["KINDS", "RETENTION", "erased", "held"]

KINDS: Final = {
    "hobby": Text(zh="爱好", en="hobby"),
    "talent": Text(zh="特长", en="talent"),
    "book": Text(zh="读过的书", en="book read"),
    "plan": Text(zh="阅读计划", en="reading plan"),
    "goal": Text(zh="目标", en="goal"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    """The profile, and the log others keep of a pupil: it is about them, so it is theirs to read in their copy."""
    lines = await profile.lines(context.session, context.seals, student=person)
    pages = (
        sa.select(LogPage.id, LogPage.section, LogPage.term_begins, LogPage.text, LogPage.written_at)
        .join(Assignment, Assignment.id == LogPage.pair_id)
        .where(Assignment.student_id == person)
        .order_by(LogPage.term_begins, LogPage.section, LogPage.number)
    )
    log = [
        {
            "term": row.term_begins,
            "section": TITLES[row.section].zh,
            "text": context.seals.open(row.text, LogPage.text, row.id),
            "written_at": row.written_at,
        }
        for row in await context.session.execute(pages)
    ]
    labels = {
        "term": Text(zh="学期", en="term"),
        "section": Text(zh="栏目", en="section"),
        "kind": Text(zh="种类", en="kind"),
        "text": Text(zh="内容", en="text"),
        "progress": Text(zh="进度 %", en="progress, %"),
        "written_at": Text(zh="写于", en="written"),
    }
    own = [
        {"kind": KINDS[line.kind].zh, "text": line.text, "progress": line.progress, "written_at": line.written_at}
        for line in lines
    ]
    return [
        PersonPart(name="profile", title=Text(zh="成长画像", en="Profile"), rows=own, labels=labels, readers=PROTECTED),
        PersonPart(name="log", title=Text(zh="导育记录", en="Mentor's log"), rows=log, labels=labels, readers=SELF),
    ]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    """The profile goes at once; the log of a running pair stays while the pupil is at school."""
    session = context.session
    lines = await session.execute(
        sa.delete(ProfileItem).where(ProfileItem.student_id == person).returning(ProfileItem.id)
    )
    theirs = sa.select(Assignment.id).where(Assignment.student_id == person)
    if here:
        theirs = theirs.where(Assignment.ends_at.is_not(None))
    await session.execute(sa.delete(Handover).where(Handover.former_id.in_(theirs)))
    pages = await session.execute(sa.delete(LogPage).where(LogPage.pair_id.in_(theirs)).returning(LogPage.id))
    return [
        Erased(what=Text(zh="成长画像", en="profile"), rows=len(lines.all())),
        Erased(what=Text(zh="导育记录", en="mentor's log"), rows=len(pages.all())),
    ]


async def _expire(context: Context, kept_from: date) -> int:
    """Logs of pairs that ended before the day."""
    over = sa.select(Assignment.id).where(Assignment.ends_at < midnight_of(context.district, kept_from))
    gone = await context.session.execute(sa.delete(LogPage).where(LogPage.pair_id.in_(over)).returning(LogPage.id))
    await context.session.execute(sa.delete(Handover).where(Handover.former_id.in_(over)))
    return len(gone.all())


async def _expire_profiles(context: Context, kept_from: date) -> int:
    """Of children who left before the day."""
    last = last_days()
    left = sa.select(last.c.person_id).where(last.c.last_day < kept_from)
    gone = sa.delete(ProfileItem).where(ProfileItem.student_id.in_(left)).returning(ProfileItem.id)
    return len((await context.session.execute(gone, execution_options={"synchronize_session": False})).all())


RETENTION: Final = (
    RetentionCategory(
        name="mentor.log",
        title=Text(zh="导育记录", en="Mentor's log"),
        purpose=Text(zh="陪伴学生成长，换导师时交接", en="to accompany a pupil, and to hand over to the next mentor"),
        basis=Text(zh="个人信息保护法第十九条：实现目的所必要的最短时间", en="PIPL art. 19: no longer than needed"),
        keep=timedelta(days=3 * 366),
        expire=_expire,
    ),
    RetentionCategory(
        name="mentor.profile",
        title=Text(zh="成长画像", en="Profile"),
        purpose=Text(zh="了解学生的爱好、特长与目标", en="to know what a pupil likes, can do and aims at"),
        basis=Text(zh="个人信息保护法第十九条", en="PIPL art. 19"),
        keep=timedelta(days=365),
        expire=_expire_profiles,
    ),
)
