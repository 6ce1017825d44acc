"""A district out of a seed: what exists, before it is written in anybody's format."""

import datetime as dt
from collections.abc import Iterator

from msgspec import Struct

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.model import School, SchoolPlan, Session, Staff
from gongyu.people.generate.numbers import Numbers, school_code
from gongyu.people.generate.schools import JUNIOR, Schools
from gongyu.people.generate.staff import district_office
from gongyu.people.generate.world import World

__all__ = ["Population", "Totals", "generate"]

_SEPTEMBER = 9
_PLACES = (
    "云栖", "晴川", "临湖", "望山", "青禾", "松岭", "南浦", "双溪", "柳河", "北辰", "桂园", "枫林", "石桥", "梅岭",
)  # fmt: skip
# What follows one another in a town: a primary school, the junior secondary behind it, and a nine-year school.
_LEVELS = ((range(1, JUNIOR), "小学"), (range(JUNIOR, 10), "初级中学"), (range(1, 10), "九年一贯制学校"))
_WHOLE = 2


class Totals(Struct):
    schools: int = 0
    classes: int = 0
    """Homeroom classes and clubs."""
    pupils: int = 0
    guardians: int = 0
    staff: int = 0

    def add(self, school: School) -> None:
        self.schools += 1
        self.classes += len(school.classes) + len(school.clubs)
        self.pupils += len(school.students)
        self.guardians += sum(1 for guardian in school.guardians if guardian.new)
        self.staff += len(school.staff)


class Population(Struct, frozen=True, kw_only=True):
    """It holds nobody but the office: the schools are made anew, one by one, each time they are walked through."""

    seed: int
    name: str
    slug: str
    today: dt.date
    year_begins: dt.date
    sessions: tuple[Session, ...]
    plans: tuple[SchoolPlan, ...]
    office: tuple[Staff, ...]

    def walk(self) -> Iterator[School]:
        # The office comes first here too, so that its people and those of the schools have different numbers.
        world, _ = _beginning(self.seed, self.name, self.slug, self.today, self.plans)
        schools = Schools(world)
        for plan in self.plans:
            yield schools.make(plan)

    def totals(self) -> Totals:
        totals = Totals(staff=len(self.office))
        for school in self.walk():
            totals.add(school)
        return totals


def generate(
    seed: int,
    *,
    schools: int,
    pupils: int,
    name: str = "示范区",
    slug: str = "demo",
    today: dt.date = dt.date(2026, 9, 1),
) -> Population:
    if schools < 1 or pupils < 0:
        raise ValueError(f"expected at least 1 school and 0 pupils, found {schools} and {pupils}")
    plans = tuple(_plans(schools, pupils))
    world, office = _beginning(seed, name, slug, today, plans)
    return Population(
        seed=seed,
        name=name,
        slug=slug,
        today=today,
        year_begins=world.year_begins,
        sessions=_sessions(slug, world.year_begins.year),
        plans=plans,
        office=office,
    )


def _beginning(
    seed: int, name: str, slug: str, today: dt.date, plans: tuple[SchoolPlan, ...]
) -> tuple[World, tuple[Staff, ...]]:
    world = World(
        chance=Chance(seed),
        numbers=Numbers(slug),
        district=name,
        slug=slug,
        today=today,
        year_begins=dt.date(today.year - (today.month < _SEPTEMBER), _SEPTEMBER, 1),
    )
    return world, district_office(world, first_school=plans[0].code)


def _plans(schools: int, pupils: int) -> Iterator[SchoolPlan]:
    """As many pupils as a school has grades; the last takes what is left, so that the sum is right."""
    levels = [_LEVELS[_WHOLE if schools == 1 else i % len(_LEVELS)] for i in range(schools)]
    grades = sum(len(level) for level, _ in levels)
    above = 0
    for i, (level, kind) in enumerate(levels):
        below = above
        above += len(level)
        place = _PLACES[i % len(_PLACES)]
        again = i // len(_PLACES) + 1
        yield SchoolPlan(
            code=school_code(i + 1, primary=level[0] == 1),
            name=f"{place}{f'第{again}' if again > 1 else ''}{kind}",
            grades=level,
            pupils=pupils * above // grades - pupils * below // grades,
        )


def _sessions(slug: str, year: int) -> tuple[Session, ...]:
    """Without holidays between them, so that there is a current term on every day of the year."""
    whole = f"{slug}-{year}"
    title = f"{year}—{year + 1}学年"
    begins, ends = dt.date(year, _SEPTEMBER, 1), dt.date(year + 1, _SEPTEMBER, 1) - dt.timedelta(days=1)
    spring = dt.date(year + 1, 2, 1)
    return (
        Session(whole, title, "schoolYear", begins, ends, ""),
        Session(f"{whole}-1", f"{title}第一学期", "semester", begins, spring - dt.timedelta(days=1), whole),
        Session(f"{whole}-2", f"{title}第二学期", "semester", spring, ends, whole),
    )
