"""An instance and an answer written as Excel workbooks; the layout that `sheet` reads back."""

from collections.abc import Iterable, Mapping
from typing import Any

from gongyu.printing.workbook import Table, render
from gongyu.text import Text
from gongyu_mentor.instance import Instance

__all__ = ["answer_workbook", "columns", "instance_workbook"]

STUDENTS, MENTORS, PRIORITIES = "学生 students", "导师 mentors", "导师意愿 priorities"
ASSIGNMENT, FIGURES = "结对 assignment", "数据 figures"
STUDENT, MENTOR = "学生 student", "导师 mentor"
GROUP, CHOICE = "预留 group", "志愿 choice"
CAPACITY, RESERVE, TIER = "名额 capacity", "预留名额 reserve", "次序 tier"
_WHY = ["说明 reason", "英文说明 reason in English", "未得到的志愿 choices not given", "英文 the same in English"]
YES, NO = "是 yes", "否 no"


def columns(*names: str) -> list[Text]:
    """Columns for a `Table` by the names under which they are read back: both languages, a space between."""
    return [Text(zh=zh, en=en) for zh, _, en in (name.partition(" ") for name in names)]


def instance_workbook(instance: Instance) -> bytes:
    """The instance as a workbook that `decode_workbook` reads back to the same."""
    widest = max((len(ranking) for ranking in instance.students.values()), default=0)
    group = set(instance.group)
    header = [STUDENT, GROUP, *(f"{CHOICE} {n + 1}" for n in range(widest))]
    students = (
        [
            name,
            YES if name in group else "",
            *("\n".join([entry] if isinstance(entry, str) else entry) for entry in ranking),
        ]
        for name, ranking in sorted(instance.students.items())
    )
    mentors = (
        [name, mentor.capacity, instance.reserves.get(name)] for name, mentor in sorted(instance.mentors.items())
    )
    priorities = (
        [name, tier, student]
        for name, mentor in sorted(instance.mentors.items())
        for tier, entry in enumerate(mentor.priority, 1)
        for student in ([entry] if isinstance(entry, str) else entry)
    )
    return render(
        Table(STUDENTS, columns(*header), students),
        Table(MENTORS, columns(MENTOR, CAPACITY, RESERVE), mentors),
        Table(PRIORITIES, columns(MENTOR, TIER, STUDENT), priorities),
    )


def answer_workbook(answer: Mapping[str, Any]) -> bytes:
    """An answer for people: who has whom and why, and the figures."""
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

    header = [STUDENT, MENTOR, *(_WHY if explanations else [])]
    figures = _flat("", {name: value for name, value in answer.items() if name not in _OWN_SHEET})
    return render(
        Table(ASSIGNMENT, columns(*header), lines()), Table(FIGURES, columns("数据 figure", "值 value"), figures)
    )


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
