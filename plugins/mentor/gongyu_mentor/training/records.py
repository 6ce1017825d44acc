"""Training and checks in a person's copy, at their erasure, and at the end of keeping."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.contract import Erased, PersonPart, RetentionCategory
from gongyu.plugin import Context, Text
from gongyu_mentor.room import SELF
from gongyu_mentor.training.models import Attendance, Check, Training

__all__ = ["RETENTION", "erased", "held"]

_LABELS: Final = {
    "title": Text(zh="培训", en="session"),
    "starts_at": Text(zh="时间", en="when"),
    "checked_on": Text(zh="查询日期", en="checked on"),
    "result": Text(zh="结果", en="result"),
    "issuer": Text(zh="出具单位", en="issued by"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    been = (
        sa.select(Training.title, Training.starts_at)
        .join(Attendance, Attendance.training_id == Training.id)
        .where(Attendance.mentor_id == person)
        .order_by(Training.starts_at)
    )
    checks = sa.select(Check.checked_on, Check.result, Check.issuer).where(Check.person_id == person)
    session = context.session
    return [
        PersonPart(
            name="trainings",
            title=Text(zh="参加的导师培训", en="Training sessions attended"),
            rows=[row._asdict() for row in await session.execute(been)],
            labels=_LABELS,
        ),
        PersonPart(
            name="checks",
            title=Text(zh="违法犯罪记录查询", en="Criminal-record checks"),
            rows=[row._asdict() for row in await session.execute(checks.order_by(Check.checked_on))],
            labels=_LABELS,
            readers=SELF,
        ),
    ]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    session = context.session
    title = Text(zh="违法犯罪记录查询", en="criminal-record checks")
    been = await session.execute(
        sa.delete(Attendance).where(Attendance.mentor_id == person).returning(Attendance.training_id)
        if not here
        else sa.select(Attendance.training_id).where(sa.false())
    )
    trainings = Erased(what=Text(zh="培训出席", en="attendance at training sessions"), rows=len(been.all()))
    if here:
        count = (await session.execute(sa.select(sa.func.count()).where(Check.person_id == person))).scalar_one()
        kept = Text(
            zh="在岗期间须每年查询（未成年人保护法第六十二条）",
            en="while one works with children it is asked for every year (Law on the Protection of Minors, art. 62)",
        )
        return [trainings, Erased(what=title, rows=count, kept=kept)]
    gone = await session.execute(sa.delete(Check).where(Check.person_id == person).returning(Check.id))
    return [trainings, Erased(what=title, rows=len(gone.all()))]


async def _expire(context: Context, before: date) -> int:
    gone = sa.delete(Check).where(Check.checked_on < before).returning(Check.id)
    return len((await context.session.execute(gone, execution_options={"synchronize_session": False})).all())


RETENTION: Final = (
    RetentionCategory(
        name="mentor.checks",
        title=Text(zh="违法犯罪记录查询", en="Criminal-record checks"),
        purpose=Text(zh="保护学生", en="Protecting pupils"),
        basis=Text(
            zh="未成年人保护法第六十二条；民法典第一百八十八条", en="Law on the Protection of Minors 62; Civil Code 188"
        ),
        keep=timedelta(days=6 * 365),
        expire=_expire,
    ),
)
