"""A copy holds everything its reader may have, and says what it does not hold."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.checks import plugin_failures
from gongyu.database.engine import quoted
from gongyu.people.models import Person
from gongyu.people.rights.contract import PersonPart, Reader
from gongyu.people.rights.copy import Copy, NobodyError, collect
from gongyu.people.rights.copy_archive import pack
from gongyu.people.rights.retention import categories_in
from gongyu.plugin import Context, Text

from .conftest import Diary, Family


async def copied(family: Family, reader: Reader = "self") -> tuple[Copy, zipfile.ZipFile, str]:
    async with family.work() as session:
        copy = await collect(
            family.platform,
            family.state,
            session,
            person=family.child,
            reader=reader,
            actor="operator:t",
            now=family.now,
        )
    categories = [category for _, category in categories_in(family.platform, family.state)]
    archive = zipfile.ZipFile(io.BytesIO(pack(copy, timezone="Asia/Shanghai", categories=categories)))
    return copy, archive, archive.read("index.html").decode()


def absent(copy: Copy) -> list[tuple[str, str, str]]:
    return [(one.source, one.part, one.why) for one in copy.absent]


async def test_copy_holds_every_part_for_machines_and_for_people(family: Family) -> None:
    async with family.work() as session:
        named = sa.update(Person).where(Person.id == family.child)
        await session.execute(named.values(name="<script>alert(1)</script>"))
    copy, archive, page = await copied(family)
    assert absent(copy) == []
    files = {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}
    person = files["core/person.json"][0]
    assert (person["phone"], person["email"]) == ("13800000000", "child@example.org")
    assert files["core/care.json"][0]["value"] == "double"
    assert [guardian["name"] for guardian in files["core/guardians.json"]].count("mother") == 1
    assert files["diary/entries.json"] == [{"text": "今天很开心"}]
    listed = {part["file"]: part["rows"] for part in files["manifest.json"]["parts"]}
    assert listed == {name: len(files[name]) for name in files if name != "manifest.json"}
    assert "<script>" not in page
    for words in ("&lt;script&gt;", "今天很开心", "班级日记", "Class diary", "保存多久", "PIPL 19", "What is not in"):
        assert (words in page) == (words != "What is not in"), words
    assert await family.audited("child") == ["person.copied"]


@pytest.mark.parametrize(
    ("reader", "withheld"),
    [
        ("self", []),
        ("guardian", ["core.requests"]),
        ("carer", ["core.care", "core.requests", "diary.entries"]),
        ("operator", ["core.care", "core.requests", "diary.entries"]),
    ],
)
async def test_sensitive_parts_go_only_to_whom_the_law_gives_them(
    family: Family, reader: Reader, withheld: list[str]
) -> None:
    copy, archive, page = await copied(family, reader)
    assert [f"{source}.{part}" for source, part, why in absent(copy) if why == "withheld"] == withheld
    whole = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert ("今天很开心" in whole) == ("diary.entries" not in withheld)
    assert ("left_behind" in whole) == ("core.care" not in withheld)
    assert ("What is not in this copy" in page) == bool(withheld)


async def _fail(context: Context, _: UUID) -> Sequence[PersonPart]:
    await context.session.execute(sa.text("SELECT 1 / 0"))
    return []


async def _escape(_: Context, __: UUID) -> Sequence[PersonPart]:
    return [PersonPart(name="../../index", title=Text(zh="", en=""), rows=[])]


async def _nonsense(_: Context, __: UUID) -> Any:  # noqa: ANN401 - what a stranger may answer
    return [42]


@pytest.mark.parametrize("data", [_fail, _escape, _nonsense])
async def test_part_that_cannot_be_had_is_named_and_the_rest_is_there(family: Family, diary: Diary, data: Any) -> None:  # noqa: ANN401 - as above
    diary.data = data
    copy, archive, page = await copied(family)
    assert absent(copy) == [("diary", "*", "failed")]
    assert "core/person.json" in archive.namelist()
    assert "Class diary / Class diary: it could not be read" in page
    if data is _fail:
        async with family.platform.database.read(family.state.district) as connection:
            assert [(one.plugin, one.hook) for one in await plugin_failures(connection)] == [("diary", "person_data")]


async def test_sealed_text_that_does_not_open_and_plugins_that_are_off_are_named(family: Family) -> None:
    async with family.work() as session:
        await session.execute(sa.update(Person).where(Person.id == family.child).values(phone=b"broken"))
    async with family.platform.database.owner.begin() as connection:
        schema = quoted(family.state.district.schema)
        await connection.execute(sa.text(f"CREATE TABLE {schema}.alembic_ghost (version_num text PRIMARY KEY)"))
    copy, _, page = await copied(family)
    assert absent(copy) == [("core", "person", "failed"), ("ghost", "*", "off")]
    assert "ghost / ghost: this is switched off" in page


async def test_nobody_has_no_copy(family: Family) -> None:
    family.people["child"] = UUID(int=7)
    with pytest.raises(NobodyError):
        await copied(family)
