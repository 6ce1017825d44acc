"""Letters on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_mentor.settings import HelpLine

__all__ = [
    "AnonymousLetter",
    "AnonymousSent",
    "ChangeIn",
    "ChangeOut",
    "Checked",
    "FollowUp",
    "LetterLine",
    "LetterOut",
    "LetterState",
    "MessageOut",
    "NewLetter",
    "Receipt",
    "ReceiptMessage",
    "Reply",
    "Sent",
    "Words",
]

LetterState = Literal["received", "seen", "answered", "closed"]
Body = Annotated[str, Meta(min_length=1, max_length=5000, examples=["食堂的菜总是凉的。"])]
Code = Annotated[str, Meta(min_length=1, max_length=60, examples=["7K2MQ-X9D4T-PBV3N-HW6RC"])]
Short = Annotated[str, Meta(min_length=2, max_length=200)]
Number = Annotated[int, Meta(ge=1)]


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody is about to send."""

    words: Body


class Checked(Struct, frozen=True, kw_only=True):
    """What is to be read before sending. With `harm`, `protocol` must be shown, and sending needs `acknowledged`.

    Attributes:
        protocol: What happens next, by law, in the caller's language; empty without harm words.
        help_lines: Where help is at any hour; shown in any case.
    """

    harm: bool
    protocol: str
    help_lines: list[HelpLine]


class NewLetter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A letter under one's own name.

    Attributes:
        about_principal: It goes to the district then, and the principal never learns of it.
        then_district: The district may read it if the school lets the time run out.
        acknowledged: The text of the protocol was shown and understood; see `Checked`.
    """

    school: UUID
    words: Body
    about_principal: bool = False
    then_district: bool = False
    acknowledged: bool = False


class AnonymousLetter(NewLetter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A letter of somebody of the school; nobody can find out of whom.

    Attributes:
        once: Chosen at random by the sender, so that sending the same letter again after a lost answer sends nothing
            and gives the same receipt. It is not kept.
    """

    once: UUID | None = None


class Sent(Struct, frozen=True, kw_only=True):
    """A letter on its way: who holds it, and until when they are to answer."""

    id: UUID
    holder: Literal["school", "district"]
    due_on: date


class AnonymousSent(Struct, frozen=True, kw_only=True):
    """The receipt: shown this once. Whoever has it reads the answers; without it nobody can, the writer neither."""

    receipt: str
    holder: Literal["school", "district"]
    due_on: date


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    receipt: Code


class ReceiptMessage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One more message by receipt; `after` is the number of the last message read."""

    receipt: Code
    words: Body
    after: Number
    acknowledged: bool = False


class FollowUp(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One more message of a writer under their name."""

    words: Body
    after: Number
    acknowledged: bool = False


class Reply(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The office's answer; `after` is the number of the last message read, so that nobody answers past another."""

    words: Body
    after: Number


class MessageOut(Struct, frozen=True, kw_only=True):
    """One message; `words` is null where it was not sealed for the reader."""

    number: int
    by_office: bool
    at: datetime
    words: str | None


class LetterLine(Struct, frozen=True, kw_only=True):
    """A letter in a list, without its words.

    Attributes:
        writer_name: Of a named letter, for those who hold it; null for an anonymous one.
        readable: Whether it was sealed for the reader's office. An overdue letter that was not is shown to the district
            as a fact to act on, and stays closed.
    """

    id: UUID
    school: UUID
    holder: Literal["school", "district"]
    writer: Literal["student", "adult"]
    writer_name: str | None
    state: LetterState
    sent_on: date
    due_on: date
    overdue: bool
    told_district: bool
    harm: bool
    readable: bool


class LetterOut(Struct, frozen=True, kw_only=True):
    """A letter with its thread, oldest message first."""

    id: UUID
    school: UUID
    holder: Literal["school", "district"]
    state: LetterState
    sent_on: date
    due_on: date
    overdue: bool
    told_district: bool
    harm: bool
    messages: list[MessageOut]


class ChangeIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry of the board. In general words, and without names."""

    school: UUID
    title: Short
    asked: Annotated[str, Meta(min_length=2, max_length=1000)]
    changed: Annotated[str, Meta(min_length=2, max_length=1000)]


class ChangeOut(Struct, frozen=True, kw_only=True):
    id: UUID
    school: UUID
    title: str
    asked: str
    changed: str
    on: date
