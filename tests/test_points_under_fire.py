"""The books of points under load and under kill -9: a real server, real connections, nothing but HTTP to the books.

What is looked at afterwards is read past our code, from the tables themselves.
"""

import asyncio
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import asyncpg
import httpx
import psutil
import pytest
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.districts.service import apply_file, read_file
from gongyu.events.outbox import work
from gongyu.people.models import ClassGroup, Enrolment, Membership, Org, Person
from gongyu.platform import Platform
from gongyu.testing.deployment import Deployment, Server
from gongyu_points.vouchers.printing import fresh_codes

LONG_AGO = date(2020, 9, 1)
TEACHERS = [f"teacher{n}" for n in range(12)]
PUPILS = [f"pupil{n}" for n in range(64)]
CLASSES = {"class0": PUPILS[:32], "class1": PUPILS[32:]}
ROLES = {
    **dict.fromkeys(TEACHERS, "teacher"),
    **dict.fromkeys(PUPILS, "student"),
    "clerk": "siteAdministrator",
    "office": "districtAdministrator",
}
SETTINGS = """
[plugins.points]
give_to = "school"
day_cap = 1000
at_term_end = "expire"
"""


def is_(name: str) -> UUID:
    """Whoever and whatever has a name has the same id in every district."""
    return uuid5(NAMESPACE_OID, name)


class Ask(NamedTuple):
    """A request by somebody."""

    who: str
    path: str
    body: Any = None
    method: str = "POST"
    alone: bool = False
    """With an `Idempotency-Key` of HTTP's too: an award is then a unit of work by itself, not written with others."""

    @property
    def key(self) -> UUID:
        return UUID(self.body["id"])


def award(who: str, points: int, *, key: UUID | None = None, **whom: Any) -> Ask:  # noqa: ANN401 - JSON
    body = {"id": str(key or uuid4()), "points": points, "reason": "helps_others", **whom}
    return Ask(who, "/awards", body)


def redemption(pupil: str, points: int, *, key: UUID | None = None) -> Ask:
    body = {"id": str(key or uuid4()), "student": str(is_(pupil)), "points": points, "shop": str(is_("school"))}
    return Ask(pupil, "/redemptions", {**body, "item": "签字笔"})


def deposit(pupil: str, code: str) -> Ask:
    return Ask(pupil, "/deposits", {"id": str(uuid4()), "code": code})


def order(pupil: str, item: str, **more: Any) -> Ask:  # noqa: ANN401 - JSON
    return Ask(pupil, "/orders", {"id": str(uuid4()), "item": str(is_(item)), **more})


class Town:
    """A district with a school, its people and everybody's token; a term is open and each purse holds 200."""

    def __init__(self, deployment: Deployment, slug: str) -> None:
        self.deployment, self.slug = deployment, slug
        self.url = ""
        self.dsn = deployment.on_platform(self._settle).replace("+asyncpg", "")

    async def _settle(self, platform: Platform) -> str:
        text = f'[district]\nslug = "{self.slug}"\nname = "{self.slug}"\n{SETTINGS}'
        await apply_file(platform, read_file(platform, text, file=f"{self.slug}.toml"), actor="operator:test")
        async with work(platform, platform.state(self.slug)) as session:
            root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
            school = Org(id=is_("school"), name="武昌学校", type="school", parent_id=root)
            session.add_all([school, *(Person(id=is_(name), name=name) for name in ROLES)])
            await session.flush()
            session.add_all(ClassGroup(id=is_(one), title=one, type="homeroom", school_id=school.id) for one in CLASSES)
            await session.flush()
            for name, role in ROLES.items():
                org = root if name == "office" else school.id
                session.add(Membership(person_id=is_(name), org_id=org, role=role, begins_on=LONG_AGO))
            for title, pupils in CLASSES.items():
                for pupil in pupils:
                    held = {"class_id": is_(title), "role": "student", "begins_on": LONG_AGO}
                    session.add(Enrolment(person_id=is_(pupil), **held))
            await session.flush()
            expires = datetime.now(UTC) + timedelta(days=1)
            self.tokens = {
                name: await create_token(session, person=is_(name), name="测试", scopes=["*"], expires_at=expires)
                for name in ROLES
            }
        return platform.database.url

    def stock_up(self, server: Server) -> None:
        """The term, a budget that is never used up, what the purses begin with, and a shop with things."""
        self.url = f"{server.url}/api/v1/{self.slug}/points"
        fund = {"id": str(is_("fund")), "title": "校运会", "points": 100_000, "holder": str(is_("clerk"))}
        shop = {"id": str(is_("shop")), "school": str(is_("school")), "name": "书坊驿站"}
        pen = {"id": str(is_("pen")), "kind": "good", "title": "签字笔", "price": 5}
        song = {"id": str(is_("song")), "kind": "privilege", "title": "点歌", "price": 1, "limited": False}
        asks = [
            Ask("office", "/terms", {"id": str(is_("term")), "title": "2026 年秋季学期"}),
            Ask("office", "/budgets", {**fund, "org": str(is_("school"))}),
            *(award("clerk", 20, class_id=str(is_(one)), budget=str(is_("fund"))) for one in [*CLASSES] * 10),
            Ask("clerk", "/shops", shop),
            Ask("clerk", f"/shops/{is_('shop')}/items", pen),
            Ask("clerk", f"/shops/{is_('shop')}/items", song),
            Ask("clerk", f"/items/{is_('pen')}/movements", {"id": str(uuid4()), "kind": "delivery", "quantity": 5}),
        ]
        assert [self.ask(one).status_code for one in asks] == [201] * len(asks)

    def ask(self, ask: Ask) -> httpx.Response:
        return self.at_once([ask])[0]

    def at_once(self, asks: Sequence[Ask], *, connections: int = 64) -> list[httpx.Response]:
        """All of them on so many connections, which are open before the first one is sent."""

        async def send() -> list[httpx.Response]:
            async with client(connections) as http:
                await asyncio.gather(*(http.get(f"{self.url}/reasons") for _ in range(min(connections, len(asks)))))
                return await asyncio.gather(*(self.send(http, one) for one in asks))

        return asyncio.run(send())

    async def send(self, http: httpx.AsyncClient, ask: Ask) -> httpx.Response:
        a, b, c, *_ = is_(ask.who).bytes
        headers = {"Authorization": f"Bearer {self.tokens[ask.who]}", "X-Forwarded-For": f"10.{a}.{b}.{c}"}
        if ask.alone:
            headers["Idempotency-Key"] = f'"{ask.key}"'
        if isinstance(ask.body, str):
            headers["Content-Type"] = "application/json"
            return await http.request(ask.method, self.url + ask.path, headers=headers, content=ask.body)
        return await http.request(ask.method, self.url + ask.path, headers=headers, json=ask.body)

    def get(self, who: str, path: str) -> Any:  # noqa: ANN401 - JSON
        answer = self.ask(Ask(who, path, method="GET"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def balance(self, pupil: str) -> int:
        return int(self.get(pupil, f"/students/{is_(pupil)}/purse")["balance"])

    def codes(self, count: int) -> list[str]:
        """Vouchers of 5, as their printer holds them."""
        sheet = uuid4()
        body = {"id": str(sheet), "batches": [{"points": 5, "count": count}], "reason": "helps_others"}
        made = self.ask(Ask("clerk", "/sheets", {**body, "budget": str(is_("fund"))}))
        assert made.status_code == 201, made.text

        async def read(platform: Platform) -> list[str]:
            state = platform.state(self.slug)
            async with work(platform, state) as session:
                context = platform.context("points", state, session)
                return [paper.code for paper in await fresh_codes(context, sheet=sheet, printer=is_("clerk"))]

        return self.deployment.on_platform(read)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        async def read() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute(f"SET search_path = d_{self.slug}")
                return [tuple(row) for row in await connection.fetch(sql, *values)]
            finally:
                await connection.close()

        return asyncio.run(read())

    def entries(self, asks: Sequence[Ask]) -> set[UUID]:
        """The keys of those that are in the books."""
        return {row[0] for row in self.rows("SELECT id FROM points_entry WHERE id = ANY($1)", [a.key for a in asks])}

    def books(self) -> dict[str, int]:
        found = self.rows("SELECT kind, sum(posted)::bigint FROM points_account GROUP BY kind")
        return {str(kind): int(points) for kind, points in found}

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Each row of each table of points, and how many events there were."""
        names = "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_name ~ '^points_'"
        tables = [name for (name,) in self.rows(names, f"d_{self.slug}")]
        found = {name: self.rows(f"SELECT t::text FROM {name} AS t ORDER BY 1") for name in tables}  # noqa: S608 - ours
        return found | {"event": self.rows("SELECT count(*) FROM event")}

    def audit(self) -> set[int]:
        return {line["broken"] for line in self.get("office", "/audit")["invariants"]}


def client(connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(30, pool=60))


def ends(answers: Sequence[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def settle(deployment: Deployment, *slugs: str) -> list[Town]:
    deployment.environment["GONGYU_TRUSTED_PROXIES"] = "127.0.0.1"  # so that each pupil may come from their own address
    return [Town(deployment, slug) for slug in slugs]


# ── everybody at once ─────────────────────────────────────────────────────────────────────────────────────────────────


class Scene(NamedTuple):
    town: Town
    twin: Town
    fresh: Iterator[str]
    """Teachers whose quota is whole."""


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    deployment = Deployment(tmp_path_factory.mktemp("races") / "var")
    town, twin = settle(deployment, "ezhou", "yangzhou")
    return Scene(town, twin, iter(TEACHERS))


@pytest.fixture(scope="module", params=[2, 1], ids=["two workers", "one worker"])
def scene(settled: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with settled.town.deployment.serving(workers=request.param) as server:
        for town in (settled.town, settled.twin):
            if town.url:
                town.url = f"{server.url}/api/v1/{town.slug}/points"
            else:
                town.stock_up(server)
        yield settled


two_workers = pytest.mark.parametrize("scene", [2], indirect=True, ids=["two workers"])


@pytest.mark.parametrize("connections", [1, 8, 32, 64])
def test_quota_and_purse_are_given_out_to_the_last_point_and_no_further(scene: Scene, connections: int) -> None:
    town, teacher, spender = scene.town, next(scene.fresh), PUPILS[connections - 1]
    before = town.books()
    asks = [award(teacher, 20, students=[str(is_(PUPILS[n]))]) for n in range(63) if PUPILS[n] != spender]
    assert town.ask(award(teacher, 20, students=[str(is_(spender))])).status_code == 201
    assert ends(town.at_once(asks, connections=connections)) == {201: 49, 409: len(asks) - 49}
    assert town.get(teacher, "/quota")["left"] == 0

    price, held = 7, town.balance(spender)
    bought = [redemption(spender, price) for _ in range(held // price + 20)]
    done = held // price
    assert ends(town.at_once(bought, connections=connections)) == {201: done, 409: 20}
    assert town.balance(spender) == held - done * price
    assert len(town.entries(bought)) == done

    moved = {kind: points - before.get(kind, 0) for kind, points in town.books().items()}
    paid = done * price
    assert {kind: points for kind, points in moved.items() if points} == {
        "quota": -1000,
        "purse": 1000 - paid,
        "shop": paid,
    }
    assert town.audit() == {0}


@two_workers
def test_last_items_are_sold_once_and_each_order_ends_once(scene: Scene) -> None:
    town = scene.town
    answers = town.at_once([order(pupil, "pen", points=5) for pupil in PUPILS])
    assert ends(answers) == {201: 5, 409: 59}
    placed = [answer.json() for answer in answers if answer.status_code == 201]
    assert town.rows("SELECT on_hand, reserved FROM points_stock WHERE item_id = $1", is_("pen")) == [(5, 5)]

    by_id = {str(is_(pupil)): pupil for pupil in PUPILS}
    both = [
        Ask(who, f"/orders/{one['id']}/{how}")
        for one in placed
        for who, how in (("clerk", "collect"), (by_id[one["student"]], "cancel"))
        for _ in range(6)
    ]
    closed = town.at_once(both)
    assert ends(closed) == {201: 5, 409: 55}
    states = Counter(answer.json()["state"] for answer in closed if answer.status_code == 201)
    left = town.rows("SELECT on_hand, reserved FROM points_stock WHERE item_id = $1", is_("pen"))
    assert left == [(5 - states["collected"], 0)]
    assert town.audit() == {0}


@two_workers
def test_one_code_is_deposited_once_however_many_have_it(scene: Scene) -> None:
    town = scene.town
    shared, *others = town.codes(9)
    before = town.books()
    asks = [deposit(pupil, shared) for pupil in PUPILS[:40]]
    asks += [deposit(pupil, others[n % 8]) for n, pupil in enumerate(PUPILS[40:])]
    answers = town.at_once(asks)
    assert ends(answers) == {201: 9, 403: 55}
    won = Counter(ask.body["code"] for ask, end in zip(asks, answers, strict=True) if end.status_code == 201)
    assert won == dict.fromkeys([shared, *others], 1)
    after = town.books()
    assert (after["voucher"] - before["voucher"], after["purse"] - before["purse"]) == (-45, 45)
    assert town.audit() == {0}


@two_workers
def test_class_awards_that_cross_and_purchases_reach_nobody_as_a_deadlock(scene: Scene) -> None:
    """All the points are there, so whatever is not 201 is our own doing; nor was there one that was tried again."""
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    town, fund = scene.town, str(is_("fund"))
    backwards = [str(is_(pupil)) for pupil in reversed(PUPILS)]
    mixed = [str(is_(PUPILS[n])) for n in itertools.chain(range(63, 0, -4), range(0, 64, 4))]
    earlier = [award("clerk", 2, class_id=str(is_(f"class{n % 2}")), budget=fund) for n in range(8)]
    assert ends(town.at_once(earlier)) == {201: 8}
    before, asks = town.books(), list[Ask]()
    for n in range(8):
        asks += [
            award("clerk", 2, class_id=str(is_(f"class{n % 2}")), budget=fund),
            Ask("clerk", f"/awards/{earlier[n].key}/undo", {"id": str(uuid4())}),
            award("clerk", 2, students=backwards, budget=fund),
            award("clerk", 2, students=mixed, budget=fund),
            award(TEACHERS[11], 2, students=backwards[n::8]),
            *(redemption(pupil, 1) for pupil in PUPILS[n::32]),
            *(order(pupil, "song") for pupil in PUPILS[-1 - n :: -32]),
        ]
    asks += [award("clerk", 2, students=backwards[n:], budget=fund)._replace(alone=True) for n in range(16)]
    assert ends(town.at_once(asks)) == {201: len(asks)}
    after, given = town.books(), 2 * (8 * (64 + 32 + 8) + sum(range(49, 65)))
    assert {kind: after[kind] - before.get(kind, 0) for kind in ("purse", "shop", "hold")} == {
        "purse": given - 32,
        "shop": 16,
        "hold": 16,
    }
    assert town.rows(deadlocks) == [(0,)]
    assert town.audit() == {0}


@two_workers
def test_award_is_either_spent_or_taken_back(scene: Scene) -> None:
    town, some = scene.town, PUPILS[8:24]
    given = [award(TEACHERS[11], 2, students=[str(is_(pupil))]) for pupil in some]
    had = {
        pupil: answer.json()["students"][0]["balance"] for pupil, answer in zip(some, town.at_once(given), strict=True)
    }
    asks = []
    for one, pupil in zip(given, some, strict=True):
        asks += [
            Ask(one.who, f"/awards/{one.key}/undo", {"id": str(uuid4())}),
            redemption(pupil, had[pupil]),
            Ask("clerk", f"/entries/{one.key}/reverse", {"id": str(uuid4()), "reason": "发错了人"}),
            redemption(pupil, had[pupil] - 1),
        ]
    answers = town.at_once(asks)
    assert ends(answers) == {201: 16, 409: 48}
    for n, pupil in enumerate(some):
        won = [answer.status_code == 201 for answer in answers[4 * n : 4 * n + 4]].index(True)
        assert town.balance(pupil) == [had[pupil] - 2, 0, had[pupil] - 2, 1][won]
    assert town.audit() == {0}


@two_workers
def test_equal_ids_and_keys_in_two_districts_never_meet(scene: Scene) -> None:
    here, there = scene.town, scene.twin
    pupil, teacher, key = "pupil40", TEACHERS[10], is_("key")
    before = [town.books() for town in (here, there)]
    held = [town.balance(pupil) for town in (here, there)]
    same = award(teacher, 10, key=key, students=[str(is_(pupil))])
    for town in (here, there, here):
        assert {(one.status_code, one.json()["operation"]) for one in town.at_once([same] * 16)} == {(201, str(key))}
    assert [town.balance(pupil) for town in (here, there)] == [held[0] + 10, held[1] + 10]
    bought = redemption(pupil, 3, key=is_("bought"))
    assert ends(there.at_once([bought] * 8)) == {201: 8}
    assert here.entries([bought]) == set()
    assert here.ask(Ask(teacher, f"/awards/{key}/undo", {"id": str(is_("undone"))})).status_code == 201
    after = [town.books() for town in (here, there)]
    moved = [{kind: new[kind] - old.get(kind, 0) for kind in new} for new, old in zip(after, before, strict=True)]
    assert [{kind: points for kind, points in one.items() if points} for one in moved] == [
        {},
        {"quota": -10, "purse": 7, "shop": 3},
    ]
    tokens, there.tokens = there.tokens, here.tokens
    assert there.ask(Ask(pupil, f"/students/{is_(pupil)}/purse", method="GET")).status_code == 401
    there.tokens = tokens
    assert (here.audit(), there.audit()) == ({0}, {0})


@two_workers
def test_term_closes_once_and_whatever_was_bought_before_stays_bought(scene: Scene) -> None:
    town, before = scene.twin, scene.twin.books()
    close = Ask("office", f"/terms/{is_('term')}/close", {})
    asks: list[Ask] = []
    for n, pupil in enumerate(PUPILS[:60]):
        asks += [redemption(pupil, 7) if n % 3 else order(pupil, "song")]
        asks += [close] * (n in (12, 18, 24))
        asks += [award(TEACHERS[n % 12], 2, students=[str(is_(pupil))])] * (n % 4 == 0)
    answers = town.at_once(asks)
    assert set(ends(answers)) <= {201, 409}
    told = list(zip(asks, answers, strict=True))
    assert {answer.status_code for ask, answer in told if ask is close} == {201}
    booked = [ask for ask in asks if ask.path in ("/redemptions", "/awards")]
    acknowledged = {ask.key for ask, answer in told if ask in booked and answer.status_code == 201}
    assert town.entries(booked) == acknowledged
    sold = 7 * sum(ask.path == "/redemptions" and answer.status_code == 201 for ask, answer in told)
    after, open_before = town.books(), sum(before[kind] for kind in ("quota", "budget", "purse"))
    assert {kind: after[kind] - before.get(kind, 0) for kind in ("issue", "shop", "expired")} == {
        "issue": 0,
        "shop": sold,
        "expired": open_before - sold,
    }
    assert {after[kind] for kind in ("quota", "budget", "purse", "hold")} == {0}
    assert [one["state"] for one in town.get("office", "/terms")] == ["closed"]
    assert town.audit() == {0}
    following = Ask("office", "/terms", {"id": str(uuid4()), "title": "2027 年春季学期"})
    assert town.ask(following).json() == len(TEACHERS)


# ── wrong amounts ─────────────────────────────────────────────────────────────────────────────────────────────────────

WRONG = ("0", "-5", "2.0", '"10"', "1e3", "9223372036854775808", "true")


@two_workers
def test_wrong_amounts_are_refused_at_every_door_and_change_nothing(scene: Scene) -> None:
    town, giver, pupil, school, shop = scene.town, TEACHERS[11], str(is_("pupil0")), str(is_("school")), is_("shop")
    given = award(giver, 2, students=[pupil])
    assert town.ask(given).status_code == 201
    key, song, pen = {"id": str(uuid4())}, {"item": str(is_("song"))}, is_("pen")
    batch = {**key, "reason": "honest"}
    item = {**key, "kind": "good", "title": "笔记本", "price": 5}
    change = {"version": 1, "title": "签字笔", "price": 5}
    booked = {**key, **song, "student": pupil, "points": 1, "at": "2026-11-20T12:00:00Z"}
    budget = {**key, "title": "艺术节", "holder": str(is_("clerk")), "org": school}
    upload, lost = {"signature": "0" * 64}, uuid4()
    # "?" is the amount. Where 3 is as good as any number, and null says that there is none, they are not wrong.
    doors: list[tuple[Ask, str, tuple[str, ...]]] = [
        (Ask(giver, "/awards", {**batch, "students": [pupil], "points": "?"}), "/points", ("3", "null")),
        (
            Ask(giver, "/sheets", {**batch, "batches": [{"points": "?", "count": 1}]}),
            "/batches/0/points",
            ("3", "null"),
        ),
        (Ask(giver, "/sheets", {**batch, "batches": [{"points": 2, "count": "?"}]}), "/batches/0/count", ("null",)),
        (Ask(giver, f"/awards/{given.key}/undo", {**key, "points": "?"}), "/points", ("3", "null", "2")),
        (Ask("clerk", f"/entries/{given.key}/reverse", {**batch, "points": "?"}), "/points", ("3", "null", "2")),
        (Ask("pupil0", "/redemptions", redemption("pupil0", 1).body | {"points": "?"}), "/points", ("null",)),
        (Ask("office", "/budgets", {**budget, "points": "?"}), "/points", ("null",)),
        (Ask("clerk", f"/shops/{shop}/items", {**item, "price": "?"}), "/price", ("null",)),
        (Ask("clerk", f"/shops/{shop}/items", {**item, "term_limit": "?"}), "/term_limit", ()),
        (Ask("clerk", f"/items/{pen}", {**change, "price": "?"}, "PUT"), "/price", ("null",)),
        (Ask("clerk", f"/items/{pen}", {**change, "term_limit": "?"}, "PUT"), "/term_limit", ()),
        (Ask("clerk", f"/items/{pen}", {**change, "version": "?"}, "PUT"), "/version", ("null",)),
        (Ask("clerk", f"/items/{pen}/movements", {**key, "kind": "loss", "quantity": "?"}), "/quantity", ("null",)),
        (Ask("clerk", f"/items/{pen}/counts", {**key, "reason": "盘点", "counted": "?"}), "/counted", ("null",)),
        (Ask("pupil0", "/orders", {**key, **song, "quantity": "?"}), "/quantity", ("null",)),
        (Ask("pupil0", "/orders", {**key, **song, "points": "?"}), "/points", ()),
        (
            Ask("clerk", f"/shops/{shop}/sales", {**key, **song, "student": pupil, "quantity": "?"}),
            "/quantity",
            ("null",),
        ),
        (Ask("clerk", f"/shops/{shop}/sales", {**key, **song, "student": pupil, "points": "?"}), "/points", ()),
        (
            Ask("clerk", f"/kiosks/{lost}/leases", {**key, "items": [{**song, "quantity": "?"}]}),
            "/items/0/quantity",
            (),
        ),
        (
            Ask("clerk", f"/leases/{lost}/sales", {**upload, "sales": [{**booked, "points": "?"}]}),
            "/sales/0/points",
            (),
        ),
        (
            Ask("clerk", f"/leases/{lost}/sales", {**upload, "sales": [{**booked, "quantity": "?"}]}),
            "/sales/0/quantity",
            (),
        ),
    ]
    sent = {
        (ask.path, pointer, amount): ask._replace(body=json.dumps(ask.body).replace('"?"', amount))
        for ask, pointer, more in doors
        for amount in (*WRONG, *more)
        if (pointer, amount) != ("/counted", "0")
    }
    before = town.everything()
    answers = town.at_once([*sent.values()], connections=8)
    found = {
        (door, answer.status_code, *(error["pointer"] for error in answer.json().get("errors", [])))
        for door, answer in zip(sent, answers, strict=True)
    }
    assert found == {(door, 422, door[1]) for door in sent}
    assert town.everything() == before


# ── kill -9 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def battered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    (town,) = settle(Deployment(tmp_path_factory.mktemp("kills") / "var"), "ezhou")
    yield town
    town.deployment.gongyu("points", "audit", "ezhou")  # and so the last one out stops the database


def _worker(server: Server, town: Town, n: int) -> None:  # noqa: ARG001 - as the others
    """The older of the two."""
    min(server.workers(), key=psutil.Process.create_time).kill()


def _supervisor(server: Server, town: Town, n: int) -> None:  # noqa: ARG001 - as the others
    """Alone, and with all its workers at once."""
    if n % 2:
        server.kill()
    else:
        os.kill(server.process.pid, signal.SIGKILL)


def _postgresql(server: Server, town: Town, n: int) -> None:  # noqa: ARG001 - as the others
    """The postmaster alone, and with all its children at once."""
    pid = int((town.deployment.data / "postgresql" / "postmaster.pid").read_text().split()[0])
    postmaster = psutil.Process(pid)
    for process in [postmaster, *(postmaster.children() if n % 2 else [])]:
        process.kill()


@pytest.mark.parametrize("kill", [_worker, _postgresql, _supervisor], ids=["worker", "postgresql", "supervisor"])
@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost_and_nothing_sent_again_is_doubled(
    battered: Town, kill: Callable[[Server, Town, int], None]
) -> None:
    town, codes, statuses = battered, list[str](), Counter[int]()
    workers = 1 if kill is _supervisor else 2
    with ExitStack() as running:
        server = running.enter_context(town.deployment.serving(workers=workers))
        if not town.url:
            town.stock_up(server)
        for n in range(5):
            town.url = f"{server.url}/api/v1/{town.slug}/points"
            codes = codes or town.codes(200)
            before, asks = town.books(), _mixed([codes.pop() for _ in range(40)])
            acknowledged, round_ = asyncio.run(_load(town, asks, partial(kill, server, town, n)))
            statuses += round_
            if kill is _supervisor:
                server.kill()  # the workers that outlive it, as whatever runs the server does
                server = running.enter_context(town.deployment.serving(workers=workers))
                town.url = f"{server.url}/api/v1/{town.slug}/points"
            server.wait_until_ready()
            assert {ask.key for ask in acknowledged} <= town.entries(asks)
            asyncio.run(_again(town, asks))
            assert town.books() == {kind: points + before.get(kind, 0) for kind, points in _MOVED.items()} | {
                kind: points for kind, points in before.items() if kind not in _MOVED
            }
        found = json.loads(town.deployment.gongyu("points", "audit", "ezhou", "--json").stdout)
    assert {line["name"]: line["broken"] for line in found["invariants"] if line["broken"]} == {}
    assert set(statuses) <= {201, 503}  # whoever was not served was told to come again
    assert statuses[201] > 5 * 50


#: What `_mixed` moves when each of it has happened once.
_MOVED = {"quota": -40 * (2 + 3 * 2), "voucher": -40 * 5, "purse": 40 * (2 + 6 + 5 - 1), "shop": 40}


def _mixed(codes: Sequence[str]) -> list[Ask]:
    """Awards to one, awards to three, deposits and redemptions in turn, all of which the books can bear."""
    asks = []
    for n, code in enumerate(codes):
        pupil, three = PUPILS[n], [str(is_(PUPILS[n + m])) for m in (20, 10, 15)]
        asks += [
            award(TEACHERS[n % 12], 2, students=[str(is_(pupil))]),
            deposit(pupil, code),
            award(TEACHERS[(n + 5) % 12], 2, students=three),
            redemption(PUPILS[-1 - n], 1),
        ]
    return asks


async def _load(town: Town, asks: Sequence[Ask], kill: Callable[[], None]) -> tuple[list[Ask], Counter[int]]:
    """Sixteen clients; after the fiftieth answer the kill comes, and they go on."""
    waiting, acknowledged, statuses = iter(asks), list[Ask](), Counter[int]()

    async def one(http: httpx.AsyncClient) -> None:
        for ask in waiting:
            try:
                answer = await town.send(http, ask)
            except httpx.TransportError:
                await asyncio.sleep(0.02)
                continue
            statuses[answer.status_code] += 1
            if answer.status_code == 201:
                acknowledged.append(ask)
                if len(acknowledged) == 50:
                    kill()

    async with client(16) as http:
        await asyncio.gather(*(one(http) for _ in range(16)))
    assert len(acknowledged) >= 50
    return acknowledged, statuses


async def _again(town: Town, asks: Sequence[Ask]) -> None:
    """As a client does: every key once more, until it is answered."""

    async def one(http: httpx.AsyncClient, ask: Ask) -> None:
        answer = httpx.Response(503)
        deadline = time.monotonic() + 20
        while answer.status_code == 503 and time.monotonic() < deadline:
            try:
                answer = await town.send(http, ask)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
        assert answer.status_code == 201, (ask, answer.text)

    async with client(16) as http:
        await asyncio.gather(*(one(http, ask) for ask in asks))
