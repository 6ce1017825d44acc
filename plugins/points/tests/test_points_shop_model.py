"""Any history of ordering, handing out, cancelling, returning, leasing and uploading, against a few numbers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import create_async_engine

from gongyu.config import Config
from gongyu.database.model import new_id
from gongyu.districts.service import apply_file, read_file
from gongyu.host import load_host
from gongyu.platform import open_platform
from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_points.books import account_id
from gongyu_points.shop import items, kiosk_sales, kiosks, leases, orders, shops, stock
from gongyu_points.shop.kiosk_schemas import KioskSale, LeaseOut, NewKiosk, NewLease, Sales, WantedItem
from gongyu_points.shop.schemas import NewCount, NewItem, NewMove, NewOrder, NewSale, NewShop

if TYPE_CHECKING:
    from tests.conftest import Scene

T = TypeVar("T")
DISTRICT = '[district]\nslug = "ezhou"\nname = "鄂州市"\n[plugins.points]\n'
PRICE, LIMIT, GIVEN, LEASED = 4, 3, 40, 20


@dataclass
class World:
    """What should be there: points of two pupils, one good without and one with a limit per term."""

    purse: dict[int, int] = field(default_factory=lambda: {0: GIVEN, 1: GIVEN})
    taken: dict[tuple[int, bool], int] = field(default_factory=dict)
    there: dict[bool, int] = field(default_factory=lambda: {False: 6, True: 6})
    promised: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    orders: dict[UUID, tuple[int, bool, int, str]] = field(default_factory=dict)
    budgets: dict[int, int] = field(default_factory=dict)
    leased: int = 0
    shop: int = 0


class Shop(RuleBasedStateMachine):
    """Whatever the model forbids, the shop must refuse, and nothing else."""

    scene: "ClassVar[Scene]"
    fresh: "ClassVar[Callable[[], Awaitable[Scene]]]"
    runner: ClassVar[asyncio.Runner]

    @initialize()
    def begin(self) -> None:
        type(self).scene = self.run(type(self).fresh())
        self.world = World()
        self.lease: LeaseOut | None = None
        self.clerk = self.scene.teachers[2]
        self.pupils = self.scene.pupils[0][:2]
        self.run(self._stocked())

    async def _stocked(self) -> None:
        self.term = await self.scene.open_term()
        for points in (20, 20):
            await self.scene.give(*self.pupils, points=points, give_to="school", day_cap=1000)
        self.shop, self.goods, self.kiosk = new_id(), {False: new_id(), True: new_id()}, new_id()
        async with self.scene.work() as session:
            context = self.scene.context(session)
            await shops.create(context, new=NewShop(id=self.shop, school=self.scene.school, name="店"), orgs=None)
            for limited, item in self.goods.items():
                new = NewItem(id=item, kind="good", title="笔", price=PRICE, term_limit=LIMIT if limited else None)
                await items.create(context, shop=self.shop, new=new, orgs=None)
                came = NewMove(id=new_id(), kind="delivery", quantity=6)
                await stock.record(context, item=item, new=came, by=self.clerk, orgs=None)
            new_kiosk = NewKiosk(id=self.kiosk, name="自助机")
            await kiosks.register(
                context, shop=self.shop, new=new_kiosk, by="operator:test", person=self.clerk, orgs=None
            )

    def run(self, work: Awaitable[T]) -> T:
        async def whole() -> T:
            return await work

        return self.runner.run(whole())

    def done(self, verb: Callable[[Context], Awaitable[T]], *, allowed: bool = True) -> T | None:
        """In a unit of work of its own; refused exactly when the model says so."""

        async def whole() -> T:
            async with self.scene.work() as session:
                return await verb(self.scene.context(session))

        answer, refused = None, None
        try:
            answer = self.run(whole())
        except ProblemError as error:
            refused = error
        assert (refused is None) == allowed, f"allowed: {allowed}, answer: {refused}"
        assert refused is None or refused.kind == "conflict"
        return answer

    @rule(who=st.integers(0, 1), limited=st.booleans(), quantity=st.integers(1, 4), till=st.booleans())
    def order(self, who: int, quantity: int, *, limited: bool, till: bool) -> None:
        world, key, points = self.world, new_id(), PRICE * quantity
        allowed = (
            world.purse[who] >= points
            and world.there[limited] - world.promised[limited] >= quantity
            and (not limited or world.taken.get((who, limited), 0) + quantity <= LIMIT)
        )
        pupil, item = self.pupils[who], self.goods[limited]
        if till:
            sale = NewSale(id=key, student=pupil, item=item, quantity=quantity)
            self.done(lambda context: orders.sell(context, new=sale, shop=self.shop, by=self.clerk), allowed=allowed)
        else:
            new = NewOrder(id=key, item=item, quantity=quantity)
            self.done(lambda context: orders.place(context, new=new, student=pupil, orgs=None), allowed=allowed)
        if allowed:
            world.purse[who] -= points
            world.taken[who, limited] = world.taken.get((who, limited), 0) + quantity
            world.promised[limited] += quantity
            world.orders[key] = (who, limited, quantity, "placed")
            if till:
                self._handed(key)

    def _handed(self, key: UUID) -> None:
        who, limited, quantity, _ = self.world.orders[key]
        self.world.orders[key] = (who, limited, quantity, "collected")
        self.world.there[limited] -= quantity
        self.world.promised[limited] -= quantity
        self.world.shop += PRICE * quantity

    @precondition(lambda self: self.world.orders)
    @rule(data=st.data(), verb=st.sampled_from(("collect", "cancel", "give_back")))
    def go_on(self, data: st.DataObject, verb: str) -> None:
        world, key = self.world, data.draw(st.sampled_from(sorted(self.world.orders)))
        who, limited, quantity, state = world.orders[key]
        allowed = state == ("collected" if verb == "give_back" else "placed")
        more = {} if verb == "collect" else {"reason": "退货"}
        self.done(lambda context: getattr(orders, verb)(context, order=key, by=self.clerk, **more), allowed=allowed)
        if not allowed:
            return
        if verb == "collect":
            self._handed(key)
            return
        world.orders[key] = (who, limited, quantity, "over")
        world.purse[who] += PRICE * quantity
        world.taken[who, limited] -= quantity
        if verb == "cancel":
            world.promised[limited] -= quantity
        else:
            world.there[limited] += quantity
            world.shop -= PRICE * quantity

    @rule(limited=st.booleans(), counted=st.integers(0, 8))
    def count(self, counted: int, *, limited: bool) -> None:
        world, new = self.world, NewCount(id=new_id(), counted=counted, reason="盘点")
        allowed = counted >= world.promised[limited]
        item = self.goods[limited]
        self.done(lambda context: stock.count(context, item=item, new=new, by=self.clerk, orgs=None), allowed=allowed)
        if allowed:
            world.there[limited] = counted

    @precondition(lambda self: self.lease is None)
    @rule(quantity=st.integers(1, 5))
    def take_lease(self, quantity: int) -> None:
        world = self.world
        allowed = world.there[False] - world.promised[False] >= quantity and any(world.purse.values())
        new = NewLease(id=new_id(), items=(WantedItem(item=self.goods[False], quantity=quantity),))

        async def take(context: Context) -> LeaseOut:
            row = await kiosks.require_kiosk(context, self.kiosk, caller=self.scene.principal(self.clerk), orgs=None)
            return await leases.take(context, kiosk=row, new=new, by=self.clerk)

        self.lease = self.done(take, allowed=allowed)
        if self.lease is not None:
            world.budgets = {who: min(points, LEASED) for who, points in world.purse.items() if points}
            for who, points in world.budgets.items():
                world.purse[who] -= points
            world.leased, world.promised[False] = quantity, world.promised[False] + quantity

    @precondition(lambda self: self.lease is not None)
    @rule(who=st.integers(0, 1), quantity=st.integers(1, 4), settle=st.booleans(), twice=st.booleans())
    def upload(self, who: int, quantity: int, *, settle: bool, twice: bool) -> None:
        world, lease, points = self.world, self.lease, PRICE * quantity
        assert lease is not None
        sale = KioskSale(
            id=new_id(),
            student=self.pupils[who],
            item=self.goods[False],
            quantity=quantity,
            points=points,
            at=datetime.now(UTC),
        )
        allowed = world.leased >= quantity and world.budgets.get(who, 0) >= points
        data = Sales(signature=lease.signature, sales=(sale,) * (1 + twice), settle=settle)
        answer = self.done(lambda context: kiosk_sales.upload(context, lease=lease.id, data=data, by=self.clerk))
        assert answer is not None
        assert (len(answer.accepted), len(answer.repeated)) == ((1, int(twice)) if allowed else (0, 0))
        if allowed:
            world.budgets[who] -= points
            world.leased -= quantity
            world.promised[False] -= quantity
            world.there[False] -= quantity
            world.shop += points
            world.taken[who, False] = world.taken.get((who, False), 0) + quantity
            world.orders[sale.id] = (who, False, quantity, "collected")
        if settle:
            for one, left in world.budgets.items():
                world.purse[one] += left
            world.promised[False] -= world.leased
            world.budgets, world.leased, self.lease = {}, 0, None

    @invariant()
    def figures_agree(self) -> None:
        world = self.world
        rows: Any = self.run(self.scene.rows("SELECT item_id, on_hand, reserved FROM {s}.points_stock"))
        there = {UUID(str(item)): (on_hand, reserved) for item, on_hand, reserved in rows}
        assert {one: there[item] for one, item in self.goods.items()} == {
            one: (world.there[one], world.promised[one]) for one in self.goods
        }
        accounts: Any = self.run(self.scene.rows("SELECT id, kind, posted, owner_id FROM {s}.points_account"))
        posted = {UUID(str(id_)): points for id_, _, points, _ in accounts}
        assert {n: posted[account_id("purse", owner=pupil)] for n, pupil in enumerate(self.pupils)} == world.purse
        assert posted.get(account_id("shop", owner=self.shop), 0) == world.shop
        mine = [account_id("hold", owner=key) for key in world.orders]
        waiting = sum(PRICE * quantity for _, _, quantity, state in world.orders.values() if state == "placed")
        assert sum(posted.get(one, 0) for one in mine) == waiting
        if self.lease is not None:
            assert posted[account_id("hold", owner=self.lease.id)] == sum(world.budgets.values())

    def teardown(self) -> None:
        if hasattr(self, "term"):
            if self.lease is not None:
                data = Sales(signature=self.lease.signature, settle=True)
                lease = self.lease.id
                self.done(lambda context: kiosk_sales.upload(context, lease=lease, data=data, by=self.clerk))
            self.run(self.scene.close(self.term, at_term_end="expire"))
            found = self.run(self.scene.audit())
            assert found.sound, found
            assert self.run(self.scene.books()).get("hold", 0) == 0


def test_shop_behaves_as_its_model(
    server_url: str, template: str, tmp_path: Path, new_scene: "Callable[..., Awaitable[Scene]]"
) -> None:
    """Each history has new people and a new shop in the same district, and a term of its own."""
    name = f"gongyu_shop_{new_id().hex[-12:]}"
    with asyncio.Runner() as runner:
        runner.run(_administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
        url = sa.engine.make_url(server_url).set(database=name).render_as_string(hide_password=False)
        try:
            stack = open_platform(Config(database_url=url, data=tmp_path), host=load_host(), raise_hook_errors=True)
            platform = runner.run(stack.__aenter__())
            runner.run(apply_file(platform, read_file(platform, DISTRICT, file="ezhou.toml"), actor="operator:test"))
            Shop.runner = runner
            Shop.fresh = lambda: new_scene(platform, platform.state("ezhou"))
            run_state_machine_as_test(
                Shop,
                settings=settings(
                    max_examples=15,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    derandomize=True,
                    database=None,
                ),
            )
            runner.run(stack.__aexit__(None, None, None))
        finally:
            runner.run(_administer(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _administer(server: str, statement: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sa.text(statement))
    await engine.dispose()
