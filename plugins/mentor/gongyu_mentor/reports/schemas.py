"""Mandatory reports on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_mentor.reports.kinds import Kind, Step

__all__ = [
    "Addition",
    "KindOut",
    "KindsOut",
    "MyReport",
    "NewReport",
    "ReportLineOut",
    "ReportMade",
    "ReportOut",
    "ReportRow",
    "State",
    "StepIn",
    "SuspectsIn",
]

State = Literal["draft", "open", "acknowledged", "closed"]
Body = Annotated[str, Meta(min_length=1, max_length=5000)]
People = Annotated[list[UUID], Meta(max_length=20)]


class KindOut(Struct, frozen=True):
    name: str
    title: str


class KindsOut(Struct, frozen=True):
    """What is to be reported; `paper` is what to do when this cannot be waited for."""

    kinds: list[KindOut]
    paper: str


class NewReport(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two taps: who, and what. Words are welcome and not needed.

    Attributes:
        suspects: People under suspicion who are known here; none of them will ever see the report.
    """

    student: UUID
    kind: Kind
    words: Body | None = None
    suspects: People = []


class ReportMade(Struct, frozen=True, kw_only=True):
    id: UUID
    due_at: datetime
    paper: str


class MyReport(Struct, frozen=True, kw_only=True):
    """What a reporter sees of their report: that it is being dealt with."""

    id: UUID
    opened_at: datetime
    state: State


class Addition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something more, by the reporter or by whoever handles it; what stands is never changed."""

    words: Body


class SuspectsIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    suspects: Annotated[list[UUID], Meta(min_length=1, max_length=20)]


class StepIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A step that was taken. `guardians_not_informed` and `closed` say why; `identified` names pupil and kind."""

    what: Literal[
        "identified", "acknowledged", "police_informed", "guardians_informed", "guardians_not_informed", "closed"
    ]
    words: Body | None = None
    student: UUID | None = None
    kind: Kind | None = None


class ReportRow(Struct, frozen=True, kw_only=True):
    """A report in a list, without words."""

    id: UUID
    school: UUID
    letter: UUID | None
    student: UUID | None
    student_name: str | None
    kind: Kind | None
    state: State
    opened_at: datetime
    due_at: datetime
    overdue: bool


class ReportLineOut(Struct, frozen=True, kw_only=True):
    what: Step
    title: str
    at: datetime
    by_reporter: bool
    words: str | None


class ReportOut(ReportRow, frozen=True, kw_only=True):
    """A report with what came after. Who made it is nobody's to see here: reporters are protected."""

    lines: list[ReportLineOut]
