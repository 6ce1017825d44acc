"""Writing entries: one statement for a whole command, which the database takes as a whole or refuses.

Nothing here decides whether points are there; the database does, and `refusal` puts its no into words.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.database.errors import meaning_of
from gongyu.database.model import new_id
from gongyu.events.outbox import nudge_after_commit
from gongyu.plugin import District, Event
from gongyu.text import Text
from gongyu.web import ProblemError

__all__ = [
    "KINDS",
    "Command",
    "Line",
    "account_id",
    "balances",
    "ensure_accounts",
    "entry_id",
    "fingerprint",
    "post",
    "read",
    "refusal",
    "run",
]

#: What the kinds of entries are called.
KINDS: Final[Mapping[str, Text]] = {
    "grant": Text(zh="发放额度", en="quota granted"),
    "award": Text(zh="奖励", en="award"),
    "print": Text(zh="印制积分券", en="vouchers printed"),
    "deposit": Text(zh="积分券入账", en="voucher"),
    "void": Text(zh="积分券作废", en="vouchers voided"),
    "redeem": Text(zh="兑换", en="spent"),
    "hold": Text(zh="下单暂扣", en="held for an order"),
    "capture": Text(zh="交付", en="handed out"),
    "release": Text(zh="退回", en="given back"),
    "reverse": Text(zh="冲正", en="reversed"),
    "expire": Text(zh="学期结转清零", en="expired"),
}

_BOOKS: Final = uuid5(NAMESPACE_OID, "gongyu.points")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a command: from where to where, how many, and what is told of it."""

    id: UUID
    debit: UUID
    credit: UUID
    points: int
    reverses: UUID | None = None
    voucher: UUID | None = None
    event: Event | None = None
    subject: UUID | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What its entries have in common.

    Attributes:
        operation: The key the client made; the same key never does anything twice.
        fingerprint: Of the request; the same key with another request is refused.
        day: The district's date, and `day_cap` what a pupil may earn on it.
        note: What somebody wrote beside it, sealed for this operation.
    """

    operation: UUID
    fingerprint: bytes
    kind: str
    debit_kind: str
    credit_kind: str
    term: UUID
    day: date
    giver: UUID | None = None
    reason: UUID | None = None
    ground: str = ""
    note: bytes | None = None
    day_cap: int | None = None


def account_id(kind: str, *, owner: UUID | None = None, term: UUID | None = None) -> UUID:
    """An account's id follows from whose it is, so that nobody has to look it up."""
    return uuid5(_BOOKS, f"{kind}:{owner or ''}:{term or ''}")


def entry_id(operation: UUID, number: int, subject: UUID) -> UUID:
    """The first entry of a command carries the command's key; the others follow from it and whom they concern."""
    return operation if number == 0 else uuid5(operation, str(subject))


def fingerprint(actor: UUID | None, request: object) -> bytes:
    """Of a request in canonical form, with whoever asks."""
    return hashlib.sha256(msgspec.json.encode([actor, request], order="sorted")).digest()


async def run(session: AsyncSession, sql: str, *values: object) -> Sequence[Any]:
    """SQL of ours in a unit of work: `{s}` stands for the district's schema, `$1` for a value."""
    district: District = session.info["district"]
    return await read(await session.connection(), district, sql, *values)


async def read(connection: AsyncConnection, district: District, sql: str, *values: object) -> Sequence[Any]:
    """The same on a connection for reading."""
    found = await connection.exec_driver_sql(sql.replace("{s}", f'"{district.schema}"'), values)
    return found.all() if found.returns_rows else []


_ENSURE: Final = """
INSERT INTO {s}.points_account (id, kind, term_id, owner_id)
SELECT a.id, $1::text, $2::uuid, a.owner FROM unnest($3::uuid[], $4::uuid[]) AS a(id, owner) ORDER BY a.id
ON CONFLICT DO NOTHING RETURNING owner_id"""


async def ensure_accounts(
    session: AsyncSession, kind: str, owners: Iterable[UUID | None], term: UUID | None
) -> list[UUID]:
    """Open accounts that are not open yet, always in the same order.

    Returns:
        The owners of those opened by this very call: of two that open the same account, one only is told so.
    """
    whose = sorted(((account_id(kind, owner=owner, term=term), owner) for owner in owners), key=lambda one: one[0])
    opened = await run(session, _ENSURE, kind, term, [id_ for id_, _ in whose], [owner for _, owner in whose])
    return [row.owner_id for row in opened]


# Event and note are written by the same statement: none for an entry that is there already, and no round trip of their
# own while the accounts are locked. The first entry is the command's: with it goes the note.
_POST: Final = """
WITH posted AS (
  INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points, reason_id,
                                giver, ground, reverses, voucher_id, fingerprint, day, day_cap)
  SELECT l.id, $6::uuid, $7::text, $8::uuid, l.debit, $9::text, l.credit, $10::text, l.points, $11::uuid, $12::uuid,
         $13::text, l.reverses, l.voucher, $15::bytea, $16::date, $17::bigint
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $23::uuid[])
         AS l(id, debit, credit, points, reverses, voucher)
  ON CONFLICT (id) DO NOTHING RETURNING id
), told AS (
  INSERT INTO {s}.event (id, type, subject, data)
  SELECT t.id, t.type, t.subject, t.data::jsonb
    FROM unnest($18::uuid[], $19::uuid[], $20::text[], $21::text[], $22::text[]) AS t(entry, id, type, subject, data)
    JOIN posted ON posted.id = t.entry
), said AS (
  INSERT INTO {s}.points_note (operation, text)
  SELECT posted.id, $14::bytea FROM posted WHERE posted.id = $6::uuid AND $14::bytea IS NOT NULL
)
SELECT id FROM posted"""


async def post(session: AsyncSession, command: Command, lines: Sequence[Line]) -> bool:
    """Write the entries of one command, all of them or none.

    Args:
        session: In its transaction, which holds no other command: the accounts stay locked until it ends.
        command: What they have in common.
        lines: The entries; the first one's id is the command's key.

    Returns:
        Whether they were written; False if the same command was carried out before.

    Raises:
        ProblemError: What the database refuses; `idempotency-mismatch` for a key used with another request,
            `not-found` for one that somebody else used.
    """
    told = [(line, line.event) for line in lines if line.event is not None]
    values = (
        [line.id for line in lines],
        [line.debit for line in lines],
        [line.credit for line in lines],
        [line.points for line in lines],
        [line.reverses for line in lines],
        command.operation,
        command.kind,
        command.term,
        command.debit_kind,
        command.credit_kind,
        command.reason,
        command.giver,
        command.ground,
        command.note,
        command.fingerprint,
        command.day,
        command.day_cap,
        [line.id for line, _ in told],
        [new_id() for _ in told],
        [event.type for _, event in told],
        [str(line.subject) for line, _ in told],
        [msgspec.json.encode(event).decode() for _, event in told],
        [line.voucher for line in lines],
    )
    try:
        written = await run(session, _POST, *values)
    except sa.exc.DBAPIError as error:
        raise refusal(error) from error
    if len(written) == len(lines):
        nudge_after_commit(session)  # without an event too: screens wait for every move
        return True
    await _require_same(session, command)
    if written:  # cannot be: the first id is the key itself. If it ever is, nothing of it must stay.
        raise ProblemError("idempotency-mismatch")
    return False


async def _require_same(session: AsyncSession, command: Command) -> None:
    before = await run(session, "SELECT giver, fingerprint FROM {s}.points_entry WHERE id = $1", command.operation)
    if not before or before[0].giver != command.giver:
        raise ProblemError("not-found")
    if before[0].fingerprint != command.fingerprint:
        raise ProblemError("idempotency-mismatch")


async def balances(session: AsyncSession, accounts: Sequence[UUID]) -> dict[UUID, int]:
    rows = await run(session, "SELECT id, posted FROM {s}.points_account WHERE id = ANY($1::uuid[])", list(accounts))
    return {UUID(str(row.id)): row.posted for row in rows}


_REFUSALS: Final[Mapping[str, Text]] = {
    "ck_points_account_no_overspend": Text(
        zh="积分不够：额度、余额不足，或要冲正的积分已被使用",
        en="not enough points: the quota or purse does not hold them, or what is to be taken back has been spent",
    ),
    "ck_points_account_day_cap": Text(
        zh="超过了学生每天可得积分的上限", en="this is more than a pupil may earn in one day"
    ),
    "points_term_open": Text(zh="学期未开放，不能记账", en="the term is not open for this"),
    "points_account_known": Text(zh="没有这个账户", en="there is no such account"),
    "points_voucher_open": Text(
        zh="有积分券刚被存入、作废或已过期", en="a voucher has been deposited, voided or has expired meanwhile"
    ),
    "uq_points_entry_reversed_once": Text(zh="这笔积分已经冲正过", en="this entry has been reversed already"),
    "uq_points_entry_quota_granted_once": Text(
        zh="这个学期的额度已经发放过", en="the quota of this term has been granted already"
    ),
    "uq_points_term_current": Text(zh="还有一个学期没有结账", en="another term has not been closed yet"),
}


def refusal(error: sa.exc.DBAPIError) -> Exception:
    """The database's no, in words; anything else stays what it is."""
    fault = meaning_of(error)
    if fault.kind == "conflict" and (text := _REFUSALS.get(fault.constraint)):
        return ProblemError("conflict", text)
    return error
