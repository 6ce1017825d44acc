"""The care list in a person's copy, at their erasure, and at the end of keeping."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.contract import PROTECTED, Erased, PersonPart, RetentionCategory
from gongyu.people.rights.periods import last_days, midnight_of
from gongyu.plugin import Context, Text
from gongyu_mentor.care.models import Care, CareEnd, CareLead, CareNote, CarePlan

__all__ = ["RETENTION", "erased", "held"]

_LABELS: Final = {
    "what": Text(zh="种类", en="what"),
    "at": Text(zh="时间", en="when"),
    "category": Text(zh="关爱类别", en="care category"),
    "text": Text(zh="内容", en="text"),
    "begins_at": Text(zh="开始", en="begins"),
    "ends_at": Text(zh="结束", en="ends"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    """A child's plans, notes and outcomes, in the order they were written."""
    seals, session = context.seals, context.session
    mine = sa.select(Care.id).where(Care.student_id == person)
    rows: list[dict[str, Any]] = [
        {
            "what": "plan",
            "at": one.written_at,
            "category": seals.open(one.category, CarePlan.category, one.id),
            "text": seals.open(one.plan, CarePlan.plan, one.id),
        }
        for one in await session.scalars(sa.select(CarePlan).where(CarePlan.care_id.in_(mine)))
    ]
    rows += [
        {"what": one.kind, "at": one.written_at, "text": seals.open(one.text, CareNote.text, one.id)}
        for one in await session.scalars(sa.select(CareNote).where(CareNote.care_id.in_(mine)))
    ]
    rows += [
        {"what": "outcome", "at": one.ended_at, "text": seals.open(one.outcome, CareEnd.outcome, one.care_id)}
        for one in await session.scalars(sa.select(CareEnd).where(CareEnd.care_id.in_(mine)))
    ]
    led = sa.select(CareLead.begins_at, CareLead.ends_at).where(CareLead.person_id == person)
    leading = [row._asdict() for row in await session.execute(led.order_by(CareLead.begins_at))]
    return [
        PersonPart(
            name="care",
            title=Text(zh="关爱", en="Care"),
            rows=sorted(rows, key=lambda row: row["at"]),
            labels=_LABELS,
            readers=PROTECTED,
        ),
        PersonPart(
            name="care_led", title=Text(zh="负责关爱的时间", en="Leading the care"), rows=leading, labels=_LABELS
        ),
    ]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    session, what = context.session, Text(zh="关爱记录", en="entries of the care list")
    if here:
        count = (await session.execute(sa.select(sa.func.count()).where(Care.student_id == person))).scalar_one()
        kept = Text(
            zh="在校期间学校有关爱帮扶的职责（未成年人保护法第二十九条）；结束一年后删除",
            en="while the pupil is here the school has a duty of care (Law on the Protection of Minors, art. 29); they "
            "go a year after they ended",
        )
        return [Erased(what=what, rows=count, kept=kept)]
    gone = await session.execute(sa.delete(Care).where(Care.student_id == person).returning(Care.id))
    led = await session.execute(sa.delete(CareLead).where(CareLead.person_id == person).returning(CareLead.id))
    return [
        Erased(what=what, rows=len(gone.all())),
        Erased(what=Text(zh="关爱负责人", en="appointments to lead the care"), rows=len(led.all())),
    ]


async def _expire(context: Context, before: date) -> int:
    """A year after it was closed, or after the child left."""
    closed = sa.select(CareEnd.care_id).where(CareEnd.ended_at < midnight_of(context.district, before))
    last = last_days()
    left = sa.select(last.c.person_id).where(last.c.last_day < before)
    over = sa.or_(Care.id.in_(closed), Care.student_id.in_(left))
    gone = sa.delete(Care).where(over).returning(Care.id)
    return len((await context.session.execute(gone, execution_options={"synchronize_session": False})).all())


RETENTION: Final = (
    RetentionCategory(
        name="mentor.care",
        title=Text(zh="关爱记录", en="The care list"),
        purpose=Text(zh="关爱帮扶", en="Care for those who need it"),
        basis=Text(zh="未成年人保护法第二十九条；个人信息保护法第十九条", en="Protection of Minors 29; PIPL 19"),
        keep=timedelta(days=365),
        expire=_expire,
    ),
)
