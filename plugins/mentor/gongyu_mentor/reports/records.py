"""Reports in people's rights: a reporter has a copy of what they did; the report itself stays, by law.

Nobody's copy shows a report that is about them: it may be read over their shoulder by whom it suspects, and the law
that commands the report lets the notice wait (个人信息保护法 18, 35).
"""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.database.engine import quoted
from gongyu.people.rights.contract import Erased, PersonPart, RetentionCategory
from gongyu.people.rights.periods import midnight_of
from gongyu.plugin import Context, Text
from gongyu_mentor.reports.handling import made_by
from gongyu_mentor.reports.models import Report, Suspect
from gongyu_mentor.room import SELF

__all__ = ["RETENTION", "erased", "held"]


async def held(context: Context, person: UUID) -> list[PersonPart]:
    rows: list[dict[str, Any]] = [
        {"opened_at": one.opened_at, "state": one.state} for one in await made_by(context, person)
    ]
    labels = {"opened_at": Text(zh="时间", en="made at"), "state": Text(zh="状态", en="state")}
    title = Text(zh="我作的强制报告", en="Mandatory reports I made")
    return [PersonPart(name="reports_made", title=title, rows=rows, labels=labels, readers=SELF)]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:  # noqa: ARG001 - they stay at any time
    """Reports stay. Those that others made about somebody, or that suspect them, are not counted: it would tell."""
    made = sa.select(sa.func.count()).where(
        Report.reporter_id == person,
        ~sa.exists().where(Suspect.report_id == Report.id, Suspect.person_id == person),
    )
    stay = Text(
        zh="依法必须保存，且不能修改或撤回（未成年人保护法第十一条）",
        en="kept by law; it can be neither changed nor withdrawn (Law on the Protection of Minors, art. 11)",
    )
    rows = (await context.session.execute(made)).scalar_one()
    return [Erased(what=Text(zh="强制报告", en="mandatory reports"), rows=rows, kept=stay)]


async def _expire(context: Context, before: date) -> int:
    """By the one function of the database that may: no table of theirs lets the application delete."""
    ended = sa.text(f"SELECT {quoted(context.district.schema)}.mentor_end_reports(:before)")
    found: int = (await context.session.execute(ended, {"before": midnight_of(context.district, before)})).scalar_one()
    return found


RETENTION: Final = (
    RetentionCategory(
        name="mentor.reports",
        title=Text(zh="强制报告", en="Mandatory reports"),
        purpose=Text(zh="保护未成年人与追究责任", en="Protecting minors, and answering for it"),
        basis=Text(
            zh="未成年人保护法第十一条；刑法第八十七条", en="Law on the Protection of Minors 11; Criminal Law 87"
        ),
        keep=timedelta(days=20 * 365 + 6),
        expire=_expire,
    ),
)
