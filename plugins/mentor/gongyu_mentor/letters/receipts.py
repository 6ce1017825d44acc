"""The receipt of an anonymous letter: 100 bits, shown once, kept only as a keyed hash.

It is not drawn but made, from the letter and a number the sender's device chose (`once`), with the district's hashing
key: a letter sent again after a lost answer gives the same receipt and nothing new, without any trace of who sent it.
Two letters that differ in a character have nothing in common, so a device that always chooses the same number harms
nobody but somebody who knows the letter word by word.
"""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gongyu.access.codes import canonical
from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.people.rights.periods import today_in
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.web import ProblemError
from gongyu_mentor.letters.models import Letter, ReceiptTry
from gongyu_mentor.letters.schemas import AnonymousLetter

__all__ = ["find", "hash_of", "made_for", "secret_of"]

_ALPHABET: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_CHARACTERS: Final = 20
_GROUP: Final = 5
_WINDOW: Final = timedelta(minutes=15)
#: Wrong codes from one address within the window. A school is one address too, and people mistype.
_MOST: Final = 20


def made_for(letter: AnonymousLetter, *, seals: Seals) -> str:
    once = str(letter.once) if letter.once else secrets.token_hex(16)
    content = msgspec.json.encode([once, str(letter.school), letter.words, letter.about_principal]).decode()
    code = base64.b32encode(seals.hashed(content, purpose="letter.receipt"))[:_CHARACTERS].translate(_ALPHABET).decode()
    return "-".join(code[at : at + _GROUP] for at in range(0, _CHARACTERS, _GROUP))


def secret_of(receipt: str) -> str:
    """As it was meant, however it was typed."""
    return canonical(receipt)


def hash_of(receipt: str, *, seals: Seals) -> bytes:
    return seals.hashed(secret_of(receipt), purpose="letter.receipt_hash")


async def find(
    platform: Platform, district: District, *, receipt: str, address: str, seals: Seals, now: datetime
) -> UUID:
    """The letter of a receipt. A try counts before it is made, so that of many at once no more get through.

    Raises:
        ProblemError: `not-found`, whatever is wrong with the code; `rate-limited`.
    """
    today = today_in(district, now)
    where = seals.hashed(f"{today} {address}", purpose="letter.receipt_try")
    this, since = new_id(), now - _WINDOW
    mine = sa.and_(ReceiptTry.address == where, ReceiptTry.at > since)
    async with platform.database.read(
        district
    ) as connection:  # apart from the unit of work, which a refusal rolls back
        await connection.execute(sa.delete(ReceiptTry).where(ReceiptTry.at <= since))
        await connection.execute(sa.insert(ReceiptTry).values(id=this, address=where, at=now))
        tries = (await connection.execute(sa.select(sa.func.count()).where(mine))).scalar_one()
        found = sa.select(Letter.id).where(Letter.receipt_hash == hash_of(receipt, seals=seals))
        letter = None if tries > _MOST else (await connection.execute(found)).scalar_one_or_none()
        if letter is not None or tries > _MOST:
            await connection.execute(sa.delete(ReceiptTry).where(ReceiptTry.id == this))
    if tries > _MOST:
        raise ProblemError("rate-limited", headers={"retry-after": str(int(_WINDOW.total_seconds()))})
    if letter is None:
        raise ProblemError("not-found")
    return letter
