"""Any history of giving, printing, depositing, taking back, spending and closing, against a few dictionaries."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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
from gongyu.web import ProblemError
from gongyu_points.books import account_id
from gongyu_points.reversing import reverse
from gongyu_points.schemas import NewReversal
from gongyu_points.vouchers.depositing import deposit
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import Batch, NewDeposit, NewSheet, Paper, VoidSheet
from gongyu_points.vouchers.voiding import void

if TYPE_CHECKING:
    from tests.conftest import Scene

T = TypeVar("T")
QUOTA = 60
DISTRICT = '[district]\nslug = "ezhou"\nname = "鄂州市"\n[plugins.points]\n'


@dataclass
class Deed:
    """A command that was carried out, and whether it has been taken back."""

    key: UUID
    who: int
    pupils: tuple[int, ...]
    points: int
    taken_back: bool = False


@dataclass
class Slip:
    """A voucher on paper; `entry` is the deposit that holds it."""

    sheet: UUID
    who: int
    points: int
    code: str
    number: int
    state: str = "open"
    entry: UUID | None = None
    pupil: int = -1


@dataclass
class World:
    """What the ledger should say."""

    quota: dict[int, int] = field(default_factory=dict)
    purse: dict[int, int] = field(default_factory=dict)
    awards: list[Deed] = field(default_factory=list)
    bought: list[Deed] = field(default_factory=list)
    paper: list[Slip] = field(default_factory=list)
    open: bool = True


class Books(RuleBasedStateMachine):
    """Two givers, three pupils, one term; whatever the model forbids, the ledger must refuse, and nothing else."""

    scene: "ClassVar[Scene]"
    fresh: "ClassVar[Callable[[], Awaitable[Scene]]]"
    runner: ClassVar[asyncio.Runner]

    @initialize()
    def begin(self) -> None:
        type(self).scene = self.run(type(self).fresh())
        self.term = self.run(self.scene.open_term(quota=QUOTA))
        self.world = World({0: QUOTA, 1: QUOTA}, {0: 0, 1: 0, 2: 0})
        self.pupils = self.scene.pupils[0]

    def run(self, work: Awaitable[T]) -> T:
        async def whole() -> T:
            return await work

        return self.runner.run(whole())

    def tried(self, work: Awaitable[Any], *, allowed: bool, kind: str = "conflict") -> bool:
        refused = None
        try:
            self.run(work)
        except ProblemError as error:
            refused = error
        assert (refused is None) == allowed, f"allowed: {allowed}, answer: {refused}"
        assert refused is None or refused.kind == kind
        return allowed

    @rule(
        who=st.integers(0, 1),
        chosen=st.sets(st.integers(0, 2), min_size=1),
        points=st.sampled_from((2, 5, 10, 20)),
    )
    def give(self, who: int, chosen: set[int], points: Any) -> None:  # noqa: ANN401 - a denomination
        key, world = new_id(), self.world
        allowed = world.open and world.quota[who] >= points * len(chosen)
        students = [self.pupils[one] for one in chosen]
        work = self.scene.give(*students, teacher=who, points=points, key=key, give_to="school", day_cap=10**6)
        if self.tried(work, allowed=allowed):
            world.quota[who] -= points * len(chosen)
            for one in chosen:
                world.purse[one] += points
            world.awards.append(Deed(key, who, tuple(chosen), points))

    @precondition(lambda self: self.world.awards)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        deed = data.draw(st.sampled_from(self.world.awards))
        students = [self.pupils[one] for one in deed.pupils]
        points: Any = deed.points
        self.run(
            self.scene.give(*students, teacher=deed.who, points=points, key=deed.key, give_to="school", day_cap=10**6)
        )

    @precondition(lambda self: self.world.awards)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        world, deed = self.world, data.draw(st.sampled_from(self.world.awards))
        there = all(world.purse[one] >= deed.points for one in deed.pupils)
        if self.tried(
            self.scene.undo(deed.key, teacher=deed.who), allowed=world.open and there and not deed.taken_back
        ):
            deed.taken_back = True
            world.quota[deed.who] += deed.points * len(deed.pupils)
            for one in deed.pupils:
                world.purse[one] -= deed.points

    @rule(pupil=st.integers(0, 2), points=st.integers(1, 30))
    def spend(self, pupil: int, points: int) -> None:
        key, world = new_id(), self.world
        work = self.scene.spend(self.pupils[pupil], points, key=key)
        if self.tried(work, allowed=world.open and world.purse[pupil] >= points):
            world.purse[pupil] -= points
            world.bought.append(Deed(key, 0, (pupil,), points))

    @precondition(lambda self: self.world.bought)
    @rule(data=st.data())
    def bring_back(self, data: st.DataObject) -> None:
        world, deed = self.world, data.draw(st.sampled_from(self.world.bought))
        if self.tried(self._returned(deed.key), allowed=world.open and not deed.taken_back):
            deed.taken_back = True
            world.purse[deed.pupils[0]] += deed.points

    async def _returned(self, entry: UUID) -> None:
        async with self.scene.work() as session:
            context = self.scene.context(session)
            await reverse(
                context, new=NewReversal(new_id(), "退货"), entry=entry, officer=self.scene.teachers[2], orgs=None
            )

    @rule(who=st.integers(0, 1), count=st.integers(1, 3), points=st.sampled_from((2, 5, 20)))
    def print_vouchers(self, who: int, count: int, points: Any) -> None:  # noqa: ANN401 - a denomination
        world, sheet = self.world, new_id()
        new = NewSheet(id=sheet, batches=(Batch(points, count),), reason="honest")
        allowed = world.open and world.quota[who] >= points * count
        if self.tried(self._printed(new, who), allowed=allowed):
            world.quota[who] -= points * count
            paper = self.run(self._paper(sheet, who))
            world.paper += [Slip(sheet, who, points, one.code, one.number) for one in paper]

    async def _printed(self, new: NewSheet, who: int) -> None:
        async with self.scene.work() as session:
            printer = self.scene.principal(self.scene.teachers[who])
            await print_sheet(self.scene.context(session), new=new, printer=printer, orgs=None)

    async def _paper(self, sheet: UUID, who: int) -> Sequence[Paper]:
        async with self.scene.work() as session:
            return await fresh_codes(self.scene.context(session), sheet=sheet, printer=self.scene.teachers[who])

    @precondition(lambda self: self.world.paper)
    @rule(pupil=st.integers(0, 2), data=st.data())
    def deposit(self, pupil: int, data: st.DataObject) -> None:
        world, slip, key = self.world, data.draw(st.sampled_from(self.world.paper)), new_id()
        allowed = world.open and slip.state == "open"
        if self.tried(self._deposited(slip, pupil, key), allowed=allowed, kind="code-refused"):
            slip.state, slip.entry, slip.pupil = "deposited", key, pupil
            world.purse[pupil] += slip.points

    async def _deposited(self, slip: Slip, pupil: int, key: UUID) -> None:
        student = self.pupils[pupil]
        async with self.scene.work() as session:
            context, new = self.scene.with_settings(session, day_cap=10**6), NewDeposit(key, slip.code)
            await deposit(context, new=new, code=slip.code, student=student, actor=student)

    @precondition(lambda self: any(slip.state == "deposited" for slip in self.world.paper))
    @rule(data=st.data())
    def open_again(self, data: st.DataObject) -> None:
        world = self.world
        slip = data.draw(st.sampled_from([slip for slip in world.paper if slip.state == "deposited"]))
        assert slip.entry is not None
        if self.tried(self._returned(slip.entry), allowed=world.open and world.purse[slip.pupil] >= slip.points):
            slip.state = "open"
            world.purse[slip.pupil] -= slip.points

    @precondition(lambda self: self.world.paper)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        world, sheet = self.world, data.draw(st.sampled_from(self.world.paper)).sheet
        left = [slip for slip in world.paper if slip.sheet == sheet and slip.state == "open"]
        if self.tried(self._voided(sheet), allowed=world.open or not left):
            for slip in left:
                slip.state = "void"
                world.quota[slip.who] += slip.points

    async def _voided(self, sheet: UUID) -> None:
        async with self.scene.work() as session:
            await void(self.scene.context(session), new=VoidSheet(new_id()), sheet=sheet, actor=None)

    @rule(keep=st.sampled_from((0, 33, 50, 100)))
    def close(self, keep: int) -> None:
        self.run(self.scene.close(self.term, at_term_end="share", carry_percent=keep))
        if self.world.open:
            self.world.quota = dict.fromkeys(self.world.quota, 0)
            self.world.purse = {one: points - points * (100 - keep) // 100 for one, points in self.world.purse.items()}
            self.world.open = False

    @invariant()
    def balances_agree(self) -> None:
        accounts = {account_id("quota", owner=self.scene.teachers[n], term=self.term): n for n in (0, 1)}
        purses = {account_id("purse", owner=pupil): n for n, pupil in enumerate(self.pupils)}
        rows = self.run(self.scene.rows("SELECT id, posted FROM {s}.points_account"))
        stored = {UUID(str(id_)): posted for id_, posted in rows}
        assert {n: stored[id_] for id_, n in accounts.items()} == self.world.quota
        assert {n: stored.get(id_, 0) for id_, n in purses.items()} == self.world.purse
        for sheet in {slip.sheet for slip in self.world.paper}:
            there = [slip.points for slip in self.world.paper if slip.sheet == sheet and slip.state == "open"]
            assert stored[account_id("voucher", owner=sheet, term=self.term)] == (sum(there) if self.world.open else 0)

    def teardown(self) -> None:
        if hasattr(self, "term"):
            self.run(self.scene.close(self.term))
            found = self.run(self.scene.audit())
            assert found.sound, found


def test_ledger_behaves_as_its_model(
    server_url: str, template: str, tmp_path: Path, new_scene: "Callable[..., Awaitable[Scene]]"
) -> None:
    """Each history has new people in the same district, and a term of its own."""
    name = f"gongyu_model_{new_id().hex[-12:]}"
    with asyncio.Runner() as runner:
        runner.run(_administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
        url = sa.engine.make_url(server_url).set(database=name).render_as_string(hide_password=False)
        try:
            stack = open_platform(Config(database_url=url, data=tmp_path), host=load_host(), raise_hook_errors=True)
            platform = runner.run(stack.__aenter__())
            runner.run(apply_file(platform, read_file(platform, DISTRICT, file="ezhou.toml"), actor="operator:test"))
            Books.runner = runner
            Books.fresh = staticmethod(lambda: new_scene(platform, platform.state("ezhou")))
            run_state_machine_as_test(
                Books,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
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
