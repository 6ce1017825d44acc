"""A population as a OneRoster 1.2 CSV package (1EdTech, 22 August 2023), bulk: columns in the standard's order.

What the standard has no column for stands in `metadata.*`, under the names that are read back (`roster/oneroster.py`).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from gongyu.people.archive import steady_zip
from gongyu.people.generate.model import Adult, ClassGroup, Guardianship, School, Staff, Student
from gongyu.people.generate.population import Population, Totals
from gongyu.people.roster.package_file import COLUMNS, FILES, PackageFile, manifest

__all__ = ["write_oneroster"]

_COLUMNS = {**COLUMNS, "users": f"{COLUMNS['users']} metadata.address"}  # nobody reads addresses; real files carry them


def write_oneroster(population: Population, path: Path) -> Totals:
    with TemporaryDirectory() as folder:
        with ExitStack() as stack:
            tables = {
                name: stack.enter_context(PackageFile(Path(folder, f"{name}.csv"), columns))
                for name, columns in _COLUMNS.items()
            }
            totals = _Package(population, tables).write()
        with steady_zip(path) as archive:
            # A file without rows is not permitted; it is declared absent.
            present = [name for name in FILES if name in tables and tables[name].rows]
            archive.writestr("manifest.csv", manifest(present, system="gongyu-demo"))
            for name in present:
                archive.write(Path(folder, f"{name}.csv"), f"{name}.csv")
    return totals


class _Package:
    def __init__(self, population: Population, tables: dict[str, PackageFile]) -> None:
        self._population = population
        self._tables = tables
        self._roles = self._enrolments = 0
        self._year, self._term, _ = (session.id for session in population.sessions)

    def write(self) -> Totals:
        population, tables = self._population, self._tables
        slug = population.slug
        totals = Totals(staff=len(population.office))
        for session in population.sessions:
            tables["academicSessions"].add(
                session.id,
                session.title,
                session.type,
                session.starts_on.isoformat(),
                session.ends_on.isoformat(),
                session.parent,
                str(population.year_begins.year + 1),  # the standard names a school year by its end
            )
        tables["orgs"].add(slug, population.name, "district", slug, "")
        tables["courses"].add(f"{slug}-homeroom", self._year, "行政班", "homeroom", "", slug, "", "")
        tables["courses"].add(f"{slug}-club", self._year, "社团活动", "club", "", slug, "", "")
        for plan in population.plans:
            tables["orgs"].add(plan.code, plan.name, "school", plan.code, slug)
        for staff in population.office:
            self._staff(staff, slug)
        for school in population.walk():
            self._school(school)
            totals.add(school)
        return totals

    def _school(self, school: School) -> None:
        code = school.plan.code
        for staff in school.staff:
            self._staff(staff, code)
        for guardian in school.guardians:
            if guardian.new:
                self._user(guardian.person, code)
            self._role(guardian.person.id, guardian.role, code, guardian.begins_on, primary=guardian.new)
        for class_ in school.classes:
            self._class(class_, code, self._year, "homeroom")
        for student in school.students:
            self._student(student, code)
        for club, members in school.clubs:
            self._class(club, code, self._term, "club")
            for member in members:
                self._enrolment(club, code, member.id, "student", club.begins_on)

    def _staff(self, staff: Staff, org: str) -> None:
        self._user(staff.person, org, enabled=staff.active)
        for held in staff.memberships:
            self._role(staff.person.id, held.role, held.org, held.begins_on, held.ends_on, primary=held.primary)

    def _user(self, person: Adult, org: str, *, enabled: bool = True) -> None:
        self._tables["users"].add(
            person.id, "true" if enabled else "false", person.id, "", person.given_name, person.family_name, "", "",
            person.email, person.phone, "", "", "", "", "", "", "", "", org, "", "", *_document(person.id_number), "",
            "", "", "", "", "", "", person.address,
        )  # fmt: skip

    def _student(self, student: Student, code: str) -> None:
        class_, grade = student.class_, f"{student.class_.grade:02d}"  # grades as in CEDS: 01 to 09
        ties = student.guardianships
        self._tables["users"].add(
            student.id, "true", student.id, "", student.given_name, student.family_name, "", student.number,
            "", "", "", ",".join(tie.guardian.id for tie in ties), grade, "", "", "", "", "", code, "",
            "", *_document(student.id_number, passport=student.passport), _word(student.boarding),
            *_parallel(ties), student.address,
        )  # fmt: skip
        self._role(student.id, "student", code, class_.begins_on, primary=True)
        self._enrolment(class_, code, student.id, "student", class_.begins_on, primary=True, number=str(student.place))
        self._tables["demographics"].add(
            student.id, student.born.isoformat(), student.sex, *[""] * 11,
            ",".join(f"{category}:{value}" for category, value in student.care.items()), "", "",
        )  # fmt: skip

    def _class(self, class_: ClassGroup, code: str, term: str, course: str) -> None:
        self._tables["classes"].add(
            class_.id, class_.title, f"{class_.grade:02d}", f"{self._population.slug}-{course}", "", class_.type, "",
            code, term, "", "", "",
        )  # fmt: skip
        for place, teacher in enumerate(class_.teachers):
            begins_on = max(class_.begins_on, self._population.year_begins)
            self._enrolment(class_, code, teacher, "teacher", begins_on, primary=place == 0)

    def _role(
        self, person: str, role: str, org: str, begins_on: dt.date, ends_on: dt.date | None = None, *, primary: bool
    ) -> None:
        self._roles += 1
        self._tables["roles"].add(
            f"{self._population.slug}-r{self._roles:07d}", person, "primary" if primary else "secondary", role,
            begins_on.isoformat(), ends_on.isoformat() if ends_on else "", org, "",
        )  # fmt: skip

    def _enrolment(
        self,
        class_: ClassGroup,
        code: str,
        person: str,
        role: str,
        begins_on: dt.date,
        *,
        primary: bool = False,
        number: str = "",
    ) -> None:
        self._enrolments += 1
        self._tables["enrollments"].add(
            f"{self._population.slug}-e{self._enrolments:07d}", class_.id, code, person, role,
            _word(primary), begins_on.isoformat(), "", number,
        )  # fmt: skip


def _word(value: bool) -> str:  # noqa: FBT001 - the value of a cell
    return "true" if value else "false"


def _document(number: str, *, passport: str = "") -> tuple[str, str]:
    """Its type, by the register's code, and its number."""
    return ("1", number) if number else ("A", passport) if passport else ("", "")


def _parallel(ties: Sequence[Guardianship]) -> tuple[str, ...]:
    """What each guardianship is, in the order of `agentSourcedIds`."""
    return (
        _list(tie.kind for tie in ties),
        _list("true" if tie.legal else "false" for tie in ties),
        _list(str(tie.priority) for tie in ties),
        _list("true" if tie.contact_allowed else "false" for tie in ties),
        _list(tie.begins_on.isoformat() if tie.begins_on else "" for tie in ties),
        _list(tie.ends_on.isoformat() if tie.ends_on else "" for tie in ties),
    )


def _list(values: Iterable[str]) -> str:
    """Empty places keep theirs; a list of nothing else is nothing."""
    joined = ",".join(values)
    return joined if joined.strip(",") else ""
