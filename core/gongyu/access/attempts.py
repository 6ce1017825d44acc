"""How often one may try: per account and per address, kept in the district's schema, the same for every process.

Three limits, because each alone is either blind or unfair:
- one name from one address: somebody guessing one password;
- one name from anywhere: many machines guessing one password. An address this name has signed in from before is let
  through, or any stranger could lock a teacher out;
- one address, whatever the names: somebody trying one password on everybody. A school is one address too: every
  account that signs in from it earns the address more tries.

A name that does not exist counts like one that does. Kinds of tries do not see each other: wrong codes of a plugin keep
nobody from signing in, and right ones earn no tries at passwords. OWASP ASVS 5.0 6.3.1, GB/T 22239-2019 身份鉴别 b.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.keys import KeyRing
from gongyu.access.models import SignInAttempt
from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.plugin import District

__all__ = [
    "PASSWORD",
    "SECOND_FACTOR",
    "Attempt",
    "Limits",
    "TooManyAttemptsError",
    "begin",
    "forget_old",
    "succeeded",
    "withdrawn",
]

_KEPT: Final = timedelta(days=1)
_SUCCESS_KEPT: Final = timedelta(days=30)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Failures allowed within the window.

    Attributes:
        pair: Of one name from one address, since it last succeeded.
        name: Of one name from addresses it never succeeded from.
        address: Of one address, for all names.
        earned: More of these for every name that succeeded from the address.
    """

    pair: int = 10
    name: int = 50
    address: int = 60
    earned: int = 5
    window: timedelta = timedelta(minutes=15)


PASSWORD: Final = Limits()
#: Three of a million codes hold at a time, and whoever gets here knows the password already.
SECOND_FACTOR: Final = Limits(pair=5, name=10)


class TooManyAttemptsError(Exception):
    """No more for now. It says nothing about whether the account exists."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("too many attempts")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try under way; it counts as failed until it is said to have succeeded, so that a crash gives none away."""

    id: UUID


async def begin(
    database: Database,
    district: District,
    *,
    keys: KeyRing,
    kind: str,
    name: str,
    address: str,
    now: datetime,
    limits: Limits = PASSWORD,
) -> Attempt:
    """Count a try before it is made: of many sent at the same moment, no more than the limit get through.

    Args:
        database: It counts in a transaction of its own.
        district: Whose.
        keys: Names and addresses are kept as hashes.
        kind: What is tried: `sign_in` whatever opens an account, a plugin's begins with its name.
        name: What somebody tries to come in as.
        address: Where from.
        now: When.
        limits: How many may fail.

    Raises:
        TooManyAttemptsError: Nothing may be tried now; this one is not counted, or asking would prolong the wait.
    """
    who = keys.keyed_hash(district.slug, name.encode("utf-8", "replace"), purpose=f"{kind}.name".encode())
    where = keys.keyed_hash(district.slug, _network(address).encode(), purpose=f"{kind}.address".encode())
    attempt = Attempt(new_id())
    async with database.read(district) as connection:
        await connection.execute(sa.insert(SignInAttempt).values(id=attempt.id, at=now, name=who, address=where))
        counts = (await connection.execute(_counts(who, where, now - limits.window))).one()
        stranger = counts.last_success is None
        if (
            counts.pair > limits.pair
            or (stranger and counts.name > limits.name)
            or counts.address > limits.address + limits.earned * counts.welcome
        ):
            await connection.execute(sa.delete(SignInAttempt).where(SignInAttempt.id == attempt.id))
            oldest = counts.oldest or now
            raise TooManyAttemptsError(max(oldest + limits.window - now, timedelta(seconds=1)))
    return attempt


async def succeeded(session: AsyncSession, attempt: Attempt) -> None:
    await session.execute(sa.update(SignInAttempt).where(SignInAttempt.id == attempt.id).values(succeeded=True))


async def withdrawn(session: AsyncSession, attempt: Attempt) -> None:
    """Nothing was tried: it counts neither as failed nor as succeeded."""
    await session.execute(sa.delete(SignInAttempt).where(SignInAttempt.id == attempt.id))


async def forget_old(session: AsyncSession, *, now: datetime) -> None:
    """Failures are of no use after a day; successes tell for a month which addresses an account knows."""
    kept = sa.case((SignInAttempt.succeeded, now - _SUCCESS_KEPT), else_=now - _KEPT)
    await session.execute(sa.delete(SignInAttempt).where(SignInAttempt.at < kept))


def _counts(who: bytes, where: bytes, since: datetime) -> sa.Select[Any]:
    row = SignInAttempt.__table__.c
    own = sa.and_(row.name == who, row.address == where)
    last = sa.select(sa.func.max(row.at).label("at")).where(own, row.succeeded).cte("last_success")
    success = sa.select(last.c.at).scalar_subquery()
    failed, recent = row.succeeded.is_(False), row.at > since
    since_success = row.at > sa.func.coalesce(success, since)

    def count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count()).select_from(SignInAttempt.__table__).where(recent, *conditions).scalar_subquery()
        )

    welcome = (
        sa.select(sa.func.count(row.name.distinct()))
        .where(recent, row.address == where, row.succeeded)
        .scalar_subquery()
    )
    oldest = (
        sa.select(sa.func.min(row.at))
        .where(recent, failed, sa.or_(row.name == who, row.address == where))
        .scalar_subquery()
    )
    return sa.select(
        count(own, failed, since_success).label("pair"),
        count(row.name == who, failed).label("name"),
        count(row.address == where, failed).label("address"),
        welcome.label("welcome"),
        success.label("last_success"),
        oldest.label("oldest"),
    )


def _network(address: str) -> str:
    """Whose address it is: with IPv6 a household has a whole /64 to choose from."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
