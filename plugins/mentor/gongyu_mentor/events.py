"""What this plugin tells others: ids, and nothing anybody has said or written."""

from typing import ClassVar
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["MentorAssigned", "MentorEnded"]


class MentorAssigned(Event, frozen=True, kw_only=True):
    """A student has this mentor from now on."""

    type: ClassVar[str] = "mentor.assigned.v1"
    title: ClassVar[Text] = Text(zh="已结对导师", en="A mentor was assigned")

    assignment: UUID
    student: UUID
    mentor: UUID


class MentorEnded(Event, frozen=True, kw_only=True):
    """A student no longer has this mentor."""

    type: ClassVar[str] = "mentor.ended.v1"
    title: ClassVar[Text] = Text(zh="导师结对已结束", en="A mentor's assignment ended")

    assignment: UUID
    student: UUID
    mentor: UUID
