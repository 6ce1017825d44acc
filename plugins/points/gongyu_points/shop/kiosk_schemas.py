"""The kiosk on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_points.schemas import Key

__all__ = [
    "KioskOut",
    "KioskSale",
    "LeaseItemOut",
    "LeaseOut",
    "LeasePupilOut",
    "NewKiosk",
    "NewKioskOut",
    "NewLease",
    "Refused",
    "Sales",
    "SalesOut",
    "WantedItem",
]

#: In one lease: for each an advisory lock is held while it is taken.
MOST_PUPILS = 1000


class NewKiosk(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device in a shop."""

    id: Key
    name: Annotated[str, Meta(min_length=1, max_length=60, examples=["一楼自助机"])]


class KioskOut(Struct, frozen=True):
    id: UUID
    shop: UUID
    name: str
    active: bool
    lease: UUID | None
    """Its open lease."""
    kept_until: datetime | None


class NewKioskOut(Struct, frozen=True):
    """The token is shown this once. It can lease and sell as this kiosk, and nothing else."""

    id: UUID
    token: str
    expires_at: datetime


class WantedItem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many of an item are beside the kiosk; without a number, where stock is not counted, as many as wanted."""

    item: UUID
    quantity: Annotated[int, Meta(ge=1, le=100_000, examples=[10])] | None = None


class NewLease(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the kiosk wants to sell without the network, and to whom; without students or classes, the whole school."""

    id: Key
    items: Annotated[tuple[WantedItem, ...], Meta(min_length=1, max_length=200)]
    students: Annotated[tuple[UUID, ...], Meta(max_length=MOST_PUPILS)] = ()
    classes: Annotated[tuple[UUID, ...], Meta(max_length=60)] = ()


class LeasePupilOut(Struct, frozen=True):
    """What of a pupil's points is put aside here, and how much of it is spent."""

    student: UUID
    name: str
    budget: int
    spent: int


class LeaseItemOut(Struct, frozen=True):
    item: UUID
    title: str
    price: int
    quantity: int | None
    sold: int


class LeaseOut(Struct, frozen=True):
    """A lease. The kiosk sells until `valid_until` by its own clock, set by `now`; what it has not uploaded by
    `kept_until` goes back to the purses. It repeats `signature` when it uploads.
    """

    id: UUID
    kiosk: UUID
    shop: UUID
    state: str
    now: datetime
    taken_at: datetime
    valid_until: datetime
    kept_until: datetime
    signature: str
    pupils: list[LeasePupilOut]
    items: list[LeaseItemOut]


class KioskSale(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sale at the kiosk; its key was made and stored there before the gift was handed out."""

    id: Key
    student: UUID
    item: UUID
    quantity: Annotated[int, Meta(ge=1, le=20, examples=[1])] = 1
    points: Annotated[int, Meta(ge=1, le=100_000, examples=[5])]
    at: datetime


class Sales(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sales in any order, any number of times; with `settle`, these were the last of the lease."""

    signature: Annotated[str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]
    sales: Annotated[tuple[KioskSale, ...], Meta(max_length=500)] = ()
    settle: bool = False


class Refused(Struct, frozen=True):
    """A sale that was not booked. `code`: used, time, pupil, item, price, quantity, budget, closed."""

    id: UUID
    code: str
    zh: str
    en: str


class SalesOut(Struct, frozen=True):
    """What became of each sale: booked now, booked before, or refused; the others are not touched by a refused one."""

    accepted: list[UUID]
    repeated: list[UUID]
    refused: list[Refused]
    state: str
