"""Somebody's number where a source has put it: as its id of the person, as a user name, inside an e-mail address.

Such text is as private as the number's own column. It is kept sealed on the person (`Person.source_private`); an id,
by which rows are found again and which must stay unique, is replaced by a keyed hash of it.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from gongyu.access.sealing import Seals
from gongyu.people.models import Person
from gongyu.people.roster.identity import birth_of

__all__ = ["PRIVATE_FIELDS", "holds_number", "open_private", "seal_private", "stored_id"]

#: The texts of a person that a source fills as it likes.
PRIVATE_FIELDS: Final = ("sourced_id", "username", "email")

_LONG: Final = re.compile(r"\d{11}")  # nearly every text has no so long number, and a district has a million texts
_RESIDENT: Final = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15})(?!\d)")
_MOBILE: Final = re.compile(r"(?<!\d)(?:\+?86)?1[3-9]\d{9}(?!\d)")
#: Of random digits, and often our own come back in an export: one in some hundred has what looks like a telephone.
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Hexadecimal in letters only, lest a hash look like a number itself.
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_LENGTH: Final = 32
_EARLIEST: Final = 1850  # a serial number is seldom somebody's birth date as well


def holds_number(text: str) -> bool:
    """Whether a resident identity number, old or new, or a mobile telephone number stands in the text."""
    if _LONG.search(text) is None or _UUID.fullmatch(text):
        return False
    if _MOBILE.search(text):
        return True
    return any(_was_born(match[0]) for match in _RESIDENT.finditer(text))


def _was_born(number: str) -> bool:
    if len(number) > 15:  # noqa: PLR2004 - GB 11643-1989 had 15 digits
        born = birth_of(number)
        return born is not None and born.year >= _EARLIEST
    try:
        dt.date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    except ValueError:
        return False
    return True


def stored_id(seals: Seals, said: str) -> str:
    """A source's id as it stands in the database: itself, or for one that holds a number its keyed hash."""
    if not holds_number(said):
        return said
    return "~" + seals.hashed(said, purpose="sourced_id").hex()[:_LENGTH].translate(_LETTERS)


def seal_private(seals: Seals, person: UUID, texts: Mapping[str, str]) -> bytes | None:
    """The column's value; None when there is nothing to keep."""
    if not texts:
        return None
    return seals.seal(msgspec.json.encode(texts, order="sorted").decode(), Person.source_private, person)


def open_private(seals: Seals, person: UUID, sealed: bytes | None) -> dict[str, str]:
    """What the source said, by field."""
    if sealed is None:
        return {}
    return msgspec.json.decode(seals.open(sealed, Person.source_private, person), type=dict[str, str])
