"""The operator's way to the same rights."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from gongyu.access.models import AuditLine
from gongyu.cli.person import person
from gongyu.host import Host
from gongyu.people.models import Demographics, Person
from gongyu.people.rights.models import Consent, RightsRequest
from gongyu.plugin import Context

from .conftest import ENTRY, Diary, Family

Run = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path, host: Host) -> Run:
    monkeypatch.setenv("GONGYU_DATABASE_URL", database_url)
    monkeypatch.setenv("GONGYU_DATA", str(tmp_path))
    monkeypatch.setenv("GONGYU_LANG", "en")
    monkeypatch.setattr("gongyu.platform.load_host", lambda **_: host)
    return CliRunner().invoke


async def run(command: Run, *arguments: object) -> tuple[int, str]:
    done = await anyio.to_thread.run_sync(command, person, [str(argument) for argument in arguments])
    return done.exit_code, done.output


async def test_copy_names_what_is_not_in_it(command: Run, family: Family, tmp_path: Path) -> None:
    out = tmp_path / "child.zip"
    assert (await run(command, "copy", "ezhou", family.child, out))[0] == 2  # nobody said why
    code, said = await run(command, "copy", "ezhou", family.child, out, "--reason", "家长到场申请")
    assert code == 0, said
    noted = sa.select(AuditLine.details["reason"].astext).where(AuditLine.action == "person.copied")
    assert await family.scalar(noted) == "家长到场申请"
    assert "not included: Diary (the law gives it to the person (or their guardian) only)" in said
    assert "diary/entries.json" not in zipfile.ZipFile(out).namelist()
    assert out.stat().st_mode & 0o077 == 0
    nobody = await run(
        command, "copy", "ezhou", family.state.district.number * "0" + str(family.school), out, "--reason", "x"
    )
    assert nobody[0] == 2


async def test_rehearsed_erasure_changes_nothing_and_a_real_one_is_kept_as_a_request(
    command: Run, family: Family
) -> None:
    code, said = await run(command, "erase", "ezhou", family.child, "--dry-run")
    assert (code, "Compulsory Education Law" in said) == (0, True)
    assert await family.scalar(sa.select(ENTRY.c.text)) == "今天很开心"
    assert (await run(command, "erase", "ezhou", family.child))[0] == 2  # nobody is there to say yes
    code, said = await run(command, "erase", "ezhou", family.child, "--yes")
    assert code == 0
    erased, kept = said.splitlines()[-2:]
    assert erased == "erased: diary (1); e-mail address (1)"
    assert kept.startswith("kept, as the law demands: care categories (1); name, identity number")
    assert await family.scalar(sa.select(sa.func.count()).select_from(ENTRY)) == 0
    assert await family.scalar(sa.select(RightsRequest.state)) == "accepted"
    assert await family.audited("child") == ["erasure.asked", "person.erased", "erasure.accepted"]


async def test_yearly_figures_hold_counts_and_nobodys_name(command: Run, family: Family, tmp_path: Path) -> None:
    assert (await run(command, "consents", "ezhou", family.child))[0] == 0
    page, book = tmp_path / "audit.md", tmp_path / "audit.xlsx"
    for out in (page, book):
        code, said = await run(command, "audit-report", "ezhou", family.today.year, out)
        assert code == 0, said
    written = page.read_text("utf-8")
    under_14 = await family.scalar(
        sa.select(sa.func.count(Demographics.person_id)).where(
            Demographics.birth_date > sa.text("make_date(extract(year FROM now())::int - 14, 12, 31)")
        )
    )
    assert f"| 未满十四周岁 · under 14 | {under_14} |" in written
    assert "| consent.read | 1 | 1 |" in written
    assert not any(name in written for name in ("child", "mother", "13800000000"))
    assert load_workbook(book).sheetnames[0] == "未成年人"
    assert (await run(command, "audit-report", "ezhou", 2026, tmp_path / "audit.pdf"))[0] == 2


async def test_paper_is_entered_with_who_signed_it_and_when(command: Run, family: Family) -> None:
    def words(by: object, purpose: str = "diary.photos") -> list[object]:
        signed = ["--by", by, "--version", 1, "--signed-on", family.today]
        return ["consent", "ezhou", family.child, purpose, "given", *signed]

    assert (await run(command, *words(family.grandmother)))[0] == 1
    assert (await run(command, *words(family.mother, "diary.sale")))[0] == 2
    assert await family.scalar(sa.select(sa.func.count(Consent.id))) == 0
    assert await run(command, *words(family.mother)) == (0, "entered\n")
    found = sa.select(Consent.said_by, Consent.channel, Consent.word, Consent.version)
    async with family.work() as session:
        assert [tuple(row) for row in await session.execute(found)] == [(family.mother, "paper", "given", 1)]


async def test_operator_corrects_and_is_told_of_the_source_until_it_is_done(command: Run, family: Family) -> None:
    async with family.work() as session:
        await session.execute(sa.update(Person).where(Person.id == family.child).values(from_roster=True))
    wrong = {
        "unknown field": ["state=active"],
        "no date": ["birth_date=yesterday"],
        "no number": ["name=王小红", "phone=?"],
    }
    for wishes in wrong.values():
        assert (await run(command, "correct", "ezhou", family.child, *wishes, "--reason", "x"))[0] == 2
    assert await family.scalar(sa.select(sa.func.count(RightsRequest.id))) == 0
    fields = ["name=王小红", "birth_date=2014-03-02"]
    code, said = await run(command, "correct", "ezhou", family.child, *fields, "--reason", "户口簿")
    assert (code, said.startswith("corrected\nalso correct it in the source")) == (0, True)
    assert await family.scalar(sa.select(Person.name).where(Person.id == family.child)) == "王小红"
    request = await family.scalar(sa.select(RightsRequest.id))
    assert "also correct it in the source" in (await run(command, "requests", "ezhou"))[1]
    assert (await run(command, "done", "ezhou", request))[0] == 0
    assert (await run(command, "requests", "ezhou"))[1] == "(none)\n"
    assert (await run(command, "done", "ezhou", request))[0] == 2


async def test_plugins_failure_is_said_without_its_words(command: Run, family: Family, diary: Diary) -> None:
    async def fail(context: Context, _: object) -> None:
        await context.session.execute(sa.text("SELECT '13800000000'::date"))

    diary.erasing = fail
    code, said = await run(command, "erase", "ezhou", family.child, "--yes")
    assert (code, "plugin diary" in said, "nothing was changed" in said) == (1, True, True)
    assert not any(word in said for word in ("SELECT", "13800000000"))
