"""Everybody at once: whatever is scarce is given out exactly, and nobody is told of a deadlock."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.web import ProblemError

if TYPE_CHECKING:
    from tests.conftest import Scene


@pytest.fixture(params=[1, 8, 32], name="scene")
async def at_once(scene: "Scene", request: pytest.FixtureRequest) -> AsyncGenerator["Scene"]:
    """The district, reached by so many connections."""
    database = Database(scene.platform.database.url, connections=request.param)
    yield replace(scene, platform=replace(scene.platform, database=database))
    await database.close()


async def together(verbs: Iterable[Awaitable[object]]) -> Counter[str]:
    """How each ended; anything but done and a conflict of the books is raised."""
    ends: Counter[str] = Counter()
    for end in await asyncio.gather(*verbs, return_exceptions=True):
        if isinstance(end, ProblemError) and end.kind == "conflict":
            ends[end.kind] += 1
        elif isinstance(end, BaseException):
            raise end
        else:
            ends["done"] += 1
    return ends


async def test_quota_is_given_out_to_the_last_point_and_no_further(scene: "Scene") -> None:
    await scene.open_term(quota=100)
    pupils = scene.pupils[0]
    ends = await together(scene.give(pupils[n % 3], points=5, day_cap=1000) for n in range(60))
    assert ends == {"done": 20, "conflict": 40}
    assert await scene.books() == {"issue": -300, "quota": 200, "purse": 100}
    assert (await scene.audit()).sound


async def test_class_awards_that_overlap_and_purchases_never_deadlock(scene: "Scene") -> None:
    await scene.open_term()
    pupils = scene.pupils[0]
    verbs: list[Callable[[int], Awaitable[object]]] = [
        lambda n: scene.give(*reversed(pupils), points=2, day_cap=1000, teacher=n % 3, give_to="school"),
        lambda n: scene.give(class_id=scene.classes[0], points=2, day_cap=1000, teacher=(n + 1) % 3, give_to="school"),
        lambda n: scene.give(pupils[n % 3], pupils[(n + 1) % 3], points=2, day_cap=1000),
        lambda n: scene.spend(pupils[n % 3], 1),
    ]
    await together(verbs[n % 4](n) for n in range(60))
    assert (await scene.audit()).sound


async def test_purse_is_spent_once(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    await scene.give(pupil, points=20)
    ends = await together(scene.spend(pupil, 15 if n % 2 else 10) for n in range(20))
    assert ends["done"] in (1, 2)
    left = (await scene.books())["purse"]
    assert (ends["done"], left) in {(1, 5), (2, 0)}


async def test_one_key_sent_by_many_is_one_award(scene: "Scene") -> None:
    await scene.open_term()
    key = new_id()
    answers = await asyncio.gather(*(scene.give(class_id=scene.classes[0], key=key, points=2) for _ in range(16)))
    assert len({tuple(one.entry for one in answer.students) for answer in answers}) == 1
    assert (await scene.books())["purse"] == 6


async def test_award_is_either_spent_or_taken_back(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    for _ in range(6):
        given = await scene.give(pupil, points=10, day_cap=1000)
        ends = await together([scene.undo(given.operation), scene.spend(pupil, 10), scene.undo(given.operation)])
        assert ends == {"done": 1, "conflict": 2}
    assert (await scene.books())["purse"] == 0
    assert (await scene.audit()).sound


async def test_day_cap_holds_against_two_givers(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    ends = await together(scene.give(pupil, points=5, day_cap=20, teacher=n % 3, give_to="school") for n in range(18))
    assert ends == {"done": 4, "conflict": 14}


async def test_two_that_close_at_once_halve_every_purse_once(scene: "Scene") -> None:
    term = await scene.open_term()
    for number, class_id in enumerate(scene.classes):
        await scene.give(class_id=class_id, points=20, teacher=number)
    await scene.give(scene.pupils[0][0], points=5)
    done = await asyncio.gather(*(scene.close(term, at_term_end="share", carry_percent=50) for _ in range(4)))
    purses = await scene.rows("SELECT posted FROM {s}.points_account WHERE kind = 'purse' ORDER BY posted")
    assert purses == [(10,)] * 5 + [(13,)]
    books = await scene.books()
    assert books == {"issue": -3000, "quota": 0, "purse": 63, "expired": 2937}
    assert (sum(one.accounts for one in done), sum(one.points for one in done)) == (3 + 6, 2937)
    ended = await scene.rows("SELECT actor, details FROM {s}.audit_line WHERE action = 'points.term_closed'")
    assert ended == [("system", {"expired": 2937})]
    assert (await scene.audit()).sound


async def test_term_closes_once_while_people_give_and_spend(scene: "Scene") -> None:
    term = await scene.open_term()
    pupils = scene.pupils[0]
    await scene.give(class_id=scene.classes[0], points=20)
    done: list[UUID] = []

    async def give(n: int) -> None:
        done.append((await scene.give(pupils[n % 3], points=2, day_cap=1000)).operation)

    await together(
        [
            *(give(n) for n in range(12)),
            *(scene.spend(pupils[n % 3], 1) for n in range(12)),
            scene.close(term, at_term_end="expire"),
            scene.close(term, at_term_end="expire"),
            *(give(n) for n in range(12)),
        ]
    )
    books = await scene.books()
    assert (books["quota"], books["purse"]) == (0, 0)
    assert books["issue"] + books["expired"] + books.get("shop", 0) == 0
    acknowledged = await scene.rows("SELECT id FROM {s}.points_entry WHERE kind = 'award' AND points = 2")
    assert {row[0] for row in acknowledged} == set(done)
    assert (await scene.audit()).sound
