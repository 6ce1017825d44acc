"""The second factor of somebody who is signed in: anybody may have one, also where the district's rules ask nobody.

A browser left open is not enough: to set one up the password is asked for (who has none comes in by another service,
whose business it is to know them), to take it away a code of it.
"""

from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import attempts, audit, second_factor, sessions
from gongyu.access.authenticate import changed
from gongyu.access.models import Account, RecoveryCode
from gongyu.access.own_password import WrongPasswordError, prove
from gongyu.access.passwords import Passwords
from gongyu.access.relations import holds
from gongyu.access.rules import ADMINISTRATORS, AccessRules
from gongyu.access.sign_in import Visitor, day_of
from gongyu.people.models import Membership
from gongyu.platform import Platform
from gongyu.plugin import District

__all__ = ["OwnFactor", "begin", "confirm", "read", "remove"]


class OwnFactor(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one's second factor.

    Attributes:
        since: Since when there is one; null without.
        recovery_codes: How many are left.
        required: Whether the district's rules ask for one.
    """

    since: datetime | None
    recovery_codes: int
    required: bool


async def read(session: AsyncSession, *, rules: AccessRules, person: UUID, now: datetime) -> OwnFactor:
    unused = sa.select(sa.func.count()).where(RecoveryCode.person_id == person, RecoveryCode.used_at.is_(None))
    since = sa.select(Account.totp_since).where(Account.person_id == person)
    asked = sa.select(since.scalar_subquery(), unused.scalar_subquery())
    set_since, left = (await session.execute(asked)).one()
    return OwnFactor(
        since=set_since, recovery_codes=left, required=await _required(session, rules=rules, person=person, now=now)
    )


async def begin(
    platform: Platform,
    district: District,
    visitor: Visitor,
    *,
    passwords: Passwords,
    person: UUID,
    password: str,
    issuer: str,
    now: datetime,
) -> str:
    """The address for the authenticator app; the factor counts once `confirm` has seen a code of it.

    Raises:
        WrongPasswordError: There is a password, and it is another.
        TooManyAttemptsError: Too often wrong.
        AccountError: There is a second factor already.
    """
    attempt = None
    held = sa.select(Account.password.is_not(None)).where(Account.person_id == person)
    async with platform.database.read(district) as connection:
        has_password = (await connection.execute(held)).scalar_one_or_none()
    if has_password:
        attempt, _ = await prove(
            platform,
            district,
            visitor,
            passwords=passwords,
            person=person,
            password=password,
            field="password",
            now=now,
        )
    async with platform.database.work(district) as session:
        if attempt is not None:
            await attempts.succeeded(session, attempt)
        uri = await second_factor.propose(session, keys=platform.keys, person=person, issuer=issuer)
        actor = f"person:{person}"
        await audit.record(session, action="second_factor.proposed", actor=actor, subject=actor)
    return uri


async def confirm(
    platform: Platform, district: District, visitor: Visitor, *, person: UUID, code: str, now: datetime
) -> list[str]:
    """Make it count; nobody is signed out by it.

    Returns:
        The recovery codes, this one time.

    Raises:
        WrongPasswordError: The code is another, or nothing was begun.
        TooManyAttemptsError: Too often wrong.
    """
    attempt = await _attempt(platform, district, visitor, person, now)
    async with platform.database.work(district) as session:
        recovery = await second_factor.confirm(session, keys=platform.keys, person=person, code=code, now=now)
        if recovery is not None:
            await attempts.succeeded(session, attempt)
            return recovery
    await _refused(platform, district, visitor, person)
    raise WrongPasswordError("code")


async def remove(
    platform: Platform,
    district: District,
    rules: AccessRules,
    visitor: Visitor,
    *,
    person: UUID,
    code: str,
    now: datetime,
) -> bool:
    """Take it away, by a code of now or a recovery code: a password alone must not undo what stands beside it.

    Where the rules ask for one, that is how it is changed for another: every session ends, and the next sign-in sets
    one up.

    Returns:
        Whether there was one.

    Raises:
        WrongPasswordError: It is another code, or there is none to take away.
        TooManyAttemptsError: Too often wrong.
    """
    attempt = await _attempt(platform, district, visitor, person, now)
    gone = required = False
    async with platform.database.work(district) as session:
        shown = await second_factor.passes(session, keys=platform.keys, person=person, code=code, now=now)
        if shown:
            await attempts.succeeded(session, attempt)
            gone = await second_factor.take_away(session, person=person, by=f"person:{person}")
            required = await _required(session, rules=rules, person=person, now=now)
            if required:
                await sessions.end_all(session, person=person)
    if not shown:
        await _refused(platform, district, visitor, person)
        raise WrongPasswordError("code")
    if required:
        await changed(platform, district.slug)
    return gone


async def _required(session: AsyncSession, *, rules: AccessRules, person: UUID, now: datetime) -> bool:
    if not rules.second_factor:
        return False
    district: District = session.info["district"]
    held = sa.select(Membership.id).where(
        Membership.person_id == person, Membership.role.in_(ADMINISTRATORS), holds(Membership, day_of(district, now))
    )
    return (await session.execute(held.limit(1))).first() is not None


async def _attempt(
    platform: Platform, district: District, visitor: Visitor, person: UUID, now: datetime
) -> attempts.Attempt:
    """Counted together with the tries at signing in."""
    return await attempts.begin(
        platform.database,
        district,
        keys=platform.keys,
        kind="sign_in",
        name=f"second factor of {person}",
        address=visitor.address,
        now=now,
        limits=attempts.SECOND_FACTOR,
    )


async def _refused(platform: Platform, district: District, visitor: Visitor, person: UUID) -> None:
    actor, details = f"person:{person}", {"address": visitor.address}
    await audit.append(
        platform.database, district, action="second_factor.refused", actor=actor, subject=actor, details=details
    )
