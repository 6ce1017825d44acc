"""What is told of letters: that there is one, and that its time ran out. By id; of whom nobody learns here."""

from typing import ClassVar, Literal
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["LetterOverdue", "LetterReceived"]


class LetterReceived(Event, frozen=True, kw_only=True):
    """A letter lies at an office. Of an anonymous one it is told the morning after, so that no time leads to it."""

    type: ClassVar[str] = "mentor.letter_received.v1"
    title: ClassVar[Text] = Text(zh="收到悄悄话", en="A letter was received")

    letter: UUID
    holder: Literal["school", "district"]


class LetterOverdue(Event, frozen=True, kw_only=True):
    """A letter was not answered in time; the district has been told."""

    type: ClassVar[str] = "mentor.letter_overdue.v1"
    title: ClassVar[Text] = Text(zh="悄悄话逾期未答复", en="A letter is overdue")

    letter: UUID
    school: UUID
    holder: Literal["school", "district"]
