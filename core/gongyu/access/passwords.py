"""Passwords: which ones will do, by named policy, and how they are kept (Argon2id, RFC 9106).

The two policies contradict each other openly: OWASP ASVS 5.0 forbids composition rules and forced change (6.2.5,
6.2.10), GB/T 22239-2019 身份鉴别 a demands both. A district chooses by name.
"""

import asyncio
import secrets
from collections.abc import Collection
from datetime import timedelta
from importlib import import_module
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from gongyu.text import Text

__all__ = ["Passwords", "longest_age", "remembered", "shortcomings"]

_SHORTEST: Final = 8
_LONGEST: Final = 128
#: Guesses a patient attacker has online: below it a password counts as common (zxcvbn's own "very guessable").
_COMMON: Final = 10**6
_KINDS: Final = 3


def shortcomings(policy: Literal["asvs", "mlps3"], password: str, *, about: Collection[str] = ()) -> list[Text]:
    """Everything that is wrong with a password; empty when it will do.

    Args:
        policy: The district's.
        password: As typed; nothing is trimmed or changed.
        about: What others know of the person: user name, name, school.
    """
    found = []
    if len(password) < _SHORTEST:
        found.append(Text(zh=f"至少 {_SHORTEST} 个字符", en=f"at least {_SHORTEST} characters"))
    if len(password) > _LONGEST:
        found.append(Text(zh=f"至多 {_LONGEST} 个字符", en=f"at most {_LONGEST} characters"))
    folded = password.casefold()
    if any(len(word) > 2 and word.casefold() in folded for word in about):  # noqa: PLR2004 - shorter words are everywhere
        found.append(Text(zh="不能包含用户名、姓名等信息", en="it must not contain the user name, name or the like"))
    if password and _guesses(password, about) < _COMMON:
        found.append(Text(zh="太常见，容易被猜到", en="it is common and easily guessed"))
    if policy == "mlps3" and _kinds(password) < _KINDS:
        found.append(
            Text(
                zh="须含大写字母、小写字母、数字、符号中的三种",
                en="three of capital letters, small letters, digits and symbols are needed",
            )
        )
    return found


def longest_age(policy: Literal["asvs", "mlps3"]) -> timedelta | None:
    """When a password has to be changed; None for never without a reason (ASVS 6.2.10)."""
    return timedelta(days=90) if policy == "mlps3" else None


def remembered(policy: Literal["asvs", "mlps3"]) -> int:
    """Of how many last passwords, the present one among them, none may be taken again: a change that is forced would
    lead back and forth between two (GB/T 22239 身份鉴别 a). Where no change is forced, the present one alone.
    """
    return 5 if policy == "mlps3" else 1


def _kinds(password: str) -> int:
    upper = any(character.isupper() for character in password)
    lower = any(character.islower() for character in password)
    digit = any(character.isdigit() for character in password)
    return upper + lower + digit + any(not character.isalnum() for character in password)


def _guesses(password: str, about: Collection[str]) -> float:
    # Its lists of 30,000 leaked passwords take 20 ms and 5 MB to load: only where a password is set.
    estimate = import_module("zxcvbn").zxcvbn
    guesses: float = float(estimate(password[:72], user_inputs=list(about))["guesses"])  # it is cubic in the length
    return guesses


class Passwords:
    """Hashes and checks, in threads, few at a time: each takes 64 MB, and a flood must not take the machine's memory.

    Args:
        hasher: Argon2id with the parameters of RFC 9106 for little memory; tests take cheaper ones.
        at_once: How many are worked out side by side in this process.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 4) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(at_once)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; for nobody (None) it takes the same work to say no."""
        if kept is None and self._nobodys is None:
            self._nobodys = await self.hash(secrets.token_urlsafe())
        async with self._turns:
            found = await asyncio.to_thread(self._verify, kept or self._nobodys or "", _bytes(password))
        return found and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Hashed with weaker parameters than today's: to be hashed again while the password is at hand."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")[: 4 * _LONGEST + 1]
