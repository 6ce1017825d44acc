"""A new password for somebody who is signed in: the old one is asked for, or a browser left open would be enough."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from gongyu.access import accounts, attempts, audit, sessions
from gongyu.access.authenticate import changed
from gongyu.access.models import Account
from gongyu.access.passwords import Passwords
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import Visitor
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["WrongPasswordError", "change_password"]


class WrongPasswordError(Exception):
    """The old password is another."""

    text = Text(zh="原密码不对", en="the old password is another")

    def __init__(self) -> None:
        super().__init__(self.text.en)


async def change_password(
    platform: Platform,
    district: District,
    rules: AccessRules,
    visitor: Visitor,
    *,
    passwords: Passwords,
    person: UUID,
    old: str,
    new: str,
    now: datetime,
) -> str:
    """Replace a person's own password. Every session of theirs ends, and this browser gets a new one.

    Returns:
        The new session's cookie.

    Raises:
        WrongPasswordError: The old one is wrong, or there is none.
        AccountError: Everything that is wrong with the new one.
        TooManyAttemptsError: Too often wrong.
    """
    attempt = await attempts.begin(
        platform.database,
        district,
        keys=platform.keys,
        name=f"own password {person}",
        address=visitor.address,
        now=now,
        limits=attempts.SECOND_FACTOR,
    )
    held = sa.select(Account.password).where(Account.person_id == person)
    async with platform.database.read(district) as connection:
        kept = (await connection.execute(held)).scalar_one_or_none()
    actor = f"person:{person}"
    if not await passwords.matches(kept, old):
        details = {"address": visitor.address}
        await audit.append(
            platform.database, district, action="account.password_refused", actor=actor, subject=actor, details=details
        )
        raise WrongPasswordError
    async with platform.database.work(district) as session:
        if (await session.execute(held.with_for_update())).scalar_one_or_none() != kept:
            raise WrongPasswordError  # changed by another request meanwhile
        await attempts.succeeded(session, attempt)
        await accounts.set_password(
            session, passwords=passwords, rules=rules, person=person, password=new, by=actor, now=now
        )
        cookie = await sessions.start(session, person=person, method="password", rules=rules, now=now)
    await changed(platform, district.slug)
    return cookie
