"""The same instance read from an Excel workbook.

Three sheets: students with their choices in columns, mentors with their capacity, and each mentor's students with a
tier (the same tier is a tie). A tie among a student's choices is several lines in one cell. Values only: a formula's
result depends on the program that last saved the file, so formulas are refused.
"""

import warnings
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from gongyu.text import Text
from gongyu_mentor.findings import Findings, shown
from gongyu_mentor.instance import Instance, Object, Ranking, check, read_bytes
from gongyu_mentor.workbook import (
    ASSIGNMENT,
    CAPACITY,
    CHOICE,
    GROUP,
    MENTOR,
    MENTORS,
    NO,
    PRIORITIES,
    RESERVE,
    STUDENT,
    STUDENTS,
    TIER,
    YES,
)

__all__ = ["Cell", "Sheet", "decode_answer_workbook", "decode_workbook", "read_workbook", "sheets_of"]

_MAX_UNPACKED = 256 * 1024 * 1024
_SAFE_INTEGER = 10**15
_MEANING = {YES: True, "是": True, "yes": True, "1": True, NO: False, "否": False, "no": False, "0": False, "": False}

_Place = tuple[str | int, ...]


class Cell(NamedTuple):
    value: Any
    kind: str


class Sheet(NamedTuple):
    header: list[str]
    rows: list[tuple[int, list[Cell]]]


def read_workbook(path: Path) -> Instance:
    return decode_workbook(read_bytes(path))


def decode_workbook(content: bytes) -> Instance:
    places: dict[_Place, str] = {}
    findings = Findings(places)
    reader = _Reader(findings, places)
    sheets = _grids(content, findings, places, needed=_INSTANCE)
    students, group = reader.students(sheets[STUDENTS])
    capacities, reserves = reader.mentors(sheets[MENTORS])
    priorities = reader.priorities(sheets[PRIORITIES], known=capacities)
    mentors = Object(
        (name, Object([("capacity", capacity), ("priority", priorities.get(name, []))]))
        for name, capacity in capacities.items()
    )
    mentors += [(name, Object([("capacity", 0), ("priority", [])])) for name in reader.repeated_mentors]
    raw = Object([("students", students), ("mentors", mentors), ("group", group), ("reserves", reserves)])
    return check(raw, findings=findings)


def decode_answer_workbook(content: bytes) -> tuple[Object, Findings]:
    """An earlier answer in the raw form of JSON, and the findings so far, for `previous_assignment`."""
    places: dict[_Place, str] = {}
    findings = Findings(places)
    reader = _Reader(findings, places)
    sheet = _grids(content, findings, places, needed={ASSIGNMENT: [STUDENT, MENTOR]})[ASSIGNMENT]
    return Object([("assignment", reader.assignment(sheet))]), findings


_INSTANCE = {STUDENTS: [STUDENT, GROUP], MENTORS: [MENTOR, CAPACITY, RESERVE], PRIORITIES: [MENTOR, TIER, STUDENT]}


def _grids(
    content: bytes, findings: Findings, places: dict[_Place, str], *, needed: Mapping[str, list[str]]
) -> dict[str, Sheet]:
    """The sheets as cells. Whatever a damaged file makes the library raise is one finding."""
    places["workbook",] = "xlsx"
    try:
        sheets = sheets_of(content, needed)
    except Exception as error:
        findings.add(
            ("workbook",),
            zh=f"不是可读的 Excel 工作簿（.xlsx）：{type(error).__name__}",
            en=f"not a readable Excel workbook (.xlsx): {type(error).__name__}",
        )
        findings.raise_if_any()
        raise
    if sheets is None:
        findings.add(("workbook",), zh="解压后过大", en="too large when unpacked")
        findings.raise_if_any()
        raise AssertionError("unreachable: the finding above was raised")
    for title, header in needed.items():
        places["sheet", title] = title
        if title not in sheets:
            findings.add(("sheet", title), zh="缺少此工作表", en="this sheet is missing")
            continue
        found = sheets[title].header if title != ASSIGNMENT else sheets[title].header[: len(header)]
        expected = header + [f"{CHOICE} {n + 1}" for n in range(len(found) - len(header))] * (title == STUDENTS)
        if found != expected:
            wanted = " | ".join(expected[: max(len(header), len(found))])
            findings.add(("sheet", title), zh=f"第 1 行标题应为：{wanted}", en=f"row 1 should read: {wanted}")
    findings.raise_if_any()
    return sheets


def sheets_of(content: bytes, titles: Iterable[str]) -> dict[str, Sheet] | None:
    """The sheets there are, or None for a workbook that would unpack to more than memory should hold."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > _MAX_UNPACKED:
            return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # features of a workbook that are not its values
        book = load_workbook(BytesIO(content), read_only=True, keep_links=False)
        sheets = {title: _grid(book[title]) for title in titles if title in book.sheetnames}
        book.close()
    return sheets


def _grid(sheet: Any) -> Sheet:  # noqa: ANN401 - openpyxl's read-only worksheet is not what its stubs say book[...] gives
    sheet.reset_dimensions()  # the declared size is anybody's claim
    header: list[str] = []
    rows: list[tuple[int, list[Cell]]] = []
    for number, line in enumerate(sheet.iter_rows(), 1):
        cells = [Cell(cell.value, cell.data_type) for cell in line]
        while cells and (cells[-1].value is None or cells[-1].value == ""):
            cells.pop()
        if number == 1:
            header = [str(cell.value or "").strip() for cell in cells]
        elif cells:
            rows.append((number, cells))
    return Sheet(header, rows)


class _Reader:
    """Turns cells into the raw form of an instance and remembers where each part stood."""

    def __init__(self, findings: Findings, places: dict[_Place, str]) -> None:
        self._findings = findings
        self._places = places
        self.repeated_mentors: list[str] = []

    def students(self, sheet: Sheet) -> tuple[Object, list[str]]:
        students, group = Object(), list[str]()
        for row, cells in sheet.rows:
            name = self._id(cells[0], STUDENTS, row, 1)
            choices: Ranking = []
            if len(cells) > len(sheet.header):
                at = self._at(STUDENTS, row, len(sheet.header) + 1)
                self._findings.add(at, zh="标题行以外的内容", en="a value beyond the columns of row 1")
                cells = cells[: len(sheet.header)]  # noqa: PLW2901 - the rest has its finding
            for column, cell in enumerate(cells[2:], 3):
                text = self._id(cell, STUDENTS, row, column)
                names = [part.strip() for part in text.splitlines() if part.strip()]
                if names:
                    self._places["students", name, len(choices)] = self._cell(STUDENTS, row, column)
                    choices.append(names[0] if len(names) == 1 else list(names))
            self._places["students", name] = self._cell(STUDENTS, row, 1)
            students.append((name, choices))
            if len(cells) > 1 and self._member(cells[1], row):
                self._places["group", len(group)] = self._cell(STUDENTS, row, 2)
                group.append(name)
        return students, list(dict.fromkeys(group))

    def _member(self, cell: Cell, row: int) -> bool:
        if cell.kind == "b":
            return bool(cell.value)
        meaning = _MEANING.get(self._id(cell, STUDENTS, row, 2).lower())
        if meaning is None:
            at = self._at(STUDENTS, row, 2)
            self._findings.add(at, zh="应为“是”或“否”", en="expected yes or no")
        return bool(meaning)

    def mentors(self, sheet: Sheet) -> tuple[dict[str, object], Object]:
        capacities: dict[str, object] = {}
        reserves = Object()
        for row, line in sheet.rows:
            cells = (line + [Cell(None, "n")] * 3)[:3]
            name = self._id(cells[0], MENTORS, row, 1)
            self._places["mentors", name] = self._cell(MENTORS, row, 1)
            if name in capacities:
                self.repeated_mentors.append(name)
                continue
            self._places["mentors", name, "capacity"] = self._cell(MENTORS, row, 2)
            self._places["reserves", name] = self._cell(MENTORS, row, 3)
            capacities[name] = self._number(cells[1], MENTORS, row, 2)
            if cells[2].value is not None:
                reserves.append((name, self._number(cells[2], MENTORS, row, 3)))
        return capacities, reserves

    def priorities(self, sheet: Sheet, *, known: Mapping[str, object]) -> dict[str, Ranking]:
        tiers: dict[str, dict[int, list[tuple[str, str]]]] = {}
        for row, line in sheet.rows:
            cells = (line + [Cell(None, "n")] * 3)[:3]
            mentor = self._id(cells[0], PRIORITIES, row, 1)
            tier = self._number(cells[1], PRIORITIES, row, 2)
            student = self._id(cells[2], PRIORITIES, row, 3)
            if mentor not in known:
                at = self._at(PRIORITIES, row, 1)
                name = shown(mentor)
                self._findings.add(at, zh=f"没有编号为 {name} 的导师", en=f"there is no mentor {name}")
            if isinstance(tier, bool) or not isinstance(tier, int) or tier < 1:
                at = self._at(PRIORITIES, row, 2)
                self._findings.add(at, zh="应为从 1 开始的整数", en="expected a whole number from 1")
                continue
            tiers.setdefault(mentor, {}).setdefault(tier, []).append((student, self._cell(PRIORITIES, row, 3)))
        rankings: dict[str, Ranking] = {}
        for mentor, by_tier in tiers.items():
            ranking = rankings.setdefault(mentor, [])
            for _, entries in sorted(by_tier.items()):
                path = ("mentors", mentor, "priority", len(ranking))
                names = [name for name, _ in entries]
                ranking.append(names[0] if len(names) == 1 else list(names))
                self._places[path] = entries[0][1]
                for index, (_, place) in enumerate(entries):
                    self._places[*path, index] = place
        return rankings

    def assignment(self, sheet: Sheet) -> Object:
        """The first two columns; the explanations beside them are for people."""
        pairs = Object()
        for row, cells in sheet.rows:
            student = self._id(cells[0], ASSIGNMENT, row, 1)
            mentor = self._id(cells[1], ASSIGNMENT, row, 2) if len(cells) > 1 else ""
            self._places["assignment", student] = self._cell(ASSIGNMENT, row, 1)
            pairs.append((student, mentor or None))
        return pairs

    @staticmethod
    def _cell(sheet: str, row: int, column: int) -> str:
        return f"{sheet}!{get_column_letter(column)}{row}"

    def _at(self, sheet: str, row: int, column: int) -> _Place:
        path = ("cell", sheet, row, column)
        self._places[path] = self._cell(sheet, row, column)
        return path

    def _id(self, cell: Cell, sheet: str, row: int, column: int) -> str:
        """An id as text; nothing is "", which is no id. A number is one too, if Excel has not already rounded it."""
        value = self._value(cell, sheet, row, column)
        if isinstance(value, str):
            text = value.strip()
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SAFE_INTEGER:
            text = str(value)
        elif value is None:
            text = ""
        else:
            self._findings.add(
                self._at(sheet, row, column),
                zh="应为文本编号；请把该列设为“文本”格式后重新填写",
                en="expected an id as text; set the column's format to Text and enter it again",
            )
            return ""
        return text

    def _number(self, cell: Cell, sheet: str, row: int, column: int) -> object:
        value = self._value(cell, sheet, row, column)
        if isinstance(value, str) and value.strip().isdecimal() and len(value) < len(str(_SAFE_INTEGER)):
            return int(value)
        return value

    def _value(self, cell: Cell, sheet: str, row: int, column: int) -> object:
        if cell.kind in {"f", "e"}:
            words = Text(zh="公式", en="a formula") if cell.kind == "f" else Text(zh="错误值", en="an error value")
            self._findings.add(
                self._at(sheet, row, column),
                zh=f"不接受{words.zh}，请改为数值",
                en=f"{words.en} is not accepted; paste the value instead",
            )
            return ""
        if isinstance(cell.value, float) and cell.value.is_integer():
            return int(cell.value)
        return cell.value
