"""Enough seats? Capacities lifted evenly when not, and who competes for which seats when nothing helps.

Hall's theorem (1935) makes the report complete: whenever some students cannot all be placed, there is a set of students
who together are allowed fewer seats than they are many, and that set is the reason.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

__all__ = ["Lifting", "Shortage", "groups_short_of_seats", "lift_capacities"]

_NOBODY = -1


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """These students may go to these mentors only, who together have fewer seats than the students are many."""

    students: list[int]
    mentors: list[int]
    seats: int

    @property
    def missing(self) -> int:
        return len(self.students) - self.seats


class Lifting(msgspec.Struct, frozen=True, kw_only=True):
    capacities: list[int]
    lifted: int
    shortages: list[Shortage]


def lift_capacities(
    *,
    soft: Sequence[int],
    hard: Sequence[int],
    kept: Sequence[int],
    eligible: Sequence[AbstractSet[int]] | None,
) -> Lifting:
    """The least even lift of the soft capacities that seats everybody, each mentor stopping at the hard one."""
    taken = [0] * len(soft)
    for mentor in kept:
        if mentor != _NOBODY:
            taken[mentor] += 1
    waiting = [student for student, mentor in enumerate(kept) if mentor == _NOBODY]

    def capacities(lift: int) -> list[int]:
        return [min(most, wanted + lift) for wanted, most in zip(soft, hard, strict=True)]

    def free(lift: int) -> list[int]:
        return [max(0, count - used) for count, used in zip(capacities(lift), taken, strict=True)]

    highest = max((most - wanted for wanted, most in zip(soft, hard, strict=True)), default=0)
    highest = max(0, highest)
    lift = bisect_left(range(highest + 1), len(waiting), key=lambda step: sum(free(step)))
    if eligible is None:
        if lift <= highest:
            return Lifting(capacities=capacities(lift), lifted=lift, shortages=[])
        seats = free(highest)
        everybody = Shortage(students=waiting, mentors=[m for m, count in enumerate(seats) if count], seats=sum(seats))
        return Lifting(capacities=capacities(highest), lifted=highest, shortages=[everybody])

    lift = min(lift, highest)
    seating = _Seating(eligible=eligible, seats=free(lift))
    left = [student for student in waiting if not seating.place(student)]
    while left and lift < highest:
        lift += 1
        seating.widen(free(lift))
        left = [student for student in left if not seating.place(student)]
    placed = seating.mentor_of | dict.fromkeys(left, _NOBODY)
    shortages = groups_short_of_seats(placed=placed, eligible=eligible, mentors=len(soft))
    return Lifting(capacities=capacities(lift), lifted=lift, shortages=shortages)


class _Seating:
    """A largest placement under the rules alone, grown student by student along augmenting paths (Berge 1957)."""

    def __init__(self, *, eligible: Sequence[AbstractSet[int]], seats: list[int]) -> None:
        self.eligible = eligible
        self.mentor_of: dict[int, int] = {}
        self._occupants: list[set[int]] = [set() for _ in seats]
        self.widen(seats)

    def widen(self, seats: list[int]) -> None:
        self._seats = seats
        self._free = {mentor for mentor, count in enumerate(seats) if len(self._occupants[mentor]) < count}
        self._exhausted: set[int] = set()

    def place(self, student: int) -> bool:
        came_from: dict[int, tuple[int, int]] = {}
        queue = deque([(student, _NOBODY)])
        while queue:
            seeker, present = queue.popleft()
            allowed = self.eligible[seeker]
            if open_to_them := allowed & self._free:
                mentor = min(open_to_them)
                came_from[mentor] = (seeker, present)
                self._shift(mentor, came_from)
                return True
            for mentor in allowed - self._exhausted:
                if mentor not in came_from:
                    came_from[mentor] = (seeker, present)
                    queue.extend((occupant, mentor) for occupant in self._occupants[mentor])
        # There is no free seat behind any of these, nor will there be: later searches skip them.
        self._exhausted.update(came_from)
        return False

    def _shift(self, mentor: int, came_from: Mapping[int, tuple[int, int]]) -> None:
        if len(self._occupants[mentor]) + 1 == self._seats[mentor]:
            self._free.discard(mentor)
        while mentor != _NOBODY:
            student, source = came_from[mentor]
            if source != _NOBODY:
                self._occupants[source].discard(student)
            self._occupants[mentor].add(student)
            self.mentor_of[student] = mentor
            mentor = source


def groups_short_of_seats(
    *, placed: Mapping[int, int], eligible: Sequence[AbstractSet[int]] | None, mentors: int
) -> list[Shortage]:
    """The Hall sets behind a largest placement: whom each unplaced student competes with, group by group."""
    occupants: list[list[int]] = [[] for _ in range(mentors)]
    for student, mentor in placed.items():
        if mentor != _NOBODY:
            occupants[mentor].append(student)
    in_play = {mentor for mentor in range(mentors) if occupants[mentor]}
    groups: list[tuple[set[int], set[int]]] = []
    for unplaced in sorted(student for student, mentor in placed.items() if mentor == _NOBODY):
        students, reached = {unplaced}, set[int]()
        queue = deque([unplaced])
        while queue:
            seeker = queue.popleft()
            allowed = in_play if eligible is None else eligible[seeker] & in_play
            touching = [group for group in groups if group[1] & allowed]
            for group in touching:  # the same seats: one group, whose inside is known already
                groups.remove(group)
                students |= group[0]
                reached |= group[1]
            for mentor in allowed - reached:
                reached.add(mentor)
                students.update(occupants[mentor])
                queue.extend(occupants[mentor])
        without = next((group for group in groups if not group[1]), None)
        if not reached and without is not None:
            without[0].update(students)
        else:
            groups.append((students, reached))
    found = [
        Shortage(
            students=sorted(students), mentors=sorted(reached), seats=sum(len(occupants[mentor]) for mentor in reached)
        )
        for students, reached in groups
    ]
    return sorted(found, key=lambda shortage: shortage.students)
