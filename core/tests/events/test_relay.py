import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa

from gongyu.database import migrations
from gongyu.districts.registry import DistrictState
from gongyu.events.admin import backlogs, list_deliveries, retry
from gongyu.events.models import DeliveryRow, EventRow
from gongyu.events.outbox import publish, work
from gongyu.events.relay import ATTEMPTS
from gongyu.events.worker import Drained, drain
from gongyu.host.dispatch import HookRefusedError
from gongyu.platform import Platform
from gongyu.plugin import Context, Occurrence
from gongyu.testing.plugin import MakeDistrict

from .conftest import ALL, Actors, Clock, Join, Said, heard, say, write_down


async def test_event_of_a_rolled_back_change_is_not_there(platform: Platform, ezhou: DistrictState) -> None:
    async def change_and_fail() -> None:
        async with work(platform, ezhou) as session:
            await publish(session, Said(number=1), subject="a")
            raise LookupError

    with pytest.raises(LookupError):
        await change_and_fail()
    await say(platform, ezhou, ("a", 2))
    assert await drain(platform, "ezhou") == Drained(events=1, reactions=2)
    assert await heard(platform, ezhou) == [("a", 2)]


async def test_many_relays_deliver_once_and_in_order_per_subject(
    platform: Platform, ezhou: DistrictState, actors: Actors, join: Join
) -> None:
    stumbled: set[str] = set()

    async def stumble_at_first(context: Context, occurrence: Occurrence) -> None:
        await write_down(context, occurrence)
        await asyncio.sleep(0.001)
        if occurrence.subject not in stumbled:
            stumbled.add(occurrence.subject)
            raise RuntimeError(occurrence.subject)

    actors.ear = stumble_at_first
    async with AsyncExitStack() as stack:
        relays = [platform, *[await stack.enter_async_context(join(None)) for _ in range(3)]]

        async def publish_some(relay: Platform, offset: int) -> None:
            for number in range(offset, offset + 5):
                await say(relay, ezhou, *((f"subject {n}", number) for n in range(8)))
                await drain(relay, "ezhou")

        # One publisher after the other, so that there is an order; but all relays work at all times.
        for turn, relay in enumerate(relays):
            others = [drain(other, "ezhou") for other in relays if other is not relay]
            await asyncio.gather(publish_some(relay, turn * 5), *others)
        later = Clock()
        later.move(minutes=5)
        await asyncio.gather(*(drain(relay, "ezhou", clock=later) for relay in relays))
    notes = await heard(platform, ezhou)
    assert Counter(notes) == Counter((f"subject {n}", number) for n in range(8) for number in range(20))
    for n in range(8):
        assert [number for subject, number in notes if subject == f"subject {n}"] == list(range(20))
    assert Counter(await heard(platform, ezhou, "eye")) == Counter(notes)


async def test_failing_reaction_is_retried_later_and_later_then_parked_then_retried_on_request(
    platform: Platform, ezhou: DistrictState, actors: Actors, clock: Clock
) -> None:
    async def fail_on_one(context: Context, occurrence: Occurrence) -> None:
        await write_down(context, occurrence)
        if occurrence.data["number"] == 1:
            await context.session.execute(sa.text("SELECT '张三'::int"))

    actors.ear = fail_on_one
    await say(platform, ezhou, ("a", 1), ("a", 2), ("b", 3))
    await drain(platform, "ezhou", clock=clock)
    assert await heard(platform, ezhou) == [("b", 3)]
    assert [note for note in await heard(platform, ezhou, "eye") if note[0] == "a"] == [("a", 1), ("a", 2)]

    pauses: list[float] = []
    while True:
        async with platform.database.read(ezhou.district) as connection:
            waiting = await list_deliveries(connection, state="pending", subscriber="ear")
        if [delivery.attempts for delivery in waiting] != [len(pauses) + 1, 0]:
            break
        pauses.append((waiting[0].next_at - clock()).total_seconds())
        assert (await drain(platform, "ezhou", clock=clock)).failed == 0  # not before its time
        clock.now = waiting[0].next_at
        await drain(platform, "ezhou", clock=clock)
    assert len(pauses) == ATTEMPTS - 1
    assert [
        round(pause / nominal, 0) for pause, nominal in zip(pauses, (2, 8, 32, 128, 512, 1800, 1800), strict=True)
    ] == [1] * 7

    async with platform.database.read(ezhou.district) as connection:
        parked = await list_deliveries(connection, state="parked")
        lines = await backlogs(connection)
    assert [(p.subscriber, p.type, p.subject, p.attempts) for p in parked] == [("ear", "mouth.said.v1", "a", ATTEMPTS)]
    assert re.fullmatch(
        r"InvalidTextRepresentationError 22P02 at events/test_relay.py:\d+ \(fail_on_one\)", parked[0].error or ""
    )  # kind and place; the message would show the value
    assert [(line.subscriber, line.pending, line.parked) for line in lines] == [("ear", 0, 1)]
    assert await heard(platform, ezhou) == [("b", 3), ("a", 2)]  # the parked one stepped out of line

    actors.ear = write_down
    async with work(platform, ezhou) as session:
        assert await retry(session, now=clock(), event_id=parked[0].event_id) == 1
    await drain(platform, "ezhou", clock=clock)
    assert await heard(platform, ezhou) == [("b", 3), ("a", 2), ("a", 1)]


ILL = ["hangs", "breaks the transaction", "ends the transaction", "loses the connection"]


@pytest.mark.parametrize("ill", ILL)
async def test_reaction_that_is_ill_delays_nobody_else(
    platform: Platform, ezhou: DistrictState, actors: Actors, monkeypatch: pytest.MonkeyPatch, ill: str
) -> None:
    monkeypatch.setattr("gongyu.events.relay.REACTION_SECONDS", 0.3)

    async def be_ill(context: Context, occurrence: Occurrence) -> None:
        if occurrence.subject == "a":
            if ill == "hangs":
                await asyncio.sleep(60)
            elif ill == "breaks the transaction":
                await context.session.execute(sa.text("SELECT 1 / 0"))
            elif ill == "ends the transaction":
                await context.session.rollback()
            else:
                await context.session.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await write_down(context, occurrence)

    actors.ear = be_ill
    await say(platform, ezhou, ("a", 1), ("b", 2))
    done = await drain(platform, "ezhou", clock=Clock())
    assert done == Drained(events=2, reactions=3, failed=1)
    assert await heard(platform, ezhou) == [("b", 2)]
    async with platform.database.read(ezhou.district) as connection:
        (waiting,) = await list_deliveries(connection, state="pending")
    assert (waiting.subject, waiting.attempts) == ("a", 1)
    assert waiting.error


async def test_subscriber_that_is_off_or_missing_gets_its_events_when_it_is_back(
    platform: Platform, ezhou: DistrictState, actors: Actors, make_district: MakeDistrict, join: Join
) -> None:
    async def fail(_: Context, __: Occurrence) -> None:
        raise RuntimeError

    actors.ear = fail
    await say(platform, ezhou, ("a", 1))
    await drain(platform, "ezhou")  # laid out for ear, and failed once
    await make_district("ezhou", ALL.replace("[plugins.ear]", "[plugins.ear]\nenabled = false"))
    await say(platform, ezhou, ("a", 2))  # ear is off: this one is not for it
    actors.ear = write_down
    later = Clock()
    later.move(hours=1)
    await drain(platform, "ezhou", clock=later)
    assert await heard(platform, ezhou) == []

    await make_district("ezhou", ALL)
    async with join(actors.host("mouth", "eye")) as without_ear:  # on, but its package is not on this machine
        await say(without_ear, ezhou, ("a", 3))
        await drain(without_ear, "ezhou", clock=later)
    assert await heard(platform, ezhou) == []
    await drain(platform, "ezhou", clock=later)
    assert await heard(platform, ezhou) == [("a", 1), ("a", 3)]
    assert await heard(platform, ezhou, "eye") == [("a", 1), ("a", 2), ("a", 3)]


async def test_reaction_may_publish_and_failures_are_raised_where_tests_want_them(
    platform: Platform, ezhou: DistrictState, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo(context: Context, occurrence: Occurrence) -> None:
        await write_down(context, occurrence)
        if (number := occurrence.data["number"]) < 3:
            await publish(context.session, Said(number=number + 1), subject=occurrence.subject)

    actors.ear = echo
    await say(platform, ezhou, ("a", 1))
    assert (await drain(platform, "ezhou")).events == 3
    assert await heard(platform, ezhou) == [("a", 1), ("a", 2), ("a", 3)]

    async def fail(_: Context, __: Occurrence) -> None:
        raise RuntimeError("told you")

    actors.ear = fail
    monkeypatch.setattr(platform.dispatcher, "_record", None)
    await say(platform, ezhou, ("a", 9))
    with pytest.raises(HookRefusedError, match="told you"):
        await drain(platform, "ezhou")


async def test_old_delivered_events_go_and_open_ones_stay(
    platform: Platform, ezhou: DistrictState, actors: Actors, clock: Clock
) -> None:
    async def fail_on_one(_: Context, occurrence: Occurrence) -> None:
        if occurrence.data["number"] == 1:
            raise RuntimeError

    actors.ear = fail_on_one
    await say(platform, ezhou, ("a", 1), ("b", 2))
    await drain(platform, "ezhou", clock=clock)
    clock.move(days=29)
    await drain(platform, "ezhou", clock=clock)
    await say(platform, ezhou, ("c", 3))
    await drain(platform, "ezhou", clock=clock)

    async def left() -> tuple[list[str], int | None]:
        async with platform.database.read(ezhou.district) as connection:
            subjects = (await connection.scalars(sa.select(EventRow.subject).order_by(EventRow.seq))).all()
            return list(subjects), await connection.scalar(sa.select(sa.func.count()).select_from(DeliveryRow))

    assert await left() == (["a", "b", "c"], 6)
    clock.move(days=2)
    await drain(platform, "ezhou", clock=clock)  # the core's own daily job
    assert await left() == (["a", "c"], 4)


async def test_models_are_what_the_migrations_make(platform: Platform) -> None:
    assert await migrations.differences(platform.database, migrations.core_history(), []) == []
