"""Households: who raises a child, who is far away, who may not call.

The shares are plausible, not official; no two of the cases could be told from one another by counting guardians.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.model import Adult, Guardianship
from gongyu.people.generate.names import Generation, given_name, surname
from gongyu.people.generate.numbers import Numbers
from gongyu.people.roster.canonical import GuardianshipKind

__all__ = ["EVERY_KIND", "Household", "HouseholdKind", "household", "home_address", "some_kind"]

HouseholdKind = Literal["both", "separated", "both_away", "one_away", "single", "orphan", "institution", "one_named"]

_SHARES: Mapping[HouseholdKind, int] = {
    "both": 43,
    "one_named": 29,
    "both_away": 9,
    "separated": 7,
    "one_away": 6,
    "single": 5,
    "orphan": 1,
}
_LOTS = tuple(kind for kind, share in _SHARES.items() for _ in range(share))
EVERY_KIND: tuple[HouseholdKind, ...] = (
    "both", "separated", "both_away", "one_away", "single", "orphan", "institution", "one_named",
)  # fmt: skip
"""In the order in which a school's first families show them, so that even a small district has them all."""

_AWAY = ("广东省深圳市宝安区", "广东省东莞市长安镇", "浙江省义乌市稠江街道", "江苏省昆山市玉山镇", "上海市松江区九亭镇")
_ROADS = ("人民", "文昌", "滨湖", "新民", "莲花", "建设", "古楼", "凤凰", "解放", "桃源", "学府", "长岭")
# Years older than the child; a sibling may be eight years older still.
_OLDER: Mapping[GuardianshipKind, tuple[int, int]] = {
    "father": (28, 40),
    "mother": (27, 38),
    "grandfather": (52, 66),
    "grandmother": (50, 64),
    "maternal_grandfather": (52, 66),
    "maternal_grandmother": (50, 64),
    "guardian": (35, 50),
}
_MEN = frozenset({"father", "grandfather", "maternal_grandfather"})
_LEFT_BEHIND = {"one_away": "single", "both_away": "double"}


class Household(Struct, frozen=True, gc=False, kw_only=True):
    surname: str
    child_born: dt.date
    address: str
    care: dict[str, str]
    guardianships: tuple[Guardianship, ...]


def some_kind(chance: Chance) -> HouseholdKind:
    return "institution" if chance.happens(0.003) else chance.pick(_LOTS)


def home_address(chance: Chance, district: str) -> str:
    return f"{district}{chance.pick(_ROADS)}路{chance.between(1, 260)}号{chance.between(1, 24)}栋{chance.between(101, 1804)}室"


def household(
    kind: HouseholdKind,
    *,
    chance: Chance,
    numbers: Numbers,
    district: str,
    child_born: dt.date,
    year_begins: dt.date,
    example: bool,
    teacher: Adult | None = None,
) -> Household:
    """`example`: with everything its kind can have; `teacher`: one of the parents is on the school's staff."""
    family = _Family(chance, numbers, district, child_born, teacher)
    home, year = family.home, year_begins
    care = {"left_behind": _LEFT_BEHIND.get(kind, "none")}
    if kind == "both":
        family.add("mother")
        family.add("father")
        if chance.happens(0.06):
            care["migrant"] = "yes"
    elif kind == "one_named":
        family.add("mother" if chance.happens(0.6) else "father")
    elif kind == "both_away":
        mothers = chance.happens(0.3)
        since = year.replace(year=year.year - chance.between(1, 3))
        family.add("maternal_grandmother" if mothers else "grandmother", legal=False, begins_on=since)
        if example or chance.happens(0.5):
            family.add("maternal_grandfather" if mothers else "grandfather", legal=False, begins_on=since)
        family.add("father", address=chance.pick(_AWAY), note="外出务工")
        if example or chance.happens(0.7):
            family.add("mother", address=chance.pick(_AWAY), note="外出务工")
    elif kind == "one_away":
        family.add("mother")
        family.add("father", address=chance.pick(_AWAY), note="外出务工")
    elif kind == "separated":
        care["single_parent"] = "yes"
        with_mother = example or chance.happens(0.7)
        family.add("mother" if with_mother else "father")
        family.add(
            "father" if with_mother else "mother",
            address=home_address(chance, district),
            contact_allowed=not (example or chance.happens(0.25)),
            note="离异",
        )
    elif kind == "single":
        care["single_parent"] = "yes"
        family.add("mother" if chance.happens(0.7) else "father")
    elif kind == "orphan":
        care["orphan"] = care["aid"] = "yes"
        since = year.replace(year=year.year - 2)
        family.add("guardian", address=home_address(chance, district), ends_on=since - dt.timedelta(days=1))
        family.add("grandmother", begins_on=since)
    else:  # an institution has the child in care: nobody to call
        care["orphan"] = care["aid"] = "yes"
        home = f"{district}儿童福利院"
    return Household(
        surname=family.surname,
        child_born=child_born,
        address=home,
        care=care,
        guardianships=tuple(family.guardianships),
    )


class _Family:
    def __init__(
        self, chance: Chance, numbers: Numbers, district: str, child_born: dt.date, teacher: Adult | None
    ) -> None:
        self._chance = chance
        self._numbers = numbers
        self._born = child_born
        self._teacher = teacher
        self._mothers_surname = teacher.family_name if teacher else surname(chance)
        self.surname = surname(chance)
        self.home = teacher.address if teacher else home_address(chance, district)
        self.guardianships: list[Guardianship] = []

    def add(
        self,
        kind: GuardianshipKind,
        *,
        address: str = "",
        legal: bool = True,
        contact_allowed: bool = True,
        begins_on: dt.date | None = None,
        ends_on: dt.date | None = None,
        note: str = "",
    ) -> None:
        person = self._teacher if self._teacher and kind == "mother" else self._adult(kind, address or self.home)
        self.guardianships.append(
            Guardianship(
                guardian=person,
                kind=kind,
                legal=legal,
                priority=len(self.guardianships) + 1,
                contact_allowed=contact_allowed,
                begins_on=begins_on,
                ends_on=ends_on,
                note=note,
            )
        )

    def _adult(self, kind: GuardianshipKind, address: str) -> Adult:
        chance = self._chance
        sex = "male" if kind in _MEN else "female"
        first, last = _OLDER[kind]
        born = dt.date.fromordinal(self._born.toordinal() - chance.between(first * 366, last * 365))
        generation: Generation = "grandparent" if "grand" in kind else "parent"
        if kind in ("father", "grandfather"):
            family_name = self.surname
        elif kind in ("mother", "maternal_grandfather"):
            family_name = self._mothers_surname
        else:
            family_name = surname(chance)
        return Adult(
            id=self._numbers.id_of("g"),
            family_name=family_name,
            given_name=given_name(chance, sex, generation),
            # Schools do not have every guardian's number; siblings' parents are then known by name and telephone.
            id_number="" if chance.happens(0.05) else self._numbers.identity(born, sex),
            phone=self._numbers.phone(),
            address=address,
        )
