"""A market as a file: the JSON format of `gongyu mentor match`, read strictly.

    {"students": {id: [mentor ids, best first]},
     "mentors": {id: {"capacity": n, "priority": [student ids, best first]}},
     "group"?: [student ids], "reserves"?: {mentor id: seats}}

A student absent from a mentor's `priority` is unacceptable to that mentor. A list inside a list is a tie, broken by the
seed's lottery. Nothing is guessed: whatever is not exactly this is reported, all of it at once, and nothing runs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gongyu.text import Text
from gongyu_mentor.findings import Finding, Findings, WrongInstanceError, shown

__all__ = [
    "MAX_BYTES",
    "MAX_CAPACITY",
    "Instance",
    "Mentor",
    "Object",
    "Ranking",
    "check",
    "decode",
    "parse",
    "previous_assignment",
    "read",
    "read_bytes",
]

MAX_BYTES = 64 * 1024 * 1024
"""A file this large is refused unread: a district is a thousand schools, and a school is one instance."""
MAX_CAPACITY = 1_000_000
Ranking = list[str | list[str]]
"""Ids, best first; a list inside is a tie."""

_DIGITS = 18
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Mentor(msgspec.Struct, frozen=True):
    capacity: int
    priority: Ranking


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    students: dict[str, Ranking]
    mentors: dict[str, Mentor]
    group: list[str] = []
    reserves: dict[str, int] = {}


class Object(list[tuple[str, Any]]):
    """A JSON object as it was written, because a name given twice must be seen."""


def read_bytes(path: Path) -> bytes:
    """The file's bytes; by size first, and never more than the limit even where a pipe or a device tells no size."""
    try:
        if path.stat().st_size < MAX_BYTES:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
            if len(content) < MAX_BYTES:
                return content
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise WrongInstanceError([_about(path, zh=f"文件无法读取（{why}）", en=f"cannot be read: {why}")]) from error
    megabytes = MAX_BYTES // 1024**2
    too_large = _about(
        path,
        zh=f"文件过大（不小于 {megabytes} MB），未读取；请按学校拆分",
        en=f"too large ({megabytes} MB or more) and not read; split it by school",
    )
    raise WrongInstanceError([too_large])


def _about(path: Path, *, zh: str, en: str) -> Finding:
    return Finding(str(path).encode(errors="backslashreplace").decode(), Text(zh=zh, en=en))


def read(path: Path) -> Instance:
    return decode(read_bytes(path))


def decode(content: bytes) -> Instance:
    return check(parse(content))


def parse(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds; `check` finds out
    """JSON with its objects as pairs."""
    findings = Findings()
    if not content.strip():
        findings.add((), zh="文件是空的", en="the file is empty")
        findings.raise_if_any()
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=Object, parse_int=_integer)
    except UnicodeDecodeError as error:
        findings.add((), zh=f"不是 UTF-8 文本（第 {error.start} 字节）", en=f"not UTF-8 text (at byte {error.start})")
    except json.JSONDecodeError as error:
        at = (error.lineno, error.colno)
        findings.add(
            (),
            zh=f"不是有效的 JSON：第 {at[0]} 行第 {at[1]} 列（{error.msg}）",
            en=f"not JSON: line {at[0]}, column {at[1]}: {error.msg}",
        )
    except RecursionError:
        findings.add((), zh="嵌套层数过多", en="nested too deeply")
    findings.raise_if_any()
    raise AssertionError("unreachable: one of the findings above was raised")


def _integer(digits: str) -> int | float:
    """Numbers beyond any capacity become floats, which are refused, rather than integers of a million digits."""
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def check(raw: object, *, findings: Findings | None = None) -> Instance:
    """The instance, or every finding, together with those a reader of another format already had."""
    findings = findings or Findings()
    fields = _fields(raw, (), findings, required=("students", "mentors"), optional=("group", "reserves"))
    student_entries = list(_members(fields.get("students", Object()), ("students",), findings))
    mentor_entries = list(_members(fields.get("mentors", Object()), ("mentors",), findings))
    students, mentors = dict(student_entries), dict(mentor_entries)
    rankings = {
        name: _ranking(value, ("students", name), findings, known=mentors, of=_MENTOR)
        for name, value in student_entries
    }
    units = {name: _mentor(value, ("mentors", name), findings, students) for name, value in mentor_entries}
    group = _ranking(fields.get("group", []), ("group",), findings, known=students, of=_STUDENT, ties=False)
    reserves: dict[str, int] = {}
    for name, value in _members(fields.get("reserves", Object()), ("reserves",), findings):
        if name not in mentors:
            _unknown(name, ("reserves", name), findings, _MENTOR)
        reserves[name] = _count(value, ("reserves", name), findings)
    findings.raise_if_any()
    return Instance(rankings, units, [name for name in group if isinstance(name, str)], reserves)


def _mentor(value: object, path: tuple[str, ...], findings: Findings, students: Mapping[str, object]) -> Mentor:
    unit = _fields(value, path, findings, required=("capacity", "priority"))
    capacity = _count(unit["capacity"], (*path, "capacity"), findings) if "capacity" in unit else 0
    priority = unit.get("priority", [])
    return Mentor(capacity, _ranking(priority, (*path, "priority"), findings, known=students, of=_STUDENT))


_STUDENT = Text(zh="学生", en="student")
_MENTOR = Text(zh="导师", en="mentor")


def _kind(value: object) -> Text:
    if isinstance(value, Object):
        return Text(zh="对象", en="an object")
    if isinstance(value, list):
        return Text(zh="列表", en="a list")
    return Text(zh=shown(value), en=shown(value))


def _fields(
    value: object,
    path: tuple[str | int, ...],
    findings: Findings,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The named fields of an object; a missing one, another one and one given twice are findings."""
    if not isinstance(value, Object):
        kind = _kind(value)
        names = ", ".join(required)
        findings.add(
            path,
            zh=f"应为含 {names} 的对象，实为{kind.zh}",
            en=f"expected an object with {names}, found {kind.en}",
        )
        return {}
    found: dict[str, Any] = {}
    for name, content in value:
        if name in found:
            findings.add((*path, name), zh="重复出现", en="given twice")
        elif name not in required + optional:
            allowed = ", ".join(required + optional)
            findings.add((*path, name), zh=f"未知字段，可用：{allowed}", en=f"unknown field; expected: {allowed}")
        found[name] = content
    for name in required:
        if name not in found:
            findings.add(path, zh=f"缺少 {name}", en=f"{name} is missing")
    return found


def _members(value: object, path: tuple[str | int, ...], findings: Findings) -> Iterator[tuple[str, Any]]:
    """The entries of an object whose names are ids."""
    if not isinstance(value, Object):
        kind = _kind(value)
        findings.add(path, zh=f"应为以编号为名的对象，实为{kind.zh}", en=f"expected an object by id, found {kind.en}")
        return
    seen: set[str] = set()
    for name, content in value:
        _check_id(name, (*path, name), findings)
        if name in seen:
            findings.add((*path, name), zh="编号重复", en="this id is given twice")
        seen.add(name)
        yield name, content


def _check_id(name: str, path: tuple[str | int, ...], findings: Findings) -> None:
    if not name.strip():
        findings.add(path, zh="编号为空", en="the id is empty")
    elif _CONTROL.search(name):
        findings.add(path, zh="编号含控制字符或不完整的字符", en="the id holds a control character or half a character")


def _count(value: object, path: tuple[str | int, ...], findings: Findings) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_CAPACITY:
        return value
    kind = _kind(value)
    findings.add(
        path,
        zh=f"应为 0 到 {MAX_CAPACITY} 的整数，实为{kind.zh}",
        en=f"expected a whole number from 0 to {MAX_CAPACITY}, found {kind.en}",
    )
    return 0


def _unknown(name: str, path: tuple[str | int, ...], findings: Findings, of: Text) -> None:
    findings.add(path, zh=f"没有编号为 {shown(name)} 的{of.zh}", en=f"there is no {of.en} {shown(name)}")


def _ranking(
    value: object,
    path: tuple[str | int, ...],
    findings: Findings,
    *,
    known: Mapping[str, object],
    of: Text,
    ties: bool = True,
) -> Ranking:
    if isinstance(value, Object) or not isinstance(value, list):
        kind = _kind(value)
        findings.add(
            path, zh=f"应为{of.zh}编号的列表，实为{kind.zh}", en=f"expected a list of {of.en} ids, found {kind.en}"
        )
        return []
    seen: set[str] = set()

    def accept(entry: object, at: tuple[str | int, ...]) -> None:
        if not isinstance(entry, str):
            kind = _kind(entry)
            findings.add(
                at, zh=f"应为{of.zh}编号（文本），实为{kind.zh}", en=f"expected a {of.en} id as text, found {kind.en}"
            )
        elif entry in seen:
            findings.add(at, zh=f"{shown(entry)} 重复出现", en=f"{shown(entry)} is given twice")
        elif entry not in known:
            _unknown(entry, at, findings, of)
        else:
            seen.add(entry)

    for index, entry in enumerate(value):
        if ties and isinstance(entry, list) and not isinstance(entry, Object):
            if not entry:
                findings.add((*path, index), zh="并列为空", en="an empty tie")
            for place, name in enumerate(entry):
                accept(name, (*path, index, place))
        else:
            accept(entry, (*path, index))
    return value


def previous_assignment(
    raw: object, instance: Instance, *, gone: Iterable[str], findings: Findings | None = None
) -> dict[str, str | None]:
    """The assignment of an earlier answer; its students and mentors must be known here, a leaver as gone."""
    findings = findings or Findings()
    answer = dict(raw) if isinstance(raw, Object) else {}
    if "assignment" not in answer:
        kind = _kind(raw)
        findings.add(
            (),
            zh=f"应为先前的结果（含 assignment），实为{kind.zh}",
            en=f"expected an earlier answer with assignment, found {kind.en}",
        )
    known = set(instance.mentors) | set(gone)
    assignment: dict[str, str | None] = {}
    for student, mentor in _members(answer.get("assignment", Object()), ("assignment",), findings):
        path = ("assignment", student)
        if student not in instance.students:
            findings.add(
                path,
                zh="本轮没有该学生；若已离校，请删去此行",
                en="no such student in the instance; remove the line of a student who has left",
            )
        if mentor is not None and not isinstance(mentor, str):
            kind = _kind(mentor)
            findings.add(
                path, zh=f"应为导师编号或 null，实为{kind.zh}", en=f"expected a mentor id or null, found {kind.en}"
            )
        elif mentor is not None and mentor not in known:
            _unknown(mentor, path, findings, _MENTOR)
        else:
            assignment[student] = mentor
    findings.raise_if_any()
    return assignment
