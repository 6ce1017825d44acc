"""What is told of talks: ids, and nothing anybody has said or written."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["TalkDue", "TalkLogged"]


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
