"""What all who make up a part of a district draw on."""

import datetime as dt

from msgspec import Struct

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.numbers import Numbers

__all__ = ["World"]


class World(Struct, frozen=True, kw_only=True):
    chance: Chance
    numbers: Numbers
    district: str
    """Its name: addresses begin with it."""
    slug: str
    today: dt.date
    year_begins: dt.date

    def years_ago(self, years: int) -> dt.date:
        """The beginning of an earlier school year."""
        return self.year_begins.replace(year=self.year_begins.year - years)
