"""What the notice board tells other plugins."""

from typing import ClassVar
from uuid import UUID

from gongyu.plugin import Event, Text


class NoticePosted(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "bulletin.posted.v1"
    title: ClassVar[Text] = Text(zh="公告已发布", en="A notice was posted")

    notice: UUID
    org: UUID
