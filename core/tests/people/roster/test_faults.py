"""A small sound set, broken in one place at a time as real files are: each fault has its finding."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gongyu.people.roster import Roster, read
from gongyu.people.roster.register import COLUMNS

Tell = Callable[[Roster], list[tuple[str, str, str, int, str, str, int]]]
Make = Callable[[dict[str, str | bytes]], Path]
Workbook = Callable[..., Path]

FAULTS: dict[str, tuple[str, str, str, str, int, str]] = {
    # code: file, what stands there, what stands there instead, severity, row, column
    "character_control": ("orgs.csv", "第一小学", "第一\x01小学", "warning", 3, "name"),
    "header_missing": ("orgs.csv", "sourcedId,", "\nsourcedId,", "error", 0, ""),
    "column_wanted": ("academicSessions.csv", ",schoolYear", "", "warning", 1, "schoolYear"),
    "line_break": ("classes.csv", "三年级1班", '"三年级\n1班"', "notice", 2, "title"),
    "formula": ("orgs.csv", "第一小学", "=A1", "error", 3, "name"),
    "integer_unknown": ("academicSessions.csv", ",2026\n", ",二〇二六\n", "warning", 2, "schoolYear"),
    "period_reversed": ("academicSessions.csv", "2025-09-01", "2027-09-01", "error", 2, "endDate"),
    "username_duplicate": ("users.csv", "daming", "XiaoMing", "warning", 3, "username"),
    "manifest_version": (
        "manifest.csv",
        "oneroster.version,1.2",
        "oneroster.version,1.3",
        "warning",
        3,
        "oneroster.version",
    ),
    "status_in_bulk": ("users.csv", "p1,,", "p1,active,", "warning", 2, "status"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_fault_in_one_place_has_its_finding(oneroster: Make, tell: Tell, code: str) -> None:
    file, sound, broken, severity, row, column = FAULTS[code]
    folder = oneroster({})
    text = (folder / file).read_text("utf-8")
    (folder / file).write_text(text.replace(sound, broken, 1), "utf-8")
    told = [one[:5] for one in tell(read(folder)) if one[1] == code]
    assert told == [(severity, code, file, row, column)]


def test_delta_without_status_is_told_once_a_file(oneroster: Make, tell: Tell) -> None:
    folder = oneroster({})
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text("utf-8").replace("bulk", "delta"), "utf-8")
    told = [one[2:5] for one in tell(read(folder)) if one[1] == "status_missing"]
    files = ["academicSessions.csv", "classes.csv", "enrollments.csv", "orgs.csv", "roles.csv", "users.csv"]
    assert sorted(told) == [(file, 2, "status") for file in files]


@pytest.mark.parametrize(
    ("code", "broken"),
    [("encoding_unknown", b"sourcedId\n" + b"\xff" * 200), ("line_too_long", b"sourcedId,name\n" + b"x" * (3 << 20))],
)
def test_file_that_is_no_text_ends_nothing(oneroster: Make, tell: Tell, code: str, broken: bytes) -> None:
    roster = read(oneroster({"orgs.csv": broken}))
    assert code in [one[1] for one in tell(roster)]
    assert "org" not in roster.complete


def test_same_file_twice_is_read_once_and_ends_nothing(oneroster: Make, tell: Tell) -> None:
    roster = read(oneroster({"old/orgs.csv": "sourcedId,name,type\ns9,旧校,school\n"}))
    assert [one[1] for one in tell(roster) if one[0] == "error"] == ["file_duplicate"]
    assert "org" not in roster.complete


def test_header_that_lost_its_line_break_quotes_nobody(folder: Make, tell: Tell) -> None:
    """What stands behind it is the first person, whose password is no less one when its own column is misspelt."""
    header = "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName,pAsw0rdX"
    users = f"{header},p1,true,s1,student,a,明,王,correct-horse\np2,true,s1,student,b,红,李,battery\n"
    roster = read(folder({"orgs.csv": "sourcedId,name,type\ns1,一小,school\n", "users.csv": users}))
    assert "header_unknown" in [one[1] for one in tell(roster)]
    assert "correct-horse" not in repr(roster.findings)


def test_lists_beside_the_guardians_must_be_as_long(folder: Make, tell: Tell) -> None:
    users = (
        "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName,agentSourcedIds,metadata.idNumber,"
        'metadata.agentKinds\np1,true,s1,student,a,明,王,g1,123,"father,mother"\ng1,true,s1,parent,b,国,王,,,\n'
    )
    roster = read(folder({"orgs.csv": "sourcedId,name,type\ns1,一小,school\n", "users.csv": users}))
    found = [one[:6] for one in tell(roster) if one[1] in ("guardian_list", "id_number_invalid")]
    assert sorted(found, key=lambda one: one[1]) == [
        ("warning", "guardian_list", "users.csv", 2, "metadata.agentKinds", ""),
        ("warning", "id_number_invalid", "users.csv", 2, "metadata.idNumber", "***"),
    ]
    assert [one.kind for one in roster.guardianships] == ["parent"]


def test_workbooks_under_a_wrong_name_or_damaged(workbook: Workbook, tell: Tell) -> None:
    header = [column.name for column in COLUMNS[:71]]
    number = "11010519491231002X"
    cells = {"学校标识码": "2142001636", "姓名": "王", "班级": "1班", "身份证件号": number, "出生日期": "19500101"}
    path = workbook(header, [cells.get(title) for title in header], name="名册.xls")
    assert [one[:5] for one in tell(read(path))] == [
        ("warning", "id_number_birth", "名册.xls", 2, "出生日期"),
        ("notice", "extension_wrong", "名册.xls", 0, ""),
    ]
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096))
    assert next(one[1] for one in tell(read(path))) == "workbook_broken"


@pytest.mark.parametrize(
    ("record", "broken", "code"),
    [
        (b"\xfc\x00", b"\x1a\x00\x01\x00\x00\x00\xff\xff\xff\x7f", "workbook_broken"),
        (b"\x00\x02\x0e\x00", b"\x00\x00\x00\x00\xf0\xff\xff\xff\x00\x00\xff\xff", "workbook_size"),
        (b"\x00\x02\x0e\x00", b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", "workbook_size"),
        (b"\xfd\x00\x0a\x00", b"\xff\xff\xff\x00", "workbook_size"),
    ],
    ids=["texts", "says-so", "ends-before-it-begins", "far-cell"],
)
def test_old_workbook_that_would_fill_the_memory_is_refused(
    tmp_path: Path, tell: Tell, record: bytes, broken: bytes, code: str
) -> None:
    xlwt = pytest.importorskip("xlwt")
    book = xlwt.Workbook()
    book.add_sheet("学生").write(0, 0, "姓名")
    book.save(str(tmp_path / "名册.xls"))
    sound = (tmp_path / "名册.xls").read_bytes()
    at = sound.index(record, 512) + len(record)
    (tmp_path / "名册.xls").write_bytes(sound[:at] + broken + sound[at + len(broken) :])
    assert [one[1] for one in tell(read(tmp_path / "名册.xls"))] == [code, "dialect_unknown"]


@pytest.mark.parametrize("name", ["名册.xls", "名册.xlsx"])
def test_workbook_behind_a_password_is_refused_with_the_reason(tmp_path: Path, tell: Tell, name: str) -> None:
    """An old one has a record that says so; a new one is a compound file around the encrypted zip."""
    xlwt = pytest.importorskip("xlwt")
    book = xlwt.Workbook()
    book.add_sheet("学生").write(0, 0, "姓名")
    book.save(str(tmp_path / name))
    sound = (tmp_path / name).read_bytes()
    if name.endswith(".xls"):
        header = b"\xe1\x00\x02\x00\xb0\x04"  # InterfaceHdr: here stands FilePass, if there is one
        assert sound.count(header) == 1
        locked = sound.replace(header, b"\x2f\x00\x02\x00\x01\x00")
    else:
        at, entry = sound.index("Workbook".encode("utf-16-le")), "EncryptedPackage".encode("utf-16-le")
        locked = sound[:at] + entry.ljust(64, b"\0") + bytes([len(entry) + 2, 0]) + sound[at + 66 :]
    (tmp_path / name).write_bytes(locked)
    assert [one[1] for one in tell(read(tmp_path / name))] == ["workbook_encrypted", "dialect_unknown"]
