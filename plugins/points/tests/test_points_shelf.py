"""The shelf: stock and counts, pictures, lists, workbooks, and what the auditor and the erasure see of the shop."""

import io
import struct
import zlib
from typing import TYPE_CHECKING
from uuid import UUID

import openpyxl
import pytest
import sqlalchemy as sa

from gongyu.database.model import new_id
from gongyu_points.books import account_id
from gongyu_points.personal import copy_of, erase
from gongyu_points.shop import orders
from gongyu_points.shop.schemas import NewSale

if TYPE_CHECKING:
    from tests.conftest import Storefront

#: Litestar asks for markers that its third version will want; the house adopts them all at once.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def test_stock_is_what_its_movements_add_up_to_and_a_count_puts_it_right(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item(stock=10)
    await store.order(pupil, pen)
    sale = {"id": str(new_id()), "student": str(pupil), "item": str(pen)}
    assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale)).status_code == 201
    count = {"id": str(new_id()), "counted": 7, "reason": "月末盘点"}
    for _ in range(2):
        made = (await store.ask(store.clerk, "POST", f"/items/{pen}/counts", count)).json()
        assert (made["counted"], made["expected"], made["difference"]) == (7, 9, -2)
    assert await store.stock(pen) == (7, 1)
    too_few = {"id": str(new_id()), "counted": 0, "reason": "全部丢失"}
    assert (await store.ask(store.clerk, "POST", f"/items/{pen}/counts", too_few)).status_code == 409
    lost = {"id": str(new_id()), "kind": "loss", "quantity": 7, "reason": "受潮"}
    assert (await store.ask(store.clerk, "POST", f"/items/{pen}/movements", lost)).status_code == 409
    moves = (await store.ask(store.clerk, "GET", f"/items/{pen}/movements")).json()["items"]
    assert [(one["kind"], one["on_hand"], one["reserved"]) for one in reversed(moves)] == [
        ("delivery", 10, 0),
        ("reserve", 0, 1),
        ("reserve", 0, 1),
        ("sold", -1, -1),
        ("correction", -2, 0),
    ]
    assert len((await store.ask(store.clerk, "GET", f"/items/{pen}/counts")).json()["items"]) == 1
    tries = {
        "UPDATE {s}.points_stock SET on_hand = 99": "42501",
        "UPDATE {s}.points_stock_move SET on_hand = 99": "42501",
        "DELETE FROM {s}.points_stock_count": "42501",
        "DELETE FROM {s}.points_order": "42501",
        "UPDATE {s}.points_order SET points = 1": "42501",
        "UPDATE {s}.points_order SET state = 'placed', closed_at = NULL WHERE state = 'collected'": "23514",
        "UPDATE {s}.points_item_taken SET taken = 0": "42501",
        "INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved) "
        "SELECT gen_random_uuid(), item_id, 'loss', -7, 0 FROM {s}.points_stock": "23514",
        "INSERT INTO {s}.points_stock_move (id, item_id, kind, on_hand, reserved, order_id) "
        "SELECT id, item_id, 'sold', -1, -1, id FROM {s}.points_order WHERE state = 'collected'": "23505",
    }
    found = {}
    for sql in tries:
        with pytest.raises(sa.exc.DBAPIError) as refused:
            await scene.rows(sql)
        found[sql] = getattr(refused.value.orig, "sqlstate", "")
    assert found == tries
    assert (await scene.audit()).sound


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def test_picture_is_what_its_bytes_are_and_tells_nothing_of_where_it_was_taken(store: "Storefront") -> None:
    pen, pupil = await store.item(), store.scene.pupils[0][0]
    header = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    whole = [header, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    path = f"/items/{pen}/picture"
    told = _png(header, (b"tEXt", b"GPS\0 30.4N 114.9E"), *whole[1:]) + b"<script>"
    kept = await store.ask(store.clerk, "PUT", path, content=told, headers={"Content-Type": "image/png"})
    assert kept.status_code == 200, kept.text
    shown = await store.ask(pupil, "GET", path)
    assert (shown.content, shown.headers["content-type"], shown.headers["x-content-type-options"]) == (
        _png(*whole),
        "image/png",
        "nosniff",
    )
    again = await store.ask(pupil, "GET", path, headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    items = (await store.ask(pupil, "GET", f"/shops/{store.shop}/items")).json()["items"]
    assert [one["picture"] for one in items] == [kept.json()["digest"]]
    jpeg = b"\xff\xd8\xff\xe1\x00\x08Exif\x00\x00\xff\xdb\x00\x03\x01\xff\xda\x00\x03\x01pixels\xff\xd9"
    assert (await store.ask(store.clerk, "PUT", path, content=jpeg)).status_code == 200
    assert (
        await store.ask(pupil, "GET", path)
    ).content == b"\xff\xd8\xff\xdb\x00\x03\x01\xff\xda\x00\x03\x01pixels\xff\xd9"
    svg, cut, large = b"<svg onload='x'/>", told[:40], jpeg + bytes(600 * 1024)
    refused = [(await store.ask(store.clerk, "PUT", path, content=one)).status_code for one in (svg, cut, b"", large)]
    assert refused == [415, 415, 415, 413]


async def test_privileges_come_first_and_lists_go_on_where_they_ended(store: "Storefront") -> None:
    for kind, title in (
        ("good", "笔"),
        ("event", "电影"),
        ("privilege", "点歌"),
        ("good", "本子"),
        ("privilege", "换座"),
    ):
        await store.item(kind=kind, title=title, stock=None)
    path, titles = f"/shops/{store.shop}/items?limit=2", []
    while True:
        page = (await store.ask(store.clerk, "GET", path)).json()
        titles += [one["title"] for one in page["items"]]
        if page["next"] is None:
            break
        path = f"/shops/{store.shop}/items?limit=2&cursor={page['next']}"
    assert (set(titles[:2]), titles[2], set(titles[3:])) == ({"点歌", "换座"}, "电影", {"本子", "笔"})


async def test_orders_and_stock_as_workbooks_hold_texts_and_no_formulas(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item(title="=1+1", stock=3)
    sale = {"id": str(new_id()), "student": str(pupil), "item": str(pen)}
    await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale)
    sheets = {}
    for name in ("orders", "stock"):
        answer = await store.ask(
            store.clerk, "GET", f"/shops/{store.shop}/{name}.xlsx", headers={"Accept-Language": "en"}
        )
        rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True))  # type: ignore[union-attr]  # it has a sheet
        sheets[name] = dict(zip(rows[0], rows[1], strict=True))
    assert tuple(sheets["orders"][one] for one in ("礼品 Item", "积分 Points", "状态 State")) == (
        "=1+1",
        5,
        "collected",
    )
    assert [
        sheets["stock"][one] for one in ("礼品 Item", "现存 On hand", "预留 Promised", "入库 Delivered", "售出 Sold")
    ] == [
        "=1+1",
        2,
        0,
        3,
        1,
    ]


async def test_copy_and_erasure_leave_stock_and_books_in_agreement(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item()
    async with scene.work() as session:
        sale = NewSale(id=new_id(), student=pupil, item=pen)
        await orders.sell(scene.context(session), new=sale, shop=store.shop, by=store.clerk)
        parts = {part.name: part.rows for part in await copy_of(scene.context(session), person=pupil)}
        erased = {
            one.what.en: (one.rows, one.kept is not None) for one in await erase(scene.context(session), person=pupil)
        }
    assert [(row["title"], row["points"], row["state"]) for row in parts["points_orders"]] == [
        ("签字笔", 5, "collected")
    ]
    assert (parts["points_duties"], erased["orders"], erased["shop duties"]) == ([], (1, True), (0, False))
    assert (await scene.audit()).sound


async def test_auditor_finds_stock_and_holds_that_were_tampered_with(store: "Storefront") -> None:
    """An auditor that has never found anything proves nothing."""
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item()
    order = (await store.order(pupil, pen)).json()["id"]
    steps = (
        "UPDATE {s}.points_stock SET on_hand = on_hand + 1",
        "UPDATE {s}.points_item_taken SET taken = 7",
        "ALTER TABLE {s}.points_order DISABLE TRIGGER USER",
        "UPDATE {s}.points_order SET state = 'collected', closed_at = now()",
    )
    async with scene.platform.database.owner.begin() as connection:
        for step in steps:
            await connection.execute(sa.text(step.replace("{s}", scene.state.district.schema)))
    found = {line.name: line.broken for line in (await scene.audit()).invariants if line.broken}
    assert found == {"stock": 1, "promises": 1, "holds": 1, "sales": 5, "captures": 1, "limits": 1}
    assert account_id("hold", owner=UUID(order)) in {
        row[0] for row in await scene.rows("SELECT id FROM {s}.points_account")
    }
