"""Which numbers of entries have not been read yet.

A sequence gives each number once, so what lies between two entries belongs to a write that is not committed yet, or
never will be. To ask for these again, and for whatever is above the newest, reads each entry once and misses none,
however late it is committed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

__all__ = ["ENDLESS", "Range", "left_of"]

#: No entry has a higher number.
ENDLESS: Final = 2**63 - 1


class Range(NamedTuple):
    """Numbers from `low` to `high`, and when an entry above them was first seen."""

    low: int
    high: int
    since: float


def left_of(unread: Iterable[Range], found: Sequence[int], *, now: float, patience: float) -> list[Range]:
    """What is still unread.

    Args:
        unread: What was.
        found: The numbers of the entries read meanwhile, in ascending order.
        now: The time, in seconds.
        patience: After so many seconds a number is given up: nothing that was ever written has it.
    """
    left: list[Range] = []
    for low, high, since in unread:
        rest = low
        for number in found[bisect_left(found, low) : bisect_right(found, high)]:
            if rest < number:
                left.append(Range(rest, number - 1, now if high == ENDLESS else since))
            rest = number + 1
        if rest <= high:
            left.append(Range(rest, high, since))
    return [one for one in left if one.high == ENDLESS or now - one.since < patience]
