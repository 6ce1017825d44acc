"""Households: who raises a child, who is far away, who may not call.

The shares are plausible, not official: they give 1.6 guardians a pupil, as rosters have.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.model import Adult, Guardianship
from gongyu.people.generate.names import Generation, given_name, surname
from gongyu.people.generate.world import World
from gongyu.people.roster.canonical import GuardianshipKind

__all__ = ["EVERY_KIND", "Household", "HouseholdKind", "home_address", "household", "some_kind"]

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


class Household(Struct, frozen=True, gc=False, kw_only=True):
    surname: str
    child_born: dt.date
    address: str
    care: dict[str, str]
    guardianships: tuple[Guardianship, ...]


def some_kind(chance: Chance) -> HouseholdKind:
    return "institution" if chance.happens(0.003) else chance.pick(_LOTS)


def home_address(world: World) -> str:
    chance = world.chance
    road, house = chance.pick(_ROADS), chance.between(1, 260)
    return f"{world.district}{road}路{house}号{chance.between(1, 24)}栋{chance.between(101, 1804)}室"


def household(
    kind: HouseholdKind, world: World, *, child_born: dt.date, example: bool, teacher: Adult | None = None
) -> Household:
    """`example`: with everything its kind can have; `teacher`: the mother is on the school's staff."""
    family = _Family(world, child_born, teacher, example=example)
    _STORIES[kind](family)
    return Household(
        surname=family.surname,
        child_born=child_born,
        address=family.home,
        care=family.care,
        guardianships=tuple(family.guardianships),
    )


class _Family:
    def __init__(self, world: World, child_born: dt.date, teacher: Adult | None, *, example: bool) -> None:
        self._world = world
        self._chance = world.chance
        self._born = child_born
        self._teacher = teacher
        self._example = example
        self._mothers_surname = teacher.family_name if teacher else surname(world.chance)
        self.surname = surname(world.chance)
        self.home = teacher.address if teacher else home_address(world)
        self.care = {"left_behind": "none"}
        self.guardianships: list[Guardianship] = []

    def both(self) -> None:
        self._add("mother")
        self._add("father")
        if self._chance.happens(0.06):
            self.care["migrant"] = "yes"

    def one_named(self) -> None:
        """The other parent is there as well; nobody wrote it down."""
        self._add("mother" if self._chance.happens(0.6) else "father")

    def both_away(self) -> None:
        self.care["left_behind"] = "double"
        mothers = self._chance.happens(0.3)
        since = self._world.years_ago(self._chance.between(1, 3))
        self._add("maternal_grandmother" if mothers else "grandmother", legal=False, begins_on=since)
        if self._perhaps(0.5):
            self._add("maternal_grandfather" if mothers else "grandfather", legal=False, begins_on=since)
        self._add("father", address=self._chance.pick(_AWAY), note="外出务工")
        if self._perhaps(0.7):
            self._add("mother", address=self._chance.pick(_AWAY), note="外出务工")

    def one_away(self) -> None:
        self.care["left_behind"] = "single"
        self._add("mother")
        self._add("father", address=self._chance.pick(_AWAY), note="外出务工")

    def separated(self) -> None:
        self.care["single_parent"] = "yes"
        parents: tuple[GuardianshipKind, GuardianshipKind] = ("mother", "father")
        near, far = parents if self._perhaps(0.7) else reversed(parents)
        self._add(near)
        elsewhere = home_address(self._world)
        self._add(far, address=elsewhere, contact_allowed=not self._perhaps(0.25), note="离异")

    def single(self) -> None:
        self.care["single_parent"] = "yes"
        self._add("mother" if self._chance.happens(0.7) else "father")

    def orphan(self) -> None:
        self.care["orphan"] = self.care["aid"] = "yes"
        since = self._world.years_ago(2)
        before = home_address(self._world)
        self._add("guardian", address=before, ends_on=since - dt.timedelta(days=1))
        self._add("grandmother", begins_on=since)

    def institution(self) -> None:
        """The child is in public care: nobody to call."""
        self.care["orphan"] = self.care["aid"] = "yes"
        self.home = f"{self._world.district}儿童福利院"

    def _perhaps(self, share: float) -> bool:
        return self._example or self._chance.happens(share)

    def _add(
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
            id=self._world.numbers.id_of("g"),
            family_name=family_name,
            given_name=given_name(chance, sex, generation),
            # Schools do not have every guardian's number; siblings' parents are then known by name and telephone.
            id_number="" if chance.happens(0.05) else self._world.numbers.identity(born, sex),
            phone=self._world.numbers.phone(),
            address=address,
        )


_STORIES: Mapping[HouseholdKind, Callable[[_Family], None]] = {
    "both": _Family.both,
    "separated": _Family.separated,
    "both_away": _Family.both_away,
    "one_away": _Family.one_away,
    "single": _Family.single,
    "orphan": _Family.orphan,
    "institution": _Family.institution,
    "one_named": _Family.one_named,
}
EVERY_KIND: tuple[HouseholdKind, ...] = tuple(_STORIES)
"""In the order in which a school's first families show them, so that even a small district has them all."""
