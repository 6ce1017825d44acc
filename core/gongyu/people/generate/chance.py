"""Chance that repeats itself."""

import random
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Chance"]

T = TypeVar("T")


class Chance:
    """Only `random()` is used: the one method whose sequence Python promises to keep from version to version."""

    __slots__ = ("_next",)

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random  # noqa: S311 - what everybody may repeat is no secret

    def below(self, bound: int) -> int:
        return int(self._next() * bound)

    def between(self, first: int, last: int) -> int:
        return first + int(self._next() * (last - first + 1))

    def pick(self, among: Sequence[T]) -> T:
        return among[int(self._next() * len(among))]

    def happens(self, share: float) -> bool:
        return self._next() < share
