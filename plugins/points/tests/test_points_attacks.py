"""What a slip in our own SQL could try, as the application's role: the database refuses each, and nothing changes."""

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.database.model import new_id
from gongyu.testing.plugin import MakeDistrict
from gongyu_points.books import account_id

if TYPE_CHECKING:
    from tests.conftest import Scene

DENIED, CHECK, FOREIGN, UNIQUE = "42501", "23514", "23503", "23505"

INSERT = (
    "INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points, "
    "reason_id, reverses, fingerprint, day, day_cap) VALUES (:id, :id, :kind, :term, :debit, :debit_kind, :credit, "
    ":credit_kind, :points, :reason, :reverses, '\\x00', '2026-09-07', :cap)"
)


async def _refused(scene: "Scene", sql: str, **values: object) -> tuple[str, str]:
    """SQLSTATE and constraint."""
    with pytest.raises(sa.exc.DBAPIError) as refused:
        await scene.rows(sql, **values)
    message = str(refused.value.orig)
    name = message.partition('constraint "')[2].partition('"')[0]
    return getattr(refused.value.orig, "sqlstate", ""), name


async def test_application_cannot_touch_what_stands(scene: "Scene") -> None:
    await scene.open_term()
    await scene.give(scene.pupils[0][0])
    before = await scene.books()
    tries = [
        "UPDATE {s}.points_entry SET points = 20",
        "DELETE FROM {s}.points_entry",
        "TRUNCATE {s}.points_entry",
        "UPDATE {s}.points_account SET posted = posted + 1",
        "DELETE FROM {s}.points_account",
        "TRUNCATE {s}.points_account",
        "INSERT INTO {s}.points_account (id, kind, owner_id, posted) SELECT id, 'purse', id, 100 FROM {s}.person",
        "DELETE FROM {s}.points_term",
        "DELETE FROM {s}.points_reason",
        "CREATE TABLE {s}.points_mine (id uuid)",
        "ALTER TABLE {s}.points_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER points_entry_moves ON {s}.points_entry",
        "SET session_replication_role = replica",
    ]
    assert {sql: (await _refused(scene, sql))[0] for sql in tries} == dict.fromkeys(tries, DENIED)
    assert await scene.books() == before


@pytest.mark.parametrize(
    "verb",
    ["UPDATE {s}.points_entry SET points = 20", "DELETE FROM {s}.points_entry", "TRUNCATE {s}.points_entry CASCADE"],
)
async def test_not_even_the_owner_edits_entries_by_accident(scene: "Scene", verb: str) -> None:
    await scene.open_term()
    await scene.give(scene.pupils[0][0])
    with pytest.raises(sa.exc.DBAPIError, match="never changed"):
        async with scene.platform.database.owner.begin() as connection:
            await connection.execute(sa.text(verb.replace("{s}", scene.state.district.schema)))
    assert (await scene.audit()).sound


async def test_entries_that_lie_are_refused(scene: "Scene") -> None:
    term = await scene.open_term(quota=20)
    pupil, other = scene.pupils[0][0], scene.pupils[0][1]
    award = await scene.give(pupil, points=5)
    quota, purse = account_id("quota", owner=scene.teachers[0], term=term), account_id("purse", owner=pupil)
    issue = account_id("issue", term=term)
    reason = (await scene.rows("SELECT id FROM {s}.points_reason LIMIT 1"))[0][0]
    entry: dict[str, object] = {
        "kind": "award",
        "term": term,
        "debit": quota,
        "debit_kind": "quota",
        "credit": purse,
        "credit_kind": "purse",
        "points": 5,
        "reason": reason,
        "reverses": None,
        "cap": 60,
    }
    back = {
        **entry,
        "kind": "reverse",
        "debit": purse,
        "debit_kind": "purse",
        "credit": quota,
        "credit_kind": "quota",
        "reason": None,
        "reverses": award.operation,
        "cap": None,
    }
    grant = {**entry, "kind": "grant", "debit": issue, "debit_kind": "issue", "credit": quota, "credit_kind": "quota"}
    cases: dict[str, tuple[dict[str, object], tuple[str, str]]] = {
        "overspent quota": ({**entry, "points": 20}, (CHECK, "ck_points_account_no_overspend")),
        "denomination": ({**entry, "points": 3}, (CHECK, "ck_points_entry_denomination")),
        "negative": ({**back, "points": -5}, (CHECK, "ck_points_entry_positive")),
        "zero": ({**back, "points": 0}, (CHECK, "ck_points_entry_positive")),
        "no cap": ({**entry, "cap": None}, (CHECK, "ck_points_entry_day_cap")),
        "no reason": ({**entry, "reason": None}, (CHECK, "ck_points_entry_reason")),
        "to oneself": ({**entry, "credit": quota}, (CHECK, "ck_points_entry_two_accounts")),
        "out of nothing": (
            {**entry, "debit": issue, "debit_kind": "issue"},
            (CHECK, "ck_points_entry_way"),
        ),
        "issue called a quota": ({**entry, "debit": issue}, (FOREIGN, "points_account_known")),
        "unknown purse": ({**entry, "credit": account_id("purse", owner=other)}, (FOREIGN, "points_account_known")),
        "unknown term": ({**entry, "term": new_id()}, (CHECK, "points_term_open")),
        "grant of more than any quota": (
            {**grant, "points": 1001, "reason": None},
            (CHECK, "ck_points_entry_quota"),
        ),
        "second grant": ({**grant, "points": 5, "reason": None}, (UNIQUE, "uq_points_entry_quota_granted_once")),
        "reversal of more": ({**back, "points": 10}, (FOREIGN, "fk_points_entry_mirror")),
        "reversal of nothing": ({**back, "reverses": new_id()}, (FOREIGN, "fk_points_entry_mirror")),
        "reversal without original": ({**back, "reverses": None}, (CHECK, "ck_points_entry_reverses")),
        "reversal to another quota": (
            {**back, "credit": account_id("quota", owner=scene.teachers[1], term=term)},
            (FOREIGN, "fk_points_entry_mirror"),
        ),
        "early expiry": (
            {
                **entry,
                "kind": "expire",
                "debit": purse,
                "debit_kind": "purse",
                "credit": issue,
                "credit_kind": "expired",
            },
            (CHECK, "points_term_open"),
        ),
    }
    before = await scene.books()
    found = {name: await _refused(scene, INSERT, id=new_id(), **values) for name, (values, _) in cases.items()}
    assert found == {name: expected for name, (_, expected) in cases.items()}
    assert await scene.books() == before
    await scene.rows(INSERT, id=new_id(), **back)
    assert await _refused(scene, INSERT, id=new_id(), **back) == (UNIQUE, "uq_points_entry_reversed_once")
    assert (await scene.audit()).sound


async def test_term_never_goes_back(scene: "Scene") -> None:
    term = await scene.open_term()
    to = (
        "UPDATE {s}.points_term SET state = :state, closed_at = CASE :state WHEN 'closed' THEN now() END WHERE id = :id"
    )
    step = (CHECK, "points_term_step")
    assert await _refused(scene, to, id=term, state="closed") == step
    await scene.rows(to, id=term, state="closing")
    assert await _refused(scene, to, id=term, state="open") == step
    keep = "UPDATE {s}.points_term SET state = 'closed', closed_at = now(), keep_percent = 100 WHERE id = :id"
    assert await _refused(scene, keep, id=term) == step
    await scene.rows(to, id=term, state="closed")
    assert {await _refused(scene, to, id=term, state=state) for state in ("open", "closing", "closed")} == {step}


async def test_spent_award_cannot_be_reversed_by_raw_sql(scene: "Scene") -> None:
    term = await scene.open_term()
    pupil = scene.pupils[0][0]
    award = await scene.give(pupil, points=5)
    await scene.spend(pupil, 1)
    purse, quota = account_id("purse", owner=pupil), account_id("quota", owner=scene.teachers[0], term=term)
    values: dict[str, object] = {
        "kind": "reverse",
        "term": term,
        "debit": purse,
        "debit_kind": "purse",
        "credit": quota,
        "credit_kind": "quota",
        "points": 5,
        "reason": None,
        "reverses": award.operation,
        "cap": None,
    }
    assert await _refused(scene, INSERT, id=new_id(), **values) == (CHECK, "ck_points_account_no_overspend")


async def test_auditor_finds_what_a_superuser_did(scene: "Scene") -> None:
    """An auditor that has never found anything proves nothing."""
    term = await scene.open_term()
    await scene.give(scene.pupils[0][0], points=5)
    quota = account_id("quota", owner=scene.teachers[0], term=term)
    steps = (
        "UPDATE {s}.points_account SET posted = posted + 7 WHERE id = :id",
        "ALTER TABLE {s}.points_entry DISABLE TRIGGER USER",
        "ALTER TABLE {s}.points_entry DROP CONSTRAINT ck_points_entry_denomination",
        "UPDATE {s}.points_entry SET points = 3 WHERE kind = 'award'",
    )
    async with scene.platform.database.owner.begin() as connection:
        for step in steps:
            values = {"id": quota} if ":id" in step else {}
            await connection.execute(sa.text(step.replace("{s}", scene.state.district.schema)), values)
    found = {line.name: line.broken for line in (await scene.audit()).invariants if line.broken}
    assert found == {"lost": 7, "differing": 2, "denominations": 1}


async def test_two_districts_with_equal_ids_and_keys_share_nothing(scene: "Scene", make_district: MakeDistrict) -> None:
    state = await make_district("yangzhou", "[plugins.points]", name="扬州市")
    there = replace(scene, state=state)
    await _copy_people(scene, there)
    term, key, pupil = new_id(), new_id(), scene.pupils[0][0]
    for one in (scene, there):
        await one.open_term(id_=term)
    assert await scene.give(pupil, key=key, points=20) == await there.give(pupil, key=key, points=20)
    await there.undo(key, key=UUID(int=key.int + 1))
    assert ((await scene.books())["purse"], (await there.books())["purse"]) == (20, 0)
    await scene.close(term)
    assert (await there.give(pupil)).left == 995
    assert (await scene.audit()).sound
    assert (await there.audit()).sound


async def _copy_people(here: "Scene", there: "Scene") -> None:
    one, two = here.state.district.schema, there.state.district.schema
    async with here.platform.database.owner.begin() as connection:
        await connection.execute(sa.text(f"DELETE FROM {two}.org"))  # noqa: S608 - our own schemas
        for table in ("org", "person", "class_group", "membership", "enrolment"):
            await connection.execute(sa.text(f"INSERT INTO {two}.{table} SELECT * FROM {one}.{table}"))  # noqa: S608 - as above
