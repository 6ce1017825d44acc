import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from gongyu.people.roster import Finding, Roster

Told = tuple[str, str, str, int, str, str, int]
Tell = Callable[[Roster], list[Told]]
Rows = Sequence[Sequence[str]]
MakeFolder = Callable[[Mapping[str, str | bytes]], Path]

HEAD = "sourcedId,status,dateLastModified"
ONEROSTER: dict[str, str] = {
    "manifest.csv": "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.orgs,bulk\n"
    "file.academicSessions,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.roles,bulk\nfile.enrollments,bulk\n",
    "orgs.csv": f"{HEAD},name,type,identifier,parentSourcedId\n"
    "d,,,鄂城区,district,,\ns1,,,第一小学,school,2142001636,d\n",
    "academicSessions.csv": f"{HEAD},title,type,startDate,endDate,parentSourcedId,schoolYear\n"
    "t1,,,上学期,term,2025-09-01,2026-01-20,,2026\n",
    "classes.csv": f"{HEAD},title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,"
    "subjects,subjectCodes,periods\nc1,,,三年级1班,3,x,,homeroom,,s1,t1,,,\n",
    "users.csv": f"{HEAD},enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,"
    "agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,"
    "primaryOrgSourcedId,pronouns\n"
    "p1,,,true,xiaoming,,小明,王,,,,,,g1,3,,,,,,,\n"
    "g1,,,true,daming,,大明,王,,,,,,,,,,,,,,\n",
    "roles.csv": f"{HEAD},userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n"
    "r1,,,p1,primary,student,2025-09-01,,s1,\nr2,,,g1,primary,parent,,,s1,\n",
    "enrollments.csv": f"{HEAD},classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
    "e1,,,c1,s1,p1,student,true,,\n",
}
PASSWORD_IGNORED: Told = ("notice", "password_ignored", "users.csv", 1, "password", "", 0)


def _told(finding: Finding) -> Told:
    return (
        finding.severity, finding.code, finding.file, finding.row, finding.column, finding.value, finding.blocks,
    )  # fmt: skip


@pytest.fixture
def tell() -> Tell:
    """The findings without their words, in the order they are shown."""
    return lambda roster: [_told(finding) for finding in roster.findings]


@pytest.fixture
def folder(tmp_path: Path) -> MakeFolder:
    def make(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "roster" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "roster"

    return make


@pytest.fixture
def oneroster(folder: MakeFolder) -> MakeFolder:
    """A small sound OneRoster 1.2 set, with some of its files replaced."""
    return lambda files: folder({**ONEROSTER, **files})


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[[Iterable[tuple[str | zipfile.ZipInfo, str | bytes]]], Path]:
    def make(entries: Iterable[tuple[str | zipfile.ZipInfo, str | bytes]]) -> Path:
        path = tmp_path / "roster.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
            for name, content in entries:
                book.writestr(name, content)
        return path

    return make


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    def make(*rows: Sequence[object], name: str = "名册.xlsx") -> Path:
        book = Workbook()
        sheet = book.worksheets[0]
        for row in rows:
            sheet.append(list(row))
        book.save(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def text_table() -> Callable[..., str]:
    def make(*rows: Sequence[str], delimiter: str = ",") -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows(rows)
        return out.getvalue()

    return make


@pytest.fixture
def samples() -> Path:
    """Rosters made by others; they lie beside the repository, not in it."""
    path = Path(__file__).parents[5] / "shared" / "data" / "roster"
    if not path.is_dir():
        pytest.skip("no sample rosters beside the repository")
    return path
