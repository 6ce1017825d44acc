"""Sending webhooks: at least once, signed, without a transaction open while a stranger's server takes its time.

Source: Standard Webhooks 1.0.0. A delivery is claimed by a lease (its next attempt is pushed beyond the time-out and
committed), then posted, then marked; a process killed in between leaves a delivery that another takes up later.
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final, cast
from uuid import UUID

import httpcore
import httpx
import msgspec
import sqlalchemy as sa
import structlog

from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.events.clock import Clock, spread, utc_now
from gongyu.events.models import DeliveryRow, EventRow, WebhookRow
from gongyu.events.outbound import CheckedNetwork
from gongyu.events.relay import Delivered
from gongyu.events.webhooks import Cipher, DisabledReason, UnknownWebhookError, signing_secrets
from gongyu.platform import Platform

__all__ = ["SCHEDULE", "Answer", "Poster"]

log = structlog.get_logger("gongyu.webhooks")

#: Seconds to wait before each attempt, as the specification proposes.
SCHEDULE: Final = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
TIMEOUT: Final = 15.0
LEASE: Final = timedelta(seconds=60)
#: An address at which nothing has succeeded for so long is switched off.
LASTING: Final = timedelta(days=5)
LONGEST_BODY: Final = 20_000
LONGEST_RETRY_AFTER: Final = timedelta(days=1)
TEST_TYPE: Final = "core.webhook_tested.v1"

_event: Final = cast("sa.Table", EventRow.__table__)
_delivery: Final = cast("sa.Table", DeliveryRow.__table__)
_webhook: Final = cast("sa.Table", WebhookRow.__table__)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request: a status, or an error before there was one."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """2xx only: a redirect is a failure, since following it would leave the checked address."""
        return self.status is not None and httpx.codes.is_success(self.status)


class Poster:
    """Sends what is due; one per process, closed at its end.

    Args:
        platform: Its configuration decides whether internal addresses are allowed.
        cipher: Opens the secrets.
        clock: Moved by tests.
        network: How to reach the world; given by tests.
        tls: Whom to trust; the usual authorities if not given.
    """

    def __init__(
        self,
        platform: Platform,
        cipher: Cipher,
        *,
        clock: Clock = utc_now,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._platform, self._cipher, self._clock = platform, cipher, clock
        self._network = network or CheckedNetwork(allow_internal=platform.config.allow_internal_webhooks)
        self._tls = tls

    async def close(self) -> None:
        if "_pool" in self.__dict__:
            await self._pool.aclose()

    @cached_property
    def _pool(self) -> httpcore.AsyncConnectionPool:
        """Made at the first request: loading the authorities takes time that a start should not pay."""
        tls = self._tls or httpx.create_ssl_context()
        return httpcore.AsyncConnectionPool(
            ssl_context=tls, network_backend=self._network, max_connections=32, keepalive_expiry=30
        )

    async def post_due(self, state: DistrictState, webhook_id: UUID, *, limit: int = 20) -> Delivered:
        """Post what is due at one webhook, one after the other, until nothing is left that this process may take."""
        result = Delivered()
        while claimed := await self._claim(state, webhook_id):
            webhook, event, attempts = claimed
            answer = await self._send(
                state, webhook, id_=event.id, type_=event.type, at=event.occurred_at, data=_data(state, event)
            )
            await self._record(state, webhook, event, attempts + 1, answer)
            result.done += answer.ok
            result.failed += not answer.ok
            if result.done + result.failed >= limit:
                result.more = True
                break
        return result

    async def send_test(self, state: DistrictState, webhook_id: UUID) -> Answer:
        """Post a message that stands for no event, once, whether the webhook is enabled or not.

        Raises:
            UnknownWebhookError: No such webhook.
        """
        async with self._platform.database.read(state.district) as connection:
            webhook = (await connection.execute(sa.select(_webhook).where(_webhook.c.id == webhook_id))).one_or_none()
        if webhook is None:
            raise UnknownWebhookError(webhook_id)
        data = {"district": state.district.slug, "subject": f"webhook:{webhook_id}"}
        return await self._send(state, webhook, id_=new_id(), type_=TEST_TYPE, at=self._clock(), data=data)

    async def _claim(self, state: DistrictState, webhook_id: UUID) -> tuple[sa.Row[Any], sa.Row[Any], int] | None:
        subscriber, now = f"webhook:{webhook_id}", self._clock()
        due = (
            sa.select(_delivery.c.event_id, _delivery.c.attempts)
            .where(_delivery.c.subscriber == subscriber, _delivery.c.state == "pending", _delivery.c.next_at <= now)
            .order_by(_delivery.c.next_at, _delivery.c.seq)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        enabled = sa.select(_webhook).where(_webhook.c.id == webhook_id, _webhook.c.enabled)
        async with self._platform.database.work(state.district) as session:
            webhook = (await session.execute(enabled)).one_or_none()
            row = (await session.execute(due)).one_or_none() if webhook else None
            if webhook is None or row is None:
                return None
            this = sa.and_(_delivery.c.subscriber == subscriber, _delivery.c.event_id == row.event_id)
            await session.execute(sa.update(_delivery).where(this).values(next_at=now + LEASE))
            event = (await session.execute(sa.select(_event).where(_event.c.id == row.event_id))).one()
        return webhook, event, row.attempts

    async def _send(
        self, state: DistrictState, webhook: sa.Row[Any], *, id_: UUID, type_: str, at: datetime, data: dict[str, Any]
    ) -> Answer:
        body = msgspec.json.encode({"type": type_, "timestamp": at, "data": data})
        now = self._clock()
        stamp = int(now.timestamp())
        keys = signing_secrets(self._cipher, state.district.slug, webhook, now=now)
        headers = {
            "content-type": "application/json",
            "user-agent": "gongyu-webhooks",
            "webhook-id": str(id_),
            "webhook-timestamp": str(stamp),
            "webhook-signature": " ".join(_signature(key, f"{id_}.{stamp}.".encode() + body) for key in keys),
        }
        return await self._request(webhook.url, headers, body)

    async def _request(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        target, began = httpx.URL(url), time.monotonic()
        address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._pool.stream("POST", address, headers=list(headers.items()), content=body) as response,
            ):
                headers_back = {name.lower(): value for name, value in response.headers}
                retry_after = _retry_after(headers_back.get(b"retry-after"), self._clock())
                return Answer(status=response.status, retry_after=retry_after, seconds=time.monotonic() - began)
        except TimeoutError:
            error = f"no answer within {TIMEOUT:.0f} s"
        except Exception as failure:  # noqa: BLE001 - whatever a stranger's address makes go wrong is that webhook's failure
            error = f"{type(failure).__name__}: {failure}"[:300]
        return Answer(error=error, seconds=time.monotonic() - began)

    async def _record(
        self, state: DistrictState, webhook: sa.Row[Any], event: sa.Row[Any], attempts: int, answer: Answer
    ) -> None:
        now = self._clock()
        marks = _marks(answer, attempts, now)
        this = sa.and_(
            _delivery.c.event_id == event.id,
            _delivery.c.subscriber == f"webhook:{webhook.id}",
            _delivery.c.state == "pending",
        )
        changes = _health(webhook, answer, now)
        async with self._platform.database.work(state.district) as session:
            await session.execute(sa.update(_delivery).where(this).values(marks))
            if changes:
                await session.execute(sa.update(_webhook).where(_webhook.c.id == webhook.id).values(changes))
        if not answer.ok:
            log.warning(
                "webhook not delivered",
                district=state.district.slug,
                webhook=str(webhook.id),
                event_id=str(event.id),
                attempt=attempts,
                error=marks["error"],
                disabled=changes.get("disabled_reason"),
            )


def _data(state: DistrictState, event: sa.Row[Any]) -> dict[str, Any]:
    """Ids, by which the receiver asks the API, where rights are checked and reads audited."""
    thin = {"district": state.district.slug, "subject": event.subject}
    return thin | event.data if len(msgspec.json.encode(event.data)) < LONGEST_BODY - 1000 else thin


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _retry_after(header: bytes | None, now: datetime) -> timedelta | None:
    """Seconds or a date (RFC 9110 10.2.3), within reason; nonsense counts as not said."""
    if header is None:
        return None
    text = header.decode("latin-1").strip()
    try:
        wait = timedelta(seconds=int(text)) if text.isdecimal() else parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


def _marks(answer: Answer, attempts: int, now: datetime) -> dict[str, Any]:
    if answer.ok:
        return {"state": "done", "attempts": attempts, "done_at": now, "error": None}
    error = answer.error or f"HTTP {answer.status}"
    if attempts >= len(SCHEDULE):
        return {"state": "parked", "attempts": attempts, "error": error}
    wait = max(spread(SCHEDULE[attempts]), answer.retry_after or timedelta())
    return {"attempts": attempts, "error": error, "next_at": now + wait}


def _health(webhook: sa.Row[Any], answer: Answer, now: datetime) -> dict[str, Any]:
    """What one answer changes at the webhook itself."""
    if answer.ok:
        return {"failing_since": None} if webhook.failing_since else {}
    reason: DisabledReason | None = None
    if answer.status == httpx.codes.GONE:
        reason = "gone"
    elif webhook.failing_since is not None and now - webhook.failing_since >= LASTING:
        reason = "failing"
    changes: dict[str, Any] = {} if webhook.failing_since else {"failing_since": now}
    return changes | ({"enabled": False, "disabled_reason": reason} if reason else {})
