"""Training sessions and checks on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

__all__ = ["AttendanceIn", "CheckIn", "MissingOut", "NewTraining", "TrainingChange", "TrainingOut"]

Title = Annotated[str, Meta(min_length=1, max_length=100, examples=["导师岗前培训"])]
Place = Annotated[str, Meta(min_length=1, max_length=100, examples=["报告厅"])]
When = Annotated[datetime, Meta(tz=True)]


class NewTraining(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A session, and after which round, if after one."""

    title: Title
    starts_at: When
    place: Place
    round: UUID | None = None


class TrainingChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    version: int
    title: Title
    starts_at: When
    place: Place


class TrainingOut(Struct, frozen=True, kw_only=True):
    """A session. `attended` holds everybody for the school, and for others themselves alone, if they were there."""

    id: UUID
    school: UUID
    round: UUID | None
    title: str
    starts_at: datetime
    place: str
    version: int
    attended: list[UUID]


class AttendanceIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody who was there; the list is replaced whole."""

    attended: Annotated[list[UUID], Meta(max_length=1000)]


class CheckIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a check said: the result, its day and who issued it, and nothing more (未成年人保护法 62)."""

    person: UUID
    checked_on: date
    issuer: Annotated[str, Meta(min_length=1, max_length=100, examples=["鄂州市公安局"])]
    result: Literal["clear", "found"] = "clear"


class MissingOut(Struct, frozen=True, kw_only=True):
    """A mentor of whom something is missing before the next talk; what the school does not ask for is not missing."""

    mentor: UUID
    name: str
    training: bool
    check: bool
    checked_on: date | None
    valid_until: date | None
