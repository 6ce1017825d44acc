"""What is told of mandatory reports, by id alone."""

from typing import ClassVar
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["ReportOpened", "ReportOverdue"]


class ReportOpened(Event, frozen=True, kw_only=True):
    """Somebody made a mandatory report."""

    type: ClassVar[str] = "mentor.report_opened.v1"
    title: ClassVar[Text] = Text(zh="收到强制报告", en="A mandatory report was made")

    report: UUID


class ReportOverdue(Event, frozen=True, kw_only=True):
    """Nobody took a report up in time; the district has been told."""

    type: ClassVar[str] = "mentor.report_overdue.v1"
    title: ClassVar[Text] = Text(zh="强制报告逾期未受理", en="A mandatory report is overdue")

    report: UUID
