"""Resident identity numbers: GB 11643-1999, check character by ISO 7064 MOD 11-2."""

import datetime as dt
import re
from typing import Literal

__all__ = ["RESIDENT", "birth_of", "check_character", "fault_of"]

RESIDENT = "1"
"""居民身份证, in the register's codes: the only document whose number has a check digit."""

_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))  # GB 11643: W(i) = 2^(i-1) mod 11, from the right
_CHARACTERS = "10X98765432"
_NEW = re.compile(r"\d{17}[\dX]")
_OLD = re.compile(r"\d{15}")

Fault = Literal["id_number_invalid", "id_number_check", "id_number_old"]


def check_character(first17: str) -> str:
    return _CHARACTERS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def birth_of(number: str) -> dt.date | None:
    try:
        return dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def fault_of(number: str) -> Fault | None:
    """What is wrong with a resident identity number already in normal form; the old 15 digits have nothing to check."""
    if not number.isascii():
        return "id_number_invalid"
    if _OLD.fullmatch(number):
        return "id_number_old"
    if not _NEW.fullmatch(number) or birth_of(number) is None:
        return "id_number_invalid"
    return None if check_character(number[:17]) == number[17] else "id_number_check"
