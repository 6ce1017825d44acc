"""The audit log: nobody changes it, and who does all the same is found out."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from gongyu.access import audit
from gongyu.access.audit import Chain, Head, append, prune, record, verify
from gongyu.access.audit_search import AuditQuery, export, search
from gongyu.access.models import AuditLine

if TYPE_CHECKING:
    from tests.access.conftest import Scene


async def lines(scene: "Scene", count: int, **line: Any) -> None:  # noqa: ANN401 - a line's own fields
    async with scene.work() as session:
        for number in range(count):
            await record(session, **{"action": "test.done", "actor": "system", "details": {"n": number}} | line)


async def chain(scene: "Scene", *heads: Head) -> Chain:
    async with scene.platform.database.read(scene.state.district) as connection:
        return await verify(connection, heads=heads)


async def as_owner(scene: "Scene", *statements: str) -> None:
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("SET LOCAL search_path TO d_ezhou"))
        for statement in statements:
            await connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE d_ezhou.audit_line SET actor = 'system'",
        "DELETE FROM d_ezhou.audit_line",
        "TRUNCATE d_ezhou.audit_line",
        "ALTER TABLE d_ezhou.audit_line ADD COLUMN x text",
        "DROP TABLE d_ezhou.audit_line",
    ],
)
async def test_application_role_may_only_add_lines(scene: "Scene", statement: str) -> None:
    await lines(scene, 1)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        await scene.execute(sa.text(statement))


SWAP = """UPDATE audit_line SET seq = CASE seq WHEN 3 THEN 1004 WHEN 4 THEN 1003 END WHERE seq IN (3, 4)"""


@pytest.mark.parametrize(
    ("tampering", "broken_at", "said"),
    [
        (["UPDATE audit_line SET actor = 'nobody' WHERE seq = 3"], 3, "changed"),
        (["UPDATE audit_line SET details = '{\"n\": 7}' WHERE seq = 3"], 3, "changed"),
        (["UPDATE audit_line SET at = at + interval '1 microsecond' WHERE seq = 3"], 3, "changed"),
        (["UPDATE audit_line SET hash = decode(repeat('00', 32), 'hex') WHERE seq = 3"], 3, "changed"),
        (["DELETE FROM audit_line WHERE seq = 3"], 3, "missing"),
        (["DELETE FROM audit_line WHERE seq <= 2"], 2, "no pruning vouches"),
        ([SWAP, "UPDATE audit_line SET seq = seq - 1000 WHERE seq > 1000"], 3, "changed"),
        (["DELETE FROM audit_line WHERE seq = 3", "UPDATE audit_line SET seq = seq - 1 WHERE seq > 3"], 3, "changed"),
    ],
    ids=["actor", "details", "time", "hash", "missing", "beginning cut", "swapped", "closed up"],
)
async def test_changed_missing_or_reordered_line_is_found(
    scene: "Scene", tampering: list[str], broken_at: int, said: str
) -> None:
    await lines(scene, 6)
    whole = await chain(scene)
    assert (whole.first, whole.broken_at) == (1, None)
    await as_owner(scene, *tampering)
    found = await chain(scene)
    assert found.broken_at == broken_at
    assert found.trouble is not None
    assert said in found.trouble.en


async def test_line_changed_together_with_its_hash_is_found_by_the_next(scene: "Scene") -> None:
    await lines(scene, 6)
    bound = scene.platform.database.owner.execution_options(schema_translate_map={None: "d_ezhou"})
    async with bound.begin() as connection:
        third = sa.select(AuditLine.__table__).where(AuditLine.seq == 3)
        line = dict((await connection.execute(third)).mappings().one()) | {"actor": "nobody"}
        await connection.execute(
            sa.update(AuditLine).where(AuditLine.seq == 3).values(line | {"hash": audit._digest(line)})
        )
    found = await chain(scene)
    assert (found.broken_at, found.trouble and found.trouble.en) == (4, "line 4 does not follow the one before")


async def test_end_cut_off_or_all_written_anew_is_found_by_a_head_noted_outside(scene: "Scene") -> None:
    await lines(scene, 6)
    noted = (await chain(scene)).head
    assert noted is not None
    await lines(scene, 2)
    assert (await chain(scene, noted)).broken_at is None
    await as_owner(scene, f"DELETE FROM audit_line WHERE seq >= {noted.seq}")  # noqa: S608 - a number
    assert (await chain(scene)).broken_at is None  # the chain alone cannot know
    assert (await chain(scene, noted)).broken_at == noted.seq
    await lines(scene, 4)
    found = await chain(scene, noted)
    assert (found.broken_at, found.trouble is not None and "noted outside" in found.trouble.en) == (noted.seq, True)


async def test_log_longer_than_a_page_is_one_chain(scene: "Scene", monkeypatch: pytest.MonkeyPatch) -> None:
    await lines(scene, 9)
    total = (await chain(scene)).lines
    for size in (1, 2, total, total + 1):
        monkeypatch.setattr("gongyu.access.audit._PAGE", size)
        assert ((await chain(scene)).lines, (await chain(scene)).broken_at) == (total, None)


async def test_writers_at_once_make_one_chain(scene: "Scene") -> None:
    before = (await chain(scene)).lines
    database, district = scene.platform.database, scene.state.district
    await asyncio.gather(
        *(append(database, district, action="test.done", actor=f"person:{number}") for number in range(24))
    )
    found = await chain(scene)
    assert (found.lines, found.broken_at) == (before + 24, None)


@pytest.mark.parametrize(
    "details",
    [
        {"share": 0.1, "big": 10**30, "float": 1e20, "none": None, "yes": True},
        {"zeta": 1, "alpha": {"y": [1, (2, 3)], "x": {"时": "间"}}},
        {"text": "a\0b", "half": "\ud800", "emoji": "𬭚㛃"},
        {"when": datetime(2026, 9, 1, tzinfo=UTC), 5: "five", "set": {1}},
    ],
)
async def test_details_of_any_kind_come_back_as_they_were_hashed(scene: "Scene", details: dict[str, Any]) -> None:
    await lines(scene, 2, details=details)
    assert (await chain(scene)).broken_at is None


async def test_pruning_keeps_what_the_law_wants_and_the_rest_verifiable(scene: "Scene") -> None:
    await lines(scene, 6)
    total = (await chain(scene)).lines
    head = (await chain(scene)).head
    await as_owner(scene, "UPDATE audit_line SET at = at - interval '200 days' WHERE seq <= 4")
    await rehash(scene)
    database, district = scene.platform.database, scene.state.district
    with pytest.raises(ValueError, match="180 days"):
        await prune(database, district, older_than=timedelta(days=179), actor="operator:li")
    assert await prune(database, district, older_than=timedelta(days=180), actor="operator:li") == 4
    assert await prune(database, district, older_than=timedelta(days=180), actor="operator:li") == 0
    found = await chain(scene)
    assert (found.first, found.lines, found.broken_at) == (5, total - 4 + 1, None)
    assert head is not None
    (line,) = await scene.audited("audit.pruned")
    assert (line.actor, line.details["through"]) == ("operator:li", 4)
    await as_owner(scene, "DELETE FROM audit_line WHERE seq = 5")  # beyond what the pruning vouches for
    assert (await chain(scene)).broken_at == 5
    await as_owner(scene, "DELETE FROM audit_line WHERE action = 'audit.pruned'")
    assert (await chain(scene)).broken_at == 5


async def rehash(scene: "Scene") -> None:
    """Lines of long ago, honestly chained: time cannot be waited for."""
    bound = scene.platform.database.owner.execution_options(schema_translate_map={None: "d_ezhou"})
    async with bound.begin() as connection:
        previous = audit._GENESIS
        for row in (await connection.execute(sa.select(AuditLine.__table__).order_by(AuditLine.seq))).mappings().all():
            line = dict(row) | {"previous": previous}
            line["hash"] = previous = audit._digest(line)
            await connection.execute(sa.update(AuditLine).where(AuditLine.seq == row["seq"]).values(line))


async def test_search_narrows_and_pages(scene: "Scene") -> None:
    start = datetime.now(UTC)
    await lines(scene, 3, action="sign_in.refused", actor="anonymous")
    await lines(scene, 2, action="sign_inx.done", actor="anonymous")
    await lines(scene, 3, action="sign_in.succeeded", actor="person:1", subject="person:1")
    async with scene.platform.database.read(scene.state.district) as connection:
        page = await search(connection, AuditQuery(action="sign_in.*", begins=start), limit=4)
        rest = await search(connection, AuditQuery(action="sign_in.*", begins=start), limit=4, before=page[-1].seq)
        own = await search(connection, AuditQuery(actor="person:1", subject="person:1"))
        none = await search(connection, AuditQuery(action="sign_in.*", ends=start))
    actions = [line.action for line in page + rest]
    assert actions == ["sign_in.succeeded"] * 3 + ["sign_in.refused"] * 3
    assert (len(page), len(own), none) == (4, 3, [])


async def test_export_is_complete_and_harmless_in_a_spreadsheet(scene: "Scene") -> None:
    await lines(scene, 1, action="test.formula", actor='=HYPERLINK("x")', details={"名": "张三", "b": 'a,"b"\n'})
    read: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
        "csv": lambda content: list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")))),
        "jsonl": lambda content: [json.loads(line) for line in content.splitlines()],
    }
    query = AuditQuery(action="test.formula")
    found = {}
    async with scene.platform.database.read(scene.state.district) as connection:
        for form in ("csv", "jsonl"):
            content = b"".join([piece async for piece in export(connection, query, form=form)])
            (found[form],) = read[form](content)
    assert (found["csv"]["actor"], found["jsonl"]["actor"]) == ('\'=HYPERLINK("x")', '=HYPERLINK("x")')
    assert json.loads(found["csv"]["details"]) == found["jsonl"]["details"] == {"名": "张三", "b": 'a,"b"\n'}
    assert found["csv"]["hash"] == found["jsonl"]["hash"]
