"""Appeals and lists filed anew on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

__all__ = [
    "AppealDecision",
    "AppealIn",
    "AppealLine",
    "AppealOut",
    "AppealState",
    "FreeMentor",
    "RefiledIn",
    "RefilingIn",
    "RefilingLine",
    "RefilingOut",
    "RefilingView",
]

AppealState = Literal["filed", "withdrawn", "upheld", "rejected"]
Said = Annotated[str, Meta(min_length=2, max_length=2000)]
Ranked = Annotated[list[UUID], Meta(max_length=20)]


class AppealIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Against a pair, one's own or one's child's, and why."""

    student: UUID
    reasons: Said


class AppealOut(Struct, frozen=True, kw_only=True):
    """An appeal as the family sees it. `due_at` is when the school owes the answer."""

    id: UUID
    round: UUID
    student: UUID
    state: AppealState
    reasons: str
    filed_at: datetime
    due_at: datetime
    answer: str | None
    decided_at: datetime | None


class AppealLine(Struct, frozen=True, kw_only=True):
    """An appeal as the school sees it, with the pair it is about. `mine` says that the asker may not decide it."""

    id: UUID
    student: UUID
    student_name: str
    mentor: UUID | None
    mentor_name: str | None
    state: AppealState
    reasons: str
    filed_at: datetime
    due_at: datetime
    overdue: bool
    answer: str | None
    decided_by: UUID | None
    decided_at: datetime | None


class AppealDecision(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The school's decision, in words. Upheld, a mentor is named or the student chooses again over free seats."""

    upheld: bool
    answer: Said
    mentor: UUID | None = None
    choices: Ranked | None = None


class RefilingIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Who leaves, and until when their students may choose anew."""

    gone: Annotated[list[UUID], Meta(min_length=1, max_length=200)]
    closes_at: datetime


class RefilingLine(Struct, frozen=True):
    """A displaced student, and when they chose anew, if they have."""

    student: UUID
    name: str
    filed_at: datetime | None


class RefilingView(Struct, frozen=True, kw_only=True):
    """The window as the school sees it."""

    gone: list[UUID]
    closes_at: datetime
    students: list[RefilingLine]


class FreeMentor(Struct, frozen=True):
    """A mentor with seats left."""

    mentor: UUID
    name: str
    free: int


class RefiledIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new list, over mentors with free seats; with `version`, only if nothing was filed since it was read."""

    choices: Ranked
    version: int | None = None


class RefilingOut(Struct, frozen=True, kw_only=True):
    """The window as a displaced student sees it; `version` 0 is nothing filed yet."""

    closes_at: datetime
    choices: list[UUID]
    version: int
    mentors: list[FreeMentor]
