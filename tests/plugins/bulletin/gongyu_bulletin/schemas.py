"""Notices on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct


class NewNotice(Struct, frozen=True, forbid_unknown_fields=True):
    """A notice to post in an org; in the district's own when none is named."""

    title: Annotated[str, Meta(min_length=1, max_length=100, examples=["运动会改期"])]
    body: Annotated[str, Meta(min_length=1, max_length=10_000, examples=["因雨改到周五。"])]
    org: UUID | None = None


class NoticeOut(Struct, frozen=True):
    """A notice as readers see it."""

    id: UUID
    org: UUID
    title: str
    body: str
    posted_at: datetime
