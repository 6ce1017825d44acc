"""The shop over HTTP: what is ordered is held, handed out once, comes back once; nothing is sold that is not there."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.people.models import Membership, Org
from gongyu.platform import Platform
from gongyu.plugin import Context
from gongyu.testing.plugin import MakeDistrict
from gongyu.web import ProblemError
from gongyu_points.personal import copy_of, erase
from gongyu_points.shop import orders, till_codes
from gongyu_points.shop.jobs import JOBS
from gongyu_points.shop.schemas import NewOrder

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront

#: Litestar asks for markers that its third version will want; the house adopts them all at once.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def _statuses(asked: Sequence[Awaitable[Any]]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*asked))


async def test_order_is_held_collected_and_returned_once(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item(price=6)
    placed = (await store.order(pupil, pen, key=(key := new_id()), quantity=2, points=12)).json()
    assert (placed["state"], placed["points"], placed["price"], placed["name"]) == ("placed", 12, 6, "学生1-0")
    assert (await store.balance(pupil), await scene.books() | {"quota": 0}, await store.stock(pen)) == (
        8,
        {"issue": -3000, "quota": 0, "purse": 8, "hold": 12, "shop": 0},
        (5, 2),
    )
    assert (await store.order(pupil, pen, key=key, quantity=2, points=12)).json() == placed
    assert (await store.order(pupil, pen, key=key, quantity=1)).status_code == 422
    assert (await store.order(scene.pupils[0][1], pen, key=key, quantity=2, points=12)).status_code == 404

    # The price changes; what was ordered keeps its own.
    change = {"version": 1, "title": "签字笔", "price": 7}
    assert (await store.ask(store.clerk, "PUT", f"/items/{pen}", change)).json()["price"] == 7
    assert (await store.ask(store.clerk, "PUT", f"/items/{pen}", change)).status_code == 412
    assert (await store.order(pupil, pen, points=6)).status_code == 409
    path = f"/orders/{key}"
    assert (await store.ask(pupil, "POST", f"{path}/collect")).status_code == 404
    done = [await store.ask(store.clerk, "POST", f"{path}/collect") for _ in range(2)]
    assert ([one.status_code for one in done], done[0].json()["points"]) == ([201, 409], 12)
    assert (await store.ask(pupil, "POST", f"{path}/cancel")).status_code == 409
    assert ((await scene.books())["shop"], await store.stock(pen)) == (12, (3, 0))

    back = {"reason": "质量问题"}
    assert (await store.ask(pupil, "POST", f"{path}/return", back)).status_code == 403
    assert await _statuses([store.ask(store.clerk, "POST", f"{path}/return", back) for _ in range(4)]) == {
        201: 1,
        409: 3,
    }
    assert (await store.balance(pupil), (await scene.books())["shop"], await store.stock(pen)) == (20, 0, (5, 0))
    events = await scene.rows(
        "SELECT v.type, v.subject, e.kind FROM {s}.event AS v "
        "JOIN {s}.points_entry AS e ON e.id::text = v.data->>'entry' WHERE v.type LIKE 'points.re%' ORDER BY e.seq"
    )
    assert events == [("points.redeemed.v1", str(pupil), "capture"), ("points.reversed.v1", str(pupil), "reverse")]
    kinds = [line["kind"] for line in (await store.ask(pupil, "GET", f"/students/{pupil}/statement")).json()["items"]]
    assert kinds == ["release", "hold", "award"]
    assert [one["state"] for one in (await store.ask(pupil, "GET", "/orders")).json()["items"]] == ["returned"]
    assert (await store.ask(scene.pupils[0][1], "GET", f"/students/{pupil}/orders")).status_code == 404
    assert (await scene.audit()).sound


@pytest.mark.parametrize("connections", [1, 8, 32, 64])
async def test_last_item_goes_to_one_of_32_buyers_at_two_processes(
    platform: Platform,
    make_district: MakeDistrict,
    new_scene: "Callable[..., Awaitable[Scene]]",
    new_store: "Callable[[Scene], Awaitable[Storefront]]",
    connections: int,
) -> None:
    """Each process has so many connections."""
    scene = await new_scene(platform, await make_district("ezhou", "[plugins.points]"), pupils=32)
    store, pupils = await new_store(scene), scene.pupils[0]
    await scene.open_term()
    await scene.give(class_id=scene.classes[0], points=5)
    last = await store.item(stock=1)
    tokens = [await store.token(pupil) for pupil in pupils]
    async with AsyncExitStack() as stack:
        databases = [Database(platform.database.url, connections=connections) for _ in range(2)]
        for database in databases:
            stack.push_async_callback(database.close)
        doors = [type(store)(replace(scene, platform=replace(platform, database=one))) for one in databases]
        buy = [
            doors[n % 2].ask(token, "POST", "/orders", {"id": str(new_id()), "item": str(last)})
            for n, token in enumerate(tokens)
        ]
        assert await _statuses(buy) == {201: 1, 409: 31}
    assert ((await scene.books())["hold"], (await scene.books())["purse"], await store.stock(last)) == (5, 155, (1, 1))
    assert (await scene.audit()).sound


async def test_purse_and_term_limit_hold_against_many_orders_at_once(store: "Storefront") -> None:
    scene, (pupil, other, _) = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(pupil, other, points=20)
    pen, song = await store.item(stock=50), await store.item(stock=None, kind="privilege", price=1, term_limit=2)
    await store.token(pupil)
    assert await _statuses([store.order(pupil, pen) for _ in range(12)]) == {201: 4, 409: 8}
    assert (await store.balance(pupil), await store.stock(pen)) == (0, (50, 4))
    await store.token(other)
    assert await _statuses([store.order(other, song) for _ in range(12)]) == {201: 2, 409: 10}
    mine = (await store.ask(other, "GET", "/orders")).json()["items"]
    assert (await store.ask(other, "POST", f"/orders/{mine[0]['id']}/cancel")).json()["state"] == "cancelled"
    assert [(await store.order(other, song)).status_code for _ in range(2)] == [201, 409]
    assert await store.balance(other) == 18
    assert (await scene.audit()).sound


async def test_order_is_either_handed_out_or_cancelled(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item()
    for _ in range(4):
        placed = f"/orders/{(await store.order(pupil, pen)).json()['id']}"
        verbs = [(store.clerk, "collect"), (pupil, "cancel"), (store.clerk, "collect"), (pupil, "cancel")]
        assert await _statuses([store.ask(who, "POST", f"{placed}/{verb}") for who, verb in verbs]) == {201: 1, 409: 3}
    books = await scene.books()
    assert (books["hold"], books["purse"] + books["shop"]) == (0, 20)
    assert (await scene.audit()).sound


async def test_sale_that_is_killed_between_hold_and_capture_has_not_happened(
    store: "Storefront", monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen, key, hand_out = await store.item(), new_id(), orders.hand_out

    async def killed(session: AsyncSession, *args: Any, **values: Any) -> int:  # noqa: ANN401 - whatever it takes
        pid = (await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
        async with scene.platform.database.owner.begin() as other:
            await other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        return await hand_out(session, *args, **values)

    sale = {"id": str(key), "student": str(pupil), "item": str(pen)}
    with monkeypatch.context() as patch:
        patch.setattr(orders, "hand_out", killed)
        assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale)).status_code >= 500
    assert (await store.balance(pupil), await store.stock(pen)) == (20, (5, 0))
    assert (await scene.audit()).sound
    again = [await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale) for _ in range(2)]
    assert [one.json()["state"] for one in again] == ["collected", "collected"]
    assert (await store.balance(pupil), await store.stock(pen)) == (15, (4, 0))
    assert (await scene.audit()).sound


async def test_pupil_on_duty_hands_out_and_sells_here_and_nothing_else(store: "Storefront") -> None:
    scene, (helper, buyer, _) = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(helper, buyer, points=20)
    pen = await store.item()
    order = (await store.order(buyer, pen)).json()["id"]
    here = {
        "list": ("GET", f"/shops/{store.shop}/orders?state=placed", None),
        "sell": ("POST", f"/shops/{store.shop}/sales", {"student": str(buyer), "item": str(pen)}),
        "sell to myself": ("POST", f"/shops/{store.shop}/sales", {"student": str(helper), "item": str(pen)}),
        "collect": ("POST", f"/orders/{order}/collect", None),
        "price": ("PUT", f"/items/{pen}", {"version": 1, "title": "签字笔", "price": 1}),
        "stock": ("POST", f"/items/{pen}/movements", {"id": str(new_id()), "kind": "loss", "quantity": 1}),
        "return": ("POST", f"/orders/{order}/return", {"reason": "退货"}),
        "refuse": ("POST", f"/orders/{order}/refuse", {"reason": "没有货"}),
        "duty": ("POST", f"/shops/{store.shop}/duties", {"id": str(new_id()), "person": str(helper)}),
    }

    async def tried() -> dict[str, int]:
        code = (await store.ask(buyer, "GET", "/till-code")).json()["code"]
        return {
            name: (
                await store.ask(
                    helper,
                    method,
                    path,
                    {**body, "id": str(new_id()), "code": code} if name.startswith("sell") and body else body,
                )
            ).status_code
            for name, (method, path, body) in here.items()
        }

    refused = {"price": 403, "stock": 403, "return": 403, "refuse": 403, "duty": 403}
    assert await tried() == {"list": 404, "sell": 404, "sell to myself": 404, "collect": 404, **refused}
    now = datetime.now(UTC)
    duty = {
        "id": str(new_id()),
        "person": str(helper),
        "begins_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }
    wrong = {**duty, "person": str(new_id()), "ends_at": (now + timedelta(days=90)).isoformat()}
    answer = await store.ask(store.clerk, "POST", f"/shops/{store.shop}/duties", wrong)
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/person"]
    assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/duties", duty)).status_code == 201
    assert await tried() == {"list": 200, "sell": 201, "sell to myself": 403, "collect": 201, **refused}
    history = await store.ask(helper, "GET", f"/shops/{store.shop}/orders?state=collected")
    assert history.json()["items"] == []  # what classmates bought is not theirs to read
    assert len((await store.ask(store.clerk, "GET", f"/shops/{store.shop}/orders")).json()["items"]) == 2
    assert (await store.ask(store.clerk, "POST", f"/duties/{duty['id']}/end")).status_code == 201
    assert await tried() == {"list": 404, "sell": 404, "sell to myself": 404, "collect": 404, **refused}
    assert (await store.balance(buyer), await store.balance(helper)) == (10, 20)
    assert (await scene.audit()).sound


async def test_pupil_on_duty_sells_to_whoever_shows_their_code_and_once_for_each(
    store: "Storefront", monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, (helper, buyer, other) = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(helper, buyer, other, points=20)
    pen = await store.item()
    await store.on_duty(helper)

    async def code(of: UUID = buyer) -> str:
        shown = (await store.ask(of, "GET", "/till-code")).json()
        left = datetime.fromisoformat(shown["valid_until"]) - datetime.now(UTC)
        assert timedelta(minutes=2, seconds=30) < left <= timedelta(minutes=6)
        return str(shown["code"])

    async def sell(shown: str | None, key: UUID | None = None) -> Any:  # noqa: ANN401 - an answer
        sale = {"id": str(key or new_id()), "student": str(buyer), "item": str(pen), "code": shown}
        return await store.ask(helper, "POST", f"/shops/{store.shop}/sales", sale)

    missing = await sell(None)
    assert (missing.status_code, [one["pointer"] for one in missing.json()["errors"]]) == (422, ["/code"])
    assert (await sell(await code(other))).json()["type"] == "/problems/code-refused"
    assert (await store.ask(scene.teachers[0], "GET", "/till-code")).status_code == 403
    # The same request gets the same answer, also at once; another with the same code gets none.
    first, key = await code(), new_id()
    answers = await asyncio.gather(*(sell(first, key) for _ in range(4)), *(sell(first) for _ in range(4)))
    assert Counter(one.status_code for one in answers) in ({201: 4, 403: 4}, {201: 1, 403: 7})
    assert await store.balance(buyer) == 15
    assert (await sell(first)).status_code == 403
    assert (await sell(await code())).status_code == 201
    old = await code()
    for minutes, status in ((7, 403), (2, 201)):
        with monkeypatch.context() as patch:
            patch.setattr(till_codes, "_EPOCH", till_codes._EPOCH - timedelta(minutes=minutes))
            assert (await sell(old)).status_code == status
    # Guessing comes to an end, for this seller and not for the office.
    assert [(await sell("000000")).status_code for _ in range(11)] == [403] * 10 + [429]
    assert (await sell(await code())).status_code == 429
    sale = {"id": str(new_id()), "student": str(buyer), "item": str(pen)}
    assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale)).status_code == 201
    assert (await scene.audit()).sound


async def test_who_has_left_the_school_is_no_longer_on_duty(store: "Storefront") -> None:
    helper = store.scene.pupils[0][0]
    await store.on_duty(helper)
    path = f"/shops/{store.shop}/orders"
    assert (await store.ask(helper, "GET", path)).status_code == 200
    async with store.scene.work() as session:
        session.add(Org(id=(next_door := new_id()), name="另一所学校", type="school", parent_id=store.scene.root))
        await session.flush()
        move = sa.update(Membership).where(Membership.person_id == helper).values(org_id=next_door)
        await session.execute(move)
    moved = type(store)(store.scene)  # nobody remembers them
    assert (await moved.ask(helper, "GET", path)).status_code == 404


async def test_other_school_and_other_district_see_nothing(store: "Storefront", make_district: MakeDistrict) -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item()
    order = (await store.order(pupil, pen)).json()["id"]
    async with scene.work() as session:
        session.add(Org(id=(next_door := new_id()), name="另一所学校", type="school", parent_id=scene.root))
    stranger, boss = await store.person("student", next_door), await store.person("siteAdministrator", next_door)
    shop = f"/shops/{store.shop}"
    sale = {"id": str(new_id()), "student": str(pupil), "item": str(pen)}
    item = {"id": str(new_id()), "kind": "good", "title": "x", "price": 1}
    asked: list[tuple[UUID, str, str, Any]] = [
        (stranger, "GET", f"{shop}/items", None),
        (stranger, "GET", f"/items/{pen}/picture", None),
        (stranger, "POST", "/orders", {"id": str(new_id()), "item": str(pen)}),
        (stranger, "POST", f"/orders/{order}/cancel", None),
        (stranger, "GET", f"{shop}/orders", None),
        (boss, "GET", f"{shop}/orders", None),
        (boss, "GET", f"{shop}/orders.xlsx", None),
        (boss, "GET", f"{shop}/stock.xlsx", None),
        (boss, "GET", f"/items/{pen}/movements", None),
        (boss, "GET", f"/items/{pen}/counts", None),
        (boss, "GET", f"{shop}/kiosks", None),
        (boss, "POST", f"{shop}/items", item),
        (boss, "POST", f"{shop}/sales", sale),
        (boss, "POST", f"/orders/{order}/collect", None),
        (boss, "POST", f"/orders/{order}/refuse", {"reason": "没有货"}),
        (boss, "POST", f"/orders/{order}/return", {"reason": "退货"}),
        (boss, "PUT", f"/items/{pen}", {"version": 1, "title": "x", "price": 1}),
        (boss, "POST", f"/items/{pen}/counts", {"id": str(new_id()), "counted": 0, "reason": "清点"}),
    ]
    found = [(path, (await store.ask(who, method, path, body)).status_code) for who, method, path, body in asked]
    assert found == [(path, 404) for _, _, path, _ in asked]
    for who in (stranger, boss):
        assert (await store.ask(who, "GET", "/shops")).json()["items"] == []
    assert [one["name"] for one in (await store.ask(pupil, "GET", "/shops")).json()["items"]] == ["书坊驿站"]
    # A pupil of another school does not pay here either, whoever stands at the till.
    guest = {**sale, "student": str(stranger)}
    assert (await store.ask(store.clerk, "POST", f"{shop}/sales", guest)).status_code == 404
    there = await make_district("yangzhou", "[plugins.points]", name="扬州市")
    elsewhere = type(store)(replace(scene, state=there))
    assert (await elsewhere.ask(await store.token(store.clerk), "GET", "/shops")).status_code == 401
    assert await elsewhere.scene.rows("SELECT 1 FROM {s}.points_order") == []


async def test_what_nobody_collects_goes_back(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen, film = await store.item(), await store.item(kind="event", title="午间电影")
    await store.order(pupil, pen)
    await store.order(pupil, film)
    for days, held in ((6, 10), (9, 5)):
        async with scene.work() as session:
            await JOBS[0].run(scene.context(session, datetime.now(UTC) + timedelta(days=days)))
        assert (await scene.books())["hold"] == held
    states = {one["title"]: one["state"] for one in (await store.ask(pupil, "GET", "/orders")).json()["items"]}
    assert states == {"签字笔": "expired", "午间电影": "placed"}
    assert (await store.stock(pen), await store.balance(pupil)) == ((5, 0), 15)
    assert (await scene.audit()).sound


async def test_event_that_has_begun_is_no_longer_given_up_and_is_paid_at_night(store: "Storefront") -> None:
    scene, (pupil, other, late) = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(pupil, other, late, points=20)
    film, soon, over = (
        await store.item(kind="event", title="午间电影"),
        *((datetime.now(UTC) + timedelta(minutes=minutes)).isoformat() for minutes in (60, -1)),
    )
    seen, gone = [(await store.order(one, film)).json()["id"] for one in (pupil, other)]
    let_go = (await store.order(late, film)).json()["id"]

    async def move(held_at: str | None, version: int) -> Any:  # noqa: ANN401 - JSON
        change = {"version": version, "title": "午间电影", "price": 5, "held_at": held_at}
        return await store.ask(store.clerk, "PUT", f"/items/{film}", change)

    for wrong in (None, "2026-09-01T12:00:00"):
        answer = await move(wrong, 1)
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/held_at"])
    assert (await move(soon, 1)).json()["held_at"] == soon.replace("+00:00", "Z")
    assert (await store.ask(other, "POST", f"/orders/{gone}/cancel")).status_code == 201  # while there is time
    assert (await move(over, 2)).status_code == 200
    assert [(await store.order(other, film)).status_code, await store.balance(other)] == [409, 20]
    refused = await store.ask(pupil, "POST", f"/orders/{seen}/cancel", headers={"Accept-Language": "en"})
    assert (refused.status_code, refused.json()["detail"].split(";")[0]) == (
        409,
        "the event has begun and is no longer cancelled",
    )
    own = "UPDATE {s}.points_order SET state = 'cancelled', closed_at = now(), closed_by = student_id WHERE id = :id"
    with pytest.raises(sa.exc.IntegrityError, match="points_order_held"):
        await scene.rows(own, id=UUID(seen))
    rain = {"reason": "临时停电"}
    assert (await store.ask(store.clerk, "POST", f"/orders/{let_go}/refuse", rain)).status_code == 201
    assert ((await scene.books())["hold"], (await scene.books())["shop"]) == (5, 0)
    for _ in range(2):
        async with scene.work() as session:
            await JOBS[2].run(scene.context(session))
    assert ((await scene.books())["hold"], (await scene.books())["shop"], await store.stock(film)) == (0, 5, (4, 0))
    states = [(await store.ask(one, "GET", "/orders")).json()["items"][0]["state"] for one in scene.pupils[0]]
    assert states == ["collected", "cancelled", "cancelled"]
    assert (await scene.audit()).sound


async def test_only_an_event_has_a_time_and_every_new_one_says_it(store: "Storefront") -> None:
    new = {"id": str(new_id()), "kind": "event", "title": "电影", "price": 5}
    good = {**new, "kind": "good", "held_at": datetime.now(UTC).isoformat()}
    for item in (new, good, {**good, "kind": "event", "held_at": "2026-09-01T12:00:00"}):
        answer = await store.ask(store.clerk, "POST", f"/shops/{store.shop}/items", item)
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/held_at"])
    pen = await store.item()
    with pytest.raises(sa.exc.IntegrityError, match="ck_points_item_held_at"):
        await store.scene.rows("UPDATE {s}.points_item SET held_at = now() WHERE id = :id", id=pen)
    shown = (await store.ask(store.scene.pupils[0][0], "GET", f"/shops/{store.shop}/items")).json()["items"]
    assert [(one["title"], one["held_at"]) for one in shown] == [("签字笔", None)]


async def test_gift_comes_back_in_the_term_it_was_bought_in(store: "Storefront") -> None:
    """Else points that were to expire could wait in a gift for the next term."""
    scene, pupil = store.scene, store.scene.pupils[0][0]
    term = await scene.open_term()
    await scene.give(pupil, points=20)
    sale = {"id": str(new_id()), "student": str(pupil), "item": str(await store.item())}
    assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/sales", sale)).status_code == 201
    await scene.close(term, at_term_end="expire")
    await scene.open_term("2027 年春季学期")
    back = {"reason": "不喜欢了"}
    path, english = f"/orders/{sale['id']}/return", {"Accept-Language": "en"}
    refused = await store.ask(store.clerk, "POST", path, back, headers=english)
    assert (refused.status_code, refused.json()["detail"].split(",")[0]) == (
        409,
        "it was bought in a term that is over",
    )
    with pytest.raises(sa.exc.IntegrityError, match="points_order_term"):
        await scene.rows("UPDATE {s}.points_order SET state = 'returned'")
    assert (await store.balance(pupil), (await scene.books())["shop"]) == (0, 5)
    assert (await scene.audit()).sound


async def test_wish_is_read_by_the_office_and_the_pupil_and_by_nobody_in_the_database(store: "Storefront") -> None:
    scene, (pupil, helper, _) = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(pupil, helper, points=20)
    song = await store.item(kind="privilege", title="点歌一首", price=2, stock=None)
    pen, words = await store.item(), "同桌的你，给小明"
    key = new_id()
    placed = [(await store.order(pupil, song, key=key, wish=words)).json() for _ in range(2)]
    assert [one["wish"] for one in placed] == [words] * 2
    assert (await store.order(pupil, song)).json()["wish"] == ""
    for item, wish in ((pen, words), (song, "长" * 201)):
        answer = await store.order(pupil, item, wish=wish)
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/wish"])
    await store.on_duty(helper)
    for who, path, told in (
        (pupil, "/orders", ["", words]),
        (store.clerk, f"/shops/{store.shop}/orders", ["", words]),
        (helper, f"/shops/{store.shop}/orders", ["", ""]),
    ):
        assert [one["wish"] for one in (await store.ask(who, "GET", path)).json()["items"]] == told
    schema = scene.state.district.schema
    async with scene.platform.database.owner.connect() as connection:
        for name in ("points_order", "points_note", "points_entry", "event"):
            rows = (await connection.execute(sa.text(f'SELECT t::text FROM "{schema}"."{name}" AS t'))).scalars()  # noqa: S608 - ours
            dumped = "".join(rows)
            assert (words in dumped, words.encode().hex() in dumped) == (False, False)
    async with scene.work() as session:
        context = scene.context(session)
        parts = {part.name: part.rows for part in await copy_of(context, person=pupil)}
        await erase(context, person=pupil)
    assert [row["wish"] for row in parts["points_orders"]] == [words, ""]
    mine = (await store.ask(pupil, "GET", "/orders")).json()["items"]
    assert [(one["title"], one["wish"]) for one in mine] == [("点歌一首", "")] * 2
    assert (await scene.audit()).sound


async def test_term_closes_over_open_orders_while_pupils_order(store: "Storefront") -> None:
    """Goods go back to the purse and expire with it; a seat that is taken is paid; nothing is parked past the end."""
    scene, (pupil, other, _) = store.scene, store.scene.pupils[0]
    term = await scene.open_term()
    await scene.give(pupil, other, points=20)
    pen, film = await store.item(stock=50), await store.item(kind="event", title="午间电影")
    await store.order(pupil, pen)
    await store.order(pupil, film)
    await store.token(other)
    ordering = asyncio.gather(*(store.order(other, pen, quantity=1) for _ in range(8)))
    await asyncio.gather(*(scene.close(term, at_term_end="expire") for _ in range(2)))
    await ordering
    books = await scene.books()
    assert (books["hold"], books["purse"], books["quota"]) == (0, 0, 0)
    states = {one["title"]: one["state"] for one in (await store.ask(pupil, "GET", "/orders")).json()["items"]}
    assert (states, books["shop"]) == ({"签字笔": "cancelled", "午间电影": "collected"}, 5)
    assert (await store.order(pupil, pen)).status_code == 409
    assert (await scene.audit()).sound


async def test_many_that_close_at_once_over_open_orders_all_come_to_the_end(store: "Storefront") -> None:
    term = await store.scene.open_term()
    pen = await store.item(price=2)
    for pupil in store.scene.pupils[0]:
        await store.scene.give(pupil, points=20)
        assert (await store.order(pupil, pen)).status_code == 201
    closed = await asyncio.gather(*(store.scene.close(term, at_term_end="expire") for _ in range(12)))
    assert sum(one.points for one in closed) == 2 * 1000 + 1000
    assert (await store.scene.audit()).sound


async def test_term_that_closes_waits_for_an_order_that_is_being_placed(store: "Storefront") -> None:
    """Else the order would commit into a term that is closed, and its points be on hold for ever."""
    scene, pupil = store.scene, store.scene.pupils[0][0]
    term = await scene.open_term()
    await scene.give(pupil, points=20)
    new = NewOrder(id=new_id(), item=await store.item())
    async with scene.work() as session:
        await orders.place(scene.context(session), new=new, student=pupil, orgs=None)
        closing = asyncio.create_task(scene.close(term, at_term_end="expire"))
        assert not (await asyncio.wait([closing], timeout=0.5))[0]
    await closing
    books = await scene.books()
    assert (books["hold"], books["purse"], (await scene.audit()).sound) == (0, 0, True)


async def test_seat_and_points_are_taken_in_one_step_by_a_capability(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    trip = await store.item(kind="event", title="研学一日", stock=None, slot=str(hall := new_id()), price=10)
    seats: dict[UUID, int] = {}

    async def take(context: Context, *, key: UUID, slot: UUID, person: UUID, seats_: int) -> None:
        assert (context.session.in_transaction(), person, slot) == (True, pupil, hall)
        if seats_ > 1:
            raise ProblemError("conflict")
        seats[key] = seats_

    async def give_back(_: Context, *, key: UUID, slot: UUID) -> None:
        assert slot == hall
        del seats[key]

    async def place(quantity: int, **offered: Any) -> UUID:  # noqa: ANN401 - capabilities
        async with scene.work() as session:
            context = replace(scene.context(session), capabilities=offered)
            new = NewOrder(id=new_id(), item=trip, quantity=quantity)
            return (await orders.place(context, new=new, student=pupil, orgs=None)).id

    offered: Any = {
        "venue.seat.take": lambda context, *, seats, **more: take(context, seats_=seats, **more),
        "venue.seat.give_back": give_back,
    }
    for quantity, capabilities in ((1, {}), (2, offered)):
        with pytest.raises(ProblemError, match="conflict"):
            await place(quantity, **capabilities)
    assert (await scene.books()).get("hold", 0) == 0
    order = await place(1, **offered)
    assert (seats, await store.balance(pupil)) == ({order: 1}, 10)
    async with scene.work() as session:
        await orders.cancel(replace(scene.context(session), capabilities=offered), order=order, by=pupil)
    assert (seats, await store.balance(pupil)) == ({}, 20)
    assert (await scene.audit()).sound


@pytest.mark.parametrize("quantity", ['"1"', "1.0", "true", "0", "-1", "21", "1e0", "9223372036854775808"])
async def test_wrong_quantity_is_refused_by_name_and_changes_nothing(store: "Storefront", quantity: str) -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item()
    body = f'{{"id": "{new_id()}", "item": "{pen}", "quantity": {quantity}}}'.encode()
    answer = await store.ask(pupil, "POST", "/orders", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/quantity"])
    assert (await store.stock(pen), await store.balance(pupil)) == ((5, 0), 20)


async def test_everything_at_once_ends_in_order_and_never_in_a_deadlock(store: "Storefront") -> None:
    """Orders, the till, returns, counts, awards and old redemptions of the same few pupils and goods."""
    scene, pupils = store.scene, store.scene.pupils[0]
    await scene.open_term()
    await scene.give(class_id=scene.classes[0], points=20)
    pen, book = await store.item(stock=40), await store.item(stock=40, price=2)
    for pupil in pupils:
        await store.token(pupil)
    placed = [(await store.order(pupils[n % 3], (pen, book)[n % 2])).json()["id"] for n in range(6)]
    till, head = f"/shops/{store.shop}/sales", {"reason": "退货"}

    def verb(n: int) -> Awaitable[Any]:
        pupil, item, order = pupils[n % 3], (pen, book)[n % 2], placed[n % 6]
        sale = {"id": str(new_id()), "student": str(pupil), "item": str(item)}
        count = {"id": str(new_id()), "counted": 30 + n % 10, "reason": "盘点"}
        spent = {"id": str(new_id()), "student": str(pupil), "points": 1, "shop": str(scene.school), "item": "x"}
        award = {"id": str(new_id()), "points": 2, "reason": "tidy", "class_id": str(scene.classes[0])}
        verbs: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda: store.order(pupil, item),
            lambda: store.ask(store.clerk, "POST", till, sale),
            lambda: store.ask(store.clerk, "POST", f"/orders/{order}/collect"),
            lambda: store.ask(pupil, "POST", f"/orders/{order}/cancel"),
            lambda: store.ask(store.clerk, "POST", f"/orders/{order}/return", head),
            lambda: store.ask(store.clerk, "POST", f"/items/{item}/counts", count),
            lambda: store.ask(pupil, "POST", "/redemptions", spent),
            lambda: store.ask(scene.teachers[0], "POST", "/awards", award),
        )
        return verbs[n % 8]()

    for _ in range(3):
        assert set(await _statuses([verb(n) for n in range(64)])) <= {201, 404, 409}
    assert (await scene.audit()).sound
