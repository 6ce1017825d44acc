"""One school with its classes, staff and families. A household may have its second child at the next school."""

import datetime as dt
from collections.abc import Callable, Iterator

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.households import EVERY_KIND, Household, home_address, household, some_kind
from gongyu.people.generate.model import (
    Adult,
    ClassGroup,
    Guardian,
    Membership,
    School,
    SchoolPlan,
    Staff,
    Student,
)
from gongyu.people.generate.names import RARE, given_name, surname
from gongyu.people.generate.numbers import Numbers

__all__ = ["Schools"]

_CLASS = 45  # the standard size of a primary class; 50 in junior secondary
_STAFF = 0.08  # of the pupils
_TEACHERS_OF_A_CLASS = 4
_CLUBS = ("书法", "合唱", "足球", "科学", "国画", "围棋", "机器人", "朗诵", "篮球", "劳动")
_CLUB = 20
_SECOND_CHILD = 0.12
_JUNIOR = 7
_RARE_EVERY = 60
_PASSPORT_EVERY = 300
_ROLES = {"father": "parent", "mother": "parent", "guardian": "guardian"}


class Schools:
    """Makes them one after another, and holds only one."""

    def __init__(self, *, seed: int, name: str, slug: str, today: dt.date, year_begins: dt.date) -> None:
        self._chance = Chance(seed)
        self._numbers = Numbers(slug)
        self._name = name
        self._slug = slug
        self._today = today
        self._year = year_begins
        self._made = 0
        self._students = 0
        self._before: SchoolPlan | None = None
        self._waiting: list[Household] = []
        """Households whose second child is at the next school."""

    def make(self, plan: SchoolPlan) -> School:
        classes_wanted = list(_classes(plan))
        staff = list(self._staff(plan, len(classes_wanted)))
        school = School(plan=plan, staff=staff, classes=[], guardians=[], students=[], clubs=[])
        teachers = staff[3:-2]  # without the heads and the two who are away
        places: list[ClassGroup] = []
        for i, (grade, number, size) in enumerate(classes_wanted):
            others = dict.fromkeys(teachers[(i + step * 7) % len(teachers)].person.id for step in range(1, _TEACHERS_OF_A_CLASS))
            class_ = self._class(plan, grade, number, teachers, i)
            school.classes.append(class_)
            places += [class_] * size
        self._families(school, places)
        self._clubs(school, teachers)
        self._before = plan
        self._made += 1
        return school
