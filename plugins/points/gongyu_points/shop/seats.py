"""Seats that another plugin keeps: asked for by name, in the same unit of work, so that there is no seat without points
and none of the points without a seat.

Whoever offers them provides two capabilities, which join the caller's transaction, may be called again with the same
key without taking twice, and raise `ProblemError` (`conflict`) when there are not enough:

* `venue.seat.take` (`context, *, key, slot, person, seats`)
* `venue.seat.give_back` (`context, *, key, slot`)
"""

from typing import Final
from uuid import UUID

from gongyu.plugin import Context, Text
from gongyu.web import ProblemError

__all__ = ["give_back", "take"]

TAKE: Final = "venue.seat.take"
GIVE_BACK: Final = "venue.seat.give_back"


async def take(context: Context, *, order: UUID, slot: UUID, student: UUID, seats: int) -> None:
    """Take seats for an order.

    Raises:
        ProblemError: `conflict` when nobody here keeps seats, or there are not enough.
    """
    provided = context.capabilities.get(TAKE)
    if provided is None:
        text = Text(zh="本区县没有启用场次预约，暂不能兑换", en="this district has no plugin that keeps its seats")
        raise ProblemError("conflict", text)
    await provided(context, key=order, slot=slot, person=student, seats=seats)


async def give_back(context: Context, *, order: UUID, slot: UUID) -> None:
    """Free the seats of an order; where their plugin has been switched off, there is nothing to free."""
    if provided := context.capabilities.get(GIVE_BACK):
        await provided(context, key=order, slot=slot)
