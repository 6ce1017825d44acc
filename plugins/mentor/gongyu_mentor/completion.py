"""Completion: everybody left over goes to a free seat, and nobody placed in phase 1 moves for it.

A mentor with a free seat never refused anybody who asked, so nobody prefers such a seat to the one it has: completion
keeps the assignment stable, listing more mentors never hurts, and listing fewer never helps.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

__all__ = ["fill_free_seats"]

_NOBODY = -1


def fill_free_seats(
    *,
    waiting: Sequence[int],
    assignment: Sequence[int],
    capacities: Sequence[int],
    draw: Sequence[int],
    eligible: Sequence[AbstractSet[int]] | None,
    fit: Sequence[Mapping[int, int]] | None,
) -> list[int]:
    """Place `waiting`, in that order, each with the mentor of least load; who finds no free seat stays without one."""
    final = list(assignment)
    loads = [0] * len(capacities)
    for mentor in assignment:
        if mentor != _NOBODY:
            loads[mentor] += 1
    if eligible is None:
        _emptiest_first(waiting, final, loads, capacities, draw, fit)
        return final
    seats = _FreeSeats(loads=loads, capacities=capacities, draw=draw, eligible=eligible)
    for student in waiting:
        seats.place(student, wishes=fit[student] if fit is not None else {})
    for mentor, students in seats.given.items():
        for student in students:
            final[student] = mentor
    return final


def _emptiest_first(  # noqa: PLR0917 - the state of one loop, handed over once
    waiting: Sequence[int],
    final: list[int],
    loads: list[int],
    capacities: Sequence[int],
    draw: Sequence[int],
    fit: Sequence[Mapping[int, int]] | None,
) -> None:
    """Level by level: whoever takes a seat at a mentor of the lowest load lifts that mentor to the next level."""
    levels: dict[int, list[int]] = {}
    for mentor, load in enumerate(loads):
        if load < capacities[mentor]:
            levels.setdefault(load, []).append(mentor)
    load = min(levels, default=0)
    level: list[int] = []
    for student in waiting:
        while not level:
            if not levels:
                return
            load = min(levels)
            level = sorted(levels.pop(load), key=draw.__getitem__, reverse=True)
        if fit is None:
            mentor = level.pop()
        else:
            wishes = fit[student]
            mentor = min(level, key=lambda m: (-wishes.get(m, 0), draw[m]))
            level.remove(mentor)
        final[student] = mentor
        if load + 1 < capacities[mentor]:
            levels.setdefault(load + 1, []).append(mentor)


class _FreeSeats:
    """With rules: min-cost augmenting paths over the free seats only, where a seat costs the load it is filled at.

    Only students placed in this phase step aside, and only for seats they did not list either. Successive shortest
    paths end in the most even of the largest placements; once placed, always placed, so whoever waits first has
    precedence where not all can be placed. The order is that of the draw and of
    waiting, never that of numbers.
    """

    def __init__(
        self,
        *,
        loads: list[int],
        capacities: Sequence[int],
        draw: Sequence[int],
        eligible: Sequence[AbstractSet[int]],
    ) -> None:
        self._loads, self._capacities, self._draw = loads, capacities, draw
        self._eligible = eligible
        with_room = (mentor for mentor, load in enumerate(loads) if load < capacities[mentor])
        self.given: dict[int, list[int]] = {mentor: [] for mentor in sorted(with_room, key=draw.__getitem__)}

    def place(self, student: int, *, wishes: Mapping[int, int]) -> None:
        came_from, steps = self._reach(student)
        ends = [mentor for mentor in came_from if self._loads[mentor] < self._capacities[mentor]]
        if not ends:
            return

        def cost(mentor: int) -> tuple[int, int, int, int]:
            distance = steps[mentor]
            return self._loads[mentor], distance, 0 if distance else -wishes.get(mentor, 0), self._draw[mentor]

        mentor = min(ends, key=cost)
        self._loads[mentor] += 1
        while mentor != _NOBODY:
            moved, source = came_from[mentor]
            if source != _NOBODY:
                self.given[source].remove(moved)
            self.given[mentor].append(moved)
            mentor = source

    def _reach(self, student: int) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
        """Every mentor a chain of moves can lead to: who would move in and from where, and after how many others."""
        came_from: dict[int, tuple[int, int]] = {}
        steps: dict[int, int] = {}
        unreached = list(self.given)
        seekers = [(student, _NOBODY)]
        distance = 0
        while seekers and unreached:
            frontier: list[int] = []
            for seeker, present in seekers:
                allowed = self._eligible[seeker]
                reached = [mentor for mentor in unreached if mentor in allowed]
                if reached:
                    came_from.update(dict.fromkeys(reached, (seeker, present)))
                    frontier += reached
                    unreached = [mentor for mentor in unreached if mentor not in allowed]
            steps.update(dict.fromkeys(frontier, distance))
            seekers = [(other, mentor) for mentor in frontier for other in self.given[mentor]]
            distance += 1
        return came_from, steps
