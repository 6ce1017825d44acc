"""What letters and reports add to the plugin's one page."""

from datetime import time
from typing import Final

from gongyu.plugin import Job, Permission, Text
from gongyu_mentor.letters import clock
from gongyu_mentor.reports import clock as reports

__all__ = ["JOBS", "PERMISSIONS"]

_OFFICES: Final = ("principal", "districtAdministrator")
PERMISSIONS: Final = (
    Permission("mentor.letter.answer", Text(zh="答复悄悄话", en="Answer letters"), _OFFICES, sensitive=True),
    Permission("mentor.change.post", Text(zh="公布改变", en="Say what changed"), ("principal",)),
    Permission("mentor.report.handle", Text(zh="处理强制报告", en="Handle reports"), _OFFICES, sensitive=True),
)
JOBS: Final = (
    Job("letters_clock", Text(zh="悄悄话时限", en="Clock of the letters"), clock.run, every="daily", at=time(7, 0)),
    Job("reports_clock", Text(zh="强制报告时限", en="Clock of the reports"), reports.run, every="daily", at=time(7, 5)),
)
