"""Idempotency-Key: the answer is kept in the district's schema, in the same transaction as the effect.

What was asked and answered may be anybody's secret, and is kept for ever: of the request a hash keyed outside the
database, of the answer a sealed text.

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

from gongyu.access.keys import KeyRing
from gongyu.events.models import IdempotencyRow

__all__ = ["Answer", "KeyReusedError", "claim", "fingerprint", "keep", "parse_key", "sealing_context"]

_KEY: Final = re.compile(r'"(?P<quoted>[\x20-\x7e]{1,255})"|(?P<bare>[\x21-\x7e]{1,255})')


class Answer(msgspec.Struct, frozen=True):
    """What was answered the first time."""

    status: int
    headers: dict[str, str]
    body: bytes


class KeyReusedError(Exception):
    """The key came with another request before."""


def parse_key(header: str) -> str | None:
    """The key of a header; None if malformed. The draft wants it quoted (a structured-field string), many do not."""
    match = _KEY.fullmatch(header.strip())
    return (match["quoted"] or match["bare"]) if match else None


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), query, body))).digest()


def sealing_context(actor: str, key: str) -> bytes:
    """What a kept answer is bound to; neither part holds a NUL."""
    return f"idempotency:{actor}\0{key}".encode()


async def claim(session: AsyncSession, *, keys: KeyRing, actor: str, key: str, fingerprint: bytes) -> Answer | None:
    """Take the key for this transaction, or find what it answered before.

    Raises:
        KeyReusedError: The same actor used it with another request.
    """
    slug = session.info["district"].slug
    mark = keys.keyed_hash(slug, fingerprint, purpose=b"idempotency")
    taken = insert(IdempotencyRow).values(actor=actor, key=key, fingerprint=mark)
    row = await session.execute(taken.on_conflict_do_nothing().returning(IdempotencyRow.key))
    if row.first() is not None:
        return None
    kept = await session.execute(
        sa.select(IdempotencyRow.fingerprint, IdempotencyRow.status, IdempotencyRow.headers, IdempotencyRow.body).where(
            IdempotencyRow.actor == actor, IdempotencyRow.key == key
        )
    )
    first, status, headers, sealed = kept.one()
    if first != mark:
        raise KeyReusedError(key)
    return Answer(status, headers, keys.decrypt(slug, sealed, context=sealing_context(actor, key)))


async def keep(session: AsyncSession, *, keys: KeyRing, actor: str, key: str, answer: Answer) -> None:
    """Keep the answer; it is committed with the effect or not at all."""
    body = keys.encrypt(session.info["district"].slug, answer.body, context=sealing_context(actor, key))
    mine = sa.update(IdempotencyRow).where(IdempotencyRow.actor == actor, IdempotencyRow.key == key)
    await session.execute(mine.values(status=answer.status, headers=answer.headers, body=body))
