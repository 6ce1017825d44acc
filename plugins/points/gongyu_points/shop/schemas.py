"""The shop on the wire."""

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_points.schemas import Key

__all__ = [
    "CountOut",
    "Dismissal",
    "DutyOut",
    "Ended",
    "ItemChange",
    "ItemOut",
    "MoveOut",
    "NewCount",
    "NewDuty",
    "NewItem",
    "NewMove",
    "NewOrder",
    "NewSale",
    "NewShop",
    "OrderOut",
    "PictureOut",
    "ShopChange",
    "ShopOut",
    "TillCodeOut",
]

Title = Annotated[str, Meta(min_length=1, max_length=60, examples=["签字笔"])]
Description = Annotated[str, Meta(max_length=500)]
Hours = Annotated[str, Meta(max_length=200, examples=["周一至周五 12:00—12:40"])]
Price = Annotated[int, Meta(ge=1, le=10_000, examples=[5])]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Quantity = Annotated[int, Meta(ge=1, le=20, examples=[1])]
Sum = Annotated[int, Meta(ge=1, le=200_000, examples=[5])]
Reason = Annotated[str, Meta(min_length=2, max_length=200, examples=["质量问题"])]
HeldAt = Annotated[
    datetime,
    Meta(description="When an event takes place. From then on no pupil cancels, and at night what is on hold is paid."),
]
Wish = Annotated[str, Meta(max_length=200)]
TillCode = Annotated[str, Meta(pattern="^[0-9]{6}$")]
#: Stands beside goods, for ever and in the clear.
_NAMELESS: Final = "不写任何人的姓名：它以明文长期保存。 Names nobody: it is kept in the clear, and for ever."
Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="Of what was read; a change meanwhile is a 412.")]


class NewShop(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A school's shop."""

    id: Key
    school: UUID
    name: Annotated[str, Meta(min_length=1, max_length=60, examples=["书坊驿站"])]
    hours: Hours = ""


class ShopChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A shop as it shall be; nothing is sold in one that is closed."""

    version: Version
    name: Annotated[str, Meta(min_length=1, max_length=60, examples=["书坊驿站"])]
    hours: Hours = ""
    state: Literal["open", "closed"] = "open"


class ShopOut(Struct, frozen=True):
    id: UUID
    school: UUID
    name: str
    hours: str
    state: str
    version: int


class NewItem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something for points. Whether its stock is counted stays as it is first said."""

    id: Key
    kind: Annotated[Literal["good", "privilege", "event"], Meta(examples=["good"])]
    title: Title
    description: Description = ""
    price: Price
    term_limit: Limit | None = None
    limited: bool = True
    """Stock is counted; for an event, its seats. A privilege such as choosing a song needs none."""
    slot: UUID | None = None
    """The seats of this event are another plugin's, under this id; `limited` is then false."""
    held_at: HeldAt | None = None
    """Of an event, and of nothing else."""


class ItemChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An item as it shall be; orders that are placed keep their price."""

    version: Version
    title: Title
    description: Description = ""
    price: Price
    term_limit: Limit | None = None
    held_at: HeldAt | None = None
    """Of an event, and of nothing else."""
    active: bool = True


class ItemOut(Struct, frozen=True):
    """An item; `left` is what can still be ordered, null where stock is not counted."""

    id: UUID
    shop: UUID
    kind: str
    title: str
    description: str
    price: int
    term_limit: int | None
    limited: bool
    slot: UUID | None
    held_at: datetime | None
    active: bool
    left: int | None
    picture: str | None
    """The picture's digest: it changes with the picture."""
    version: int


class PictureOut(Struct, frozen=True):
    """What the picture is now; it also stands in the item."""

    digest: str


class NewMove(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Goods came, or were lost."""

    id: Key
    kind: Literal["delivery", "loss"]
    quantity: Annotated[int, Meta(ge=1, le=100_000, examples=[50])]
    reason: Annotated[str, Meta(max_length=200, description=_NAMELESS)] = ""


class NewCount(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody counted what is there, also what is promised to orders."""

    id: Key
    counted: Annotated[int, Meta(ge=0, le=1_000_000, examples=[48])]
    reason: Annotated[Reason, Meta(description=_NAMELESS)]


class CountOut(Struct, frozen=True):
    id: UUID
    item: UUID
    counted: int
    expected: int
    difference: int
    reason: str
    by: UUID
    at: datetime


class MoveOut(Struct, frozen=True):
    """A movement of stock: what came or went, and what was promised or no longer is."""

    id: UUID
    kind: str
    on_hand: int
    reserved: int
    order: UUID | None
    reason: str
    by: UUID | None
    at: datetime


class NewOrder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pupil orders; the points are put on hold and the goods aside."""

    id: Key
    item: UUID
    quantity: Quantity = 1
    points: Sum | None = None
    """What the pupil was shown; if the price has changed meanwhile, nothing happens."""
    wish: Wish = ""
    """Of a privilege, what the pupil chooses, such as the song; sealed, and for the shop's office to read."""


class NewSale(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sold over the counter: ordered and handed out at once."""

    id: Key
    student: UUID
    item: UUID
    quantity: Quantity = 1
    points: Sum | None = None
    code: TillCode | None = None
    """What the buyer shows; needed by whoever sells on duty, and not by the office."""


class TillCodeOut(Struct, frozen=True):
    """A pupil's code for the till, good for one sale."""

    code: str
    valid_until: datetime


class OrderOut(Struct, frozen=True):
    """An order with the price of the day. `state`: placed, collected, cancelled, expired or returned."""

    id: UUID
    shop: UUID
    item: UUID
    title: str
    student: UUID
    name: str
    quantity: int
    price: int
    points: int
    channel: str
    state: str
    placed_at: datetime
    collect_by: date | None
    closed_at: datetime | None
    reason: str
    wish: str
    """What the pupil chose; not told to whoever is on duty."""


class Dismissal(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an order is cancelled or returned."""

    reason: Reason


class NewDuty(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody of the school serves in the shop for a while."""

    id: Key
    person: UUID
    begins_at: datetime
    ends_at: datetime


class DutyOut(Struct, frozen=True):
    id: UUID
    shop: UUID
    person: UUID
    name: str
    begins_at: datetime
    ends_at: datetime


class Ended(Struct, frozen=True):
    """What is over now."""

    id: UUID
