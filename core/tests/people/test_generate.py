import csv
import datetime as dt
import io
import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from gongyu.cli.generate import generate as command
from gongyu.people.archive import SteadyZip
from gongyu.people.generate import Population, generate, write_oneroster, write_register
from gongyu.people.generate.model import Adult, School, Staff, Student
from gongyu.people.generate.names import RARE
from gongyu.people.generate.register_workbook import members
from gongyu.people.roster import Roster, read
from gongyu.people.roster.identity import birth_of, fault_of

TODAY = dt.date(2026, 9, 1)
WRITERS = {"oneroster": write_oneroster, "register": write_register}
SUFFIXES = {"oneroster": "zip", "register": "xlsx"}
# The standard has a password column and demands courses; the platform reads neither, and says so.
EXPECTED_NOTICES = {("notice", "password_ignored"), ("notice", "file_unused")}

both_formats = pytest.mark.parametrize("format_", ["oneroster", "register"])


def make(seed: int = 1, *, schools: int = 3, pupils: int = 600) -> Population:
    return generate(seed, schools=schools, pupils=pupils, name="鄂州市", slug="ezhou", today=TODAY)


def written(population: Population, format_: str, folder: Path) -> Path:
    path = folder / f"roster.{SUFFIXES[format_]}"
    WRITERS[format_](population, path)
    return path


@pytest.fixture(scope="module", params=[1, 2, 2026])
def district(request: pytest.FixtureRequest) -> Population:
    return make(request.param)


@pytest.fixture(scope="module")
def package(district: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(district, "oneroster", tmp_path_factory.mktemp("zip"))


@pytest.fixture(scope="module")
def roster(package: Path) -> Roster:
    return read(package)


@pytest.fixture(scope="module")
def register(district: Population, tmp_path_factory: pytest.TempPathFactory) -> Roster:
    return read(written(district, "register", tmp_path_factory.mktemp("xlsx")))


def table(package: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(package) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode())))


def every_staff(population: Population) -> Iterator[Staff]:
    yield from population.office
    for school in population.walk():
        yield from school.staff


def students(population: Population) -> Iterator[tuple[School, Student]]:
    for school in population.walk():
        for student in school.students:
            yield school, student


def name_of(person: Adult | Student) -> str:
    return person.family_name + person.given_name


# The same seed gives the same bytes.


@both_formats
def test_bytes_same_in_another_process(format_: str, tmp_path: Path) -> None:
    here = written(make(7, pupils=200), format_, tmp_path)
    there = tmp_path / "there"
    script = "from gongyu.cli.generate import generate; generate()"
    options = ["--seed", "7", "--schools", "3", "--pupils", "200", "--name", "鄂州市", "--slug", "ezhou"]
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "America/St_Johns", "PYTHONUTF8": "1"}
    subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", script, str(there), "--format", format_, *options], env=environment, check=True
    )
    assert there.read_bytes() == here.read_bytes()


@both_formats
def test_bytes_tell_no_time(format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = written(make(pupils=60), format_, tmp_path).read_bytes()
    now = dt.datetime.now(dt.UTC).timestamp()
    monkeypatch.setattr("time.time", lambda: now + 500_000_000)
    assert written(make(pupils=60), format_, tmp_path).read_bytes() == today
    with zipfile.ZipFile(io.BytesIO(today)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@both_formats
def test_bytes_differ_by_seed(format_: str, tmp_path: Path) -> None:
    assert len({written(make(seed, pupils=60), format_, tmp_path).read_bytes() for seed in range(4)}) == 4


# What is written is what exists, and is read back.


def test_zip_reads_back_as_the_population(district: Population, roster: Roster) -> None:
    assert {(finding.severity, finding.code) for finding in roster.findings} == EXPECTED_NOTICES
    assert (roster.dialect, roster.mode, roster.held) == ("oneroster-1.2", "bulk", frozenset())
    people: dict[str, tuple[object, ...]] = {}
    roles: Counter[tuple[object, ...]] = Counter()
    for staff in every_staff(district):
        adult = staff.person
        people[adult.id] = (name_of(adult), adult.phone, adult.id_number, adult.email, staff.active)
        for held in staff.memberships:
            roles[adult.id, held.org, held.role, held.primary, held.begins_on, held.ends_on] += 1
    for school in district.walk():
        for guardian in school.guardians:
            adult = guardian.person
            people.setdefault(adult.id, (name_of(adult), adult.phone, adult.id_number, adult.email, True))
            roles[adult.id, school.plan.code, guardian.role, guardian.new, guardian.begins_on, None] += 1
    ties, care, births, grades, places = set(), set(), {}, {}, {}
    for school, student in students(district):
        people[student.id] = (name_of(student), "", student.id_number or student.passport, "", True)
        places[student.id] = (str(student.place), student.boarding, "A" if student.passport else "1")
        births[student.id] = (student.born, student.sex)
        grades[student.id] = (f"{student.class_.grade:02d}",)
        roles[student.id, school.plan.code, "student", True, student.class_.begins_on, None] += 1
        care |= {(student.id, category, value) for category, value in student.care.items()}
        ties |= {
            (
                tie.guardian.id, student.id, tie.kind, tie.legal, tie.priority, tie.contact_allowed, tie.begins_on,
                tie.ends_on,
            )
            for tie in student.guardianships
        }  # fmt: skip
    assert {
        person.sourced_id: (person.name, person.phone, person.id_number, person.email, person.enabled)
        for person in roster.persons
    } == people
    assert Counter((m.person, m.org, m.role, m.primary, m.begin, m.end) for m in roster.memberships) == roles
    assert {
        (g.guardian, g.student, g.kind, g.legal, g.priority, g.contact_allowed, g.valid_from, g.valid_to)
        for g in roster.guardianships
    } == ties
    assert {(c.student, c.category, c.value) for c in roster.care} == care
    assert {p.sourced_id: (p.birth_date, p.sex) for p in roster.persons if p.birth_date} == births
    assert {p.sourced_id: p.grades for p in roster.persons if p.grades} == grades
    numbers = {e.person: e.number for e in roster.enrolments if e.number}
    told = {p.sourced_id: (numbers[p.sourced_id], p.boarding, p.id_type) for p in roster.persons if p.birth_date}
    assert told == places


def test_zip_reads_back_classes_and_totals(district: Population, roster: Roster) -> None:
    totals = district.totals()
    assert totals.pupils == 600
    assert len(roster.persons) == totals.pupils + totals.guardians + totals.staff
    assert len(roster.orgs) == totals.schools + 1
    assert len(roster.classes) == totals.classes
    expected: Counter[tuple[object, ...]] = Counter()
    for school in district.walk():
        for class_ in school.classes:
            for place, teacher in enumerate(class_.teachers):
                expected[teacher, class_.id, "teacher", place == 0] += 1
        for student in school.students:
            expected[student.id, student.class_.id, "student", True] += 1
        for club, pupils in school.clubs:
            expected[club.teachers[0], club.id, "teacher", True] += 1
            expected.update((pupil.id, club.id, "student", False) for pupil in pupils)
    assert Counter((e.person, e.class_, e.role, e.primary) for e in roster.enrolments) == expected


def test_workbook_reads_back_as_the_population(district: Population, register: Roster) -> None:
    assert (register.findings, register.dialect) == ((), "register")
    names = {person.sourced_id: person for person in register.persons}
    pupils = {e.person: e for e in register.enrolments}
    assert sorted((p.name, p.id_number, p.birth_date, p.sex, pupils[key].class_, pupils[key].number)
                  for key, p in names.items() if key in pupils) == sorted(
        (name_of(s), s.id_number or s.passport, s.born, s.sex, s.class_.id, str(s.place)) for _, s in students(district)
    )  # fmt: skip
    shown = [(s, tie) for _, s in students(district) for tie in members(s, TODAY)]
    assert len(register.persons) == 600 + len({tie.guardian.id for _, tie in shown})
    assert Counter(
        (names[g.student].name, names[g.guardian].name, names[g.guardian].phone, g.kind, g.legal, g.note)
        for g in register.guardianships
    ) == Counter(
        (name_of(s), name_of(tie.guardian), tie.guardian.phone, tie.kind, tie.legal, tie.note) for s, tie in shown
    )
    assert Counter(c.value for c in register.care if c.category == "left_behind") == Counter(
        s.care["left_behind"] for _, s in students(district)
    )


def test_workbook_has_71_columns(tmp_path: Path) -> None:
    path = written(make(pupils=5), "register", tmp_path)
    with closing(load_workbook(path, read_only=True)) as workbook:
        rows = list(workbook.worksheets[0].values)
    assert len(rows) == 6
    assert len(rows[0]) == 71
    assert (rows[0][0], rows[0][26], rows[0][46], rows[0][70]) == (
        "学校标识码", "是否留守儿童", "成员1姓名", "是否进城务工人员随迁子女",
    )  # fmt: skip
    assert all(isinstance(cell, str) for row in rows for cell in row if cell is not None)


def test_both_formats_speak_of_the_same_classes(roster: Roster, register: Roster) -> None:
    homerooms = {c.sourced_id: c.title for c in roster.classes if c.type == "homeroom"}
    assert {c.sourced_id: c.title for c in register.classes} == homerooms
    schools = {o.sourced_id: o.identifier for o in roster.orgs if o.type == "school"}
    assert {o.sourced_id: o.identifier for o in register.orgs} == schools


# Even a small district has every case.


def test_cases_of_guardians(roster: Roster, package: Path) -> None:
    everyone = {m.person for m in roster.memberships if m.role == "student"}
    school = {m.person: m.org for m in roster.memberships if m.role == "student"}
    by_student = Counter(g.student for g in roster.guardianships)
    assert {by_student[student] for student in everyone} == {0, 1, 2, 3, 4}
    children: dict[str, set[str]] = {}
    schools: dict[str, set[str]] = {}
    for g in roster.guardianships:
        children.setdefault(g.guardian, set()).add(g.student)
        schools.setdefault(g.guardian, set()).add(school[g.student])
    assert any(len(found) == 2 for found in schools.values()), "siblings in two schools"
    assert any(len(children[g]) == 2 and len(schools[g]) == 1 for g in children), "siblings in one school"
    assert {c.value for c in roster.care if c.category == "left_behind"} == {"none", "single", "double"}
    address = {row["sourcedId"]: row["metadata.address"] for row in table(package, "users")}
    apart = [g for g in roster.guardianships if g.contact_allowed is False]
    assert apart
    assert all(g.kind in ("father", "mother") and address[g.guardian] != address[g.student] for g in apart)
    double = {c.student for c in roster.care if c.value == "double"}
    assert all(
        {g.legal for g in roster.guardianships if g.student == student} == {True, False} for student in double
    ), "grandparents at home are no legal guardians, parents far away are"
    assert any(g.valid_to is not None and g.valid_to < TODAY for g in roster.guardianships), (
        "a guardianship of the past"
    )


def test_cases_of_staff(roster: Roster) -> None:
    roles: dict[str, set[tuple[str, str]]] = {}
    for m in roster.memberships:
        roles.setdefault(m.person, set()).add((m.role, m.org))
    assert {m.role for m in roster.memberships} == {
        "counselor", "districtAdministrator", "guardian", "parent", "principal", "relative", "siteAdministrator",
        "student", "systemAdministrator", "teacher",
    }  # fmt: skip
    held = [{role for role, _ in found} for found in roles.values()]
    for several in ({"principal", "teacher"}, {"siteAdministrator", "teacher"}, {"teacher", "parent"}):
        assert several in held
    two_schools = {
        role for found in roles.values() for role, _ in found if len({org for r, org in found if r == role}) > 1
    }
    assert {"counselor", "parent", "teacher"} <= two_schools
    ended = {m.person for m in roster.memberships if m.end is not None and m.end < TODAY}
    to_come = {m.person for m in roster.memberships if m.begin is not None and m.begin > TODAY}
    assert len(ended & to_come) == 3, "one on leave in each school"
    gone = {p.sourced_id for p in roster.persons if not p.enabled}
    assert len(gone) == 3
    assert gone <= ended


def test_cases_of_names_and_numbers(roster: Roster, register: Roster) -> None:
    assert all(any(rare in person.name for person in roster.persons) for rare in RARE)
    abroad = [{p.id_number for p in one.persons if p.id_type == "A"} for one in (roster, register)]
    assert abroad[0] == abroad[1]
    assert {number[:3] for number in abroad[0]} == {"E99"}
    numbers = [p.id_number for p in roster.persons if p.id_number and p.id_type != "A"]
    assert len(numbers) == len(set(numbers)) > 1_400
    assert {(fault_of(number), number[:4]) for number in numbers} == {(None, "9900")}
    assert all(birth_of(p.id_number) == p.birth_date for p in roster.persons if p.birth_date and p.id_type == "1")
    phones = [p.phone for p in roster.persons if p.phone]
    assert len(phones) == len(set(phones))
    assert {(len(phone), phone[:3]) for phone in phones} == {(11, "154")}
    assert {p.email.rpartition("@")[2] for p in roster.persons if p.email} == {"ezhou.example"}


def test_cases_of_terms_and_classes(roster: Roster) -> None:
    year, *terms = roster.sessions
    assert (year.type, year.start, year.end, year.school_year) == (
        "schoolYear", dt.date(2026, 9, 1), dt.date(2027, 8, 31), 2027,
    )  # fmt: skip
    assert [(t.type, t.parent, t.start, t.end) for t in terms] == [
        ("semester", year.sourced_id, dt.date(2026, 9, 1), dt.date(2027, 1, 31)),
        ("semester", year.sourced_id, dt.date(2027, 2, 1), dt.date(2027, 8, 31)),
    ]
    assert {grade for c in roster.classes for grade in c.grades} == {f"{grade:02d}" for grade in range(1, 10)}
    assert {c.type for c in roster.classes} == {"homeroom", "scheduled"}
    sizes = Counter(e.class_ for e in roster.enrolments if e.role == "student")
    assert max(sizes.values()) <= 45
    heads = Counter(e.class_ for e in roster.enrolments if e.role == "teacher" and e.primary)
    assert heads == Counter(c.sourced_id for c in roster.classes)


def test_school_year_contains_today() -> None:
    for today in (dt.date(2027, 8, 31), dt.date(2026, 9, 1), dt.date(2028, 2, 29)):
        population = generate(1, schools=1, pupils=0, name="区", slug="qu", today=today)
        assert [s.type for s in population.sessions if s.starts_on <= today <= s.ends_on] == ["schoolYear", "semester"]


# Any size.


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0), schools=st.integers(1, 6), pupils=st.integers(0, 60) | st.just(0) | st.just(1))
def test_any_size_reads_back(seed: int, schools: int, pupils: int) -> None:
    population = make(seed, schools=schools, pupils=pupils)
    totals = population.totals()
    with TemporaryDirectory() as folder:
        roster = read(written(population, "oneroster", Path(folder)))
        register = read(written(population, "register", Path(folder)))
    assert {(f.severity, f.code) for f in roster.findings} == EXPECTED_NOTICES
    assert (totals.pupils, totals.schools) == (pupils, schools)
    assert (len(roster.persons), len(roster.orgs), len(roster.classes)) == (
        pupils + totals.guardians + totals.staff, schools + 1, totals.classes,
    )  # fmt: skip
    assert [f.code for f in register.findings] == ([] if pupils else ["file_empty"])
    assert len(register.enrolments) == pupils


@pytest.mark.parametrize(("schools", "pupils"), [(0, 1), (1, -1)])
def test_impossible_size_is_refused(schools: int, pupils: int) -> None:
    with pytest.raises(ValueError, match=f"found {schools} and {pupils}"):
        make(schools=schools, pupils=pupils)


# A file is there whole or not at all.


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@both_formats
@pytest.mark.parametrize("where", ["rows", "zip"])
def test_failure_midway_leaves_the_old_file(
    format_: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(make(pupils=60), format_, tmp_path).read_bytes()
    if where == "zip":
        monkeypatch.setattr(SteadyZip, "write", _disk_full)
    else:
        walk = Population.walk

        def broken(self: Population) -> Iterator[School]:
            yield next(walk(self))
            _disk_full()

        monkeypatch.setattr(Population, "walk", broken)
    with pytest.raises(OSError, match="No space"):
        written(make(2, pupils=60), format_, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {f"roster.{SUFFIXES[format_]}": before}


def test_command_writes_and_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONGYU_LANG", "en")
    out = tmp_path / "district.zip"
    result = CliRunner().invoke(command, [str(out), "--pupils", "90", "--schools", "2"])
    totals = generate(1, schools=2, pupils=90, name="示范区", slug="demo", today=TODAY).totals()
    assert (result.exit_code, result.output) == (
        0,
        f"{out}: 2 schools, {totals.classes} classes, 90 pupils, {totals.guardians} guardians, {totals.staff} staff\n",
    )
    assert read(out).orgs[0].name == "示范区"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--slug", "Ez hou"], 2, "--slug 'Ez hou': 2 to 31 lower-case letters"),
        (["--name", "=cmd()"], 2, "--name '=cmd()': 1 to 100 visible characters"),
        (["--today", "1900-01-01"], 2, "--today 1900-01-01: from 2000 to 2100"),
        (["--schools", "0"], 2, "--schools"),
        (["--pupils", "-1"], 2, "--pupils"),
    ],
)
def test_command_refuses_what_cannot_be(
    options: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGYU_LANG", "en")
    result = CliRunner().invoke(command, [str(tmp_path / "district.zip"), *options])
    assert result.exit_code == code
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


def test_command_says_where_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONGYU_LANG", "en")
    out = tmp_path / "nowhere" / "district.zip"
    result = CliRunner().invoke(command, [str(out), "--pupils", "1"])
    assert (result.exit_code, result.output) == (1, f"{out} cannot be written: No such file or directory\n")
