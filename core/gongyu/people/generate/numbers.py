"""Numbers that pass every check and belong to nobody."""

import datetime as dt
from typing import Literal

from gongyu.people.roster.identity import check_character

__all__ = ["Numbers", "school_code"]

_REGION = 990000
"""GB/T 2260 has no region 99; and in a permanent residence card, whose 9 comes first, 90 would be the province."""
_NETWORK = "154"
"""No operator was given this range of mobile numbers; yet it looks like the others, so it passes the usual checks."""
_OF_A_DAY = 500  # GB 11643: three digits, odd for men and even for women


class Numbers:
    """Each number is given once."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._born: dict[tuple[dt.date, str], int] = {}
        self._ids = {"s": 0, "g": 0, "t": 0}
        self._phones = 0

    def id_of(self, letter: Literal["s", "g", "t"]) -> str:
        """`s` a student's, `g` a guardian's, `t` one of the staff's."""
        self._ids[letter] += 1
        return f"{self._slug}-{letter}{self._ids[letter]:07d}"

    def identity(self, born: dt.date, sex: str) -> str:
        count = self._born.get((born, sex), 0)
        self._born[born, sex] = count + 1
        more, place = divmod(count, _OF_A_DAY)
        serial = 2 * place + (sex == "male")
        first17 = f"{_REGION + more}{born.year:04d}{born.month:02d}{born.day:02d}{serial:03d}"
        return first17 + check_character(first17)

    def phone(self) -> str:
        self._phones += 1
        return f"{_NETWORK}{self._phones:08d}"


def school_code(number: int, *, primary: bool) -> str:
    """学校标识码: ten digits, of which the third and fourth are the province."""
    return f"{'21' if primary else '31'}99{number:06d}"
