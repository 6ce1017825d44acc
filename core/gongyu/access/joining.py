"""Coming in for the first time, with a code on paper: counted like every other try, and written down."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import attempts, audit, codes
from gongyu.access.authenticate import changed
from gongyu.access.passwords import Passwords
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import Visitor, day_of
from gongyu.events import outbox
from gongyu.people.roster.canonical import GuardianshipKind
from gongyu.platform import Platform
from gongyu.plugin import District

__all__ = ["activate", "bind_guardian"]


async def activate(
    platform: Platform,
    district: District,
    rules: AccessRules,
    visitor: Visitor,
    *,
    passwords: Passwords,
    code: str,
    username: str,
    password: str,
    now: datetime,
) -> UUID:
    """`codes.activate` for a stranger at the door.

    Raises:
        CodeError, AccountError: As there.
        TooManyAttemptsError: Too many wrong codes from this address.
    """
    async with _try(platform, district, visitor, code, now) as session:
        person = await codes.activate(
            session,
            keys=platform.keys,
            passwords=passwords,
            rules=rules,
            code=code,
            username=username,
            password=password,
            now=now,
        )
    await changed(platform, district.slug)  # an account that was there has a new password, its sessions ended
    return person


async def bind_guardian(
    platform: Platform,
    district: District,
    rules: AccessRules,
    visitor: Visitor,
    *,
    passwords: Passwords,
    code: str,
    guardian: UUID | codes.NewGuardian,
    kind: GuardianshipKind,
    now: datetime,
) -> tuple[UUID, UUID]:
    """`codes.bind_guardian` for a stranger, or for a parent who is signed in.

    Raises:
        CodeError, AccountError: As there.
        TooManyAttemptsError: Too many wrong codes from this address.
    """
    async with _try(platform, district, visitor, code, now) as session:
        bound = await codes.bind_guardian(
            session,
            keys=platform.keys,
            passwords=passwords,
            rules=rules,
            code=code,
            guardian=guardian,
            kind=kind,
            now=now,
            today=day_of(district, now),
        )
    await changed(platform, district.slug)
    return bound


@asynccontextmanager
async def _try(
    platform: Platform, district: District, visitor: Visitor, code: str, now: datetime
) -> AsyncGenerator[AsyncSession]:
    attempt = await attempts.begin(
        platform.database,
        district,
        keys=platform.keys,
        kind="sign_in",
        name=f"code {codes.canonical(code)}",
        address=visitor.address,
        now=now,
    )
    try:
        async with outbox.work(platform, district) as session:
            yield session
            await attempts.succeeded(session, attempt)
    except codes.AtSchoolError as error:
        details = {"address": visitor.address, "ground": error.text.en}
        await audit.append(
            platform.database,
            district,
            action="guardian.refused",
            actor="anonymous",
            subject=f"person:{error.student}",
            details=details,
        )
        raise
    except codes.CodeError:
        details = {"address": visitor.address}
        await audit.append(platform.database, district, action="code.refused", actor="anonymous", details=details)
        raise
