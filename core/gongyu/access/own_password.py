"""A new password for somebody who is signed in: the old one is asked for, or a browser left open would be enough.

So is it for changing the second factor (OWASP ASVS 5.0 7.5.1).
"""

from datetime import datetime
from typing import Literal
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

__all__ = ["WrongPasswordError", "change_password", "prove"]


class WrongPasswordError(Exception):
    """The password, or the code, is another; `field` is where it was typed."""

    def __init__(self, field: Literal["old", "password", "code"] = "old") -> None:
        self.field = field
        self.text = (
            Text(zh="验证码不对", en="the code is another")
            if field == "code"
            else Text(zh="密码不对", en="the password is another")
        )
        super().__init__(self.text.en)


async def prove(
    platform: Platform,
    district: District,
    visitor: Visitor,
    *,
    passwords: Passwords,
    person: UUID,
    password: str,
    field: Literal["old", "password"],
    now: datetime,
) -> tuple[attempts.Attempt, str]:
    """That whoever is signed in knows the password.

    Returns:
        The try, to be marked as succeeded, and the hash it was checked against.

    Raises:
        WrongPasswordError: It is wrong, or there is none.
        TooManyAttemptsError: Too often wrong.
    """
    attempt = await attempts.begin(
        platform.database,
        district,
        keys=platform.keys,
        kind="sign_in",
        name=f"own password {person}",
        address=visitor.address,
        now=now,
        limits=attempts.SECOND_FACTOR,
    )
    async with platform.database.read(district) as connection:
        kept: str | None = (await connection.execute(_held(person))).scalar_one_or_none()
    if await passwords.matches(kept, password) and kept is not None:
        return attempt, kept
    actor, details = f"person:{person}", {"address": visitor.address}
    await audit.append(
        platform.database, district, action="account.password_refused", actor=actor, subject=actor, details=details
    )
    raise WrongPasswordError(field)


def _held(person: UUID) -> sa.Select[str | None]:
    return sa.select(Account.password).where(Account.person_id == person)


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
    attempt, kept = await prove(
        platform, district, visitor, passwords=passwords, person=person, password=old, field="old", now=now
    )
    actor = f"person:{person}"
    async with platform.database.work(district) as session:
        if (await session.execute(_held(person).with_for_update())).scalar_one_or_none() != kept:
            raise WrongPasswordError  # changed by another request meanwhile
        await attempts.succeeded(session, attempt)
        await accounts.set_password(
            session,
            passwords=passwords,
            rules=rules,
            person=person,
            password=new,
            keeps_tokens=True,
            by=actor,
            now=now,
        )
        cookie = await sessions.start(session, person=person, method="password", rules=rules, now=now)
    await changed(platform, district.slug)
    return cookie
