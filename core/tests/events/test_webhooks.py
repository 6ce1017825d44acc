from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from gongyu.districts.registry import DistrictState
from gongyu.events.admin import list_deliveries
from gongyu.events.outbound import CheckedNetwork
from gongyu.events.outbox import publish, work
from gongyu.events.posting import SCHEDULE, Poster
from gongyu.events.webhooks import (
    NewSecret,
    UnknownEventTypesError,
    UnknownWebhookError,
    create_webhook,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    list_webhooks,
    rotate_secret,
)
from gongyu.events.worker import Drained, drain
from gongyu.platform import Platform

from .conftest import Clock, Said, Whispered, at_work, say, until
from .receiver import Receiver, receiving

ACTOR = "person:1"


class Reversing:
    """Not a cipher, but it shows whether the right district and purpose are asked for."""

    def encrypt(self, slug: str, plaintext: bytes, *, context: bytes) -> bytes:
        return b"|".join((slug.encode(), context, plaintext.hex().encode()[::-1]))

    def decrypt(self, slug: str, sealed: bytes, *, context: bytes) -> bytes:
        district, purpose, text = sealed.split(b"|")
        assert (district, purpose) == (slug.encode(), context)
        return bytes.fromhex(text[::-1].decode())


async def to_loopback(_: str, __: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
async def receiver(
    platform: Platform, clock: Clock, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncGenerator[tuple[Receiver, Poster]]:
    name = getattr(request, "param", "hooks.example")
    async with receiving(tmp_path, name=name) as (server, trust):
        network = CheckedNetwork(allow_internal=True, resolver=to_loopback)
        poster = Poster(platform, Reversing(), clock=clock, network=network, tls=trust)
        yield server, poster
        await poster.close()


async def subscribe(platform: Platform, state: DistrictState, url: str, *types: str) -> NewSecret:
    async with work(platform, state) as session:
        return await create_webhook(session, cipher=Reversing(), host=platform.host, url=url, types=types, actor=ACTOR)


async def test_event_is_posted_signed_and_thin_and_only_to_who_asked(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    made = await subscribe(platform, ezhou, server.url, "mouth.said.v1")
    open_transactions = []

    async def look() -> None:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        async with platform.database.read(ezhou.district) as connection:
            open_transactions.append((await connection.execute(sa.text(idle))).scalar())

    server.meanwhile = look
    async with work(platform, ezhou) as session:
        event_id = await publish(session, Said(number=7), subject="pupil 1")
        await publish(session, Whispered(number=8), subject="pupil 1")
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).posts == 1

    (request,) = server.requests
    assert request.target == "/in?k=1"
    assert request.headers["host"] == f"hooks.example:{server.port}"
    assert request.headers["webhook-id"] == str(event_id)
    payload = Verifier(made.secret).verify(request.body, request.headers)
    assert datetime.fromisoformat(payload.pop("timestamp")).tzinfo
    assert payload == {
        "type": "mouth.said.v1",
        "data": {"district": "ezhou", "subject": "pupil 1", "number": 7},
    }
    with pytest.raises(WebhookVerificationError):
        Verifier(made.secret).verify(request.body + b" ", request.headers)
    assert open_transactions == [0]


async def test_both_secrets_sign_for_a_day_after_a_rotation(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    old = await subscribe(platform, ezhou, server.url)
    async with work(platform, ezhou) as session:
        new = await rotate_secret(session, cipher=Reversing(), webhook_id=old.webhook_id, now=clock(), actor=ACTOR)
    assert new.secret != old.secret
    answer = await poster.send_test(ezhou, old.webhook_id)
    assert answer.status == 204
    for secret in (new.secret, old.secret):
        assert Verifier(secret).verify(server.requests[0].body, server.requests[0].headers)["type"].startswith("core.")
    clock.move(hours=25)
    await poster.send_test(ezhou, old.webhook_id)
    assert [len(request.headers["webhook-signature"].split()) for request in server.requests] == [2, 1]
    assert server.requests[0].headers["webhook-id"] != server.requests[1].headers["webhook-id"]


async def test_failures_follow_the_schedule_and_a_redirect_is_one(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    await subscribe(platform, ezhou, server.url)
    server.answers = [
        "500 Oops",
        "302 Found\r\nLocation: https://hooks.example/elsewhere",
        "503 Busy\r\nRetry-After: 7200",
        "500 Oops",
    ]
    await say(platform, ezhou, ("a", 1))
    waits = []
    while True:
        await drain(platform, "ezhou", clock=clock, poster=poster)
        async with platform.database.read(ezhou.district) as connection:
            waiting = await list_deliveries(connection, state="pending")
        if not waiting:
            break
        waits.append((waiting[0].next_at - clock(), waiting[0].error))
        clock.now = waiting[0].next_at
    nominal = [*SCHEDULE[1:3], 7200, *SCHEDULE[4:]]
    assert [wait.total_seconds() for wait, _ in waits] == pytest.approx(nominal, rel=0.16)
    assert [error for _, error in waits[:4]] == ["HTTP 500", "HTTP 302", "HTTP 503", "HTTP 500"]
    assert [request.target for request in server.requests] == ["/in?k=1"] * len(SCHEDULE)
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in server.requests}) == len(SCHEDULE)
    async with platform.database.read(ezhou.district) as connection:
        (parked,) = await list_deliveries(connection, state="parked")
        (webhook,) = await list_webhooks(connection)
    assert parked.attempts == len(SCHEDULE)
    assert webhook.enabled

    clock.move(days=3)  # five days since the last success
    await say(platform, ezhou, ("a", 2))
    await drain(platform, "ezhou", clock=clock, poster=poster)
    async with platform.database.read(ezhou.district) as connection:
        (webhook,) = await list_webhooks(connection)
    assert not webhook.enabled
    assert webhook.disabled_reason
    assert "five days" in webhook.disabled_reason.en
    await say(platform, ezhou, ("a", 3))
    clock.move(days=1)
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).failed == 0

    async with work(platform, ezhou) as session:
        await enable_webhook(session, webhook_id=webhook.id, actor=ACTOR)
    server.answers = ["500 Oops", "200 OK"]
    failing = []
    for _ in range(2):
        await drain(platform, "ezhou", clock=clock, poster=poster)
        async with platform.database.read(ezhou.district) as connection:
            failing.append((await list_webhooks(connection))[0].failing_since)
        clock.move(hours=1)
    assert failing == [clock() - timedelta(hours=2), None]


async def test_receiver_that_is_gone_is_asked_no_more_until_it_is_enabled_again(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    made = await subscribe(platform, ezhou, server.url)
    server.answers = ["410 Gone", "200 OK"]
    await say(platform, ezhou, ("a", 1), ("a", 2))
    await drain(platform, "ezhou", clock=clock, poster=poster)
    clock.move(hours=1)
    await drain(platform, "ezhou", clock=clock, poster=poster)
    assert len(server.requests) == 1
    async with platform.database.read(ezhou.district) as connection:
        (webhook,) = await list_webhooks(connection)
    assert webhook.disabled_reason
    assert "410" in webhook.disabled_reason.zh

    async with work(platform, ezhou) as session:
        await enable_webhook(session, webhook_id=made.webhook_id, actor=ACTOR)
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).posts == 2
    async with work(platform, ezhou) as session:
        await disable_webhook(session, webhook_id=made.webhook_id, actor=ACTOR)
    await say(platform, ezhou, ("a", 3))
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).posts == 0
    async with work(platform, ezhou) as session:
        await delete_webhook(session, webhook_id=made.webhook_id, actor=ACTOR)
        lines = await session.scalars(sa.text("SELECT action FROM d_ezhou.audit_line WHERE action LIKE 'webhook%'"))
        assert set(lines) == {f"webhook.{verb}" for verb in ("created", "enabled", "disabled", "deleted")}
    with pytest.raises(UnknownWebhookError):
        await poster.send_test(ezhou, made.webhook_id)


async def test_delivery_of_a_process_that_died_while_posting_is_taken_up_after_its_lease(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    made = await subscribe(platform, ezhou, server.url)
    await say(platform, ezhou, ("a", 1))
    await drain(platform, "ezhou", clock=clock)
    assert await poster._claim(ezhou, made.webhook_id)
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).posts == 0
    clock.move(seconds=61)
    assert (await drain(platform, "ezhou", clock=clock, poster=poster)).posts == 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("receiver", ["another.example"], indirect=True)
async def test_certificate_of_another_name_is_refused(
    platform: Platform, ezhou: DistrictState, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    made = await subscribe(platform, ezhou, server.url)
    answer = await poster.send_test(ezhou, made.webhook_id)
    assert "CERTIFICATE_VERIFY_FAILED" in (answer.error or "")
    assert server.requests == []


async def test_worker_posts_without_being_asked(
    platform: Platform, ezhou: DistrictState, clock: Clock, receiver: tuple[Receiver, Poster]
) -> None:
    server, poster = receiver
    server.answers = ["500 Oops", "200 OK"]
    await subscribe(platform, ezhou, server.url)
    async with at_work(platform, poster=poster, sweep=timedelta(seconds=0.3), clock=clock):
        await say(platform, ezhou, ("a", 1))

        async def asked() -> bool:
            return len(server.requests) == 1

        await until(asked, 3)
        clock.move(minutes=1)

        async def asked_again() -> bool:
            return len(server.requests) == 2

        await until(asked_again, 3)


async def test_unknown_things_are_refused_and_nothing_is_kept(platform: Platform, ezhou: DistrictState) -> None:
    with pytest.raises(UnknownEventTypesError, match=r"mouth\.shouted\.v1"):
        await subscribe(platform, ezhou, "https://hooks.example/", "mouth.shouted.v1")
    nobody = UUID(int=1)
    with pytest.raises(UnknownWebhookError):
        async with work(platform, ezhou) as session:
            await enable_webhook(session, webhook_id=nobody, actor=ACTOR)
    async with platform.database.read(ezhou.district) as connection:
        assert await list_webhooks(connection) == []
    assert await drain(platform, "ezhou") == Drained()
    assert msgspec.json.encode(NewSecret(nobody, "whsec_x"))
