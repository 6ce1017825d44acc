"""The reports that wait on somebody's desk."""

from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text, ToDo
from gongyu_mentor.letters.offices import desk_of
from gongyu_mentor.people import as_principal
from gongyu_mentor.reports.handling import on_desk
from gongyu_mentor.reports.models import Report, ReportLine

__all__ = ["to_dos"]


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    desk = desk_of(await as_principal(context, person))
    if not desk.schools and not desk.district:
        return []
    closed = sa.exists().where(ReportLine.report_id == Report.id, ReportLine.what == "closed")
    found = (
        sa.select(Report.id, Report.due_at)
        .where(on_desk(desk, now=context.now, context=context), ~closed)
        .order_by(Report.due_at, Report.id)
        .limit(50)
    )
    title = Text(zh="处理强制报告", en="See a mandatory report through")
    return [
        ToDo(
            name="mentor.report",
            title=title,
            due=today_in(context.district, row.due_at),
            subject=row.id,
            link=f"mentor/reports/{row.id}",
        )
        for row in await context.session.execute(found)
    ]
