"""Wellbeing in people's rights: it is the child's own, for its copy and for nobody else's, and goes when they ask."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gongyu.people.rights.contract import Erased, PersonPart, RetentionCategory
from gongyu.people.rights.periods import last_days
from gongyu.plugin import Context, Text
from gongyu_mentor.room import SELF
from gongyu_mentor.wellbeing.models import BreakGlass, Case, Entry, Opening, PlanItem, Screening, Wish
from gongyu_mentor.wellbeing.results import NOT_A_DIAGNOSIS, content_of

__all__ = ["RETENTION", "erased", "held"]

_LABELS: Final = {
    "day": Text(zh="日期", en="day"),
    "author": Text(zh="谁记录", en="by"),
    "mood": Text(zh="心情（1–5）", en="mood (1–5)"),
    "words": Text(zh="内容", en="words"),
    "who": Text(zh="想和谁谈", en="to talk to"),
    "asked_at": Text(zh="提出时间", en="asked at"),
    "arranged_for": Text(zh="约定时间", en="arranged for"),
    "talked_at": Text(zh="谈话时间", en="talked at"),
    "ground": Text(zh="依据", en="ground"),
    "what": Text(zh="查阅内容", en="what"),
    "at": Text(zh="时间", en="at"),
    "scale": Text(zh="量表", en="scale"),
    "score": Text(zh="分数", en="score"),
    "note": Text(zh="说明", en="note"),
    "audience": Text(zh="由谁", en="by whom"),
    "opened_at": Text(zh="开始", en="opened"),
    "closed_at": Text(zh="结束", en="closed"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    """Also of a child under fourteen only for the child: guardians are told of what they must know in person, by the
    counsellor, as the house's rules for such records say.
    """
    session = context.session
    entries = []
    for row in await session.execute(
        sa.select(Entry.__table__).where(Entry.student_id == person).order_by(Entry.day, Entry.id)
    ):
        content = msgspec.json.decode(context.seals.open(row.content, Entry.content, row.id))
        entries.append({"day": row.day, "author": row.author, "mood": content["mood"], "words": content["words"]})
    asked = sa.select(Wish.wants.label("who"), Wish.asked_at, Wish.arranged_for, Wish.talked_at)
    opened = sa.select(Opening.ground, Opening.what, Opening.at)
    cases = sa.select(Case.ground, Case.opened_at, Case.closed_at)
    results = [
        {"scale": row.scale, "day": row.day, "score": content_of(context, row).score, "note": NOT_A_DIAGNOSIS.zh}
        for row in await session.execute(
            sa.select(Screening.__table__).where(Screening.student_id == person).order_by(Screening.day)
        )
    ]
    plan = [
        {"audience": row.audience, "words": context.seals.open(row.words, PlanItem.words, row.id), "at": row.at}
        for row in await session.execute(
            sa.select(PlanItem.__table__)
            .join(Case, Case.id == PlanItem.case_id)
            .where(Case.student_id == person)
            .order_by(PlanItem.id)
        )
    ]
    return [
        _part("wellbeing", Text(zh="心理曲线", en="Wellbeing curve"), entries),
        _part("talk_wishes", Text(zh="我想谈谈", en="Wishes to talk"), await _of(context, asked, Wish, person)),
        _part(
            "wellbeing_openings",
            Text(zh="查阅记录", en="Who opened the record"),
            await _of(context, opened, Opening, person),
        ),
        _part("cases", Text(zh="心理个案", en="Cases"), await _of(context, cases, Case, person)),
        _part("case_plan", Text(zh="帮扶计划", en="Plan"), plan),
        _part("screenings", Text(zh="心理筛查", en="Screenings"), results),
    ]


def _part(name: str, title: Text, rows: list[dict[str, Any]]) -> PersonPart:
    return PersonPart(name=name, title=title, rows=rows, labels=_LABELS, readers=SELF)


async def _of(
    context: Context, query: sa.Select[*tuple[Any, ...]], table: type[Wish | Opening | Case], person: UUID
) -> list[dict[str, Any]]:
    rows = await context.session.execute(query.where(table.student_id == person).order_by(table.id))
    return [row._asdict() for row in rows]


_TABLES: Final = (
    (Entry, Text(zh="心理曲线", en="wellbeing entries")),
    (Wish, Text(zh="想谈谈的请求", en="wishes to talk")),
    (Screening, Text(zh="心理筛查结果", en="screening results")),
    (Opening, Text(zh="查阅记录", en="openings of the record")),
    (BreakGlass, Text(zh="紧急查阅", en="emergency openings")),
    (Case, Text(zh="心理个案", en="cases")),
)


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    """All of it goes; of somebody still at school an open case stays with its notes, since the school looks after them.

    That a record was opened, and by whom, stays in the audit log.
    """
    found = []
    for table, what in _TABLES:
        gone = sa.delete(table).where(table.student_id == person)
        if table is Case and here:
            gone = gone.where(Case.closed_at.is_not(None))
        rows = (await context.session.execute(gone.returning(table.id))).all()
        found.append(Erased(what=what, rows=len(rows)))
    open_ = sa.select(sa.func.count()).where(Case.student_id == person)
    if rest := (await context.session.execute(open_)).scalar_one():
        stay = Text(
            zh="学校正在履行心理健康帮扶职责（未成年人保护法第三十条、精神卫生法第十六条），结案后删除",
            en="the school is looking after them (Law on the Protection of Minors 30; Mental Health Law 16); it goes "
            "when the case is closed",
        )
        found.append(Erased(what=Text(zh="进行中的个案", en="an open case"), rows=rest, kept=stay))
    return found


async def _expire(context: Context, before: date) -> int:
    """Of those who left school before a day."""
    last = last_days()
    gone = sa.select(last.c.person_id).where(last.c.last_day < before)
    count = 0
    for table, _ in _TABLES:
        rows = await context.session.execute(sa.delete(table).where(table.student_id.in_(gone)).returning(table.id))
        count += len(rows.all())
    return count


RETENTION: Final = (
    RetentionCategory(
        name="mentor.wellbeing",
        title=Text(zh="心理曲线、个案与筛查结果", en="Wellbeing, cases and screenings"),
        purpose=Text(zh="心理健康帮扶", en="Care for mental health"),
        basis=Text(zh="精神卫生法第十六条；个人信息保护法第十九条", en="Mental Health Law 16; PIPL 19"),
        keep=timedelta(days=180),
        expire=_expire,
    ),
)
