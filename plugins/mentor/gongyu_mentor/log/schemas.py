"""The log, the profile and the hand-over on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu.plugin import Text

__all__ = [
    "Answer",
    "Asked",
    "HandoverOut",
    "ItemChange",
    "ItemOut",
    "Kind",
    "LogOut",
    "NewItem",
    "Section",
    "SectionIn",
    "SectionOut",
    "SummaryOut",
]

Section = Literal["situation", "priorities", "measures", "effects", "summary"]
Kind = Literal["hobby", "talent", "book", "plan", "goal"]
Words = Annotated[str, Meta(min_length=1, max_length=8000, examples=["性格开朗，数学吃力，喜欢围棋"])]
Line = Annotated[str, Meta(min_length=1, max_length=400, examples=["围棋"])]
Percent = Annotated[int, Meta(ge=0, le=100)]


class SectionIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A section as it should read; `version` as last read, 0 for the first."""

    version: Annotated[int, Meta(ge=0)]
    text: Words


class SectionOut(Struct, frozen=True, kw_only=True):
    section: Section
    title: Text
    version: int
    text: str
    written_at: datetime | None


class LogOut(Struct, frozen=True, kw_only=True):
    """The log of a term. `draft` is a summary made of the talks, offered while there is none yet."""

    student: UUID
    name: str
    term_begins: date
    term_ends: date
    sections: list[SectionOut]
    draft: str | None


class NewItem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line for the profile; the id is made by the sender. Plans and goals may carry a progress in per cent."""

    id: UUID
    kind: Kind
    text: Line
    progress: Percent | None = None


class ItemChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line as it should read from now on; `version` as last read."""

    version: Annotated[int, Meta(ge=1)]
    text: Line
    progress: Percent | None = None
    removed: bool = False


class ItemOut(Struct, frozen=True, kw_only=True):
    id: UUID
    kind: Kind
    text: str
    progress: int | None
    version: int
    by: UUID | None
    by_name: str | None
    written_at: datetime


class Asked(Struct, frozen=True, kw_only=True):
    """A question to a child: may the new mentor read what the former one summed up?"""

    pair: UUID
    former_mentor: str
    mentor: str
    asked_at: datetime
    agreed: bool | None


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """It may be changed at any time; no means from now on nobody reads it."""

    agreed: bool


class SummaryOut(Struct, frozen=True, kw_only=True):
    term_begins: date
    text: str
    written_at: datetime


class HandoverOut(Struct, frozen=True, kw_only=True):
    """What passes to a new mentor: summaries, and no note beside them. Empty until the child agrees."""

    student: UUID
    former_mentor: str | None
    agreed: bool | None
    summaries: list[SummaryOut]
