"""The care list on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

__all__ = [
    "CareClosing",
    "CareNoteChange",
    "CareOut",
    "CareRecord",
    "LeadOut",
    "NewCare",
    "NewCareNote",
    "NoteKind",
    "NoteOut",
    "PlanChange",
    "PlanOut",
]

NoteKind = Literal["visit", "call", "meeting", "note"]
Category = Annotated[str, Meta(min_length=1, max_length=60, examples=["留守"])]
Plan = Annotated[str, Meta(min_length=1, max_length=4000, examples=["每两周与外婆通一次电话；周三课后一起做作业"])]
Words = Annotated[str, Meta(min_length=1, max_length=4000, examples=["去了外婆家，孩子有自己的书桌了"])]
Days = Annotated[int, Meta(ge=1, le=366)]


class NewCare(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A child who needs more. `id` is made by the sender: sent twice, it is one entry.

    Attributes:
        category: One of the district's categories, or own words.
        cadence_days: Something is done at least so often.
        responsible: Who looks after it, by name: somebody who works at the school.
    """

    id: UUID
    student: UUID
    category: Category
    plan: Plan
    cadence_days: Days = 14
    responsible: UUID


class PlanChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The plan from now on; `number` as last read."""

    number: int
    category: Category
    plan: Plan
    cadence_days: Days
    responsible: UUID


class NewCareNote(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was done. `id` is made by the sender."""

    id: UUID
    kind: NoteKind = "visit"
    happened_on: date
    text: Words


class CareNoteChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A note as it should have been; `replaces` is the version last read."""

    id: UUID
    replaces: UUID
    kind: NoteKind = "visit"
    happened_on: date
    text: Words


class CareClosing(Struct, frozen=True, forbid_unknown_fields=True):
    outcome: Words


class CareOut(Struct, frozen=True, kw_only=True):
    """A child on the list, as the newest plan has it; `due`: when the next thing is to be done, while it is open."""

    id: UUID
    student: UUID
    student_name: str
    school: UUID
    category: str
    responsible: UUID | None
    responsible_name: str | None
    cadence_days: int
    plan_number: int
    opened_at: datetime
    last_on: date | None
    due: date | None
    closed_at: datetime | None


class PlanOut(Struct, frozen=True, kw_only=True):
    number: int
    category: str
    plan: str
    cadence_days: int
    responsible: UUID | None
    written_by: UUID | None
    written_at: datetime


class NoteOut(Struct, frozen=True, kw_only=True):
    """One version; several with one `note` are the same note amended."""

    id: UUID
    note: UUID
    number: int
    replaces: UUID | None
    kind: NoteKind
    happened_on: date
    text: str
    written_by: UUID | None
    written_at: datetime


class CareRecord(Struct, frozen=True, kw_only=True):
    """All there is: every plan, every note in every version, and what came of it."""

    care: CareOut
    plans: list[PlanOut]
    notes: list[NoteOut]
    outcome: str | None


class LeadOut(Struct, frozen=True, kw_only=True):
    person: UUID
    name: str
    since: datetime
