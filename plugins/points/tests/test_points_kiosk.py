"""A kiosk without the network: it spends what was put aside for it and nothing else, however its sales come in."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gongyu.database.model import new_id
from gongyu.people.models import Org
from gongyu_points.books import run
from gongyu_points.shop import leases
from gongyu_points.shop.jobs import JOBS

if TYPE_CHECKING:
    from tests.conftest import Storefront

#: Litestar asks for markers that its third version will want; the house adopts them all at once.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
JSON = dict[str, Any]


class Device:
    """A kiosk with its token, and a lease of everything beside it."""

    def __init__(self, store: "Storefront", id_: UUID, token: str) -> None:
        self.store, self.id, self.token = store, id_, token
        self.lease: JSON = {}

    async def take(self, *items: JSON, **values: object) -> int:
        wanted = {"id": str(new_id()), "items": list(items)} | values
        answer = await self.store.ask(self.token, "POST", f"/kiosks/{self.id}/leases", wanted)
        self.lease = answer.json()
        return answer.status_code

    def sold(self, student: UUID, item: UUID, **values: object) -> JSON:
        at = datetime.now(UTC).isoformat()
        return {"id": str(new_id()), "student": str(student), "item": str(item), "points": 5, "at": at} | values

    async def upload(self, *sales: JSON, **values: object) -> JSON:
        body = {"signature": self.lease["signature"], "sales": list(sales)} | values
        answer = await self.store.ask(self.token, "POST", f"/leases/{self.lease['id']}/sales", body)
        assert answer.status_code == 201, answer.text
        done: JSON = answer.json()
        return done


async def _device(store: "Storefront", name: str = "一楼自助机") -> Device:
    made = await store.ask(store.clerk, "POST", f"/shops/{store.shop}/kiosks", {"id": str(new_id()), "name": name})
    assert made.status_code == 201, made.text
    return Device(store, UUID(made.json()["id"]), made.json()["token"])


@pytest.fixture
async def device(store: "Storefront") -> Device:
    """Two pupils of the first class have 20 and 12 points; the others have none."""
    one, two, _ = store.scene.pupils[0]
    await store.scene.open_term()
    await store.scene.give(one, points=20)
    for points in (10, 2):
        await store.scene.give(two, points=points)
    return await _device(store)


async def test_sales_come_in_any_order_and_twice_and_the_rest_goes_back(device: Device) -> None:
    store, scene, (one, two, _) = device.store, device.store.scene, device.store.scene.pupils[0]
    pen, song = await store.item(stock=5), await store.item(stock=None, kind="privilege", title="点歌", price=2)
    assert await device.take({"item": str(pen), "quantity": 3}, {"item": str(song)}) == 201
    listed = {pupil["student"]: (pupil["name"], pupil["budget"]) for pupil in device.lease["pupils"]}
    assert listed == {str(one): ("学生1-0", 20), str(two): ("学生1-1", 12)}
    assert ((await scene.books())["hold"], (await scene.books())["purse"], await store.stock(pen)) == (32, 0, (5, 3))
    # Whatever is put aside is spent nowhere else.
    assert (await store.order(one, song)).status_code == 409

    first, second = device.sold(one, pen), device.sold(two, song, points=4, quantity=2)
    third = device.sold(one, pen, points=10, quantity=2)
    assert (await device.upload(second, first))["accepted"] == [second["id"], first["id"]]
    again = await device.upload(first, third, second, third)
    assert (again["accepted"], again["repeated"], again["refused"]) == (
        [third["id"]],
        [first["id"], second["id"], third["id"]],
        [],
    )
    assert (await device.upload(settle=True))["state"] == "settled"
    assert (await device.upload(third, settle=True))["repeated"] == [third["id"]]
    assert (await store.balance(one), await store.balance(two), await store.stock(pen)) == (5, 8, (2, 0))
    assert (await scene.books())["shop"] == 19
    told = await scene.rows("SELECT count(*) FROM {s}.event WHERE type = 'points.redeemed.v1'")
    assert told == [(3,)]
    # A gift sold at the kiosk comes back like any other, after the lease as well.
    back = await store.ask(store.clerk, "POST", f"/orders/{third['id']}/return", {"reason": "质量问题"})
    assert (back.json()["channel"], await store.balance(one), await store.stock(pen)) == ("kiosk", 15, (4, 0))
    assert (await scene.audit()).sound


async def test_tampered_sales_are_refused_one_by_one(device: Device) -> None:
    store, (one, two, poor) = device.store, device.store.scene.pupils[0]
    pen, late = await store.item(stock=9), datetime.now(UTC) + timedelta(hours=20)
    ruler = await store.item(title="尺子")
    await device.take({"item": str(pen), "quantity": 5})
    fine, more, last = device.sold(one, pen), device.sold(one, pen), device.sold(two, pen)
    cases: list[tuple[str | None, JSON]] = [
        (None, fine),
        ("used", {**fine, "student": str(two)}),
        ("pupil", device.sold(poor, pen)),
        ("item", device.sold(one, ruler)),
        ("price", device.sold(one, pen, points=1)),
        ("quantity", device.sold(one, pen, points=30, quantity=6)),
        ("budget", device.sold(two, pen, points=15, quantity=3)),
        ("time", device.sold(one, pen, at=late.isoformat())),
        ("time", device.sold(one, pen, at="2026-09-01T08:00:00")),
        (None, more),
        (None, last),
    ]
    done = await device.upload(*(sale for _, sale in cases))
    assert done["accepted"] == [fine["id"], more["id"], last["id"]]
    assert [(one["id"], one["code"]) for one in done["refused"]] == [(sale["id"], code) for code, sale in cases if code]
    assert all(one["zh"] and one["en"] for one in done["refused"])
    assert (await store.scene.books())["hold"] == 17
    forged = {"signature": "0" * 64, "sales": [device.sold(one, pen)]}
    answer = await store.ask(device.token, "POST", f"/leases/{device.lease['id']}/sales", forged)
    assert (answer.status_code, [wrong["pointer"] for wrong in answer.json()["errors"]]) == (422, ["/signature"])
    lenient = {"signature": device.lease["signature"], "sales": [device.sold(one, pen, points="5")]}
    answer = await store.ask(device.token, "POST", f"/leases/{device.lease['id']}/sales", lenient)
    assert [wrong["pointer"] for wrong in answer.json()["errors"]] == ["/sales/0/points"]
    await device.upload(settle=True)
    assert (await store.balance(one), await store.balance(two), await store.stock(pen)) == (10, 7, (6, 0))
    assert (await store.scene.audit()).sound


async def test_many_uploads_at_once_book_each_sale_once(device: Device) -> None:
    store, (one, two, _) = device.store, device.store.scene.pupils[0]
    pen = await store.item(stock=9)
    await device.take({"item": str(pen), "quantity": 9})
    sales = [device.sold(one, pen), device.sold(two, pen), device.sold(one, pen)]
    answers = await asyncio.gather(*(device.upload(*sales[n % 3 :], settle=n == 7) for n in range(8)))
    accepted = Counter(id_ for answer in answers for id_ in answer["accepted"])
    assert accepted == {sale["id"]: 1 for sale in sales}
    await device.upload(settle=True)
    assert (await store.balance(one), await store.balance(two), await store.stock(pen)) == (10, 7, (6, 0))
    assert (await store.scene.audit()).sound


async def test_lease_that_ended_is_still_uploaded_until_its_points_have_gone_back(
    device: Device,
) -> None:
    store, scene, (one, _, _) = device.store, device.store.scene, device.store.scene.pupils[0]
    pen = await store.item(stock=5)
    await device.take({"item": str(pen), "quantity": 5})
    sale, lost = device.sold(one, pen), device.sold(one, pen)

    async def job(after: timedelta) -> None:
        async with scene.work() as session:
            await JOBS[1].run(scene.context(session, datetime.now(UTC) + after))

    await job(timedelta(hours=13))  # it sells no longer, but what it sold is still booked
    assert (await device.upload(sale))["accepted"] == [sale["id"]]
    assert (await device.take({"item": str(pen), "quantity": 1}), device.lease["type"]) == (409, "/problems/conflict")
    await job(timedelta(hours=85))
    assert ((await scene.books())["hold"], await store.balance(one), await store.stock(pen)) == (0, 15, (4, 0))
    lease = await scene.rows("SELECT id, encode(signature, 'hex') FROM {s}.points_lease")
    device.lease = {"id": str(lease[0][0]), "signature": lease[0][1]}
    done = await device.upload(sale, lost)
    assert (done["repeated"], [one["code"] for one in done["refused"]]) == ([sale["id"]], ["closed"])
    assert (await scene.audit()).sound


async def test_upload_that_waited_for_the_term_to_close_learns_what_became_of_its_sales(device: Device) -> None:
    store, scene, one = device.store, device.store.scene, device.store.scene.pupils[0][0]
    pen = await store.item(stock=5)
    await device.take({"item": str(pen), "quantity": 5})
    sale = device.sold(one, pen)
    async with scene.work() as session:
        await run(session, "SELECT {s}.points_halt()")
        uploading = asyncio.create_task(device.upload(sale, settle=True))
        await asyncio.sleep(0.3)  # it has seen that its lease is open
        assert not uploading.done()
        lease, today = UUID(device.lease["id"]), datetime.now(UTC).date()
        assert await leases.settle(session, [lease], "withdrawn", by=None, day=today)
        await run(session, "UPDATE {s}.points_term SET state = 'closing', keep_percent = 0")
    done = await uploading
    assert ([one["code"] for one in done["refused"]], done["state"]) == (["closed"], "withdrawn")
    assert (await scene.audit()).sound


async def test_token_of_a_kiosk_opens_nothing_else(device: Device) -> None:
    store, scene = device.store, device.store.scene
    pen = await store.item()
    await device.take({"item": str(pen), "quantity": 1})
    other = await _device(store, "二楼自助机")
    shop, pupil = f"/shops/{store.shop}", scene.pupils[0][0]
    wanted = {"id": str(new_id()), "items": [{"item": str(pen), "quantity": 1}]}
    upload = {"signature": device.lease["signature"]}
    tries = {
        "items": ("GET", f"{shop}/items", None, 403),
        "till": ("POST", f"{shop}/sales", {"id": str(new_id()), "student": str(pupil), "item": str(pen)}, 403),
        "give": ("POST", "/awards", {"id": str(new_id()), "points": 5, "reason": "tidy", "students": []}, 403),
        "purse": ("GET", f"/students/{pupil}/purse", None, 403),
        "withdraw": ("POST", f"/leases/{device.lease['id']}/withdraw", None, 403),
        "lease of another": ("POST", f"/kiosks/{device.id}/leases", wanted, 404),
        "sales of another": ("POST", f"/leases/{device.lease['id']}/sales", upload, 404),
    }
    found = {
        name: (await store.ask(other.token, method, path, body)).status_code
        for name, (method, path, body, _) in tries.items()
    }
    assert found == {name: expected for name, (_, _, _, expected) in tries.items()}
    assert (await store.ask(store.clerk, "POST", f"/kiosks/{device.id}/retire")).status_code == 201
    answer = await store.ask(device.token, "POST", f"/leases/{device.lease['id']}/sales", upload)
    assert answer.status_code == 401
    # Its lease is withdrawn by a person, and the points are there again.
    withdrawn = [
        (await store.ask(store.clerk, "POST", f"/leases/{device.lease['id']}/withdraw")).status_code for _ in range(2)
    ]
    assert (withdrawn, await store.balance(pupil)) == ([201, 409], 20)


async def test_what_cannot_be_known_without_the_network_is_not_leased(device: Device) -> None:
    store = device.store
    limited, trip = await store.item(term_limit=1), await store.item(kind="event", stock=None, slot=str(new_id()))
    pen = await store.item(stock=2)
    assert await device.take({"item": str(limited), "quantity": 1}, {"item": str(trip)}, {"item": str(pen)}) == 422
    pointers = [one["pointer"] for one in device.lease["errors"]]
    assert pointers == ["/items/0/item", "/items/1/item", "/items/2/quantity"]
    assert await device.take({"item": str(pen), "quantity": 3}) == 409
    nobody = [str(store.scene.pupils[1][0])]
    assert await device.take({"item": str(pen), "quantity": 1}, students=nobody) == 409
    assert ((await store.scene.books())["purse"], await store.stock(pen)) == (32, (2, 0))


async def test_term_waits_for_a_kiosk_or_for_a_person_to_withdraw_its_lease(device: Device) -> None:
    store, scene = device.store, device.store.scene
    pen = await store.item()
    await device.take({"item": str(pen), "quantity": 1})
    office = await store.person("districtAdministrator", scene.root)
    term = (await store.ask(office, "GET", "/terms")).json()[0]["id"]
    headers = {"Accept-Language": "en"}
    refused = await store.ask(office, "POST", f"/terms/{term}/close", {}, headers=headers)
    assert (refused.status_code, "书坊驿站 一楼自助机" in refused.json()["detail"]) == (409, True)
    sale = device.sold(scene.pupils[0][0], pen)
    assert (await device.upload(sale, settle=True))["accepted"] == [sale["id"]]
    assert (await store.ask(office, "POST", f"/terms/{term}/close", {})).status_code == 201
    # Between two terms the device still learns what became of its sales, and books nothing.
    late = device.sold(scene.pupils[0][0], pen)
    again = await device.upload(sale, late, settle=True)
    assert (again["accepted"], again["repeated"], again["state"]) == ([], [sale["id"]], "settled")
    assert [(one["id"], one["code"]) for one in again["refused"]] == [(late["id"], "closed")]
    assert (await scene.audit()).sound


async def test_lease_asked_for_twice_at_once_is_one_lease(device: Device) -> None:
    store = device.store
    pen = await store.item(stock=5)
    wanted = {"id": str(new_id()), "items": [{"item": str(pen), "quantity": 3}]}
    path = f"/kiosks/{device.id}/leases"
    answers = await asyncio.gather(*(store.ask(device.token, "POST", path, wanted) for _ in range(6)))
    told = [{name: value for name, value in one.json().items() if name != "now"} for one in answers]
    assert ([one.status_code for one in answers], told) == ([201] * 6, [told[0]] * 6)
    assert (told[0]["id"], (await store.scene.books())["hold"], await store.stock(pen)) == (wanted["id"], 32, (5, 3))
    other = {**wanted, "items": [{"item": str(pen), "quantity": 1}]}
    assert (await store.ask(device.token, "POST", path, other)).status_code == 422
    assert (await store.scene.audit()).sound


async def test_kiosk_opens_the_live_stream_of_its_own_school_and_of_no_other(device: Device) -> None:
    store, scene = device.store, device.store.scene
    async with scene.work() as session:
        session.add(Org(id=(next_door := new_id()), name="另一所学校", type="school", parent_id=scene.root))
    await store.person("student", next_door)
    assert (await store.ask(device.token, "GET", f"/schools/{next_door}/live")).status_code == 404

    # A stream does not end, and httpx would wait for its end: so the screen is a few lines of ASGI.
    began, gone = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def receive() -> JSON:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        if message["type"] == "http.response.start":
            began.set_result((message["status"], dict(message["headers"])[b"content-type"]))

    path = f"/api/v1/{scene.state.district.slug}/points/schools/{scene.school}/live"
    headers = [(b"host", b"gongyu.test"), (b"authorization", f"Bearer {device.token}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
    more = {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1)}
    app: Any = store.transport.app
    screen = asyncio.create_task(
        app({**scope, **more, "server": ("gongyu.test", 80), "asgi": {"version": "3.0"}}, receive, send)
    )
    status, kind = await asyncio.wait_for(began, 10)
    gone.set()
    await asyncio.wait_for(screen, 10)
    assert (status, kind.split(b";")[0]) == (200, b"text/event-stream")
