"""Talks and care in a person's copy, at their erasure, and at the end of keeping."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.people.rights.contract import PROTECTED, Erased, PersonPart, Purpose, RetentionCategory
from gongyu.people.rights.periods import last_days
from gongyu.plugin import Context, Text
from gongyu_mentor.room import SELF
from gongyu_mentor.talks.models import Promise, PromiseEnd, Talk, TalkFile
from gongyu_mentor.talks.readers import is_newest

__all__ = ["PURPOSES", "RETENTION", "erased", "held"]

_LABELS: Final = {
    "happened_at": Text(zh="时间", en="when"),
    "kind": Text(zh="种类", en="kind"),
    "moment": Text(zh="重要节点", en="key moment"),
    "level": Text(zh="谁能看", en="who can read it"),
    "note": Text(zh="内容", en="what was said"),
    "number": Text(zh="版本", en="version"),
    "text": Text(zh="下次说好的事", en="promised for next time"),
    "due_on": Text(zh="日期", en="by"),
    "outcome": Text(zh="结果", en="what became of it"),
    "word": Text(zh="说明", en="in a word"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    """A pupil's talks in every version. A guardian's copy has what is written for guardians and no more: what a child
    confides is the child's (未成年人保护法 63). Of talks somebody held, when and what kind; the rest is another's.
    """
    newest = aliased(Talk)
    own = (
        sa.select(*Talk.__table__.columns, newest.level.label("now"))
        .join(newest, newest.talk_id == Talk.talk_id)
        .where(Talk.student_id == person, is_newest(newest), ~newest.withdrawn)
        .order_by(Talk.happened_at, Talk.number)
    )
    talks = (await context.session.execute(own)).all()
    shared = [row for row in talks if row.level == row.now == "guardians"]
    written = (
        sa.select(Talk.happened_at, Talk.kind)
        .where(Talk.author_id == person, Talk.number == 1)
        .order_by(Talk.happened_at)
    )
    mine = [row._asdict() for row in await context.session.execute(written)]
    return [
        PersonPart(
            name="talks",
            title=Text(zh="谈心谈话", en="Talks"),
            rows=[_row(context, row) for row in talks],
            labels=_LABELS,
            readers=SELF,
        ),
        PersonPart(
            name="talks_for_guardians",
            title=Text(zh="家校共知的谈话", en="Talks for guardians too"),
            rows=[_row(context, row) for row in shared],
            labels=_LABELS,
            readers=PROTECTED,
        ),
        PersonPart(
            name="promises",
            title=Text(zh="下次说好的事", en="Promises"),
            rows=await _promises(context, person),
            labels=_LABELS,
            readers=SELF,
        ),
        PersonPart(name="talks_held", title=Text(zh="我做的谈话", en="Talks I held"), rows=mine, labels=_LABELS),
    ]


def _row(context: Context, row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    note = None if row.note is None else context.seals.open(row.note, Talk.note, row.id)
    plain = {name: getattr(row, name) for name in ("happened_at", "kind", "moment", "level", "number")}
    return {**plain, "note": note}


async def _promises(context: Context, person: UUID) -> list[dict[str, Any]]:
    found = (
        sa.select(Promise.id, Promise.text, Promise.due_on, PromiseEnd.outcome, PromiseEnd.word)
        .outerjoin(PromiseEnd, PromiseEnd.promise_id == Promise.id)
        .where(Promise.student_id == person)
        .order_by(Promise.made_at, Promise.id)
    )
    seals = context.seals
    return [
        {
            "text": seals.open(row.text, Promise.text, row.id),
            "due_on": row.due_on,
            "outcome": row.outcome,
            "word": None if row.word is None else seals.open(row.word, PromiseEnd.word, row.id),
        }
        for row in await context.session.execute(found)
    ]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    """A pupil's talks go when the pupil has gone; of who held them the number stays, without a name."""
    what = Text(zh="谈心谈话", en="talks")
    held_by = sa.select(sa.func.count()).where(Talk.author_id == person)
    author = Erased(
        what=Text(zh="本人做的谈话记录", en="talks one held"),
        rows=(await context.session.execute(held_by)).scalar_one(),
        kept=Text(
            zh="是学生的记录，只留编号、不留姓名", en="they are the pupils' records; the number stays without a name"
        ),
    )
    count = (await context.session.execute(sa.select(sa.func.count()).where(Talk.student_id == person))).scalar_one()
    if here:
        kept = Text(
            zh="在校期间学校有心理健康辅导与关爱的职责（未成年人保护法第二十九、三十条）；离校一年后删除",
            en="while the pupil is here the school has a duty of guidance and care (Law on the Protection of Minors, "
            "art. 29 and 30); they go a year after the pupil left",
        )
        return [Erased(what=what, rows=count, kept=kept), author]
    await context.session.execute(sa.delete(TalkFile).where(TalkFile.student_id == person))
    return [Erased(what=what, rows=count), author]


async def _expire(context: Context, before: date) -> int:
    """The file of each child who left before that day, whole."""
    last = last_days()
    over = sa.select(last.c.person_id).where(last.c.last_day < before)
    gone = sa.delete(TalkFile).where(TalkFile.student_id.in_(over)).returning(TalkFile.student_id)
    return len((await context.session.execute(gone, execution_options={"synchronize_session": False})).all())


RETENTION: Final = (
    RetentionCategory(
        name="mentor.talks",
        title=Text(zh="谈心谈话", en="Talks"),
        purpose=Text(zh="导师陪伴与成长指导", en="A mentor's guidance"),
        basis=Text(
            zh="未成年人保护法第二十九、三十条；个人信息保护法第十九条",
            en="Law on the Protection of Minors 29, 30; PIPL 19",
        ),
        keep=timedelta(days=365),
        expire=_expire,
    ),
)

PURPOSES: Final = (
    Purpose(
        name="mentor.talks",
        title=Text(zh="谈心谈话", en="Talks"),
        text=Text(
            zh="导师与学生谈心后，记下时间和种类，也可以写一句话。内容加密保存在本区县的数据库中，写的时候就定下谁能看："
            "只有学生和导师，或照顾该生的老师，或监护人。不按职务开放，每次查看都有记录。离校一年后删除。"
            "可申请查阅、复制、更正，可向学校或区县教育局投诉。",
            en="After a talk the mentor writes down when it was, of what kind, and a sentence if there is one. It is "
            "kept encrypted in the district's database, and who can read it is settled while it is written: the pupil "
            "and the mentor alone, those at school who look after the child, or guardians too. Rank opens nothing, and "
            "every reading is recorded. It is deleted a year after the pupil left. It can be seen, copied and "
            "corrected on request; complaints go to the school or the district's education bureau.",
        ),
        sensitive=True,
        duty=Text(zh="未成年人保护法第二十九、三十条", en="Law on the Protection of Minors, art. 29 and 30"),
    ),
)
