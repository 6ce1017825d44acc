"""What a district may set about points, and a school lower."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gongyu.districts.registry import DistrictState
from gongyu.districts.settings import PER_SCHOOL, merge_school

__all__ = ["Denomination", "PointsSettings", "of_schools"]

Denomination = Literal[2, 5, 10, 20]


class PointsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    quota: Annotated[int, Meta(ge=0, le=1000, title="Points a giver may give in a term"), PER_SCHOOL] = 1000
    denominations: Annotated[tuple[Denomination, ...], PER_SCHOOL] = (2, 5, 10, 20)
    day_cap: Annotated[int, Meta(ge=2, le=1000, title="Points a pupil may earn in a day"), PER_SCHOOL] = 60
    undo_minutes: Annotated[int, Meta(ge=0, le=1440, title="Minutes in which a giver may take an award back")] = 10
    givers: tuple[str, ...] = ("teacher",)
    """OneRoster roles that get a quota when a term opens."""
    give_to: Literal["own", "school"] = "own"
    """`own`: one's mentees, or the pupils of one's homeroom class; `school`: every pupil of one's school."""
    at_term_end: Literal["expire", "carry", "share"] = "carry"
    carry_percent: Annotated[int, Meta(ge=0, le=100, title="What stays in a purse with `share`, in per cent")] = 50

    @property
    def keep_percent(self) -> int:
        """What stays in a purse when the term closes."""
        return {"expire": 0, "carry": 100, "share": self.carry_percent}[self.at_term_end]


def of_schools(state: DistrictState) -> dict[str, PointsSettings]:
    """The settings of the schools that have their own, by the school's identifier.

    A school may go lower than its district, never higher: what it asks beyond is cut.
    """
    base = state.settings["points"]
    switch = state.switches.get("points")
    found = {}
    for school, overrides in (switch.schools if switch else {}).items():
        own, _ = merge_school(PointsSettings, base, overrides, path="")
        if own is not None:
            found[school] = msgspec.structs.replace(
                own,
                quota=min(own.quota, base.quota),
                day_cap=min(own.day_cap, base.day_cap),
                denominations=tuple(one for one in own.denominations if one in base.denominations),
            )
    return found
