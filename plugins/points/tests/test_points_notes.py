"""What people write beside points: readable to whom it concerns, in no dump, and gone with the child."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.database.engine import DatabaseUnfitError
from gongyu.database.migrations import History, upgrade_schema
from gongyu.database.model import new_id
from gongyu_points.personal import copy_of, erase
from gongyu_points.vouchers.printing import fresh_codes

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

WORDS = ("主动照顾同桌", "全班齐心", "发错了人", "笔尖断了", "家里有事", "蓝色橡皮", "开放日", "数学进步")


async def _shown(scene: "Scene") -> list[str]:
    """Those of `WORDS` that whoever reads the tables of points can read, as text or as bytes."""
    schema = scene.state.district.schema
    async with scene.platform.database.owner.connect() as connection:
        tables = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tablename LIKE 'points\\_%'")
        names = (await connection.execute(tables, {"schema": schema})).scalars().all()
        dumped = ""
        for name in (*names, "event", "audit_line"):
            rows = await connection.execute(sa.text(f'SELECT t::text FROM "{schema}"."{name}" AS t'))  # noqa: S608 - ours
            dumped += "".join(rows.scalars())
    return [word for word in WORDS if word in dumped or word.encode().hex() in dumped]


async def _written(store: "Storefront") -> dict[str, UUID]:
    """Every word of `WORDS` once, each where people write such a thing; who got which."""
    scene, (pupil, other, _) = store.scene, store.scene.pupils[0]
    teacher = scene.teachers[0]
    await scene.open_term()

    async def award(note: str, **whom: Any) -> str:  # noqa: ANN401 - JSON
        new = {"id": str(new_id()), "points": 20, "reason": "helps_others", "note": note} | whom
        keyed = {"Idempotency-Key": str(new_id())} if note == WORDS[7] else {}  # that one goes the careful way
        # The second time nothing is said twice.
        done, again = [await store.ask(teacher, "POST", "/awards", new, headers=keyed) for _ in range(2)]
        assert (done.status_code, again.json()) == (201, done.json())
        return str(done.json()["students"][0]["entry"])

    await award(WORDS[0], students=[str(pupil)])
    await award(WORDS[1], class_id=str(scene.classes[0]))
    wrong = await award(WORDS[7], students=[str(other)])
    why = {"id": str(new_id()), "reason": WORDS[2]}
    assert (await store.ask(store.clerk, "POST", f"/entries/{wrong}/reverse", why)).status_code == 201
    pen = await store.item(title="签字笔")
    back, refused = [(await store.order(pupil, pen)).json()["id"] for _ in range(2)]
    assert (await store.ask(store.clerk, "POST", f"/orders/{back}/collect")).status_code == 201
    for order, verb, word in ((back, "return", WORDS[3]), (refused, "refuse", WORDS[4])):
        done = await store.ask(store.clerk, "POST", f"/orders/{order}/{verb}", {"reason": word})
        assert (done.status_code, done.json()["reason"]) == (201, word)
    bought = {"id": str(new_id()), "student": str(pupil), "points": 1, "shop": str(scene.school), "item": WORDS[5]}
    assert (await store.ask(pupil, "POST", "/redemptions", bought)).status_code == 201
    sheet = {"id": str(new_id()), "batches": [{"points": 2, "count": 1}], "reason": "honest", "note": WORDS[6]}
    assert (await store.ask(teacher, "POST", "/sheets", sheet)).json()["note"] == WORDS[6]
    async with scene.work() as session:
        (paper,) = await fresh_codes(scene.context(session), sheet=UUID(str(sheet["id"])), printer=teacher)
    slip = {"id": str(new_id()), "code": paper.code}
    assert (await store.ask(pupil, "POST", "/deposits", slip)).status_code == 201
    return {"pupil": pupil, "other": other, "back": UUID(back), "refused": UUID(refused)}


async def _read(store: "Storefront", pupil: UUID) -> tuple[list[str], dict[str, str]]:
    """The notes of a pupil's statement, oldest first, and why their orders were closed."""
    lines = (await store.ask(pupil, "GET", f"/students/{pupil}/statement?limit=100")).json()["items"]
    orders = (await store.ask(pupil, "GET", "/orders")).json()["items"]
    return [line["note"] for line in reversed(lines)], {order["id"]: order["reason"] for order in orders}


async def test_notes_are_read_by_whom_they_concern_and_by_nobody_in_the_database(store: "Storefront") -> None:
    scene, told = store.scene, await _written(store)
    assert await _shown(scene) == []
    notes, reasons = await _read(store, told["pupil"])
    assert notes == [WORDS[0], WORDS[1], "签字笔", "签字笔", WORDS[3], WORDS[4], WORDS[5], WORDS[6]]
    assert reasons == {str(told["back"]): WORDS[3], str(told["refused"]): WORDS[4]}
    assert (await _read(store, told["other"]))[0] == [WORDS[1], WORDS[7], WORDS[2]]
    of_shop = (await store.ask(store.clerk, "GET", f"/shops/{store.shop}/orders")).json()["items"]
    assert {one["id"]: one["reason"] for one in of_shop} == reasons
    mine = (await store.ask(scene.teachers[0], "GET", "/sheets")).json()["items"]
    assert [one["note"] for one in mine] == [WORDS[6]]
    async with scene.work() as session:
        parts = {part.name: part for part in await copy_of(scene.context(session), person=told["pupil"])}
    assert [row["note"] for row in parts["points"].rows] == notes
    assert sorted(str(row["reason"]) for row in parts["points_orders"].rows) == sorted(reasons.values())


async def test_erasure_takes_the_words_that_concern_nobody_else(store: "Storefront") -> None:
    scene, told = store.scene, await _written(store)
    async with scene.work() as session:
        erased = {one.what.en: one for one in await erase(scene.context(session), person=told["pupil"])}
    assert (erased["notes beside points"].rows, erased["notes beside points"].kept) == (7, None)
    notes, reasons = await _read(store, told["pupil"])
    assert notes == ["", WORDS[1], *[""] * 6]
    assert set(reasons.values()) == {""}
    assert (await _read(store, told["other"]))[0] == [WORDS[1], WORDS[7], WORDS[2]]
    mine = (await store.ask(scene.teachers[0], "GET", "/sheets")).json()["items"]
    assert [one["note"] for one in mine] == [WORDS[6]]  # what stands on everybody's paper
    assert (await scene.audit()).sound


async def test_upgrade_seals_what_stood_readable_and_can_be_taken_back(store: "Storefront") -> None:
    scene, told = store.scene, await _written(store)
    before = [await _read(store, told[who]) for who in ("pupil", "other")]
    plugin, district, database = scene.platform.host.plugins["points"], scene.state.district, scene.platform.database
    assert plugin.migrations is not None
    history = History("points", plugin.tables, plugin.migrations)

    async def migrate(target: str, keys: object = None) -> None:
        await upgrade_schema(database, district.schema, district.number, [history], target=target, keys=keys)

    with pytest.raises(DatabaseUnfitError, match="needs the keys"):
        await migrate("points_0004")
    assert await _shown(scene) == []
    await migrate("points_0004", scene.platform.keys)
    assert await _shown(scene) == list(WORDS)
    with pytest.raises(DatabaseUnfitError, match="needs the keys"):
        await migrate("heads")
    await migrate("heads", scene.platform.keys)
    assert await _shown(scene) == []
    assert [await _read(store, told[who]) for who in ("pupil", "other")] == before
    with pytest.raises(sa.exc.DBAPIError, match="points_entry_kept"):
        async with database.work_as_owner(district) as session:
            await session.execute(sa.text(f'UPDATE "{district.schema}".points_entry SET points = 1'))  # noqa: S608 - ours
    assert (await scene.audit()).sound


async def test_note_is_taken_away_but_never_changed(store: "Storefront") -> None:
    scene = store.scene
    await _written(store)
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        await scene.rows("UPDATE {s}.points_note SET text = ''")


async def test_orders_nobody_collects_are_let_go_batch_after_batch(
    store: "Storefront", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch commits by itself, so that the locks of one are free before the next begins."""
    from gongyu.events.worker import drain  # noqa: PLC0415 - of this test alone
    from gongyu_points.shop import orders  # noqa: PLC0415 - as above
    from gongyu_points.shop.jobs import JOBS  # noqa: PLC0415 - as above

    scene, pupils = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(*pupils, points=20)
    pen = await store.item(stock=9)
    for pupil in pupils:
        assert (await store.order(pupil, pen)).status_code == 201
    monkeypatch.setattr(orders, "BATCH", 1)
    later = datetime.now(UTC) + timedelta(days=9)
    async with scene.work() as session:
        await JOBS[0].run(scene.context(session, later))
    assert (await scene.books())["hold"] == 10
    await drain(scene.platform, scene.state.district.slug, clock=lambda: later)
    assert (await scene.books())["hold"] == 0
    told = [await _read(store, pupil) for pupil in pupils]
    assert {reason for _, reasons in told for reason in reasons.values()} == {"未按时领取 not collected in time"}
    assert (await scene.audit()).sound
