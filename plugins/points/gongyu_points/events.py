"""What the ledger tells other plugins: ids only; the subject is the student. And what it tells itself."""

from typing import ClassVar, Literal
from uuid import UUID

from gongyu.plugin import Event, Text

__all__ = ["MoreLapsed", "PointsAwarded", "PointsRedeemed", "PointsReversed"]


class PointsAwarded(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "points.awarded.v1"
    title: ClassVar[Text] = Text(zh="积分已发放", en="Points were awarded")
    entry: UUID
    operation: UUID
    student: UUID


class PointsRedeemed(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "points.redeemed.v1"
    title: ClassVar[Text] = Text(zh="积分已兑换", en="Points were redeemed")
    entry: UUID
    operation: UUID
    student: UUID


class PointsReversed(Event, frozen=True, kw_only=True):
    """`reverses` is the entry taken back: an award, a deposit or a redemption."""

    type: ClassVar[str] = "points.reversed.v1"
    title: ClassVar[Text] = Text(zh="积分已冲正", en="An entry was reversed")
    entry: UUID
    operation: UUID
    student: UUID
    reverses: UUID


class MoreLapsed(Event, frozen=True, kw_only=True):
    """A batch of what lapsed was let go, and more (`orders`, `leases` or `events`) waits for the next unit of work."""

    type: ClassVar[str] = "points.more_lapsed.v1"
    title: ClassVar[Text] = Text(zh="还有过期的订单或离线额度待退回", en="More lapsed orders or leases wait")
    what: Literal["orders", "leases", "events"]
