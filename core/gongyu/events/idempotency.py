"""Idempotency-Key: the answer is kept in the district's schema, in the same transaction as the effect.

Source: draft-ietf-httpapi-idempotency-key-header-07. A second identical request that arrives while the first still
runs waits on the unique index and then replays. Keys never expire: a kiosk may come back after days.
"""

import hashlib
import re
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.events.models import IdempotencyRow

__all__ = ["Answer", "KeyReusedError", "claim", "fingerprint", "keep", "parse_key"]

_KEY: Final = re.compile(r'"(?P<quoted>[\x20-\x7e]{1,255})"|(?P<bare>[\x21-\x7e]{1,255})')


class Answer(msgspec.Struct, frozen=True):
    """What was answered the first time."""

    status: int
    headers: dict[str, str]
    body: bytes


class KeyReusedError(Exception):
    """The key came with another request before."""


def parse_key(header: str) -> str | None:
    """The key of a header, which the draft wants quoted (a structured-field string) and many send bare; None if malformed."""
    match = _KEY.fullmatch(header.strip())
    return (match["quoted"] or match["bare"]) if match else None


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), query, body))).digest()


async def claim(session: AsyncSession, *, actor: str, key: str, fingerprint: bytes) -> Answer | None:
    """Take the key for this transaction, or find what it answered before.

    Raises:
        KeyReusedError: The same actor used it with another request.
    """
    taken = insert(IdempotencyRow).values(actor=actor, key=key, fingerprint=fingerprint)
    row = await session.execute(taken.on_conflict_do_nothing().returning(IdempotencyRow.key))
    if row.first() is not None:
        return None
    kept = await session.execute(
        sa.select(IdempotencyRow.fingerprint, IdempotencyRow.status, IdempotencyRow.headers, IdempotencyRow.body).where(
            IdempotencyRow.actor == actor, IdempotencyRow.key == key
        )
    )
    first, status, headers, body = kept.one()
    if first != fingerprint:
        raise KeyReusedError(key)
    return Answer(status, headers, body)


async def keep(session: AsyncSession, *, actor: str, key: str, answer: Answer) -> None:
    """Keep the answer; it is committed with the effect or not at all."""
    mine = sa.update(IdempotencyRow).where(IdempotencyRow.actor == actor, IdempotencyRow.key == key)
    await session.execute(mine.values(status=answer.status, headers=answer.headers, body=answer.body))
