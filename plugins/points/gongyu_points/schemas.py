"""Points on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_points.settings import Denomination

__all__ = [
    "AwardOut",
    "BalanceOut",
    "BudgetOut",
    "ClassOut",
    "EntryOut",
    "NewAward",
    "NewBudget",
    "NewReason",
    "NewRedemption",
    "NewReversal",
    "NewTerm",
    "OwnPupilOut",
    "PupilOut",
    "PurseOut",
    "QuotaOut",
    "ReasonOut",
    "RedemptionOut",
    "ReversalOut",
    "TermOut",
    "Undo",
]

Key = Annotated[UUID, Meta(description="Made by the client; sending it again does nothing twice, however late.")]
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$", examples=["helps_others"])]
Note = Annotated[str, Meta(max_length=200)]
Dimension = Literal["moral", "intellectual", "physical", "aesthetic", "labour"]


class NewAward(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Points for one student, several, or a whole class: all of them get it, or none."""

    id: Key
    points: Denomination
    reason: Code
    students: Annotated[tuple[UUID, ...], Meta(max_length=200)] = ()
    class_id: UUID | None = None
    budget: UUID | None = None
    """From a budget that one holds, instead of one's own quota."""
    note: Note = ""


class BalanceOut(Struct, frozen=True):
    """A student after the award."""

    student: UUID
    entry: UUID
    balance: int


class AwardOut(Struct, frozen=True):
    """What was given, and what the giver may still give."""

    operation: UUID
    points: int
    students: list[BalanceOut]
    left: int


class Undo(Struct, frozen=True, forbid_unknown_fields=True):
    """The key of taking back; see the award's."""

    id: Key


class NewReversal(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry is taken back by an officer, who says why."""

    id: Key
    reason: Annotated[str, Meta(min_length=2, max_length=200, examples=["发错了人"])]


class ReversalOut(Struct, frozen=True):
    """The entries that take others back."""

    operation: UUID
    entries: list[UUID]


class NewRedemption(Struct, frozen=True, forbid_unknown_fields=True):
    """A student spends points at a school's shop."""

    id: Key
    student: UUID
    points: Annotated[int, Meta(ge=1, le=100_000)]
    shop: UUID
    """The school whose shop it is."""
    item: Annotated[str, Meta(min_length=1, max_length=200, examples=["签字笔"])]


class RedemptionOut(Struct, frozen=True):
    operation: UUID
    balance: int


class NewReason(Struct, frozen=True, forbid_unknown_fields=True):
    """What points are given for; `code` never changes its meaning."""

    code: Code
    zh: Annotated[str, Meta(min_length=1, max_length=40, examples=["助人为乐"])]
    en: Annotated[str, Meta(min_length=1, max_length=80, examples=["Helps others"])]
    dimension: Dimension
    active: bool = True


class ReasonOut(Struct, frozen=True):
    code: str
    zh: str
    en: str
    dimension: str
    active: bool


class NewTerm(Struct, frozen=True, forbid_unknown_fields=True):
    """The term to open; the id is the academic session's, where there is one."""

    id: Key
    title: Annotated[str, Meta(min_length=1, max_length=60, examples=["2026 年秋季学期"])]


class TermOut(Struct, frozen=True):
    id: UUID
    title: str
    state: str
    opened_at: datetime
    closed_at: datetime | None


class NewBudget(Struct, frozen=True, forbid_unknown_fields=True):
    """Points for an occasion, in somebody's hands."""

    id: Key
    title: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=60,
            description="活动名称，不写任何人的姓名：以明文长期保存。 The occasion; names nobody: it is in the clear.",
            examples=["秋季运动会"],
        ),
    ]
    points: Annotated[int, Meta(ge=1, le=1_000_000)]
    holder: UUID
    org: UUID


class BudgetOut(Struct, frozen=True):
    """Points for an occasion: whose hands they are in, how many came and how many are left."""

    id: UUID
    title: str
    term: UUID
    org: UUID | None
    holder: UUID | None
    granted: int
    left: int


class QuotaOut(Struct, frozen=True):
    """What one may still give this term: the own quota, and the budgets one holds."""

    term: UUID | None
    ends_on: date | None
    """The term's last day, where the calendar knows it: what is left then expires."""
    quota: int
    """What one was granted; of whoever came later and has not given yet, what one will be."""
    left: int
    denominations: list[int]
    """What may be given at once."""
    budgets: list[BudgetOut]


class PurseOut(Struct, frozen=True):
    """What a student has to spend, and what they have ever earned, both from the same entries."""

    student: UUID
    balance: int
    earned: int
    by_dimension: dict[str, int]
    by_reason: dict[str, int]


class EntryOut(Struct, frozen=True):
    """A line of a statement; `points` is negative where they left, `balance` is what was there afterwards."""

    seq: str
    id: UUID
    operation: UUID
    kind: str
    points: int
    balance: int
    reason: str | None
    note: str
    reverses: UUID | None
    reversed: bool
    at: datetime


class PupilOut(Struct, frozen=True):
    """A pupil in the equity view; the order is the class list's, never by points."""

    student: UUID
    name: str
    awards: int
    last: datetime | None


class OwnPupilOut(Struct, frozen=True):
    """A pupil whom one may give to, in the order of the class lists."""

    student: UUID
    name: str
    class_id: UUID | None
    class_title: str
    balance: int
    earned_today: int
    left_today: int
    """What they may still earn today, whoever gives it."""


class ClassOut(Struct, frozen=True):
    """Who never gets any: for the eyes of those who teach them."""

    class_id: UUID
    pupils: list[PupilOut]
    without: int
