"""Webhooks: where API consumers want to be told of events (Standard Webhooks 1.0.0). Sending them is `posting`.

Plain functions in the caller's transaction; who may call them is the API's business. Every change is audited.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.events.models import DeliveryRow, WebhookRow
from gongyu.events.outbound import check_url
from gongyu.events.outbox import nudge_after_commit
from gongyu.host import Host
from gongyu.text import Text

__all__ = [
    "Cipher",
    "DisabledReason",
    "NewSecret",
    "UnknownEventTypesError",
    "UnknownWebhookError",
    "Webhook",
    "create_webhook",
    "delete_webhook",
    "disable_webhook",
    "enable_webhook",
    "list_webhooks",
    "rotate_secret",
    "signing_secrets",
]

#: Both secrets sign for a day after a rotation, so that the consumer can change over without losing a message.
OVERLAP: Final = timedelta(hours=24)
_SECRET_BYTES: Final = 32
_webhook: Final = cast("sa.Table", WebhookRow.__table__)

DisabledReason = Literal["operator", "gone", "failing"]
_REASONS: Final[dict[str, Text]] = {
    "operator": Text(zh="被停用", en="switched off"),
    "gone": Text(zh="对方回答 410，不再接收", en="the receiver answered 410: it is gone"),
    "failing": Text(zh="连续五天没有一次送达", en="nothing could be delivered for five days"),
}


class Cipher(Protocol):
    """What keeps secrets: the district's keys."""

    def encrypt(self, slug: str, plaintext: bytes, *, context: bytes) -> bytes: ...
    def decrypt(self, slug: str, sealed: bytes, *, context: bytes) -> bytes: ...


class UnknownWebhookError(LookupError):
    """No such webhook here."""

    def __init__(self, webhook_id: UUID) -> None:
        self.text = Text(zh="没有 webhook {id}", en="there is no webhook {id}").format(id=webhook_id)
        super().__init__(self.text.en)


class UnknownEventTypesError(ValueError):
    """A filter names event types that no plugin of this platform publishes."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        self.text = Text(
            zh="没有事件类型 {unknown}；现有：{known}", en="no event type {unknown}; there are: {known}"
        ).format(unknown=", ".join(unknown), known=", ".join(known) or "—")
        super().__init__(self.text.en)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as its owner sees it; the secret is shown once, when it is made."""

    id: UUID
    url: str
    types: list[str]
    enabled: bool
    disabled_reason: Text | None
    failing_since: datetime | None
    previous_until: datetime | None
    created_at: datetime


class NewSecret(msgspec.Struct, frozen=True):
    """What is told once and never again."""

    webhook_id: UUID
    secret: str


async def create_webhook(
    session: AsyncSession,
    *,
    cipher: Cipher,
    host: Host,
    url: str,
    types: Sequence[str] = (),
    allow_internal: bool = False,
    actor: str,
) -> NewSecret:
    """Register an address.

    Args:
        session: A district's session.
        cipher: Seals the secret.
        host: Knows the event types.
        url: https, and outside unless `allow_internal`.
        types: The event types wanted; none means all, also those of plugins to come.
        allow_internal: `Config.allow_internal_webhooks`.
        actor: For the audit log.

    Raises:
        UrlRefusedError, UnknownEventTypesError: Nothing has changed.
    """
    url = check_url(url, allow_internal=allow_internal)
    if unknown := sorted(set(types) - host.event_types.keys()):
        raise UnknownEventTypesError(unknown, sorted(host.event_types))
    id_, secret = new_id(), secrets.token_bytes(_SECRET_BYTES)
    sealed = _seal(session, cipher, id_, secret)
    row = {"id": id_, "url": url, "types": sorted(set(types)), "secret": sealed}
    await session.execute(sa.insert(_webhook).values(row))
    await audit.record(session, action="webhook.created", actor=actor, subject=f"webhook:{id_}", details={"url": url})
    return NewSecret(id_, _shown(secret))


async def list_webhooks(connection: AsyncConnection | AsyncSession) -> list[Webhook]:
    rows = await connection.execute(sa.select(_webhook).order_by(_webhook.c.id))
    return [
        Webhook(
            id=row.id,
            url=row.url,
            types=row.types,
            enabled=row.enabled,
            disabled_reason=_REASONS.get(row.disabled_reason or ""),
            failing_since=row.failing_since,
            previous_until=row.previous_until,
            created_at=row.created_at,
        )
        for row in rows
    ]


async def rotate_secret(
    session: AsyncSession, *, cipher: Cipher, webhook_id: UUID, now: datetime, actor: str
) -> NewSecret:
    """Make a new secret; the one before signs beside it for a day more."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    values = {
        "secret": _seal(session, cipher, webhook_id, secret),
        "previous_secret": _webhook.c.secret,
        "previous_until": now + OVERLAP,
    }
    await _change(session, webhook_id, values, action="webhook.rotated", actor=actor)
    return NewSecret(webhook_id, _shown(secret))


async def disable_webhook(session: AsyncSession, *, webhook_id: UUID, actor: str) -> None:
    """Send nothing more; what is pending waits for `enable_webhook`."""
    reason: DisabledReason = "operator"
    values = {"enabled": False, "disabled_reason": reason}
    await _change(session, webhook_id, values, action="webhook.disabled", actor=actor)


async def enable_webhook(session: AsyncSession, *, webhook_id: UUID, actor: str) -> None:
    """Send again, beginning with what has waited; a lasting failure is counted from new."""
    values = {"enabled": True, "disabled_reason": None, "failing_since": None}
    await _change(session, webhook_id, values, action="webhook.enabled", actor=actor)
    nudge_after_commit(session)


async def delete_webhook(session: AsyncSession, *, webhook_id: UUID, actor: str) -> None:
    await session.execute(sa.delete(DeliveryRow).where(DeliveryRow.subscriber == f"webhook:{webhook_id}"))
    found = await session.execute(sa.delete(_webhook).where(_webhook.c.id == webhook_id).returning(_webhook.c.id))
    if found.first() is None:
        raise UnknownWebhookError(webhook_id)
    await audit.record(session, action="webhook.deleted", actor=actor, subject=f"webhook:{webhook_id}")


def signing_secrets(cipher: Cipher, slug: str, row: sa.Row[Any], *, now: datetime) -> list[bytes]:
    """The secrets that sign now, the newest first."""
    sealed = [row.secret]
    if row.previous_secret is not None and row.previous_until is not None and now < row.previous_until:
        sealed.append(row.previous_secret)
    return [cipher.decrypt(slug, secret, context=_context(row.id)) for secret in sealed]


async def _change(
    session: AsyncSession, webhook_id: UUID, values: Mapping[str, object], *, action: str, actor: str
) -> None:
    update = sa.update(_webhook).where(_webhook.c.id == webhook_id).values(values).returning(_webhook.c.id)
    if (await session.execute(update)).first() is None:
        raise UnknownWebhookError(webhook_id)
    await audit.record(session, action=action, actor=actor, subject=f"webhook:{webhook_id}")


def _seal(session: AsyncSession, cipher: Cipher, webhook_id: UUID, secret: bytes) -> bytes:
    return cipher.encrypt(session.info["district"].slug, secret, context=_context(webhook_id))


def _context(webhook_id: UUID) -> bytes:
    return f"webhook:{webhook_id}".encode()


def _shown(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"
