"""What mandatory reports add to the plugin's one page."""

from datetime import time
from typing import Final

from gongyu.plugin import Job, Permission, Text
from gongyu_mentor.letters.offices import OFFICES
from gongyu_mentor.reports import api, clock, figures, records
from gongyu_mentor.reports.events import ReportOpened, ReportOverdue
from gongyu_mentor.room import Room

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.report.handle", Text(zh="处理强制报告", en="Handle reports"), OFFICES, sensitive=True),
    ),
    routes=api.ROUTES,
    event_types=(ReportOpened, ReportOverdue),
    jobs=(
        Job(
            "reports_clock", Text(zh="强制报告时限", en="Clock of the reports"), clock.run, every="daily", at=time(7, 5)
        ),
    ),
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    to_dos=figures.to_dos,
)
