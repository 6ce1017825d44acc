"""The audit log: append-only by the database's grants, and chained by hash so that a changed or missing line is found.

Source: GB/T 22239-2019 安全审计 (who, when, what, on whom, with what success; protected from change), kept at least
180 days (网络安全法 art. 21).

The chain shows a change in the middle, a missing line and a swapped one. Whoever owns the database could cut off its
end, or write the whole of it anew: against that, `verify` takes heads noted earlier outside the database.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.models import AuditLine
from gongyu.database.engine import Database
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "PRUNED",
    "SHORTEST_RETENTION",
    "Chain",
    "Head",
    "Line",
    "append",
    "pages",
    "prune",
    "record",
    "record_all",
    "verify",
]

PRUNED: Final = "audit.pruned"
SHORTEST_RETENTION: Final = timedelta(days=180)
_GENESIS: Final = b"\0" * 32
_PAGE: Final = 2000


class Head(msgspec.Struct, frozen=True):
    """A line by number and hash; noted elsewhere, it is a witness of all lines up to it."""

    seq: int
    hash: bytes


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` found.

    Attributes:
        lines: How many lines stand unbroken, from the first that is kept.
        first: The number of the first line kept; more than 1 after a pruning that a later line vouches for.
        head: The last unbroken line, to be noted outside the database; None for an empty log.
        broken_at: The number of the first line that is missing, changed or out of order; None: the chain is whole.
        trouble: What is wrong there, in words.
    """

    lines: int
    first: int
    head: Head | None = None
    broken_at: int | None = None
    trouble: Text | None = None


def _digest(line: Mapping[str, Any]) -> bytes:
    content = {key: value for key, value in line.items() if key != "hash"}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).digest()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a caller notes
    """Details as they come back from the database, bit by bit: JSONB rewrites numbers with a point and refuses NUL."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case Mapping():
            return {_plain(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return _plain(str(value))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a line of the log says.

    Attributes:
        action: `<area>.<verb>`, such as `plugin.enabled`.
        actor: `person:<id>`, `operator:<name>`, `system`.
        subject: Whom or what it concerns, `<kind>:<id>`.
        ground: Why it was allowed: a permission and scope, a relation, a task.
        details: Plain facts, never sensitive content.
    """

    action: str
    actor: str
    subject: str = ""
    ground: str = ""
    details: Mapping[str, Any] | None = None


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
        action: As of `Line`, and so the others.
        actor: Who.
        subject: Whom or what it concerns.
        ground: Why it was allowed.
        details: Plain facts, never sensitive content.
    """
    line = Line(action=action, actor=actor, subject=subject, ground=ground, details=details)
    await record_all(session, [line])


async def record_all(session: AsyncSession, lines: Sequence[Line]) -> None:
    """Append lines in the caller's transaction, in two statements however many they are."""
    district: District = session.info["district"]
    await session.execute(sa.text("SELECT pg_advisory_xact_lock(7093, :number)"), {"number": district.number})
    newest = sa.select(AuditLine.seq, AuditLine.hash).order_by(AuditLine.seq.desc()).limit(1)
    last = (await session.execute(newest)).first()
    seq, previous = (last.seq, last.hash) if last else (0, _GENESIS)
    rows = []
    for line in lines:
        seq += 1
        row: dict[str, Any] = {
            "seq": seq,
            "at": datetime.now(UTC),
            "actor": _plain(line.actor),
            "action": _plain(line.action),
            "subject": _plain(line.subject),
            "ground": _plain(line.ground),
            "details": _plain(line.details or {}),
            "previous": previous,
        }
        previous = _digest(row)
        rows.append(row | {"hash": previous})
    if rows:
        await session.execute(sa.insert(AuditLine), rows)


async def append(
    database: Database,
    district: District,
    *,
    action: str,
    actor: str,
    subject: str = "",
    ground: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """One line in a transaction of its own: for what has no other, such as a read or a refusal."""
    async with database.work(district) as session:
        await record(session, action=action, actor=actor, subject=subject, ground=ground, details=details)


async def verify(connection: AsyncConnection, *, heads: Collection[Head] = ()) -> Chain:
    """Recompute the chain, in one pass and constant memory.

    Args:
        connection: A district's.
        heads: Lines noted outside the database earlier; each must still stand, unless it was pruned by the rules.
    """
    first = lines = 0
    expected, previous = 1, _GENESIS
    start: bytes = _GENESIS
    pruned: Head | None = None
    noted = {head.seq: head.hash for head in heads}
    async for row in pages(connection, sa.select(AuditLine.__table__)):
        if not lines:  # what a pruning left begins later; the line that vouches for it is still to come
            first = expected = row["seq"]
            start = previous = row["previous"]
        trouble = _trouble(row, expected, previous, noted.pop(expected, None))
        if trouble is not None:
            return Chain(
                lines=lines, first=first, head=_head(lines, expected, previous), broken_at=expected, trouble=trouble
            )
        if row["action"] == PRUNED:
            pruned = Head(row["details"]["through"], bytes.fromhex(row["details"]["hash"]))
        previous, expected, lines = row["hash"], expected + 1, lines + 1
    chain = Chain(lines=lines, first=first or 1, head=_head(lines, expected, previous))
    if lines and first > 1 and (pruned is None or pruned != Head(first - 1, start)):
        text = Text(
            zh="第 {through} 条及以前的记录缺失，且没有清理记录为证",
            en="lines up to {through} are missing and no pruning vouches for it",
        ).format(through=first - 1)
        return msgspec.structs.replace(chain, broken_at=first - 1, trouble=text)
    missing = [seq for seq in noted if seq >= chain.first]
    if missing:
        text = Text(
            zh="第 {seq} 条曾在库外留证，现已缺失", en="line {seq} was noted outside the database and is missing now"
        ).format(seq=min(missing))
        return msgspec.structs.replace(chain, broken_at=expected, trouble=text)
    return chain


async def pages(connection: AsyncConnection, lines: sa.Select[Any]) -> AsyncIterator[Mapping[Any, Any]]:
    """Lines in order, some thousand at a time: reading has no transaction that a cursor could live in."""
    last = 0
    while True:
        page = lines.where(AuditLine.seq > last).order_by(AuditLine.seq).limit(_PAGE)
        rows = (await connection.execute(page)).mappings().all()
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        last = rows[-1]["seq"]


def _head(lines: int, expected: int, previous: bytes) -> Head | None:
    return Head(expected - 1, previous) if lines else None


def _trouble(row: Mapping[Any, Any], expected: int, previous: bytes, noted: bytes | None) -> Text | None:
    if row["seq"] != expected:
        return Text(zh="第 {seq} 条缺失", en="line {seq} is missing").format(seq=expected)
    if _digest(dict(row)) != row["hash"]:
        return Text(zh="第 {seq} 条被改动", en="line {seq} was changed").format(seq=expected)
    if row["previous"] != previous:
        return Text(zh="第 {seq} 条与前一条不相接", en="line {seq} does not follow the one before").format(seq=expected)
    if noted is not None and noted != row["hash"]:
        return Text(
            zh="第 {seq} 条与库外留证不符", en="line {seq} is not the one that was noted outside the database"
        ).format(seq=expected)
    return None


async def prune(database: Database, district: District, *, older_than: timedelta, actor: str) -> int:
    """Remove the oldest lines, as the owner of the tables; the application's role could not.

    A line at the end says how far and with which hash, so that the rest can still be verified, and this too.

    Args:
        database: Whose owner connection is used.
        district: Whose log.
        older_than: At least 180 days; less is refused.
        actor: Who asked.

    Returns:
        How many lines went.

    Raises:
        ValueError: A retention shorter than the law's.
    """
    if older_than < SHORTEST_RETENTION:
        raise ValueError(f"audit lines are kept at least {SHORTEST_RETENTION.days} days (网络安全法 art. 21)")
    async with database.work_as_owner(district) as session:
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(7093, :number)"), {"number": district.number})
        young = sa.select(sa.func.min(AuditLine.seq)).where(AuditLine.at >= datetime.now(UTC) - older_than)
        keep = (await session.execute(young)).scalar()
        # From the front only: a clock that went back does not open a gap.
        old = sa.select(AuditLine.seq, AuditLine.hash).order_by(AuditLine.seq.desc()).limit(1)
        last = (await session.execute(old if keep is None else old.where(AuditLine.seq < keep))).first()
        if last is None:
            return 0
        first = (await session.execute(sa.select(sa.func.min(AuditLine.seq)))).scalar_one()
        details = {"through": last.seq, "hash": last.hash.hex(), "older_than_days": older_than.days}
        await record(session, action=PRUNED, actor=actor, details=details)
        await session.execute(sa.delete(AuditLine).where(AuditLine.seq <= last.seq))
        return int(last.seq - first + 1)
