"""What a district may set about points, and a school lower."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gongyu.districts.registry import DistrictState
from gongyu.districts.settings import PER_SCHOOL

__all__ = ["Denomination", "PointsSettings", "capped", "of_schools"]

Denomination = Literal[2, 5, 10, 20]


class PointsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    quota: Annotated[int, Meta(ge=0, le=1000, title="Points a giver may give in a term"), PER_SCHOOL] = 1000
    denominations: Annotated[tuple[Denomination, ...], PER_SCHOOL] = (2, 5, 10, 20)
    day_cap: Annotated[int, Meta(ge=2, le=1000, title="Points a pupil may earn in a day"), PER_SCHOOL] = 60
    voucher_days: Annotated[int, Meta(ge=1, le=366, title="Days a printed voucher is taken")] = 180
    undo_minutes: Annotated[int, Meta(ge=0, le=1440, title="Minutes in which a giver may take an award back")] = 10
    givers: tuple[str, ...] = ("teacher",)
    """OneRoster roles that get a quota when a term opens."""
    give_to: Literal["own", "school"] = "own"
    """`own`: one's mentees, or the pupils of one's homeroom class; `school`: every pupil of one's school."""
    collect_days: Annotated[int, Meta(ge=1, le=90, title="Days an order waits to be collected"), PER_SCHOOL] = 7
    lease_points: Annotated[int, Meta(ge=1, le=200, title="Points of a pupil put aside for a kiosk"), PER_SCHOOL] = 20
    lease_hours: Annotated[int, Meta(ge=1, le=72, title="Hours a kiosk sells without the network"), PER_SCHOOL] = 12
    lease_kept_hours: Annotated[int, Meta(ge=0, le=336, title="Hours a kiosk then has to upload its sales")] = 72
    open_by_calendar: Annotated[bool, Meta(title="Open the books by themselves on a term's first day")] = True
    at_term_end: Literal["expire", "carry", "share"] = "carry"
    carry_percent: Annotated[int, Meta(ge=0, le=100, title="What stays in a purse with `share`, in per cent")] = 50

    @property
    def keep_percent(self) -> int:
        """What stays in a purse when the term closes."""
        return {"expire": 0, "carry": 100, "share": self.carry_percent}[self.at_term_end]


def capped(base: PointsSettings, schools: Mapping[str, PointsSettings]) -> dict[str, PointsSettings]:
    """A school may go lower than its district, never higher: what it asks beyond is cut."""
    return {
        school: msgspec.structs.replace(
            own,
            quota=min(own.quota, base.quota),
            day_cap=min(own.day_cap, base.day_cap),
            denominations=tuple(one for one in own.denominations if one in base.denominations),
        )
        for school, own in schools.items()
    }


def of_schools(state: DistrictState) -> dict[str, PointsSettings]:
    """The settings of the schools that have their own, by the school's identifier."""
    return capped(state.settings["points"], state.schools.get("points", {}))
