"""Rounds of classes on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_mentor.schemas import Why

__all__ = ["ClassChoices", "ClassLine", "ClassMentor"]


class ClassChoices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A class's teachers, best first; with `version`, only if nothing was filed since it was read."""

    choices: Annotated[list[UUID], Meta(max_length=20)]
    version: int | None = None


class ClassLine(Struct, frozen=True, kw_only=True):
    """A class in a round of classes; `version` 0 is no list yet."""

    class_id: UUID
    title: str
    choices: list[UUID]
    version: int


class ClassMentor(Struct, frozen=True, kw_only=True):
    """A class and its party-member teacher, and why this one."""

    class_id: UUID
    title: str
    mentor: UUID | None
    mentor_name: str | None
    since: datetime | None
    why: Why | None = None
