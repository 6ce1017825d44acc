import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import openpyxl
import pytest

from gongyu.people.roster import Finding, Roster, read, write_xlsx
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.package import Limits
from gongyu.text import Text

Tell = Callable[[Roster], list[tuple[str, str, str, int, str, str, int]]]
Make = Callable[[dict[str, str | bytes]], Path]
Zip = Callable[[Iterable[tuple[str | zipfile.ZipInfo, str | bytes]]], Path]


def entries(folder: Path, prefix: str = "") -> list[tuple[str | zipfile.ZipInfo, str | bytes]]:
    return [(prefix + path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def codes(told: list[tuple[str, str, str, int, str, str, int]]) -> list[tuple[str, str]]:
    return [(code, file) for _, code, file, *_ in told if code != "password_ignored"]


def test_zip_reads_as_the_folder_does(oneroster: Make, zipped: Zip) -> None:
    path = oneroster({})
    assert read(zipped(entries(path))) == read(path)


def test_zip_of_a_folder_with_macos_junk_is_tolerated(oneroster: Make, zipped: Zip, tell: Tell) -> None:
    junk: list[tuple[str | zipfile.ZipInfo, str | bytes]] = [
        ("__MACOSX/export/._orgs.csv", b"\0\5"), ("export/.DS_Store", b"\0"), ("export/Thumbs.db", b""),
    ]  # fmt: skip
    roster = read(zipped([*entries(oneroster({}), "export/"), *junk]))
    assert codes(tell(roster)) == [("zip_folder", "roster.zip")]
    assert len(roster.persons) == 2


def test_file_name_in_other_case_is_tolerated(oneroster: Make, tell: Tell) -> None:
    path = oneroster({})
    (path / "users.csv").rename(path / "Users.CSV")
    roster = read(path)
    assert codes(tell(roster)) == [("file_name_case", "Users.CSV")]
    assert len(roster.persons) == 2


@pytest.mark.parametrize("name", ["../orgs.csv", "/etc/orgs.csv", "a/../../orgs.csv", "..\\orgs.csv", "C:orgs.csv"])
def test_path_trick_refuses_the_whole_zip(oneroster: Make, zipped: Zip, tell: Tell, name: str) -> None:
    roster = read(zipped([*entries(oneroster({})), (name, b"x")]))
    assert tell(roster) == [("error", "zip_path", "roster.zip", 0, "", "", 0)]
    assert roster.persons == ()


def test_symlink_in_a_zip_or_a_folder_is_not_followed(oneroster: Make, zipped: Zip, tell: Tell, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("secret.csv")
    link.external_attr = 0o120777 << 16
    assert codes(tell(read(zipped([(link, b"/etc/passwd")])))) == [("zip_path", "roster.zip")]
    (tmp_path / "outside.csv").write_text("secret")
    path = oneroster({})
    (path / "demographics.csv").symlink_to(tmp_path / "outside.csv")
    roster = read(path)
    assert codes(tell(roster)) == [("path_link", "demographics.csv")]
    assert (len(roster.persons), roster.complete) == (2, frozenset())  # nobody knows who stood in what was refused


def test_bombs_are_refused_before_they_are_unpacked(oneroster: Make, zipped: Zip, tell: Tell) -> None:
    small = Limits(files=10, total=1 << 20, ratio=100, ratio_from=1 << 16)
    sound = entries(oneroster({}))
    assert codes(tell(read(zipped([*sound, ("courses.csv", b"0" * (1 << 19))]), limits=small))) == [
        ("zip_ratio", "roster.zip")
    ]
    assert codes(tell(read(zipped([*sound, ("courses.csv", b"0" * (1 << 20))]), limits=small))) == [
        ("package_size", "roster.zip")
    ]
    many = [*sound, *((f"{number}.csv", b"") for number in range(10))]
    assert codes(tell(read(zipped(many), limits=small))) == [("package_files", "roster.zip")]


def test_nested_and_damaged_and_locked_zips_have_their_findings(
    oneroster: Make, zipped: Zip, tell: Tell, tmp_path: Path
) -> None:
    inner = zipped(entries(oneroster({}))).read_bytes()
    nested = read(zipped([*entries(oneroster({})), ("inner.zip", inner)]))
    assert codes(tell(nested)) == [("zip_nested", "inner.zip")]
    (tmp_path / "cut.zip").write_bytes(inner[:-100])
    assert codes(tell(read(tmp_path / "cut.zip"))) == [("zip_broken", "cut.zip")]
    at = inner.index(b"orgs.csv") + 8
    (tmp_path / "bad.zip").write_bytes(
        inner[:at] + bytes(byte ^ 255 for byte in inner[at : at + 20]) + inner[at + 20 :]
    )
    damaged = read(tmp_path / "bad.zip")
    assert ("zip_broken", "orgs.csv") in codes(tell(damaged))
    assert "org" not in damaged.complete
    locked = bytearray(inner)
    at = locked.index(b"PK\x01\x02")
    locked[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    assert codes(tell(read(tmp_path / "locked.zip"))) == [("zip_encrypted", "locked.zip")]


def test_workbook_whose_directory_lies_about_its_size_is_refused(workbook: Callable[..., Path], tell: Tell) -> None:
    """The workbook reader would unpack to the stream's true end, whatever the directory says."""
    path = workbook(["学校标识码", "姓名", "班级"], ["2142001636", "王小明", "1班"])
    with zipfile.ZipFile(path) as book:
        parts = {info.filename: book.read(info) for info in book.infolist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] += b" " * 4096
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
        info = book.getinfo(sheet)
        info.file_size -= 4096
        info.CRC = zlib.crc32(parts[sheet][:-4096])
    path.write_bytes(out.getvalue())
    assert [code for code, _ in codes(tell(read(path)))] == ["zip_broken", "dialect_unknown"]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8-sig", []),
        ("gb18030", [("encoding_gbk", "users.csv")]),
        ("utf-16", [("encoding_utf16", "users.csv")]),
        ("utf-16-le", [("encoding_utf16", "users.csv")]),
        ("utf-16-be", [("encoding_utf16", "users.csv")]),
    ],
)
def test_encoding_is_found_and_the_names_are_right(
    oneroster: Make, tell: Tell, encoding: str, found: list[tuple[str, str]]
) -> None:
    path = oneroster({})
    users = (path / "users.csv").read_text()
    (path / "users.csv").write_bytes(users.encode(encoding))
    roster = read(path)
    assert codes(tell(roster)) == found
    assert [person.name for person in roster.persons] == ["王小明", "王大明"]


def test_damaged_utf8_is_damage_and_not_gbk(oneroster: Make, tell: Tell) -> None:
    """Read as GBK, one bad byte would turn every name of the file into others."""
    path = oneroster({})
    users = (path / "users.csv").read_bytes()
    users += "".join(f"x{n},,,true,x{n},,小红,李,,,,,,,,,,,,,,\n" for n in range(10)).encode()
    users = users.replace("小明".encode(), "小明".encode()[:-1])
    (path / "users.csv").write_bytes(users)
    roster = read(path)
    assert tell(roster)[0] == ("error", "character_damaged", "users.csv", 2, "", "", 3)
    assert {person.name for person in roster.persons} == {"王大明", "李小红"}


@pytest.mark.parametrize(("mark", "code"), [(";", "semicolon_separated"), ("\t", "tab_separated")])
def test_other_separators_are_found(oneroster: Make, tell: Tell, mark: str, code: str) -> None:
    path = oneroster({})
    (path / "users.csv").write_text((path / "users.csv").read_text().replace(",", mark))
    roster = read(path)
    assert codes(tell(roster)) == [(code, "users.csv")]
    assert len(roster.persons) == 2


def test_package_in_no_dialect_is_told_why(folder: Make) -> None:
    roster = read(folder({"teachers.csv": "a,b\n1,2\n"}))
    (finding,) = roster.findings
    assert (roster.dialect, finding.code) == ("", "dialect_unknown")
    for title in ("OneRoster 1.1:", "OneRoster 1.2:", "Microsoft SDS 2.1:", "Student register template:"):
        assert title in finding.text.en
    assert "学籍信息模板：没有同时含“姓名”和“班级”列的表。" in finding.text.zh


def test_what_cannot_be_read_at_all_is_a_finding(folder: Make, tell: Tell, tmp_path: Path) -> None:
    assert tell(read(tmp_path / "nowhere")) == [("error", "path_missing", "nowhere", 0, "", "", 0)]
    (tmp_path / "empty").mkdir()
    assert tell(read(tmp_path / "empty")) == [("error", "package_empty", "empty", 0, "", "", 0)]
    path = folder({"orgs.csv": "a\n"})
    assert tell(read(path, dialect="nonsense")) == [("error", "dialect_named", "", 0, "", "nonsense", 0)]


def test_findings_as_a_workbook_run_nothing(tmp_path: Path) -> None:
    text = Text(zh="=1+1", en="@SUM(A1)")
    findings = (
        Finding("error", "ragged", "-x.csv", 3, "=cmd|' /C calc'!A1", text, "+86\x07", 12),
        Finding("notice", "full_width", "users.csv", 0, "phone", text),
    )
    write_xlsx(findings, tmp_path / "found.xlsx", "en")
    rows = list(openpyxl.load_workbook(tmp_path / "found.xlsx").worksheets[0].iter_rows())
    assert [[cell.value for cell in row] for row in rows] == [
        ["Severity", "Code", "File", "Row", "Column", "What is wrong", "Value", "Rows blocked"],
        ["error", "ragged", "'-x.csv", 3, "'=cmd|' /C calc'!A1", "'@SUM(A1)", "'+86�", 12],
        ["notice", "full_width", "users.csv", None, "phone", "'@SUM(A1)", None, None],
    ]
    assert "f" not in {cell.data_type for row in rows for cell in row}
    buffer = io.BytesIO()
    write_xlsx(findings, buffer, "zh")
    assert [cell.value for cell in openpyxl.load_workbook(buffer).worksheets[0]["F"]] == ["说明", "'=1+1", "'=1+1"]


def test_numbers_of_people_never_stand_in_a_finding() -> None:
    findings = Findings()
    for column in ("phone", "13912345678"):
        for value in (
            "11010519491231002X",
            "x 11010519491231002x!",
            "１３９１２３４５６７８",
            "+8613912345678",
            "110105491231002",
        ):
            findings.add("header_unknown", file="users.csv", column=column, value=value, place=1)
            findings.add("id_number_check", file="users.csv", column=column, value=value, secret=True)
    told = repr(findings.close())
    assert not any(number in told for number in ("49123100", "91234567", "９１２３４５"))
