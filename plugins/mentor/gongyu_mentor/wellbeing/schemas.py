"""Wellbeing on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_mentor.settings import HelpLine

__all__ = [
    "Audience",
    "BreakGlassIn",
    "BreakGlassOut",
    "CaseIn",
    "CaseLine",
    "CaseOut",
    "Curve",
    "Day",
    "EntryMade",
    "FigureOut",
    "Finding",
    "HelpOut",
    "LeadsIn",
    "Level",
    "LevelOut",
    "MentorEntry",
    "Mine",
    "NoteIn",
    "NoteOut",
    "OpeningOut",
    "OwnResult",
    "Plan",
    "PlanIn",
    "PlanOut",
    "Point",
    "ResultOut",
    "StepIn",
    "StudentEntry",
    "TalkTo",
    "TaskOut",
    "WishLine",
    "WishOut",
]

Mood = Annotated[int, Meta(ge=1, le=5, description="1 very low … 5 very good")]
Body = Annotated[str, Meta(min_length=1, max_length=2000)]
Reason = Annotated[str, Meta(min_length=4, max_length=500)]
Level = Literal["normal", "attention", "high", "crisis"]
Wants = Literal["mentor", "homeroom", "counselor", "principal", "named"]
Audience = Literal["mentor", "homeroom", "principal", "lead", "home", "pupil", "doctor"]


class TalkTo(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """I want to talk to …; `person` for somebody of the staff by name."""

    who: Wants
    person: UUID | None = None


class StudentEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tap; words if there are any."""

    mood: Mood
    words: Body | None = None
    talk_to: TalkTo | None = None


class MentorEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    mood: Mood
    words: Body | None = None


class HelpOut(Struct, frozen=True):
    """For the foot of every page, signed in or not."""

    help_lines: list[HelpLine]


class WishOut(Struct, frozen=True, kw_only=True):
    """A wish to talk, and how far the answer is. `due_at` is when it should have been arranged."""

    id: UUID
    who: Wants
    person_name: str | None
    asked_at: datetime
    due_at: datetime
    seen_at: datetime | None
    arranged_at: datetime | None
    arranged_for: datetime | None
    talked_at: datetime | None
    overdue: bool


class EntryMade(Struct, frozen=True, kw_only=True):
    """With every answer the lines for help: nobody has to look for them."""

    id: UUID
    day: date
    wish: WishOut | None
    help_lines: list[HelpLine]


class Point(Struct, frozen=True, kw_only=True):
    id: UUID
    at: datetime
    author: Literal["student", "mentor"]
    mood: Mood
    words: str | None


class Day(Struct, frozen=True, kw_only=True):
    """A day of the curve. Without an entry `mood` is null: a gap is a gap, and nothing is drawn through it."""

    day: date
    mood: int | None
    points: list[Point]


class Curve(Struct, frozen=True, kw_only=True):
    student: UUID
    ground: str
    days: list[Day]


class Mine(Struct, frozen=True, kw_only=True):
    """What a pupil sees of themselves."""

    days: list[Day]
    wishes: list[WishOut]
    help_lines: list[HelpLine]


class OpeningOut(Struct, frozen=True, kw_only=True):
    """Who opened a pupil's record, when, by which right."""

    by_name: str | None
    ground: str
    what: str
    at: datetime


class WishLine(Struct, frozen=True, kw_only=True):
    """A wish as whoever is asked sees it: who, and since when; not how they feel."""

    id: UUID
    student: UUID
    student_name: str
    who: Wants
    asked_at: datetime
    due_at: datetime
    seen_at: datetime | None
    arranged_at: datetime | None
    arranged_for: datetime | None
    overdue: bool


class StepIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """已看到、已约、已谈: each is a step forward; `at` is when the talk will be."""

    step: Literal["seen", "arranged", "talked"]
    at: Annotated[datetime, Meta(tz=True)] | None = None


class CaseIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask that a counsellor looks after a pupil; left out, `student` is oneself."""

    student: UUID | None = None
    ground: Literal["pupil", "mentor", "crisis"]
    words: Body | None = None


class CaseLine(Struct, frozen=True, kw_only=True):
    id: UUID
    student: UUID
    student_name: str
    ground: Literal["pupil", "mentor", "crisis"]
    opened_at: datetime
    mine: bool


class NoteIn(Struct, frozen=True, forbid_unknown_fields=True):
    words: Body


class NoteOut(Struct, frozen=True, kw_only=True):
    at: datetime
    words: str


class PlanIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is to do what. To teachers it says what to do, never why."""

    audience: Audience
    words: Body
    due_on: date | None = None


class PlanOut(Struct, frozen=True, kw_only=True):
    id: UUID
    audience: Audience
    words: str
    due_on: date | None
    done_at: datetime | None


class CaseOut(Struct, frozen=True, kw_only=True):
    """A case as its owner sees it."""

    id: UUID
    student: UUID
    student_name: str
    ground: Literal["pupil", "mentor", "crisis"]
    words: str | None
    opened_at: datetime
    notes: list[NoteOut]
    plan: list[PlanOut]


class TaskOut(Struct, frozen=True, kw_only=True):
    """A task for the reader. `crisis` is true only for a principal's task about a child in crisis: all they learn."""

    id: UUID
    student: UUID
    student_name: str
    audience: Audience
    words: str
    due_on: date | None
    done_at: datetime | None
    crisis: bool


class ResultOut(Struct, frozen=True, kw_only=True):
    """A screening's result. A screening is not a diagnosis (精神卫生法 23)."""

    id: UUID
    scale: str
    version: str
    day: date
    score: str | None
    level: Level
    not_a_diagnosis: str


class OwnResult(Struct, frozen=True, kw_only=True):
    """What a pupil is shown of their own: the score and how to take it, no label."""

    scale: str
    day: date
    score: str | None
    not_a_diagnosis: str


class LevelOut(Struct, frozen=True, kw_only=True):
    student: UUID
    student_name: str
    scale: str
    day: date
    level: Level


class FigureOut(Struct, frozen=True, kw_only=True):
    """How many pupils by their last level; null where it would be about fewer than ten."""

    school: UUID | None
    pupils: int | None
    levels: dict[str, int | None]


class LeadsIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Who leads mental health at a school: one or two of its staff, by name."""

    people: Annotated[list[UUID], Meta(max_length=2)]


class BreakGlassIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    student: UUID
    reason: Reason


class BreakGlassOut(Struct, frozen=True, kw_only=True):
    id: UUID
    student: UUID
    asked_by: UUID
    approved_by: UUID | None
    ends_at: datetime | None


class Finding(Struct, frozen=True, kw_only=True):
    """Something wrong in the file: where, and what."""

    file: str
    row: int
    column: str
    text: str


class Plan(Struct, frozen=True, kw_only=True):
    """What an import would do. `digest` names the file's content: what is applied is what was looked at."""

    digest: str
    rows: int
    new: int
    unchanged: int
    findings: list[Finding]
