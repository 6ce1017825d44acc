"""A source that lost half its file must not empty a district unseen."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gongyu.people.importing.plan import RemovalLimit
from gongyu.people.models import Person, RosterImport

if TYPE_CHECKING:
    from tests.people.importing.conftest import Crowd, Some, Town, Write


async def test_many_removals_need_the_exact_number(
    town: "Town", write: "Write", instead: "Some", crowd: "Crowd"
) -> None:
    await town.load(crowd(write, instead))
    before = await town.events()
    half = crowd(write, instead, but=25)
    refused = await town.load(half)
    assert (refused.confirmation_needed, refused.removals, refused.refused is not None) == (True, 25, True)
    wrong = await town.load(half, confirm_removals=24)
    assert wrong.refused is not None
    assert await town.events() == before
    assert await town.rows(sa.select(sa.func.count()).where(Person.ended_on.is_not(None))) == [(0,)]
    right = await town.load(half, confirm_removals=25)
    assert (right.refused, right.events) == (None, 25)
    states = sa.select(RosterImport.state).order_by(RosterImport.id)
    assert await town.rows(states) == [("applied",), ("refused",), ("refused",), ("applied",)]


async def test_few_removals_go_through(town: "Town", write: "Write", instead: "Some", crowd: "Crowd") -> None:
    await town.load(crowd(write, instead))
    assert (await town.load(crowd(write, instead, but=19))).refused is None


def test_limit_is_a_share_and_a_number() -> None:
    limit = RemovalLimit()
    assert [limit.exceeded(removed=removed, current=current) for removed, current in (
        (19, 20), (20, 200), (21, 200), (20, 199), (1000, 20_000),
    )] == [False, False, True, True, False]  # fmt: skip
