"""Giving, taking back, spending and the end of a term, through the services themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id
from gongyu.web import ProblemError
from gongyu_points.giving import award
from gongyu_points.reversing import reverse, undo
from gongyu_points.schemas import AwardOut, BalanceOut, NewAward, NewReversal, NewTerm
from gongyu_points.terms import Closed, open_term

if TYPE_CHECKING:
    from tests.conftest import Scene


async def _reverse(scene: "Scene", session: AsyncSession, new: NewReversal, entry: UUID) -> None:
    orgs = frozenset({scene.school})
    await reverse(scene.context(session), new=new, entry=entry, officer=scene.teachers[2], orgs=orgs)


async def test_award_moves_points_from_quota_to_purse_and_repeats_harmlessly(scene: "Scene") -> None:
    await scene.open_term()
    pupil, key = scene.pupils[0][0], new_id()
    expected = AwardOut(key, 5, [BalanceOut(pupil, key, 5)], 995)
    assert await scene.give(pupil, key=key) == expected
    assert await scene.give(pupil, key=key) == expected
    assert await scene.books() == {"issue": -3000, "quota": 2995, "purse": 5}
    with pytest.raises(ProblemError, match="idempotency-mismatch"):
        await scene.give(pupil, key=key, points=10)
    with pytest.raises(ProblemError, match="not-found"):
        await scene.give(scene.pupils[1][0], key=key, teacher=1)
    events = await scene.rows("SELECT type, subject, data->>'entry' FROM {s}.event WHERE type LIKE 'points.%'")
    assert events == [("points.awarded.v1", str(pupil), str(key))]
    assert (await scene.audit()).sound


async def test_class_award_is_whole_or_not_at_all(scene: "Scene") -> None:
    await scene.open_term(quota=20)
    given = await scene.give(class_id=scene.classes[0], points=5)
    assert (len(given.students), given.left) == (3, 5)
    with pytest.raises(ProblemError, match="not enough points"):
        await scene.give(class_id=scene.classes[0], points=2)
    assert await scene.books() == {"issue": -60, "quota": 45, "purse": 15}
    await scene.undo(given.operation)
    assert await scene.books() == {"issue": -60, "quota": 60, "purse": 0}


async def test_others_pupils_unknown_reasons_and_foreign_denominations_are_refused(scene: "Scene") -> None:
    await scene.open_term()
    with pytest.raises(ProblemError, match="forbidden"):
        await scene.give(scene.pupils[0][0], scene.pupils[1][0])
    with pytest.raises(ProblemError, match="forbidden"):
        await scene.give(new_id(), give_to="school")
    with pytest.raises(ProblemError) as refused:
        await scene.give(reason="luck", points=20, denominations=(2, 5))
    assert [pointer for pointer, _ in refused.value.errors] == ["/points", "/reason", "/students"]
    assert (await scene.give(scene.pupils[1][0], give_to="school")).left == 995
    assert await scene.books() == {"issue": -3000, "quota": 2995, "purse": 5}


async def test_day_cap_holds_and_begins_anew_the_next_day(scene: "Scene") -> None:
    await scene.open_term()
    pupil, now = scene.pupils[0][0], datetime(2026, 9, 7, 4, tzinfo=UTC)
    first = await scene.give(pupil, points=20, now=now, day_cap=25)
    with pytest.raises(ProblemError, match="more than a pupil may earn"):
        await scene.give(pupil, points=10, now=now, day_cap=25)
    await scene.give(pupil, points=5, now=now, day_cap=25)
    await scene.give(pupil, points=10, now=now + timedelta(days=1), day_cap=25)
    assert first.students[0].balance == 20
    assert (await scene.books())["purse"] == 35


async def test_taking_back_yesterdays_award_makes_no_room_today(scene: "Scene") -> None:
    await scene.open_term()
    pupil, monday = scene.pupils[0][0], datetime(2026, 9, 7, 4, tzinfo=UTC)
    tuesday = monday + timedelta(days=1)
    before = await scene.give(pupil, points=20, now=monday, day_cap=25)
    today = await scene.give(pupil, points=20, now=tuesday, day_cap=25)
    async with scene.work() as session:
        await reverse(
            scene.context(session, tuesday),
            new=NewReversal(new_id(), "发错了人"),
            entry=before.operation,
            officer=scene.teachers[2],
            orgs=None,
        )
    with pytest.raises(ProblemError, match="more than a pupil may earn"):
        await scene.give(pupil, points=10, now=tuesday, day_cap=25)
    async with scene.work() as session:
        context = scene.context(session, tuesday)
        await undo(context, key=new_id(), operation=today.operation, giver=scene.teachers[0])
    await scene.give(pupil, points=20, now=tuesday, day_cap=25)
    assert (await scene.books())["purse"] == 20


async def test_reversal_happens_once_and_not_after_spending(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    spent, kept = await scene.give(pupil, points=10), await scene.give(pupil, points=2)
    key = new_id()
    taken = await scene.undo(kept.operation, key=key)
    assert await scene.undo(kept.operation, key=key) == taken
    told = await scene.rows("SELECT subject, data FROM {s}.event WHERE type = 'points.reversed.v1'")
    event = {"entry": str(key), "operation": str(key), "student": str(pupil), "reverses": str(kept.operation)}
    assert told == [(str(pupil), event)]
    with pytest.raises(ProblemError, match="reversed already"):
        await scene.undo(kept.operation)
    bought = await scene.spend(pupil, 10)
    assert bought.balance == 0
    with pytest.raises(ProblemError, match="not enough points"):
        await scene.undo(spent.operation)
    with pytest.raises(ProblemError, match="not enough points"):
        await scene.spend(pupil, 1)
    with pytest.raises(ProblemError, match="not-found"):
        await scene.undo(spent.operation, teacher=1)
    async with scene.work() as session:
        new = NewReversal(new_id(), "商品有瑕疵")
        await _reverse(scene, session, new, bought.operation)
    await scene.undo(spent.operation)
    assert await scene.books() == {"issue": -3000, "quota": 3000, "purse": 0, "shop": 0}
    assert (await scene.audit()).sound


async def test_undo_ends_after_minutes_and_an_officer_remains(scene: "Scene") -> None:
    await scene.open_term()
    given = await scene.give(scene.pupils[0][0], points=5)
    with pytest.raises(ProblemError, match="for 0 minutes"):
        async with scene.work() as session:
            await undo(
                scene.with_settings(session, undo_minutes=0),
                key=new_id(),
                operation=given.operation,
                giver=scene.teachers[0],
            )
    async with scene.work() as session:
        await _reverse(scene, session, NewReversal(new_id(), "发错了人"), given.operation)
    assert await scene.rows("SELECT ground FROM {s}.points_entry WHERE kind = 'reverse'") == [("officer",)]


@pytest.mark.parametrize(
    ("policy", "purse", "expired"),
    [
        ({"at_term_end": "expire"}, 0, 3000),
        ({"at_term_end": "carry"}, 15, 2985),
        ({"at_term_end": "share", "carry_percent": 50}, 8, 2992),
    ],
)
async def test_closing_follows_the_policy_once(
    scene: "Scene", policy: dict[str, object], purse: int, expired: int
) -> None:
    term = await scene.open_term()
    given = await scene.give(scene.pupils[0][0], points=10)
    await scene.give(scene.pupils[0][1], points=5)
    assert (await scene.close(term, **policy)).points == expired
    assert await scene.close(term, at_term_end="expire") == Closed(0, 0)
    assert await scene.books() == {"issue": -3000, "quota": 0, "purse": purse, "expired": expired}
    with pytest.raises(ProblemError, match="no term is open"):
        await scene.give(scene.pupils[0][0])
    with pytest.raises(ProblemError, match="no term is open"):
        await scene.spend(scene.pupils[0][0], 1)
    with pytest.raises(ProblemError, match="not open for this"):
        await scene.undo(given.operation)
    repeated = await scene.give(scene.pupils[0][0], points=10, key=given.operation)
    assert repeated.operation == given.operation
    assert (await scene.audit()).sound


async def test_second_term_opens_only_after_the_first_is_closed(scene: "Scene") -> None:
    term = await scene.open_term()
    with pytest.raises(ProblemError, match="has not been closed yet"):
        await scene.open_term()
    async with scene.work() as session:
        assert await open_term(scene.context(session), new=NewTerm(term, "again")) == 0
    await scene.close(term)
    with pytest.raises(ProblemError, match="has been closed"):
        async with scene.work() as session:
            await open_term(scene.context(session), new=NewTerm(term, "again"))
    await scene.open_term()
    assert (await scene.books())["issue"] == -6000
    assert (await scene.audit()).sound


async def _closer_waits(scene: "Scene") -> None:
    """Until somebody who closes a term stands before those who write in it."""
    waiting = sa.text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted")
    async with scene.platform.database.owner.connect() as connection:
        while not (await connection.execute(waiting)).first():
            await connection.execute(sa.text("SELECT pg_sleep(0.01)"))


async def test_term_that_closes_waits_for_an_award_in_flight(scene: "Scene") -> None:
    """Else the award would commit into a purse that was looked at when it was empty, or not there yet."""
    term = await scene.open_term()
    first, late = scene.pupils[0][0], scene.pupils[1][0]
    new = NewAward(id=new_id(), points=20, reason="helps_others", students=(first,))
    giver, orgs = scene.principal(scene.teachers[0]), frozenset({scene.school})
    async with scene.work() as session:
        await award(scene.context(session), new=new, giver=giver, orgs=orgs)
        closing = asyncio.create_task(scene.close(term, at_term_end="expire"))
        await asyncio.wait_for(_closer_waits(scene), 10)
        after = asyncio.create_task(scene.give(late, teacher=1))
        done, _ = await asyncio.wait([closing, after], timeout=0.3)
        assert not done
    assert (await closing).points == 3000
    with pytest.raises(ProblemError, match="term is not open"):
        await after
    assert await scene.books() == {"issue": -3000, "quota": 0, "purse": 0, "expired": 3000}
    assert (await scene.audit()).sound
