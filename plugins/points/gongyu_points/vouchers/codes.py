"""What stands on a voucher: twelve random symbols and one that checks them, as `K7QM-3XWD-9F2PH`.

The alphabet is Crockford's base 32, which has no I, L, O and U; who types one of the first three is understood.
Sixty random bits: with five million vouchers about, one guess in 2·10¹¹ hits, and guesses are counted besides.

The thirteen symbols are the coefficients of a polynomial over GF(2⁵), and a code is right when it vanishes at the
generator α: Σ αⁱ·dᵢ = 0. A single wrong symbol changes the sum by αⁱ·(d − d′), two symbols in each other's place change
it by (αⁱ − αʲ)·(dᵢ − dⱼ), and a field has no divisors of zero: so every single error and every swap, of neighbours or
not, is found, since the powers of α differ up to length 31. It is the Reed-Solomon code of distance two (Reed, Solomon:
Polynomial Codes over Certain Finite Fields, 1960); an ISBN-10 is the same over GF(11). A typing error is therefore told
as such before anything is looked up, and costs nobody a try.
"""

import secrets
from typing import Final

from gongyu.access.codes import canonical

__all__ = ["ALPHABET", "LENGTH", "new_code", "read", "shown"]

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 13
_VALUES: Final = {symbol: value for value, symbol in enumerate(ALPHABET)}
_FIELD: Final = 0b100101  # x⁵ + x² + 1, primitive over GF(2): α = x generates all 31 elements but zero


def new_code() -> str:
    """A code nobody can guess; `shown` puts it into groups."""
    digits = [secrets.randbelow(len(ALPHABET)) for _ in range(LENGTH - 1)]
    return "".join(ALPHABET[digit] for digit in (*digits, _times_alpha(_at_alpha(digits))))


def shown(code: str) -> str:
    """In groups, as people read numbers aloud."""
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def read(typed: str) -> str | None:
    """The code that was typed, in any case, with any dashes or none; None for what no voucher ever had on it."""
    code = canonical(typed)
    if len(code) != LENGTH or not _VALUES.keys() >= set(code):
        return None
    return code if _at_alpha([_VALUES[symbol] for symbol in code]) == 0 else None


def _at_alpha(digits: list[int]) -> int:
    """The polynomial's value at α, by Horner's rule; the last symbol counts once."""
    total = 0
    for digit in digits:
        total = _times_alpha(total) ^ digit
    return total


def _times_alpha(value: int) -> int:
    value <<= 1
    return value ^ _FIELD if value >= len(ALPHABET) else value
