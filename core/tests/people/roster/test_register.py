import datetime as dt
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gongyu.people.roster import Roster, read
from gongyu.people.roster.canonical import Class_, Enrolment, Guardianship, Membership, Org, Person, Source
from gongyu.people.roster.identity import check_character
from gongyu.people.roster.register import COLUMNS

Tell = Callable[[Roster], list[tuple[str, str, str, int, str, str, int]]]
Workbook = Callable[..., Path]
Make = Callable[[dict[str, str | bytes]], Path]

TEMPLATE = [column.name for column in COLUMNS[:71]]
SCHOOL = "2142001636"


def number(first17: str) -> str:
    return first17 + check_character(first17)


PUPIL = number("42070420160305001")
FATHER = number("42070419880112003")
CELLS: dict[str, object] = {
    "学校标识码": SCHOOL,
    "姓名": "王小明",
    "性别": "男",
    "出生日期": "20160305",
    "出生地": "420704001001",
    "民族": "汉族",
    "身份证件类型": "居民身份证",
    "健康状况": "健康或良好",
    "身份证件号": PUPIL,
    "班级": "3班",
    "入学年月": "202209",
    "就读方式": "走读",
    "联系电话": "13900001111",
    "是否留守儿童": "单亲留守儿童",
    "是否孤儿": "否",
    "班内学号": "07",
    "成员1姓名": "王大明",
    "成员1关系": "父亲",
    "成员1联系电话": "13900001111",
    "成员1是否监护人": "是",
    "成员1身份证件类型": "居民身份证",
    "成员1身份证件号": FATHER,
    "成员2姓名": "李奶奶",
    "成员2关系": "祖母",
    "成员2关系说明": "同住",
    "成员2联系电话": "13900002222",
    "成员2是否监护人": "否",
}


def row(**changes: object) -> Sequence[object]:
    return [{**CELLS, **changes}.get(title) for title in TEMPLATE]


def test_check_character_is_that_of_the_standard() -> None:
    assert (len(TEMPLATE), check_character("11010519491231002")) == (71, "X")  # the example of GB 11643-1999


def test_template_becomes_the_canonical_roster(workbook: Workbook, tell: Tell) -> None:
    path = workbook(
        ["全国中小学生学籍信息表"], [f"{title}★" if title == "姓名" else title for title in TEMPLATE], row()
    )
    roster = read(path)
    assert tell(roster) == []
    assert (roster.dialect, roster.mode, roster.stable_ids) == ("register", "bulk", False)
    assert (roster.schools, roster.roles) == (frozenset({SCHOOL}), frozenset({"student"}))
    assert roster.complete == {"org", "class", "person", "membership", "enrolment", "guardianship", "care"}
    source = Source("名册.xlsx", 3)
    assert roster.orgs == (Org(source=source, sourced_id=SCHOOL, name=SCHOOL, type="school", identifier=SCHOOL),)
    assert roster.classes == (
        Class_(source=source, sourced_id=f"{SCHOOL}/2022级/3班", title="2022级3班", school=SCHOOL, type="homeroom"),
    )
    pupil, father, grandmother = (person.sourced_id for person in roster.persons)
    assert roster.persons == (
        Person(
            source=source, sourced_id=pupil, name="王小明", phone="13900001111", id_type="1", id_number=PUPIL,
            birth_date=dt.date(2016, 3, 5), sex="male", boarding=False,
        ),
        Person(source=source, sourced_id=father, name="王大明", phone="13900001111", id_type="1", id_number=FATHER),
        Person(source=source, sourced_id=grandmother, name="李奶奶", phone="13900002222"),
    )  # fmt: skip
    assert roster.memberships == (Membership(source=source, person=pupil, org=SCHOOL, role="student", primary=True),)
    assert roster.enrolments == (
        Enrolment(
            source=source, person=pupil, class_=f"{SCHOOL}/2022级/3班", school=SCHOOL, role="student", primary=True,
            number="07",
        ),
    )  # fmt: skip
    assert roster.guardianships == (
        Guardianship(source=source, guardian=father, student=pupil, kind="father", legal=True, priority=1),
        Guardianship(
            source=source, guardian=grandmother, student=pupil, kind="grandmother", legal=False, priority=2, note="同住"
        ),
    )
    assert [(care.student, care.category, care.value) for care in roster.care] == [
        (pupil, "left_behind", "single"), (pupil, "health", "no"), (pupil, "orphan", "no"),
    ]  # fmt: skip


@pytest.mark.parametrize("groups", ["over the whole header", "beside merged cells"])
def test_titles_and_a_header_in_two_rows_are_read_as_one(workbook: Workbook, tell: Tell, groups: str) -> None:
    """A merged cell keeps its text at the left end; the rows keep the numbers that Excel shows."""
    whole_below = groups == "over the whole header"
    upper: list[str | None] = []
    lower: list[str | None] = []
    for title in TEMPLATE:
        _, member, rest = title.partition("成员")
        if member:
            group = f"家庭成员{'一二'[int(rest[0]) - 1]}信息"
            upper.append(None if group in upper else group)
            lower.append(rest[1:])
        else:
            upper.append(("学生基本信息" if not upper else None) if whole_below else title)
            lower.append(title if whole_below else None)
    if whole_below:
        lower[0] = "学校标识码\n（必填）"
    path = workbook([None], ["全国中小学生学籍信息表"], ["填报单位：第一小学"], upper, lower, row(), row(性别="未知"))
    roster = read(path)
    assert tell(roster) == [
        ("warning", "label_unknown", "名册.xlsx", 7, "性别", "未知", 0),
        ("warning", "id_number_duplicate", "名册.xlsx", 7, "身份证件号", f"{PUPIL[:3]}***{PUPIL[-2:]}", 0),
    ]
    assert [person.name for person in roster.persons] == ["王小明", "王大明", "李奶奶", "王小明"]
    assert [(one.kind, one.legal, one.source.row) for one in roster.guardianships] == [
        ("father", True, 6), ("grandmother", False, 6), ("father", True, 7), ("grandmother", False, 7),
    ]  # fmt: skip


def test_siblings_share_their_guardians(workbook: Workbook, tell: Tell) -> None:
    sister = row(
        姓名="王小红", 性别="女", 身份证件号=number("42070420180601002"), 出生日期="2018-06-01", 学校标识码="2142001637"
    )
    roster = read(workbook(TEMPLATE, row(), sister))
    assert tell(roster) == []
    assert [person.name for person in roster.persons] == ["王小明", "王大明", "李奶奶", "王小红"]
    assert [g.guardian for g in roster.guardianships[:2]] == [g.guardian for g in roster.guardianships[2:]]
    assert len({g.student for g in roster.guardianships}) == 2


def test_what_excel_and_people_do_to_cells_has_its_finding(workbook: Workbook, tell: Tell) -> None:
    lower = next(n for n in (number(f"4207042016030500{k:01}") for k in range(10)) if n.endswith("X"))
    roster = read(
        workbook(
            TEMPLATE,
            row(身份证件号=int(PUPIL[:17] + "0")),
            row(身份证件号=lower.lower(), 出生日期=dt.date(2016, 3, 5)),
            row(身份证件号=PUPIL[:-1] + ("1" if PUPIL[-1] != "1" else "2")),
            row(身份证件号=f"'{PUPIL}", 出生日期=42434),
            row(身份证件号="４２" + PUPIL[2:], 出生日期="2016/3/6", 姓名="王 小明", 班级="NULL"),
            row(出生日期="03/05/2016", 联系电话="无"),
            row(身份证件号="420704160305001", 是否留守儿童="是", 性别="男性", 成员1关系="远房"),
            row(姓名="=1+1", 学校标识码="21420", 身份证件类型="护照", 身份证件号="E1234567"),
            row(姓名="\ue123某", 身份证件类型="护照", 身份证件号="E1234567", 成员2姓名=None, 成员1姓名="张三"),
        )
    )
    file = "名册.xlsx"
    hidden, phone_ = f"{PUPIL[:3]}***{PUPIL[-2:]}", "***"
    told = tell(roster)
    assert [item for item in told if item[0] == "error"] == [
        ("error", "number_scientific", file, 2, "身份证件号", "4.2***17", 1),
        ("error", "value_missing", file, 6, "班级", "", 1),
        ("error", "school_code_invalid", file, 9, "学校标识码", "21420", 1),
        ("error", "value_missing", file, 9, "姓名", "", 1),
    ]
    assert [item[:-1] for item in told if item[0] == "notice"] == [
        ("notice", "id_number_lowercase", file, 3, "身份证件号", f"{lower[:3]}***{lower[-2:].lower()}"),
        ("notice", "date_serial", file, 5, "出生日期", "***"),
        ("notice", "apostrophe", file, 5, "身份证件号", f"'{PUPIL[:2]}***{PUPIL[-2:]}"),
        ("notice", "name_spaces", file, 6, "姓名", "王 小明"),
        ("notice", "date_slashed", file, 6, "出生日期", "201***/6"),
        ("notice", "full_width", file, 6, "身份证件号", f"４２{PUPIL[2]}***{PUPIL[-2:]}"),
        ("notice", "value_null", file, 6, "班级", "NULL"),
    ]
    assert [item[:-1] for item in told if item[0] == "warning"] == [
        ("warning", "formulas", file, 9, "B", ""),
        (
            "warning",
            "id_number_check",
            file,
            4,
            "身份证件号",
            f"{PUPIL[:3]}***{PUPIL[-2]}{'1' if PUPIL[-1] != '1' else '2'}",
        ),
        ("warning", "date_ambiguous", file, 7, "出生日期", "03/***16"),
        ("warning", "phone_invalid", file, 7, "联系电话", phone_),
        ("warning", "label_unknown", file, 8, "是否留守儿童", phone_),
        ("warning", "label_unknown", file, 8, "成员1关系", "远房"),
        ("warning", "id_number_old", file, 8, "身份证件号", "420***01"),
        ("warning", "character_private", file, 10, "姓名", "\ue123某"),
        ("warning", "guardian_incomplete", file, 10, "成员2姓名", ""),
        ("warning", "id_number_duplicate", file, 7, "身份证件号", hidden),
    ]
    assert not any(PUPIL in repr(finding) or "13900001111" in repr(finding) for finding in roster.findings)


def test_text_file_named_xls_in_gbk_is_read(folder: Make, text_table: Callable[..., str], tell: Tell) -> None:
    quirks = dict.fromkeys((title for title in CELLS if title.startswith("成员2")), "NULL")
    wrapped = {**CELLS, **quirks, "身份证件号": f"'{PUPIL}", "成员1身份证件号": f'="{FATHER}"'}
    cells = [str(wrapped.get(title, "")) for title in TEMPLATE]
    table = text_table(TEMPLATE, cells, delimiter="\t").encode("gbk")
    roster = read(folder({"2142001636.xls": table}))
    assert tell(roster) == [
        ("warning", "text_as_xls", "2142001636.xls", 0, "", "", 0),
        ("warning", "encoding_gbk", "2142001636.xls", 0, "", "", 0),
        ("warning", "tab_separated", "2142001636.xls", 0, "", "", 0),
        ("notice", "apostrophe", "2142001636.xls", 2, "身份证件号", f"'{PUPIL[:2]}***{PUPIL[-2:]}", 0),
        ("notice", "formula_text", "2142001636.xls", 2, "成员1身份证件号", f'="{FATHER[0]}***{FATHER[-1]}"', 0),
        ("notice", "value_null", "2142001636.xls", 2, "成员2姓名", "NULL", 0),
        ("notice", "value_null", "2142001636.xls", 2, "成员2关系", "NULL", 0),
        ("notice", "value_null", "2142001636.xls", 2, "成员2关系说明", "NULL", 0),
        ("notice", "value_null", "2142001636.xls", 2, "成员2联系电话", "***", 0),
        ("notice", "value_null", "2142001636.xls", 2, "成员2是否监护人", "NULL", 0),
    ]
    assert [(person.name, person.id_number) for person in roster.persons] == [("王小明", PUPIL), ("王大明", FATHER)]


def test_web_page_named_xls_is_refused_with_the_cure(folder: Make) -> None:
    roster = read(folder({"名册.xls": "<html><table><tr><td>姓名</td></tr></table></html>"}))
    assert [finding.code for finding in roster.findings] == ["html_as_xls", "dialect_unknown"]
    assert roster.findings[0].text.zh == "扩展名是 .xls，内容却是网页表格，未读取；请用 Excel 打开后另存为 .xlsx。"


@pytest.fixture
def old_workbook(tmp_path: Path) -> Workbook:
    """Binary, as Excel 97 to 2003 wrote it; a sheet for each table."""
    xlwt = pytest.importorskip("xlwt")

    def make(**sheets: Sequence[Sequence[object]]) -> Path:
        book = xlwt.Workbook()
        for name, rows in sheets.items():
            sheet = book.add_sheet(name)
            for at, cells in enumerate(rows):
                for place, cell in enumerate(cells):
                    said = str(cell or "")
                    sheet.write(at, place, xlwt.Formula(said[1:]) if said.startswith("=") else cell)
        book.save(str(tmp_path / "名册.xls"))
        return tmp_path / "名册.xls"

    return make


def test_real_xls_is_read(old_workbook: Workbook, tell: Tell) -> None:
    roster = read(old_workbook(学生=[TEMPLATE, row()]))
    assert (tell(roster), len(roster.persons), roster.persons[0].id_number) == ([], 3, PUPIL)


def test_formulas_in_a_real_xls_are_told_sheet_by_sheet(old_workbook: Workbook, tell: Tell) -> None:
    last: list[object] = [*[*row()][:-1], "=1+1"]
    roster = read(old_workbook(甲=[TEMPLATE, row()], 乙=[TEMPLATE, row(姓名="=A1", 班级="=A2")], 丙=[TEMPLATE, last]))
    assert [told for told in tell(roster) if told[1] == "formulas"] == [
        ("warning", "formulas", "名册.xls", 2, "B", "", 0),
        ("warning", "formulas", "名册.xls", 2, "BS", "", 0),
    ]
    told = [finding.text.en for finding in roster.findings if finding.code == "formulas"]
    assert [text.partition(" formulas")[0] for text in told] == ["The sheet has 2", "The sheet has 1"]


def test_one_workbook_a_school_in_a_zip_and_sheets_of_notes(
    workbook: Workbook, zipped: Callable[[Sequence[tuple[str, bytes]]], Path], tell: Tell
) -> None:
    first = workbook(TEMPLATE, row()).read_bytes()
    second = workbook(
        TEMPLATE, row(学校标识码="2142001637", 身份证件号=None, 成员1姓名="赵一", 成员1身份证件号=None)
    ).read_bytes()
    notes = workbook(["填表说明"], ["请用文本格式填写"]).read_bytes()
    roster = read(zipped([("一小/名册.xlsx", first), ("二小/名册.xlsx", second), ("说明.xlsx", notes)]))
    assert tell(roster) == [("notice", "sheet_skipped", "说明.xlsx", 0, "", "", 0)]
    assert roster.schools == frozenset({SCHOOL, "2142001637"})
    assert len({person.sourced_id for person in roster.persons}) == 5  # the grandmother is one


def _with_sheet(path: Path, sheet: bytes, strings: bytes = b"") -> Path:
    """The workbook with other XML in its first sheet, and shared strings."""
    with zipfile.ZipFile(path) as book:
        parts = {info.filename: book.read(info) for info in book.infolist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b"</sheetData>", sheet + b"</sheetData>")
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/></Types>'
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", types)
    parts["xl/sharedStrings.xml"] = b"<sst>" + strings + b"</sst>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in parts.items():
            book.writestr(part, content)
    return path


@pytest.mark.parametrize(
    ("sheet", "strings"),
    [
        (b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', b""),
        (b'<row r="9"><c r="XFD99999"><v>1</v></c></row>', b""),
        (b'<row r="9">' + b"<c><v>1</v></c>" * 2000 + b'</row><row r="99999"><c><v>1</v></c></row>', b""),
        (
            b'<row r="9">' + b'<c r="A9" t="s"><v>0</v></c>' * 9000 + b"</row>",
            b"<si><t>" + b"0123456789" * 9000 + b"</t></si>",
        ),
    ],
    ids=["far-corner", "cell-outside-its-row", "cells-without-a-place", "one-string-many-times"],
)
def test_workbook_that_would_fill_the_memory_is_refused(
    workbook: Workbook, tell: Tell, sheet: bytes, strings: bytes
) -> None:
    path = _with_sheet(workbook(TEMPLATE, row()), sheet, strings)
    assert [code for _, code, *_ in tell(read(path))] == ["workbook_size", "dialect_unknown"]
