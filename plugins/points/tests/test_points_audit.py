"""An auditor that has never found anything proves nothing: each of its figures moves when what it watches is broken."""

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.database.model import new_id
from gongyu_points.audit import audit
from gongyu_points.books import account_id
from gongyu_points.vouchers.depositing import deposit
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import Batch, NewDeposit, NewSheet, VoidSheet
from gongyu_points.vouchers.voiding import void

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

#: Balances follow what was done to the entries, so that the entries alone give it away.
_RESUM: Final = """
UPDATE {s}.points_account AS a SET posted = coalesce((
  SELECT sum(CASE WHEN e.credit = a.id THEN e.points ELSE -e.points END) FROM {s}.points_entry AS e
   WHERE a.id IN (e.debit, e.credit)), 0)"""
#: The entry again, with another id, and what is said of it changed.
_AGAIN: Final = """
INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points, reason_id,
                              reverses, voucher_id, fingerprint, day, day_cap)
SELECT 'ffffffff-0000-7000-8000-000000000001', operation, kind, term_id, debit, debit_kind, credit, credit_kind, 1,
       reason_id, reverses, voucher_id, fingerprint, day, day_cap
  FROM {s}.points_entry WHERE id = (SELECT min(id::text)::uuid FROM {s}.points_entry WHERE """
_BARE: Final = "ALTER TABLE {s}.points_account DROP CONSTRAINT ck_points_account_no_overspend"
_ANY: Final = "ALTER TABLE {s}.points_entry DROP CONSTRAINT ck_points_entry_"
_UNIQUE: Final = "DROP INDEX {s}.uq_points_entry_"

#: By what was done: with what, and every figure that moves.
TAMPERED: Final[dict[str, tuple[tuple[str, ...], dict[str, int]]]] = {
    "a balance raised": (
        ("UPDATE {s}.points_account SET posted = posted + 7 WHERE id = :quota",),
        {"lost": 7, "differing": 1},
    ),
    "points moved without an entry": (
        (
            "UPDATE {s}.points_account SET posted = posted - 2 WHERE id = :quota",
            "UPDATE {s}.points_account SET posted = posted + 2 WHERE id = :purse",
        ),
        {"differing": 2},
    ),
    "an empty account taken away": (
        ("DELETE FROM {s}.points_account WHERE kind = 'quota' AND term_id = :last AND owner_id = :teacher",),
        {"unknown": 1},
    ),
    "more spent than was there": (
        (_BARE, "UPDATE {s}.points_entry SET points = 900 WHERE kind = 'redeem'", _RESUM),
        {"overspent": 1},
    ),
    "an award in another term": (
        ("UPDATE {s}.points_entry SET term_id = :last WHERE kind = 'award' AND term_id = :term AND debit = :other",),
        {"misplaced": 1},
    ),
    "a quota out of nothing": (
        (f"{_ANY}way", "UPDATE {s}.points_entry SET kind = 'release' WHERE kind = 'grant' AND credit = :quota"),
        {"over_quota": 1},
    ),
    "a quota too large": (
        (
            f"{_ANY}quota",
            "UPDATE {s}.points_entry SET points = 1001 WHERE kind = 'grant' AND credit = :quota",
            _RESUM,
        ),
        {"too_large": 1},
    ),
    "an award of three": (
        (
            f"{_ANY}denomination",
            "UPDATE {s}.points_entry SET points = 3 WHERE kind = 'award' AND debit = :other",
            _RESUM,
        ),
        {"denominations": 1},
    ),
    "a reversal of another entry": (
        (
            (
                "UPDATE {s}.points_entry SET reverses = (SELECT id FROM {s}.points_entry WHERE kind = 'redeem') "
                "WHERE kind = 'reverse' AND debit_kind = 'purse'"
            ),
        ),
        {"crooked": 1},
    ),
    "a reversal once more": (
        (f"{_UNIQUE}reversed_once", _AGAIN + "kind = 'reverse' AND debit_kind = 'purse')", _RESUM),
        {"twice": 1, "crooked": 1},
    ),
    "a quota granted again": (
        (f"{_UNIQUE}quota_granted_once", _AGAIN + "kind = 'grant' AND credit = :quota)", _RESUM),
        {"granted_twice": 1},
    ),
    "a purse expired again": (
        (f"{_UNIQUE}expired_once", _AGAIN + "kind = 'expire' AND debit = :purse)", _RESUM),
        {"expired_twice": 1},
    ),
    "a quota not expired": (
        ("DELETE FROM {s}.points_entry WHERE kind = 'expire' AND term_id = :last AND debit = :gone", _RESUM),
        {"left_open": 1},
    ),
    "a number used twice": (
        (
            "ALTER TABLE {s}.points_entry ALTER COLUMN seq DROP IDENTITY",
            "ALTER TABLE {s}.points_entry DROP CONSTRAINT uq_points_entry_seq",
            "UPDATE {s}.points_entry SET seq = (SELECT max(seq) FROM {s}.points_entry) WHERE kind = 'redeem'",
        ),
        {"numbers": 1},
    ),
    "an expired voucher taken away": (
        ("DELETE FROM {s}.points_voucher WHERE sheet_id = :old_sheet",),
        {"misprinted": 1},
    ),
    "a sheet expired before its term": (
        (
            f"{_ANY}way",
            "UPDATE {s}.points_entry SET kind = 'expire', voucher_id = NULL WHERE kind = 'void'",
            (
                "UPDATE {s}.points_voucher SET entry_id = NULL WHERE entry_id IN "
                "(SELECT id FROM {s}.points_entry WHERE kind = 'expire')"
            ),
        ),
        {"vouchers": 1},
    ),
    "a voucher deposited again": (
        (f"{_ANY}denomination", _AGAIN + "kind = 'deposit')", _RESUM),
        {"used_twice": 1, "vouchers": 1, "denominations": 1},
    ),
    "a deposited voucher opened": (
        (
            (
                "UPDATE {s}.points_voucher SET entry_id = NULL WHERE entry_id IN "
                "(SELECT id FROM {s}.points_entry WHERE kind = 'deposit')"
            ),
        ),
        {"misheld": 1},
    ),
    "a void to another's quota": (
        ("UPDATE {s}.points_entry SET credit = :other WHERE kind = 'void'", _RESUM),
        {"misreturned": 1},
    ),
    "stock raised": (("UPDATE {s}.points_stock SET on_hand = on_hand + 1 WHERE item_id = :item",), {"stock": 1}),
    "more lost than there was": (
        (
            "ALTER TABLE {s}.points_stock DROP CONSTRAINT ck_points_stock_enough",
            (
                "INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved) "
                "VALUES (:key, :item, 'loss', -90, 0)"
            ),
            "UPDATE {s}.points_stock SET on_hand = on_hand - 90 WHERE item_id = :item",
        ),
        {"oversold": 1},
    ),
    "goods promised to nobody": (
        (
            (
                "INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved) "
                "VALUES (:key, :item, 'reserve', 0, 1)"
            ),
            "UPDATE {s}.points_stock SET reserved = reserved + 1 WHERE item_id = :item",
        ),
        {"promises": 1},
    ),
    "a count rewritten": (
        ("UPDATE {s}.points_stock_count SET counted = counted + 1, difference = difference + 1",),
        {"counts": 1},
    ),
    "an open order made cheaper": (
        ("UPDATE {s}.points_order SET price = price - 1, points = points - 1 WHERE state = 'placed'",),
        {"holds": 1},
    ),
    "a sale made cheaper": (
        ("UPDATE {s}.points_order SET price = price - 1, points = points - 1 WHERE state = 'collected'",),
        {"sales": 1},
    ),
    "a returned order taken away": (("DELETE FROM {s}.points_order WHERE state = 'returned'",), {"captures": 1}),
    "a limit's counter set back": (("UPDATE {s}.points_item_taken SET taken = taken - 1",), {"limits": 1}),
}


async def _lived(store: "Storefront") -> dict[str, object]:
    """Some of everything: a term closed and one that runs, vouchers, a shop; whose is what."""
    scene, (pupil, *_), (teacher, other, gone) = store.scene, store.scene.pupils[0], store.scene.teachers
    last = await scene.open_term("上学期")
    await scene.give(pupil, points=20)
    old = await _sheet(scene)
    await scene.close(last, at_term_end="share", carry_percent=50)
    term = await scene.open_term("本学期")
    await scene.give(pupil, points=20)
    await scene.give(scene.pupils[1][0], points=5, teacher=1)
    await scene.undo((await scene.give(pupil, points=2)).operation)
    await scene.spend(pupil, 3)
    sheet = await _sheet(scene)
    async with scene.work() as session:
        paper = await fresh_codes(scene.context(session), sheet=sheet, printer=teacher)
    async with scene.work() as session:
        new = NewDeposit(new_id(), paper[0].code)
        await deposit(scene.context(session), new=new, code=new.code, student=pupil, actor=pupil)
    async with scene.work() as session:
        await void(scene.context(session), new=VoidSheet(new_id(), (2,)), sheet=sheet, actor=teacher)
    item = await store.item(price=5, term_limit=9, stock=20)
    kept, back = [(await store.order(pupil, item)).json()["id"] for _ in range(2)]
    for order, verb in ((kept, "collect"), (back, "collect"), (back, "return")):
        body = {"reason": "质量问题"} if verb == "return" else None
        assert (await store.ask(store.clerk, "POST", f"/orders/{order}/{verb}", body)).status_code == 201
    assert (await store.order(pupil, item)).status_code == 201
    counted = {"id": str(new_id()), "counted": 18, "reason": "盘点少一支"}
    assert (await store.ask(store.clerk, "POST", f"/items/{item}/counts", counted)).status_code == 201
    return {
        "last": last,
        "term": term,
        "teacher": teacher,
        "quota": account_id("quota", owner=teacher, term=term),
        "other": account_id("quota", owner=other, term=term),
        "gone": account_id("quota", owner=gone, term=last),
        "purse": account_id("purse", owner=pupil),
        "old_sheet": old,
        "item": item,
        "key": new_id(),
    }


async def _sheet(scene: "Scene") -> UUID:
    """Of three vouchers of five."""
    new = NewSheet(id=new_id(), batches=(Batch(5, 3),), reason="helps_others")
    async with scene.work() as session:
        printer = scene.principal(scene.teachers[0])
        await print_sheet(scene.context(session), new=new, printer=printer, orgs=frozenset({scene.school}))
    return new.id


async def _figures(scene: "Scene", steps: tuple[str, ...], whose: dict[str, object]) -> dict[str, int]:
    """What the auditor finds after a superuser's steps, of which nothing stays."""
    district = scene.state.district
    async with scene.platform.database.owner.connect() as connection:
        for step in ("SET LOCAL session_replication_role = replica", *steps):
            sql = sa.text(step.replace("{s}", f'"{district.schema}"'))
            done: Any = await connection.execute(sql, {name: whose[name] for name in sql.compile().params})
            assert done.rowcount != 0, step
        found = await audit(connection, district)
        await connection.rollback()
    return {line.name: line.broken for line in found.invariants if line.broken}


async def test_every_figure_of_the_auditor_moves_when_what_it_watches_is_broken(store: "Storefront") -> None:
    scene, whose = store.scene, await _lived(store)
    sound = await scene.audit()
    assert sound.sound, sound
    found = {what: await _figures(scene, steps, whose) for what, (steps, _) in TAMPERED.items()}
    assert found == {what: figures for what, (_, figures) in TAMPERED.items()}
    assert {name for figures in found.values() for name in figures} == {line.name for line in sound.invariants}
    assert (await scene.audit()).sound
