"""Choices on paper: a workbook for each class goes out, comes back filled in, and is read row by row.

A choice is a mentor's number on the second sheet, because a child writes 7 and not an id. The sheet with the numbers
travels with the workbook, so a number means what it meant when it was printed. All rows are taken, or none.

A list that the pupil filed alone stands, whichever came first: of such a row it is told that it was not taken, and
where it says the same, or nothing, there is nothing to tell.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.models import Person
from gongyu.plugin import Text
from gongyu.printing.workbook import Table, render
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.models import AnyRow, Offer, Preference
from gongyu_mentor.rounds import of_students
from gongyu_mentor.sheet import Cell, Sheet, sheets_of
from gongyu_mentor.workbook import columns

__all__ = ["CHOICES", "MENTORS", "Read", "assignment_sheet", "class_sheet", "read_sheet", "template"]

CHOICES, MENTORS = "志愿 choices", "导师 mentors"
NUMBER, NAME, ID, CHOICE = "学号 number", "姓名 name", "编号 id", "志愿 choice"
_MENTOR_HEAD = ["序号 no.", NAME, "名额 places", "学科 subjects", "特长 talents", "介绍 introduction", ID]
_MOST_ROWS = 2000


class Read(NamedTuple):
    """The lists to take in, and the rows that give way to a pupil's own list, by address."""

    lists: dict[UUID, list[UUID]]
    own: list[tuple[str, Text]]


async def template(connection: AsyncConnection, row: AnyRow, *, class_id: UUID, today: date) -> bytes:
    """The workbook of one class, with what is on file already."""
    of_students(row)
    students = await _of_class(connection, row, class_id, today=today)
    if not students:
        raise ProblemError("not-found")
    offers = (
        sa.select(Offer.mentor_id, Person.name, Offer.soft_cap, Offer.subjects, Offer.talents, Offer.introduction)
        .join(Person, Person.id == Offer.mentor_id)
        .where(Offer.round_id == row.id, Offer.left_at.is_(None))
        .order_by(Person.name, Offer.mentor_id)
    )
    mentors = list(await connection.execute(offers))
    number_of = {one.mentor_id: number for number, one in enumerate(mentors, 1)}
    choices = [f"{CHOICE} {n + 1}" for n in range(row.list_length)]
    lines = []
    for one in students:
        filed = [number_of[mentor] for mentor in one.choices or () if mentor in number_of]
        lines.append([one.number, one.name, str(one.person_id), *filed])
    pages = [
        [
            number,
            one.name,
            one.soft_cap,
            "、".join(one.subjects),
            "、".join(one.talents),
            one.introduction,
            str(one.mentor_id),
        ]
        for number, one in enumerate(mentors, 1)
    ]
    return render(
        Table(CHOICES, columns(NUMBER, NAME, ID, *choices), lines), Table(MENTORS, columns(*_MENTOR_HEAD), pages)
    )


async def _of_class(
    connection: AsyncConnection | AsyncSession, row: AnyRow, class_id: UUID | None, *, today: date
) -> list[Any]:
    home = people.homeroom(today)
    part = people.students_at(row.school_id, today=today, grades=row.grades).subquery()
    found = (
        sa.select(part.c.person_id, Person.name, home.c.number, Preference.choices, Preference.source)
        .join(Person, Person.id == part.c.person_id)
        .outerjoin(home, sa.and_(home.c.person_id == part.c.person_id, home.c.class_id == part.c.class_id))
        .outerjoin(Preference, sa.and_(Preference.student_id == part.c.person_id, Preference.round_id == row.id))
        .order_by(sa.func.length(home.c.number), home.c.number, Person.name, part.c.person_id)
    )
    return list(await connection.execute(found if class_id is None else found.where(part.c.class_id == class_id)))


async def read_sheet(
    session: AsyncSession,
    row: AnyRow,
    *,
    content: bytes,
    today: date,
) -> Read:
    """The lists that are new or differ from what is on file. Whoever takes them in holds the round's row meanwhile.

    Raises:
        ProblemError: `invalid` with every wrong cell by its address; nothing is taken then.
    """
    of_students(row)
    sheets = _opened(content)
    findings: list[tuple[str, Text]] = []
    mentors = await _numbers(session, row, sheets[MENTORS], findings)
    students = {one.person_id: one for one in await _of_class(session, row, None, today=today)}
    lists: dict[UUID, list[UUID]] = {}
    own: list[tuple[str, Text]] = []
    seen: set[UUID] = set()
    for number, cells in sheets[CHOICES].rows:
        student = _student(cells, number, students, seen, findings)
        if student is None:
            continue
        choices = _choices(cells[3:], number, mentors, row.list_length, findings)
        on_file = students[student]
        if choices == list(on_file.choices or ()):
            continue
        if on_file.source != "own":
            lists[student] = choices
        elif choices:
            told = Text(zh="学生已自己填报，以自己填报的为准", en="filed by the pupil, whose own list stands")
            own.append((_at(number, 4), told))
    if findings:
        raise ProblemError("invalid", Text(zh="没有录入任何一行", en="no row was taken"), errors=findings)
    return Read(lists, own)


def _opened(content: bytes) -> Mapping[str, Sheet]:
    try:
        sheets = sheets_of(content, [CHOICES, MENTORS])
    except Exception as error:  # whatever a damaged file makes the library raise
        unreadable = Text(zh="不是可读的 Excel 工作簿（.xlsx）", en="not a readable Excel workbook (.xlsx)")
        raise ProblemError("invalid", errors=[("", unreadable)]) from error
    if sheets is None or any(len(sheet.rows) > _MOST_ROWS for sheet in sheets.values()):
        raise ProblemError("too-large")
    missing = [title for title in (CHOICES, MENTORS) if title not in sheets]
    if missing:
        text = Text(zh="缺少此工作表", en="this sheet is missing")
        raise ProblemError("invalid", errors=[(title, text) for title in missing])
    if sheets[CHOICES].header[:3] != [NUMBER, NAME, ID] or sheets[MENTORS].header != _MENTOR_HEAD:
        text = Text(zh="第 1 行标题与下发的表不同", en="row 1 is not that of the template")
        raise ProblemError("invalid", errors=[(CHOICES, text)])
    return sheets


async def _numbers(
    session: AsyncSession,
    row: AnyRow,
    sheet: Sheet,
    findings: list[tuple[str, Text]],
) -> dict[int, UUID]:
    offered = sa.select(Offer.mentor_id).where(Offer.round_id == row.id, Offer.left_at.is_(None))
    known = set(await session.scalars(offered))
    numbers: dict[int, UUID] = {}
    for line, cells in sheet.rows:
        mentor = _uuid(cells, 6)
        number = _whole(cells[0]) if cells else None
        if mentor not in known or number is None or number in numbers:
            text = Text(zh="这一行被改动过，或导师已不在本轮", en="this line was changed, or the mentor is gone")
            findings.append((f"{MENTORS}!A{line}", text))
        else:
            numbers[number] = mentor
    return numbers


def _student(
    cells: Sequence[Cell],
    line: int,
    students: Mapping[UUID, Any],
    seen: set[UUID],
    findings: list[tuple[str, Text]],
) -> UUID | None:
    student = _uuid(cells, 2)
    if student is None or student not in students:
        findings.append((_at(line, 3), Text(zh="不是本轮的学生", en="no student of this round")))
        return None
    if student in seen:
        findings.append((_at(line, 3), Text(zh="这名学生出现两次", en="this student is there twice")))
        return None
    seen.add(student)
    return student


def _choices(
    cells: Sequence[Cell], line: int, mentors: Mapping[int, UUID], most: int, findings: list[tuple[str, Text]]
) -> list[UUID]:
    choices: list[UUID] = []
    for column, cell in enumerate(cells, 4):
        if cell.value is None or cell.value == "":
            continue
        number = _whole(cell)
        if number is None or number not in mentors:
            text = Text(zh="应为导师表中的序号", en="expected a number of the mentors' sheet")
            findings.append((_at(line, column), text))
        elif mentors[number] in choices:
            findings.append((_at(line, column), Text(zh="重复", en="given twice")))
        elif len(choices) == most:
            findings.append((_at(line, column), Text(zh=f"最多 {most} 个志愿", en=f"at most {most} choices")))
        else:
            choices.append(mentors[number])
    return choices


def _whole(cell: Cell) -> int | None:
    value = cell.value
    if isinstance(value, bool) or cell.kind in {"f", "e"}:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 7:  # noqa: PLR2004 - no school has a million mentors
        return int(value)
    return value if isinstance(value, int) else None


def _uuid(cells: Sequence[Cell], at: int) -> UUID | None:
    try:
        return UUID(str(cells[at].value).strip())
    except (IndexError, ValueError):
        return None


def _at(line: int, column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{CHOICES}!{letters}{line}"


def class_sheet(rows: Sequence[Sequence[object]]) -> bytes:
    """Classes and their party-member teachers as a workbook."""
    return render(Table("班级导师 classes", columns("班级 class", "党员教师 teacher", "说明 reason"), rows))


def assignment_sheet(rows: Sequence[Sequence[object]]) -> bytes:
    """The school's list as a workbook: class, student, mentor."""
    return render(Table("结对 assignment", columns("班级 class", "学生 student", "导师 mentor"), rows))
