"""The same instance as a workbook: there and back, and findings by cell."""

import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from gongyu_mentor.commands import mentor
from gongyu_mentor.findings import WrongInstanceError
from gongyu_mentor.instance import Instance, Mentor
from gongyu_mentor.market import fingerprint
from gongyu_mentor.sheet import decode_workbook
from gongyu_mentor.workbook import instance_workbook

examples = partial(settings, deadline=None, derandomize=True)
fingerprinted = partial(fingerprint, previous=None, gone=())

ids = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff\u2028\u2029"),
    min_size=1,
    max_size=8,
).filter(lambda name: name == name.strip() and "_x" not in name)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    students = draw(st.lists(ids, unique=True, max_size=6))
    mentors = draw(st.lists(ids, unique=True, max_size=4))

    def ranking(names: list[str]) -> list[str | list[str]]:
        order = draw(st.permutations(names))[: draw(st.integers(0, len(names)))]
        cut = draw(st.integers(0, len(order)))
        return [*order[:cut], *([order[cut:]] if order[cut:] else [])]

    return Instance(
        students={name: ranking(mentors) for name in students},
        mentors={name: Mentor(draw(st.integers(0, 99)), ranking(students)) for name in mentors},
        group=[name for name in students if draw(st.booleans())],
        reserves={name: draw(st.integers(0, 9)) for name in mentors if draw(st.booleans())},
    )


@examples(max_examples=60)
@given(instances())
def test_an_instance_survives_the_way_through_excel(instance: Instance) -> None:
    assert fingerprinted(decode_workbook(instance_workbook(instance))) == fingerprinted(instance)


INSTANCE = Instance(
    students={"=1+1": ["m1", ["m2", "m3"]], "007": ["m1"], "张𬭚": []},
    mentors={"m1": Mentor(1, ["007", ["=1+1", "张𬭚"]]), "m2": Mentor(2, ["张𬭚"]), "m3": Mentor(0, [])},
    group=["007"],
    reserves={"m1": 1},
)


def spoilt(change: Callable[[Workbook], object]) -> bytes:
    book = load_workbook(BytesIO(instance_workbook(INSTANCE)))
    change(book)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def sheet(book: Workbook, title: str) -> Worksheet:
    found = book[title]
    assert isinstance(found, Worksheet)
    return found


def put(**cells: str | float | None) -> Callable[[Workbook], None]:
    """`students_B2=...` puts a value into a cell."""
    titles = {"students": "学生 students", "mentors": "导师 mentors", "priorities": "导师意愿 priorities"}

    def change(book: Workbook) -> None:
        for place, value in cells.items():
            name, _, cell = place.partition("_")
            sheet(book, titles[name])[cell] = value

    return change


def findings(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(WrongInstanceError) as caught:
        decode_workbook(content)
    assert all(finding.problem.zh and finding.problem.en for finding in caught.value.findings)
    return [(finding.place, finding.problem.en) for finding in caught.value.findings]


def test_an_id_that_looks_like_a_formula_is_an_id() -> None:
    assert decode_workbook(instance_workbook(INSTANCE)) == INSTANCE


NO_FORMULA = "a formula is not accepted; paste the value instead"
NUMBER = "expected a whole number from 0 to 1000000, found"
AS_TEXT = "expected an id as text; set the column's format to Text and enter it again"
HEADER = "row 1 should read: 导师 mentor | 名额 capacity | 预留名额 reserve"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"mentors_B2": "=1+1"}, {"导师 mentors!B2": NO_FORMULA}),
        (
            {"students_A4": "=A3"},
            {"学生 students!A4": NO_FORMULA, "导师意愿 priorities!C": 'there is no student "张𬭚"'},
        ),
        ({"students_A4": "#N/A"}, {"学生 students!A4": "an error value is not accepted; paste the value instead"}),
        ({"mentors_B2": -1}, {"导师 mentors!B2": f"{NUMBER} -1"}),
        ({"mentors_B2": None}, {"导师 mentors!B2": f"{NUMBER} null"}),
        ({"mentors_B2": 1.5}, {"导师 mentors!B2": f"{NUMBER} 1.5"}),
        ({"mentors_B2": "ten"}, {"导师 mentors!B2": f'{NUMBER} "ten"'}),
        ({"mentors_C2": True}, {"导师 mentors!C2": f"{NUMBER} true"}),
        (
            {"mentors_A4": "m1"},
            {"导师 mentors!A4": "this id is given twice", "学生 students!D3": 'there is no mentor "m3"'},
        ),
        ({"students_A3": "007"}, {"学生 students!A3": "this id is given twice"}),
        ({"students_C2": "m9"}, {"学生 students!C2": 'there is no mentor "m9"'}),
        ({"students_C3": "m1\nm1"}, {"学生 students!C3": '"m1" is given twice'}),
        ({"students_B3": "maybe"}, {"学生 students!B3": "expected yes or no"}),
        ({"students_A5": 10**15}, {"学生 students!A5": AS_TEXT}),
        ({"students_F2": "m1"}, {"学生 students!E2": "a value beyond the columns of row 1"}),
        ({"priorities_B2": 0}, {"导师意愿 priorities!B2": "expected a whole number from 1"}),
        ({"priorities_C2": "nobody"}, {"导师意愿 priorities!C2": 'there is no student "nobody"'}),
        ({"priorities_A2": "m9"}, {"导师意愿 priorities!A2": 'there is no mentor "m9"'}),
        ({"mentors_B1": "cap"}, {"导师 mentors": HEADER}),
    ],
)
def test_a_wrong_cell_is_named(cells: dict[str, Any], expected: dict[str, str]) -> None:
    found = findings(spoilt(put(**cells)))
    for place, problem in expected.items():
        assert any(where.startswith(place) and what == problem for where, what in found), found
    consequences = ("there is no student", "there is no mentor")
    assert len([what for _, what in found if not what.startswith(consequences)]) <= 1


def test_a_missing_sheet_is_named() -> None:
    content = spoilt(lambda book: book.remove(book["导师 mentors"]))
    assert findings(content) == [("导师 mentors", "this sheet is missing")]


def test_several_wrong_cells_are_named_at_once() -> None:
    content = spoilt(put(mentors_B2=-1, mentors_B3="=2", students_C2="m9", priorities_B2="x"))
    assert {place for place, _ in findings(content)} == {
        "导师 mentors!B2",
        "导师 mentors!B3",
        "学生 students!C2",
        "导师意愿 priorities!B2",
    }


def test_numbers_typed_by_hand_are_ids_too() -> None:
    content = spoilt(put(students_A2=2025001, priorities_C2=2025001.0, mentors_B2="12"))
    read = decode_workbook(content)
    assert read.students["2025001"] == ["m1"]
    assert read.mentors["m1"].capacity == 12
    assert "2025001" in read.mentors["m1"].priority[0]


def zip_bomb() -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as archive, archive.open("xl/workbook.xml", "w") as part:
        for _ in range(300):
            part.write(bytes(1024 * 1024))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"not a workbook", instance_workbook(INSTANCE)[:-200]],
    ids=["empty", "only a signature", "text", "cut off"],
)
def test_a_damaged_workbook_is_one_finding(content: bytes) -> None:
    assert [place for place, _ in findings(content)] == ["xlsx"]


def test_a_workbook_that_would_fill_the_memory_is_refused_before_it_is_unpacked() -> None:
    assert findings(zip_bomb()) == [("xlsx", "too large when unpacked")]


def test_the_command_reads_and_writes_workbooks(tmp_path: Path) -> None:
    source, target, again = (str(tmp_path / name) for name in ("instance.xlsx", "answer.xlsx", "again.json"))
    Path(source).write_bytes(instance_workbook(INSTANCE))
    runner = CliRunner()
    assert runner.invoke(mentor, ["match", source, "--explain", "--out", target]).exit_code == 0
    book = load_workbook(target)
    rows = [[cell.value for cell in row] for row in sheet(book, "结对 assignment").iter_rows()]
    why = ["说明 reason", "英文说明 reason in English", "未得到的志愿 choices not given", "英文 the same in English"]
    assert rows == [
        ["学生 student", "导师 mentor", *why],
        ["007", "m1", "这是你的第 1 志愿。", "This was your choice number 1.", None, None],
        rows[2],
        ["张𬭚", None, "你没有填报志愿，目前还没有导师。", "You listed nobody; you have no mentor yet.", None, None],
    ]
    assert rows[2][0] == "=1+1"
    assert sheet(book, "结对 assignment")["A3"].data_type == "s"
    figures = {row[0].value: row[1].value for row in sheet(book, "数据 figures").iter_rows()}
    assert (figures["figures.students"], figures["figures.loads.max"]) == (3, 1)
    assert runner.invoke(mentor, ["match", source, "--previous", target, "--out", again]).exit_code == 0
    assert json.loads(Path(again).read_bytes())["figures"]["kept"] == 1
    result = runner.invoke(mentor, ["match", __file__.removesuffix("py") + "xlsx"])
    assert result.exit_code == 2
