"""One school after another, with its classes, staff and families; only one is held at a time.

A household may have its second child at the next school, so the schools are made in their order.
"""

import datetime as dt
from collections.abc import Iterator

from gongyu.people.generate.households import EVERY_KIND, Household, household, some_kind
from gongyu.people.generate.model import Adult, ClassGroup, Guardian, School, SchoolPlan, Student
from gongyu.people.generate.names import RARE, given_name
from gongyu.people.generate.staff import AWAY, HEADS, school_staff
from gongyu.people.generate.world import World

__all__ = ["JUNIOR", "Schools"]

JUNIOR = 7
"""The first grade of 初中; a nine-year school has two grades that entered in one year."""
_CLASS = 45  # the standard class of a primary school; 50 in junior secondary
_TEACHERS_OF_A_CLASS = 5
_CLUBS = ("书法", "合唱", "足球", "科学", "国画", "围棋", "机器人", "朗诵", "篮球", "劳动")
_CLUB = 20
_CLASSES_A_CLUB = 4
_SECOND_CHILD = 0.11
_RARE_NAME_EVERY = 60
_PASSPORT_EVERY = 150
_CARE = (("aid", "yes", 0.04), ("health", "weak", 0.015), ("health", "chronic", 0.005), ("learning", "yes", 0.02))
_ROLES = {"father": "parent", "mother": "parent", "guardian": "guardian"}


class Schools:
    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._students = 0
        self._before: SchoolPlan | None = None
        self._waiting: list[Household] = []
        """Their second child is at the next school."""

    def make(self, plan: SchoolPlan) -> School:
        sizes = list(_class_sizes(plan))
        staff = list(school_staff(self._world, plan, classes=len(sizes), before=self._before))
        school = School(plan=plan, staff=staff, classes=[], guardians=[], students=[], clubs=[])
        teachers = [one.person for one in staff[HEADS:-AWAY]]
        for i, (grade, number, _) in enumerate(sizes):
            school.classes.append(self._homeroom(plan, grade, number, teachers, i))
        self._fill(school, [size for *_, size in sizes], teachers[0])
        self._found_clubs(school, teachers)
        self._before = plan
        return school

    def _homeroom(self, plan: SchoolPlan, grade: int, number: int, teachers: list[Adult], i: int) -> ClassGroup:
        entered = self._world.years_ago(grade - (JUNIOR if grade >= JUNIOR else 1))
        level = ("初" if grade >= JUNIOR else "小") if len(plan.grades) == 9 else ""  # noqa: PLR2004 - the nine-year school
        title = f"{level}{entered.year}级{number}班"
        some = dict.fromkeys(teachers[(i + 3 * step) % len(teachers)].id for step in range(_TEACHERS_OF_A_CLASS))
        return ClassGroup(
            # The register has no ids; what its reader makes of school and title is used here too, so both forms agree.
            id=f"{plan.code}/{title}",
            title=title,
            type="homeroom",
            grade=grade,
            begins_on=entered,
            teachers=tuple(some),
        )

    def _fill(self, school: School, sizes: list[int], teacher: Adult) -> None:
        chance = self._chance
        # Households with a second child to come, and whether the school knows them already.
        again = [(home, False) for home in self._waiting]
        self._waiting = []
        kinds = iter(EVERY_KIND)
        left = school.plan.pupils
        for class_, size in zip(school.classes, sizes, strict=True):
            for place in range(1, size + 1):
                born = self._birthday(class_.grade)
                kind = next(kinds, None)
                if kind is None and again and chance.happens(len(again) / left):
                    home, known = again.pop(chance.below(len(again)))
                    if not known:
                        self._add_guardians(school, home, class_, new=False)
                    born = _siblings_birthday(home.child_born, born)
                else:
                    home = household(
                        kind or some_kind(chance),
                        self._world,
                        child_born=born,
                        example=kind is not None,
                        teacher=teacher if kind == "both" else None,
                    )
                    self._add_guardians(school, home, class_, new=True, teacher=teacher)
                    # The first family has a child at the next school, the second one another here; so chance begins.
                    if kind == "both" or (kind is None and chance.happens(_SECOND_CHILD / 2)):
                        self._waiting.append(home)
                    elif kind == "separated" or (kind is None and chance.happens(_SECOND_CHILD / 2)):
                        again.append((home, True))
                school.students.append(self._student(school.plan, class_, place, born, home))
                left -= 1

    def _birthday(self, grade: int) -> dt.date:
        """Six years old on 31 August before the first grade (义务教育法 art. 11)."""
        oldest = self._world.years_ago(6 + grade)
        return dt.date.fromordinal(oldest.toordinal() + self._chance.below(365))

    def _add_guardians(
        self, school: School, home: Household, class_: ClassGroup, *, new: bool, teacher: Adult | None = None
    ) -> None:
        for guardianship in home.guardianships:
            person = guardianship.guardian
            school.guardians.append(
                Guardian(
                    person=person,
                    role=_ROLES.get(guardianship.kind, "relative"),
                    begins_on=class_.begins_on,
                    new=new and person is not teacher,
                )
            )

    def _student(self, plan: SchoolPlan, class_: ClassGroup, place: int, born: dt.date, home: Household) -> Student:
        chance = self._chance
        self._students += 1
        count = self._students
        sex = "male" if chance.happens(0.53) else "female"
        rare = count % _RARE_NAME_EVERY == 0
        foreign = count % _PASSPORT_EVERY == 0
        care = home.care | {category: value for category, value, share in _CARE if chance.happens(share)}
        return Student(
            id=self._world.numbers.id_of("s"),
            family_name=home.surname,
            given_name=RARE[count // _RARE_NAME_EVERY % len(RARE)] if rare else given_name(chance, sex, "child"),
            sex=sex,
            born=born,
            id_number="" if foreign else self._world.numbers.identity(born, sex),
            passport=f"E99{count:07d}" if foreign else "",
            number=f"{class_.begins_on.year}{plan.code[4:]}{count:07d}",
            place=place,
            class_=class_,
            boarding=class_.grade >= JUNIOR and chance.happens(0.3),
            address=home.address,
            care=care,
            guardianships=home.guardianships,
        )

    def _found_clubs(self, school: School, teachers: list[Adult]) -> None:
        for i in range(len(school.classes) // _CLASSES_A_CLUB):
            again = i // len(_CLUBS) + 1
            title = f"{_CLUBS[i % len(_CLUBS)]}社{again if again > 1 else ''}"
            first = self._chance.below(len(school.students))
            members = school.students[first : first + 7 * _CLUB : 7]
            leader = teachers[(i * 5) % len(teachers)].id
            club = ClassGroup(
                id=f"{school.plan.code}/{title}",
                title=title,
                type="scheduled",
                grade=members[0].class_.grade,
                begins_on=self._world.year_begins,
                teachers=(leader,),
            )
            school.clubs.append((club, members))


def _class_sizes(plan: SchoolPlan) -> Iterator[tuple[int, int, int]]:
    """Grade, number in the grade, places; as even as whole pupils allow."""
    grades = len(plan.grades)
    for i, grade in enumerate(plan.grades):
        pupils = plan.pupils * (i + 1) // grades - plan.pupils * i // grades
        classes = -(-pupils // _CLASS)
        for number in range(classes):
            yield grade, number + 1, pupils * (number + 1) // classes - pupils * number // classes


def _siblings_birthday(first: dt.date, born: dt.date) -> dt.date:
    """Twins, or far enough apart."""
    if abs(first.toordinal() - born.toordinal()) >= 300:  # noqa: PLR2004 - days, as nature has it
        return born
    return dt.date.fromordinal(first.toordinal() + 365 * (_school_year(born) - _school_year(first)))


def _school_year(born: dt.date) -> int:
    return born.year - (born.month < 9)  # noqa: PLR2004 - September
