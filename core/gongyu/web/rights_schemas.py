"""Consents and requests on the wire."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from gongyu.people.rights.consent import Word
from gongyu.people.rights.corrections import Fields

__all__ = [
    "ConsentOut",
    "NewCorrection",
    "NewDecision",
    "NewRequest",
    "NewWord",
    "OutcomeOut",
    "PaperWord",
    "RequestLine",
    "RequestOut",
    "SaidOut",
]


class SaidOut(msgspec.Struct, frozen=True):
    """One word about a purpose, as it was written down."""

    version: int
    word: Word
    capacity: str
    said_by: UUID | None
    channel: str
    at: datetime


class ConsentOut(msgspec.Struct, frozen=True):
    """One purpose, its text, and how things stand with it. `renew`: the person has turned 14 and is to be asked."""

    purpose: str
    title: str
    text: str
    version: int
    sensitive: bool
    state: str
    allowed: bool
    ground: str
    renew: bool
    speaks: str
    history: list[SaidOut]


class NewWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A yes, a no or a withdrawal, to one purpose alone; `version` is that of the text one has read."""

    purpose: Annotated[str, msgspec.Meta(max_length=200, examples=["core.public_mention"])]
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000, examples=[1])]
    word: Annotated[Word, msgspec.Meta(examples=["given"])]


class PaperWord(NewWord, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody signed on paper: who (the guardian, or the person from the 14th birthday), and on which day."""

    by: UUID
    signed_on: date


class NewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong and what is right, or what is to be erased, in one's own words."""

    wish: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, examples=["出生日期应为 2014-03-02。"])]


class NewCorrection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is right, by field: it is put right as soon as the request is accepted. Or what is wrong and what is right
    in one's own words, for all that is no field.
    """

    wish: Annotated[str, msgspec.Meta(max_length=4000, examples=["出生日期应为 2014-03-02。"])] = ""
    fields: Fields | None = None


class RequestOut(msgspec.Struct, frozen=True):
    """A request and its answer; `due_on` is the last day to answer it. An accepted correction with `still_to_be_done`
    waits for people: to do what `by_hand` says, or, with `still_in_source`, to correct it in the roster's source
    as well (`to_do` says it in words).
    """

    id: UUID
    kind: str
    person: UUID
    asked_as: str
    asked_at: datetime
    due_on: date
    wish: str | None
    state: str
    decided_at: datetime | None
    reason: str | None
    outcome: list["OutcomeOut"] | None
    fields: Fields | None
    by_hand: str | None
    done_at: datetime | None
    still_to_be_done: bool
    still_in_source: bool
    to_do: str | None


class OutcomeOut(msgspec.Struct, frozen=True):
    """What an erasure did to one kind of data; `kept` says by which law it stays, and is null for what is gone."""

    what: str
    rows: int
    kept: str | None
    until: date | None


class RequestLine(msgspec.Struct, frozen=True):
    """A request in the list of those who answer; the words are in the request itself, whose reading is audited."""

    id: UUID
    kind: str
    person: UUID
    asked_as: str
    asked_at: datetime
    due_on: date
    state: str
    overdue: bool
    still_to_be_done: bool
    still_in_source: bool
    to_do: str | None = None


class NewDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer, with its reason in writing. To accept a correction in words alone, say in `done_by_hand` who puts it
    right, and where.
    """

    accept: bool
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, examples=["已在学籍系统中更正。"])]
    done_by_hand: Annotated[str, msgspec.Meta(max_length=4000, examples=["学籍管理员在全国学籍系统中更正"])] = ""
