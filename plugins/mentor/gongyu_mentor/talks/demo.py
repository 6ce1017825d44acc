"""`make demo`: in each school most children are talked with, some promises are made, some talks are for home too."""

from random import Random
from uuid import UUID

import sqlalchemy as sa

from gongyu.database.model import new_id
from gongyu.plugin import Context, DemoLine, Text
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks.schemas import Kind, Level, Moment, NewPromise, NewTalk
from gongyu_mentor.talks.talks import log_talk

__all__ = ["play_talks"]

_SEED = 20260907
_SHARE = 0.85
_SAID: tuple[tuple[Kind, Moment | None, Level, str | None, str | None], ...] = (
    ("weekly", None, "mentor", "最近睡得晚，说好早点关灯", "每晚十点前关灯"),
    ("weekly", None, "school", "想参加围棋社", "下周一起去看围棋社"),
    ("weekly", None, "mentor", None, None),
    ("key_moment", "term_start", "school", "开学了，说了这学期想做成的一件事", None),
    ("home_visit", None, "guardians", "见到了外婆，孩子有自己的书桌", None),
    ("message", None, "guardians", "愿你保持好奇", None),
)


async def play_talks(context: Context) -> list[DemoLine]:
    """Through the real service, between the pairs that stand; the rest the school sees on its board."""
    chance = Random(_SEED)  # noqa: S311 - a play, not a secret
    pairs = sa.select(Assignment.student_id, Assignment.mentor_id).where(Assignment.ends_at.is_(None))
    rows = (await context.session.execute(pairs.order_by(Assignment.student_id))).all()
    sets: dict[tuple[UUID, int], list[UUID]] = {}
    for student, mentor in rows:
        if chance.random() < _SHARE:
            sets.setdefault((mentor, chance.randrange(len(_SAID))), []).append(student)
    promises = 0
    for (mentor, which), students in sets.items():
        kind, moment, level, note, promise = _SAID[which]
        new = NewTalk(
            id=new_id(),
            students=students,
            kind=kind,
            moment=moment,
            level=level,
            note=note,
            promise=NewPromise(text=promise) if promise else None,
        )
        await log_talk(context, new=new, by=mentor)
        promises += len(students) if promise else 0
    talked = sum(map(len, sets.values()))
    return [
        DemoLine(title=Text(zh="记下的谈心谈话", en="talks written down"), figure=talked),
        DemoLine(title=Text(zh="和学生说好的事", en="promises made to pupils"), figure=promises),
        DemoLine(title=Text(zh="还没有谈到的学生", en="children not yet talked to"), figure=len(rows) - talked),
    ]
