"""Codes on paper: one that gives a person their account, one with which guardians bind themselves to a child.

Sixty random bits in letters nobody mistakes (Crockford's base 32), kept as a hash keyed outside the database: a copy of
the database is no help in guessing them, and looking one up stays one step, which a slow salted hash would not allow.
"""

import secrets
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import accounts, audit, guardians
from gongyu.access.keys import KeyRing
from gongyu.access.models import AccessCode, Account
from gongyu.access.passwords import Passwords
from gongyu.access.rules import AccessRules
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.people.roster.canonical import GuardianshipKind
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "AtSchoolError",
    "CodeError",
    "NewGuardian",
    "activate",
    "bind_guardian",
    "canonical",
    "issue",
    "use",
    "withdraw",
]

Kind = Literal["activation", "guardian"]

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 12
_LONGEST_NAME: Final = 100
_MISREAD: Final = str.maketrans("OIL", "011", "-‐‑–—－ \t")
#: Two guardians bind themselves with one slip; for more the school prints another.
_USES: Final[dict[Kind, int]] = {"activation": 1, "guardian": 2}


class CodeError(Exception):
    """This code opens nothing. Wrong, used up, expired and withdrawn are not told apart."""

    text = Text(
        zh="激活码无效或已过期；请核对，或向学校索取新的",
        en="this code is not valid or has expired; check it, or ask the school for a new one",
    )

    def __init__(self) -> None:
        super().__init__(self.text.en)


class AtSchoolError(CodeError):
    """Somebody may not have contact with this child. A name on a slip is only what somebody typed, so they could come
    back under another: for this child the school looks at people itself.
    """

    text = Text(
        zh="这个孩子的家长绑定须到学校办理，请带上有效证件",
        en="for this child the school must do this in person; bring a proof of identity",
    )

    def __init__(self, student: UUID) -> None:
        super().__init__()
        self.student = student


class NewGuardian(msgspec.Struct, frozen=True, kw_only=True):
    """A guardian the school's lists do not know yet, with the account they want."""

    name: str
    username: str
    password: str


def canonical(typed: str) -> str:
    """What was typed, as it was printed: any case, any dashes, O for 0 and I or L for 1."""
    return unicodedata.normalize("NFKC", typed).upper().translate(_MISREAD)


async def issue(
    session: AsyncSession,
    *,
    keys: KeyRing,
    kind: Kind,
    persons: Iterable[UUID],
    valid: timedelta,
    by: str,
    now: datetime,
) -> dict[UUID, str]:
    """Make one code for each person, in place of an earlier one of the kind; they are shown here and never again.

    Args:
        session: A district's session.
        keys: For the hashes.
        kind: `activation` for a person's own account (or a new password), `guardian` for the parents of a student.
        persons: Who; a class, or one.
        valid: How long. An initial secret must expire (ASVS 5.0 6.4.1).
        by: Who asked.
        now: The time.

    Raises:
        AccountError: An account is closed, and a new password would not open it.
    """
    district: District = session.info["district"]
    persons = list(persons)
    closed = sa.select(Account.person_id).where(Account.person_id.in_(persons), Account.state == "disabled")
    if kind == "activation" and (await session.execute(closed.limit(1))).first() is not None:
        raise accounts.AccountError(
            [
                Text(
                    zh="账号已停用，激活码打不开它；请先启用",
                    en="the account is closed and a code would not open it; open it first",
                )
            ]
        )
    codes = {person: "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for person in persons}
    if not codes:
        return {}
    await session.execute(sa.delete(AccessCode).where(AccessCode.kind == kind, AccessCode.person_id.in_(list(codes))))
    rows = [
        {
            "id": new_id(),
            "kind": kind,
            "person_id": person,
            "hash": _hash(keys, district, code),
            "uses_left": _USES[kind],
            "created_at": now,
            "expires_at": now + valid,
        }
        for person, code in codes.items()
    ]
    await session.execute(sa.insert(AccessCode), rows)
    details = {"kind": kind, "count": len(rows)}
    if len(rows) == 1:
        await audit.record(
            session, action="code.issued", actor=by, subject=f"person:{next(iter(codes))}", details=details
        )
    else:
        await audit.record(session, action="code.issued", actor=by, details=details)
    return {person: "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4)) for person, code in codes.items()}


async def withdraw(session: AsyncSession, *, kind: Kind, persons: Iterable[UUID]) -> None:
    """Codes that got lost open nothing any more."""
    await session.execute(sa.delete(AccessCode).where(AccessCode.kind == kind, AccessCode.person_id.in_(list(persons))))


async def activate(
    session: AsyncSession,
    *,
    keys: KeyRing,
    passwords: Passwords,
    rules: AccessRules,
    code: str,
    username: str,
    password: str,
    now: datetime,
) -> UUID:
    """Use up an activation code: make the person's account, or give the account they have a new password, which ends
    its sessions and API tokens.

    Args:
        session: A district's session.
        keys: For the hash.
        passwords: How they are kept.
        rules: The district's.
        code: As typed.
        username: For a new account; who has one keeps their user name.
        password: Chosen by the person.
        now: The time.

    Returns:
        The person. The caller starts no session by it: signing in shows that they know what they chose.

    Raises:
        CodeError: The code opens nothing.
        AccountError: Everything that is wrong with name and password; the code can be used again.
    """
    person = await use(session, keys=keys, kind="activation", code=code, now=now)
    actor = f"person:{person}"
    held = sa.select(Account.state).where(Account.person_id == person)
    state = (await session.execute(held)).scalar_one_or_none()
    if state == "disabled":
        raise CodeError
    if state is None:
        await accounts.create_account(
            session,
            passwords=passwords,
            rules=rules,
            person=person,
            username=username,
            password=password,
            by=actor,
            now=now,
        )
    else:
        await accounts.set_password(
            session, passwords=passwords, rules=rules, person=person, password=password, by=actor, now=now
        )
    return person


async def bind_guardian(
    session: AsyncSession,
    *,
    keys: KeyRing,
    passwords: Passwords,
    rules: AccessRules,
    code: str,
    guardian: UUID | NewGuardian,
    kind: GuardianshipKind,
    now: datetime,
    today: date,
) -> tuple[UUID, UUID]:
    """Bind a guardian to the student a code was printed for.

    A bond that a roster ended is no bar: the child was away and is back, and a new slip says that the school knows.

    Args:
        session: A district's session.
        keys: For the hash.
        passwords: How they are kept.
        rules: The district's.
        code: As typed.
        guardian: A person signed in already (a sibling's parent), or the account somebody wants, or has.
        kind: What they are to the child.
        now: The time.
        today: The district's date.

    Returns:
        Guardian and student.

    Raises:
        CodeError: The code opens nothing, or not for this person: somebody the school has parted from the child does
            not come back by a slip of paper.
        AtSchoolError: Somebody may not have contact with the child, so that the school must look who comes.
        AccountError: Everything that is wrong with the account wanted.
    """
    student = await use(session, keys=keys, kind="guardian", code=code, now=now)
    if await guardians.has_ban(session, student=student, today=today):
        raise AtSchoolError(student)
    person = (
        await _newcomer(session, passwords=passwords, rules=rules, wanted=guardian, now=now)
        if isinstance(guardian, NewGuardian)
        else guardian
    )
    if person == student or await guardians.is_on(session, guardian=person, student=student, today=today):
        raise CodeError
    if await guardians.was_parted(session, guardian=person, student=student):
        raise CodeError
    await guardians.link(session, guardian=person, student=student, kind=kind, today=today)
    details = {"guardian": str(person), "kind": kind}
    await audit.record(
        session, action="guardian.bound", actor=f"person:{person}", subject=f"person:{student}", details=details
    )
    return person, student


async def _newcomer(
    session: AsyncSession, *, passwords: Passwords, rules: AccessRules, wanted: NewGuardian, now: datetime
) -> UUID:
    """The person of a new account; or of one they show to be theirs. Whose last child has left cannot sign in, and must
    not become a second person when the next one comes.
    """
    held = sa.select(Account.person_id, Account.password).where(
        Account.username == accounts.folded(wanted.username), Account.state == "active"
    )
    account = (await session.execute(held)).first()
    if account is not None and await passwords.matches(account.password, wanted.password):
        returning: UUID = account.person_id
        return returning
    person, name = new_id(), wanted.name.strip()
    if not (name and name.isprintable() and len(name) <= _LONGEST_NAME):
        raise accounts.AccountError([Text(zh="请填写姓名", en="a name is needed")])
    await session.execute(sa.insert(Person).values(id=person, name=name))
    await accounts.create_account(
        session,
        passwords=passwords,
        rules=rules,
        person=person,
        username=wanted.username,
        password=wanted.password,
        by=f"person:{person}",
        now=now,
    )
    return person


async def use(session: AsyncSession, *, keys: KeyRing, kind: Kind, code: str, now: datetime) -> UUID:
    """Take one use from a code and say whose it is; of two at the same moment the last use goes to one.

    Raises:
        CodeError: It opens nothing.
    """
    district: District = session.info["district"]
    used = (
        sa.update(AccessCode)
        .where(
            AccessCode.hash == _hash(keys, district, canonical(code)),
            AccessCode.kind == kind,
            AccessCode.uses_left > 0,
            AccessCode.expires_at > now,
        )
        .values(uses_left=AccessCode.uses_left - 1, used_at=now)
        .returning(AccessCode.person_id)
    )
    person: UUID | None = (await session.execute(used)).scalar_one_or_none()
    if person is None:
        raise CodeError
    return person


def _hash(keys: KeyRing, district: District, code: str) -> bytes:
    return keys.keyed_hash(district.slug, code.encode("utf-8", "replace"), purpose=b"access_code")
