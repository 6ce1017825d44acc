"""Accounts: made by an operator or by a code on paper, closed at once, never shared (GB/T 22239 访问控制 a–c)."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit, sessions, tokens
from gongyu.access.models import Account, FormerPassword
from gongyu.access.passwords import Passwords, remembered, shortcomings
from gongyu.access.rules import AccessRules
from gongyu.people.models import Person
from gongyu.people.private import holds_number
from gongyu.text import Text

__all__ = [
    "AccountError",
    "create_account",
    "disable_account",
    "enable_account",
    "ensure_account",
    "folded",
    "set_password",
]

_LONGEST_NAME = 64


class AccountError(Exception):
    """What was asked for cannot be done; `reasons` holds everything that is wrong, and nothing has changed."""

    def __init__(self, reasons: Sequence[Text]) -> None:
        super().__init__("; ".join(reason.en for reason in reasons))
        self.reasons = tuple(reasons)


def folded(username: str) -> str:
    """A user name as it is compared: full-width letters, capitals and spaces around it make no other one.

    Whatever a hostile client sends becomes something a database can be asked for.
    """
    speakable = username.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", speakable).strip().casefold()


async def create_account(
    session: AsyncSession,
    *,
    passwords: Passwords,
    rules: AccessRules,
    person: UUID,
    username: str,
    password: str | None = None,
    must_change: bool = False,
    by: str,
    now: datetime,
) -> None:
    """Give a person their account; without a password it opens by an activation code or another sign-in service only.

    Args:
        session: A district's session.
        passwords: How they are kept.
        rules: The district's, for the password policy.
        person: Whose; one has one account.
        username: Unique in the district.
        password: The first one.
        must_change: Whether it only opens the way to a new one, as a password somebody else has chosen should.
        by: Who asked.
        now: The time.

    Raises:
        AccountError: Everything that is wrong.
    """
    name = folded(username)
    reasons = _name_troubles(name)
    holder = (await session.execute(sa.select(Person.name).where(Person.id == person))).scalar_one_or_none()
    if holder is None:
        reasons.append(Text(zh=f"没有这个人：{person}", en=f"there is no such person: {person}"))
    if password is not None:
        reasons += shortcomings(rules.password_policy, password, about=[name, holder or ""])
    if reasons:
        raise AccountError(reasons)
    row = insert(Account).values(
        person_id=person,
        username=name,
        password=None if password is None else await passwords.hash(password),
        password_since=None if password is None else now,
        must_change=must_change,
    )
    made = await session.execute(row.on_conflict_do_nothing().returning(Account.person_id))
    if made.first() is None:
        raise AccountError(
            [
                Text(
                    zh="此人已有账号，或用户名已被使用",
                    en="the person has an account already, or the user name is taken",
                )
            ]
        )
    await audit.record(session, action="account.created", actor=by, subject=f"person:{person}")


async def ensure_account(session: AsyncSession, *, person: UUID) -> None:
    """Whoever comes in without a user name, by another service or a token, has an account too: it is what can be
    closed, and what a second factor is at.
    """
    row = insert(Account).values(person_id=person, username=str(person))
    await session.execute(row.on_conflict_do_nothing(index_elements=["person_id"]))


async def disable_account(session: AsyncSession, *, person: UUID, by: str) -> bool:
    """Close an account: sessions end, tokens open nothing; the caller calls `authenticate.changed` after commit.

    Returns:
        Whether it was open.
    """
    await ensure_account(session, person=person)
    if not await _switch(session, person, "disabled"):
        return False
    await sessions.end_all(session, person=person)
    await audit.record(session, action="account.disabled", actor=by, subject=f"person:{person}")
    return True


async def enable_account(session: AsyncSession, *, person: UUID, by: str) -> bool:
    """Open a closed account again; earlier sessions stay ended."""
    if not await _switch(session, person, "active"):
        return False
    await audit.record(session, action="account.enabled", actor=by, subject=f"person:{person}")
    return True


async def set_password(
    session: AsyncSession,
    *,
    passwords: Passwords,
    rules: AccessRules,
    person: UUID,
    password: str,
    must_change: bool = False,
    keeps_tokens: bool = False,
    by: str,
    now: datetime,
) -> None:
    """Replace a password and end every session and API token: whoever got in with the old one is out (ASVS 5.0 7.4.3),
    and could have made a token. The caller calls `authenticate.changed` after commit.

    Args:
        session: A district's session.
        passwords: How they are kept.
        rules: The district's, for the password policy.
        person: Whose.
        password: The new one.
        must_change: As of `create_account`.
        keeps_tokens: Whether the scripts go on: where the person has just shown the old password, nothing was lost.
        by: Who asked.
        now: The time.

    Raises:
        AccountError: No account, or everything that is wrong with the password.
    """
    held = sa.select(Account.username, Account.password, Person.name).join(Person, Person.id == Account.person_id)
    account = (await session.execute(held.where(Account.person_id == person).with_for_update(of=Account))).first()
    if account is None:
        raise AccountError([Text(zh="此人没有账号", en="the person has no account")])
    reasons = shortcomings(rules.password_policy, password, about=[account.username, account.name])
    if account.password is not None and await passwords.matches(account.password, password):
        reasons.append(Text(zh="与原密码相同", en="it is the old password"))
    most = remembered(rules.password_policy)
    for former in await _former(session, person, most - 1):
        if await passwords.matches(former, password):
            reasons.append(
                Text(zh="不能与最近 {n} 个密码相同", en="it is one of the last {n} passwords").format(n=most)
            )
    if reasons:
        raise AccountError(reasons)
    hashed = await passwords.hash(password)
    await _remember(session, person, account.password, most - 1, now)
    values = {"password": hashed, "password_since": now, "must_change": must_change}
    await session.execute(sa.update(Account).where(Account.person_id == person).values(values))
    await sessions.end_all(session, person=person)
    revoked = 0 if keeps_tokens else await tokens.revoke_tokens_of(session, person=person, by=by)
    details = {"tokens_revoked": revoked}
    await audit.record(session, action="account.password_set", actor=by, subject=f"person:{person}", details=details)


async def _former(session: AsyncSession, person: UUID, most: int) -> Sequence[str]:
    latest = sa.select(FormerPassword.password).where(FormerPassword.person_id == person)
    latest = latest.order_by(FormerPassword.replaced_at.desc(), FormerPassword.id.desc()).limit(most)
    return (await session.execute(latest)).scalars().all()


async def _remember(session: AsyncSession, person: UUID, password: str | None, most: int, now: datetime) -> None:
    """No more of them than the policy asks for, and none where it asks for none."""
    if password is not None and most:
        row = sa.insert(FormerPassword).values(person_id=person, password=password, replaced_at=now)
        await session.execute(row)
    of_theirs = FormerPassword.person_id == person
    kept = sa.select(FormerPassword.id).where(of_theirs)
    kept = kept.order_by(FormerPassword.replaced_at.desc(), FormerPassword.id.desc()).limit(most)
    await session.execute(sa.delete(FormerPassword).where(of_theirs, FormerPassword.id.not_in(kept)))


async def _switch(session: AsyncSession, person: UUID, state: str) -> bool:
    changed = sa.update(Account).where(Account.person_id == person, Account.state != state).values(state=state)
    return (await session.execute(changed.returning(Account.person_id))).first() is not None


def _name_troubles(name: str) -> list[Text]:
    found = []
    if not 2 <= len(name) <= _LONGEST_NAME:  # noqa: PLR2004 - a name of one letter is a slip
        found.append(
            Text(zh=f"用户名须为 2–{_LONGEST_NAME} 个字符", en=f"a user name has 2 to {_LONGEST_NAME} characters")
        )
    if any(character.isspace() or not character.isprintable() for character in name):
        found.append(Text(zh="用户名不能含空格或控制字符", en="a user name holds no spaces or control characters"))
    if holds_number(name):  # user names are seen, and stand unsealed
        found.append(
            Text(zh="用户名不能是身份证号或手机号", en="a user name is no identity number and no mobile number")
        )
    return found
