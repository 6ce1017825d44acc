"""An instance and an answer written as Excel workbooks; the layout that `sheet` reads back."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from gongyu_mentor.instance import Instance

__all__ = ["answer_workbook", "book_bytes", "instance_workbook", "write_sheet"]

STUDENTS, MENTORS, PRIORITIES = "学生 students", "导师 mentors", "导师意愿 priorities"
ASSIGNMENT, FIGURES = "结对 assignment", "数据 figures"
STUDENT, MENTOR = "学生 student", "导师 mentor"
GROUP, CHOICE = "预留 group", "志愿 choice"
CAPACITY, RESERVE, TIER = "名额 capacity", "预留名额 reserve", "次序 tier"
YES, NO = "是 yes", "否 no"


def instance_workbook(instance: Instance) -> bytes:
    """The instance as a workbook that `decode_workbook` reads back to the same."""
    widest = max((len(ranking) for ranking in instance.students.values()), default=0)
    group = set(instance.group)
    book = Workbook(write_only=True)
    header = [STUDENT, GROUP, *(f"{CHOICE} {n + 1}" for n in range(widest))]
    students = (
        [
            name,
            YES if name in group else "",
            *("\n".join([entry] if isinstance(entry, str) else entry) for entry in ranking),
        ]
        for name, ranking in sorted(instance.students.items())
    )
    write_sheet(book, STUDENTS, header, students)
    mentors = (
        [name, mentor.capacity, instance.reserves.get(name)] for name, mentor in sorted(instance.mentors.items())
    )
    write_sheet(book, MENTORS, [MENTOR, CAPACITY, RESERVE], mentors)
    priorities = (
        [name, tier, student]
        for name, mentor in sorted(instance.mentors.items())
        for tier, entry in enumerate(mentor.priority, 1)
        for student in ([entry] if isinstance(entry, str) else entry)
    )
    write_sheet(book, PRIORITIES, [MENTOR, TIER, STUDENT], priorities)
    return book_bytes(book)


def answer_workbook(answer: Mapping[str, Any]) -> bytes:
    """An answer for people: who has whom and why, and the figures."""
    book = Workbook(write_only=True)
    explanations = answer.get("explanations", {})

    def lines() -> Iterable[list[object]]:
        for student, mentor in answer["assignment"].items():
            told = explanations.get(student)
            if told is None:
                yield [student, mentor]
                continue
            refused = told["refused"]
            yield [
                student,
                mentor,
                told["text"]["zh"],
                told["text"]["en"],
                "\n".join(f"{entry['mentor']}：{entry['text']['zh']}" for entry in refused),
                "\n".join(f"{entry['mentor']}: {entry['text']['en']}" for entry in refused),
            ]

    header = [STUDENT, MENTOR, *(["说明", "reason", "未结对的志愿", "choices not given"] if explanations else [])]
    write_sheet(book, ASSIGNMENT, header, lines())
    write_sheet(
        book, FIGURES, ["数据 figure", "值 value"], _flat("", {k: v for k, v in answer.items() if k not in _OWN_SHEET})
    )
    return book_bytes(book)


_OWN_SHEET = {"assignment", "explanations"}


def _flat(prefix: str, value: object) -> Iterable[list[object]]:
    """Nested figures as rows: a path and a value."""
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), content)
    elif isinstance(value, list):
        for index, content in enumerate(value):
            yield from _flat(f"{prefix}[{index}]", content)
    else:
        yield [prefix, value]


def write_sheet(book: Workbook, title: str, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    sheet = book.create_sheet(title)
    for row in ([*header], *rows):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]  # strings, integers and None, all of which it takes
            if isinstance(value, str):
                cell.data_type = "s"  # an id that begins with "=" is an id
                cell.number_format = "@"
            cells.append(cell)
        sheet.append(cells)


def book_bytes(book: Workbook) -> bytes:
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
