"""Tell the district of reports that nobody took up in time. It sees them from the minute the clock ran out; this says
so once, in the report and in an event.
"""

import sqlalchemy as sa

from gongyu.events.outbox import publish
from gongyu.plugin import Context
from gongyu_mentor.reports.events import ReportOverdue
from gongyu_mentor.reports.handling import overdue
from gongyu_mentor.reports.models import Report
from gongyu_mentor.reports.opening import add_line

__all__ = ["run"]


async def run(context: Context) -> None:
    late = sa.select(Report.id).where(overdue(context.now)).order_by(Report.id)
    for report in (await context.session.execute(late)).scalars().all():
        if await add_line(context, report, what="escalated", by=None):
            await publish(context.session, ReportOverdue(report=report), subject=report)
