"""What this plugin tells others: ids, and nothing anybody has said or written."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["MentorAssigned", "MentorEnded", "TalkDue", "TalkLogged"]


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


class TalkLogged(Event, frozen=True, kw_only=True):
    """Somebody talked with a student. Not who: whoever counted these by teacher would count teachers."""

    type: ClassVar[str] = "mentor.talk_logged.v1"
    title: ClassVar[Text] = Text(zh="已记录谈心谈话", en="A talk was written down")

    talk: UUID
    student: UUID


class TalkDue(Event, frozen=True, kw_only=True):
    """A student was not reached yet and the time runs out."""

    type: ClassVar[str] = "mentor.talk_due.v1"
    title: ClassVar[Text] = Text(zh="有学生即将到期未谈到", en="A talk with a student falls due")

    student: UUID
    due: date
