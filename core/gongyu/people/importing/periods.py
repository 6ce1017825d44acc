"""Which of the periods a district has are those a roster states: of memberships, enrolments, guardianships, care.

A period has a key (who is what where), a beginning and perhaps an end. History is kept: what is over stays, what stops
gets its last day, and whoever comes back gets a new period, or the old one again when the roster says it never ended.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

__all__ = ["Held", "Outcome", "Stated", "settle"]


class Held(Protocol):
    """A row of the district, as far as this module looks at it."""

    @property
    def begins_on(self) -> date: ...

    @property
    def ends_on(self) -> date | None: ...


HeldT = TypeVar("HeldT", bound=Held)


class Stated(Struct, frozen=True, gc=False):
    """What the roster says of one period; without `begin` it says only that it is on."""

    key: Hashable
    record: Any
    begin: date | None = None
    end: date | None = None
    ended: bool = False

    def over(self, today: date) -> bool:
        return self.ended or (self.end is not None and self.end < today)


class Outcome(Struct, Generic[HeldT]):
    """What there is to do for one person. `same` pairs are still to be compared field by field."""

    added: list[Stated]
    same: list[tuple[HeldT, Stated]]
    ended: list[HeldT]
    repeated: list[Stated]


def settle(
    stated: Sequence[Stated],
    held: Sequence[HeldT],
    *,
    key: Callable[[HeldT], Hashable],
    gone: Callable[[HeldT], bool],
    today: date,
) -> Outcome[HeldT]:
    """Match one person's periods.

    Args:
        stated: By the roster.
        held: By the district, over or not.
        key: What must be equal.
        gone: Whether a row that nobody states is to end.
        today: The district's date.
    """
    outcome: Outcome[HeldT] = Outcome([], [], [], [])
    rows: dict[Hashable, list[HeldT]] = {}
    for row in held:
        rows.setdefault(key(row), []).append(row)
    wanted: dict[Hashable, list[Stated]] = {}
    said: set[tuple[Hashable, date | None, bool]] = set()
    for one in stated:
        if (saying := (one.key, one.begin, one.ended)) in said:
            outcome.repeated.append(one)
        else:
            said.add(saying)
            wanted.setdefault(one.key, []).append(one)
    for this, ones in wanted.items():
        rest = _match(ones, rows.setdefault(this, []), outcome, today)
        _add(rest, rows[this], outcome, today)
    outcome.ended += [row for left in rows.values() for row in left if _open(row, today) and gone(row)]
    return outcome


def _open(row: Held, today: date) -> bool:
    return row.ends_on is None or row.ends_on >= today


def _match(ones: list[Stated], rows: list[HeldT], outcome: Outcome[HeldT], today: date) -> list[Stated]:
    """By the first day, else by the last, else by both being on; takes what it matches out of `rows`."""
    rest = []
    for one in sorted(ones, key=lambda one: one.over(today)):
        found = _since(one.begin, rows) or _until(one.end, rows)
        if found is None:
            rest.append(one)
        else:
            _pair(found, one, rows, outcome)
    left = []
    for one in rest:
        on = [row for row in rows if _open(row, today)]
        if on:
            _pair(max(on, key=lambda row: row.begins_on), one, rows, outcome)
        else:
            left.append(one)
    return left


def _since(begin: date | None, rows: Iterable[HeldT]) -> HeldT | None:
    return next((row for row in rows if row.begins_on == begin), None)


def _until(end: date | None, rows: Iterable[HeldT]) -> HeldT | None:
    return None if end is None else next((row for row in rows if row.ends_on == end), None)


def _pair(row: HeldT, one: Stated, rows: list[HeldT], outcome: Outcome[HeldT]) -> None:
    rows.remove(row)
    outcome.same.append((row, one))


def _add(rest: list[Stated], rows: list[HeldT], outcome: Outcome[HeldT], today: date) -> None:
    begun: set[date] = set()
    for one in rest:
        begin = one.begin or today
        if one.ended or (one.end is not None and one.end < begin):
            continue  # over, and nobody knows when it began: there is nothing to keep
        row = _since(begin, rows)
        if row is not None:  # stopped and taken up again on the same day
            _pair(row, one, rows, outcome)
        elif begin in begun:
            outcome.repeated.append(one)
        else:
            begun.add(begin)
            outcome.added.append(one)
