"""The audit log: append-only by the database's grants, and chained by hash so that a changed or missing line is found.

Source: GB/T 22239-2019 安全审计 (who, when, what, on whom, with what success; protected from change), kept at least
180 days (网络安全法 art. 21).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.models import AuditLine
from gongyu.plugin import District

__all__ = ["record", "verify"]

_GENESIS: Final = b"\0" * 32


def _digest(line: Mapping[str, Any]) -> bytes:
    content = {key: value for key, value in line.items() if key != "hash"}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).digest()


async def record(
    session: AsyncSession,
    *,
    action: str,
    actor: str,
    subject: str = "",
    ground: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append one line in the caller's transaction; call it last, since lines of one district take turns from here on.

    Args:
        session: A district's session.
        action: `<area>.<verb>`, such as `plugin.enabled`.
        actor: `person:<id>`, `operator:<name>`, `system`.
        subject: Whom or what it concerns, `<kind>:<id>`.
        ground: Why it was allowed: a permission and scope, a relation, a task.
        details: Plain facts, never sensitive content.
    """
    district: District = session.info["district"]
    await session.execute(sa.text("SELECT pg_advisory_xact_lock(7093, :number)"), {"number": district.number})
    last = (
        await session.execute(sa.select(AuditLine.seq, AuditLine.hash).order_by(AuditLine.seq.desc()).limit(1))
    ).first()
    line: dict[str, Any] = {
        "seq": last.seq + 1 if last else 1,
        "at": datetime.now(UTC),
        "actor": actor,
        "action": action,
        "subject": subject,
        "ground": ground,
        "details": dict(details or {}),
        "previous": last.hash if last else _GENESIS,
    }
    await session.execute(sa.insert(AuditLine).values(**line, hash=_digest(line)))


async def verify(connection: AsyncConnection) -> tuple[int, int | None]:
    """Recompute the chain.

    Returns:
        How many lines stand, and the number of the first that is missing or changed (None: the chain is whole).
    """
    previous, expected = _GENESIS, 1
    result = await connection.stream(sa.select(AuditLine.__table__).order_by(AuditLine.seq))
    async for row in result.mappings():
        if row["seq"] != expected or row["previous"] != previous or _digest(dict(row)) != row["hash"]:
            return expected - 1, expected
        previous, expected = row["hash"], expected + 1
    return expected - 1, None
