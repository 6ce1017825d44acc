"""The second factor: time-based codes (RFC 6238, by pyotp), and recovery codes for the day the telephone is lost.

The secret is sealed with the district's key. A time step is accepted once: a code seen over a shoulder opens nothing.
"""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import pyotp
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.accounts import AccountError
from gongyu.access.codes import canonical
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account, RecoveryCode
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["confirm", "passes", "propose", "take_away"]

_STEP: Final = 30
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RECOVERY_CODES: Final = 10
_RECOVERY_LENGTH: Final = 24  # 120 bits: no slow hash needed (ASVS 5.0 6.5.2)


async def propose(session: AsyncSession, *, keys: KeyRing, person: UUID, issuer: str) -> str:
    """A new secret as the address an authenticator app reads (show it as a QR code); it counts when confirmed.

    Raises:
        AccountError: No account, or one with a second factor, which is taken away first, by itself or by an operator.
    """
    district: District = session.info["district"]
    secret = pyotp.random_base32()
    proposed = (
        sa.update(Account)
        .where(Account.person_id == person, Account.totp_since.is_(None))
        .values(totp_secret=keys.encrypt(district.slug, secret.encode(), context=_context(person)), totp_step=None)
        .returning(Account.username)
    )
    username = (await session.execute(proposed)).scalar_one_or_none()
    if username is None:
        raise AccountError(
            [Text(zh="没有账号，或已设置两步验证", en="there is no account, or it has a second factor already")]
        )
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


async def confirm(session: AsyncSession, *, keys: KeyRing, person: UUID, code: str, now: datetime) -> list[str] | None:
    """Make the proposed secret count, once the person shows that their app has it.

    Returns:
        The recovery codes, shown here and never again; None when the code is wrong.
    """
    district: District = session.info["district"]
    if not await _totp(session, keys, person, code, now, confirmed=False):
        return None
    await session.execute(sa.update(Account).where(Account.person_id == person).values(totp_since=now))
    await session.execute(sa.delete(RecoveryCode).where(RecoveryCode.person_id == person))
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH)) for _ in range(_RECOVERY_CODES)]
    rows = [{"hash": _hash(keys, district, person, text), "person_id": person} for text in codes]
    await session.execute(sa.insert(RecoveryCode), rows)
    actor = f"person:{person}"
    await audit.record(session, action="second_factor.set", actor=actor, subject=actor)
    return ["-".join(text[at : at + 6] for at in range(0, _RECOVERY_LENGTH, 6)) for text in codes]


async def passes(session: AsyncSession, *, keys: KeyRing, person: UUID, code: str, now: datetime) -> bool:
    """Whether this is the app's code of now, or a recovery code not used before; either works once.

    The caller limits how often it may be asked.
    """
    if await _totp(session, keys, person, code, now, confirmed=True):
        return True
    district: District = session.info["district"]
    used = (
        sa.update(RecoveryCode)
        .where(
            RecoveryCode.hash == _hash(keys, district, person, canonical(code)),
            RecoveryCode.person_id == person,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.person_id)
    )
    if (await session.execute(used)).first() is None:
        return False
    actor = f"person:{person}"
    await audit.record(session, action="second_factor.recovered", actor=actor, subject=actor)
    return True


async def take_away(session: AsyncSession, *, person: UUID, by: str) -> bool:
    """Remove a second factor, for somebody who lost it with the recovery codes and showed who they are."""
    removed = (
        sa.update(Account)
        .where(Account.person_id == person, Account.totp_secret.is_not(None))
        .values(totp_secret=None, totp_since=None, totp_step=None)
        .returning(Account.person_id)
    )
    if (await session.execute(removed)).first() is None:
        return False
    await session.execute(sa.delete(RecoveryCode).where(RecoveryCode.person_id == person))
    await audit.record(session, action="second_factor.removed", actor=by, subject=f"person:{person}")
    return True


async def _totp(
    session: AsyncSession, keys: KeyRing, person: UUID, code: str, now: datetime, *, confirmed: bool
) -> bool:
    district: District = session.info["district"]
    counts = Account.totp_since.is_not(None) if confirmed else Account.totp_since.is_(None)
    held = sa.select(Account.totp_secret).where(Account.person_id == person, Account.totp_secret.is_not(None), counts)
    sealed = (await session.execute(held)).scalar_one_or_none()
    if sealed is None:
        return False
    totp = pyotp.TOTP(keys.decrypt(district.slug, sealed, context=_context(person)).decode())
    at = int(now.timestamp()) // _STEP
    typed = canonical(code)
    # One step to either side, for clocks that differ (RFC 6238 5.2).
    steps = [step for step in (at - 1, at, at + 1) if pyotp.utils.strings_equal(totp.generate_otp(step), typed)]
    if not steps:
        return False
    taken = (
        sa.update(Account)
        .where(Account.person_id == person, sa.or_(Account.totp_step.is_(None), Account.totp_step < steps[-1]))
        .values(totp_step=steps[-1])
        .returning(Account.person_id)
    )
    return (await session.execute(taken)).first() is not None


def _context(person: UUID) -> bytes:
    return b"account.totp:" + person.bytes


def _hash(keys: KeyRing, district: District, person: UUID, code: str) -> bytes:
    return keys.keyed_hash(district.slug, person.bytes + code.encode("utf-8", "replace"), purpose=b"recovery_code")
