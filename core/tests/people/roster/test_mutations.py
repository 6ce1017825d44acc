"""Whatever happens to a file on its way, `read` answers a roster with findings, quickly, and tells no secret."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from gongyu.people.roster import Roster, read
from gongyu.people.roster.catalogue import CATALOGUE

NUMBER, PHONE, PASSWORD = "11010519491231002X", "13987654321", "correct-horse-battery"
REGISTER = (
    "学校标识码,姓名,身份证件号,班级,联系电话,出生日期\n" + f"2142001636,王小明,{NUMBER},3班,{PHONE},19491231\n" * 3
)

mutation = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _flip(data: bytes, draw: st.DrawFn) -> bytes:
    mutable = bytearray(data)
    for place in draw(st.lists(st.integers(0, max(len(data) - 1, 0)), max_size=8)):
        mutable[place : place + 1] = draw(st.binary(max_size=3))
    return bytes(mutable)


def _cut(data: bytes, draw: st.DrawFn) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _drop_column(data: bytes, draw: st.DrawFn) -> bytes:
    rows = [line.split(b",") for line in data.splitlines()]
    place = draw(st.integers(0, 24))
    return b"\n".join(b",".join(row[:place] + row[place + 1 :]) for row in rows)


def _shuffle_rows(data: bytes, draw: st.DrawFn) -> bytes:
    return b"\n".join(draw(st.permutations(data.splitlines())))


def _encode(data: bytes, draw: st.DrawFn) -> bytes:
    encoding = draw(st.sampled_from(["gb18030", "utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-7", "big5"]))
    return data.decode(errors="replace").encode(encoding, errors="replace")


def _separate(data: bytes, draw: st.DrawFn) -> bytes:
    return data.replace(b",", draw(st.sampled_from([b";", b"\t", b"|", b'"', b"\n", b"\r", b"\0", b'",', b"=,"])))


def _fill(data: bytes, draw: st.DrawFn) -> bytes:
    rows = data.splitlines()
    cell = draw(st.text(max_size=20)).encode("utf-8", "replace")
    return b"\n".join([*rows[:1], *(row.replace(b",,", b"," + cell + b",", 2) for row in rows[1:])])


MUTATIONS: list[Callable[[bytes, st.DrawFn], bytes]] = [
    _flip, _cut, _drop_column, _shuffle_rows, _encode, _separate, _fill,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    files = dict(files)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(files)))
        files[name] = draw(st.sampled_from(MUTATIONS))(files[name], draw)
    return files


def sound(roster: Roster) -> None:
    for finding in roster.findings:
        assert finding.code in CATALOGUE
        assert finding.text.zh
    told = repr(roster.findings)
    assert not any(secret in told for secret in (NUMBER[3:-2], PHONE[3:-2], PASSWORD))
    # What stands refers only to what stands, unless the database may know more.
    if roster.mode == "bulk":
        persons = {person.sourced_id for person in roster.persons}
        orgs = {org.sourced_id for org in roster.orgs}
        classes = {class_.sourced_id for class_ in roster.classes}
        assert {membership.person for membership in roster.memberships} <= persons
        assert {membership.org for membership in roster.memberships} <= orgs
        assert {class_.school for class_ in roster.classes} <= orgs
        assert {enrolment.class_ for enrolment in roster.enrolments} <= classes
        assert {g.guardian for g in roster.guardianships} | {g.student for g in roster.guardianships} <= persons


def write(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def files_of(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in sorted(path.glob("*.csv"))}
    with zipfile.ZipFile(path) as book:
        return {info.filename: book.read(info) for info in book.infolist()}


@pytest.mark.parametrize(
    "sample",
    [
        "catalyst-moodle/Test_minimal_data_set.zip",
        "catalyst-moodle/oneroster_test_data.zip",
        "roster-hub/ja",
        "microsoft-sds/sds-v2.1",
    ],
)
def test_mutated_sample_is_read_or_refused(samples: Path, tmp_path: Path, sample: str) -> None:
    files = files_of(samples / sample)

    @mutation
    @given(mutated(files))
    def check(changed: dict[str, bytes]) -> None:
        write(changed, tmp_path / "roster")
        sound(read(tmp_path / "roster"))

    check()


def test_mutated_register_tells_no_secret(tmp_path: Path) -> None:
    secret = (
        "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName,phone,password,metadata.idNumber\n"
        + (f"p1,true,s1,student,u,小明,王,{PHONE},{PASSWORD},{NUMBER}\n" * 3)
    )

    @mutation
    @given(st.one_of(mutated({"register.csv": REGISTER.encode()}), mutated({"users.csv": secret.encode()})))
    def check(changed: dict[str, bytes]) -> None:
        write(changed, tmp_path / "roster")
        sound(read(tmp_path / "roster"))

    check()


def test_mutated_zip_and_workbook_are_read_or_refused(tmp_path: Path) -> None:
    book = Workbook()
    for line in REGISTER.splitlines():
        book.worksheets[0].append(line.split(","))
    workbook = io.BytesIO()
    book.save(workbook)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("register.csv", REGISTER)
        target.writestr("register.xlsx", workbook.getvalue())
    parts = files_of_bytes(workbook.getvalue())
    old = old_workbook()

    @mutation
    @given(st.data())
    def check(data: st.DataObject) -> None:
        whole = data.draw(st.sampled_from([workbook.getvalue(), zipped.getvalue(), old, None]))
        if whole is None:  # a sound zip around damaged XML
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as target:
                for name, content in data.draw(mutated(parts)).items():
                    target.writestr(name, content)
            whole = out.getvalue()
        else:
            whole = data.draw(mutated({"x": whole}))["x"]
        path = tmp_path / data.draw(st.sampled_from(["a.xlsx", "a.xls", "a.zip", "a.csv"]))
        path.write_bytes(whole)
        sound(read(path))

    check()


def old_workbook() -> bytes:
    """The register as a binary .xls, with a formula."""
    xlwt = pytest.importorskip("xlwt")
    book, out = xlwt.Workbook(), io.BytesIO()
    sheet = book.add_sheet("学生")
    for at, line in enumerate([*REGISTER.splitlines(), "=A1,=B1"]):
        for place, cell in enumerate(line.split(",")):
            sheet.write(at, place, xlwt.Formula(cell[1:]) if cell.startswith("=") else cell)
    book.save(out)
    return out.getvalue()


def files_of_bytes(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return {info.filename: book.read(info) for info in book.infolist()}
