"""The mechanism: student-proposing deferred acceptance with reserves first, then completion into free seats.

Gale and Shapley 1962 for the core; minority reserves after Hafalir, Yenmez and Yildirim 2013 (a ceiling on everybody
else can hurt the very students it should help, a reserve cannot); seats of the reserve are filled first, and what they
leave is open to all, because the order of seats is policy (Dur, Kominers, Pathak and Sönmez 2018) and a minimum
guarantee is the policy meant here. Students and mentors are integers: the caller keeps the names.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from gongyu_mentor.completion import fill_free_seats
from gongyu_mentor.shortage import Shortage, groups_short_of_seats, lift_capacities

__all__ = [
    "CONTINUING",
    "INELIGIBLE",
    "NOBODY",
    "REST",
    "Key",
    "Result",
    "Snapshot",
    "decided_by",
    "deferred_acceptance",
    "open_seats",
    "pack",
    "solve",
    "unpack",
]

NOBODY = -1
"""In an assignment: no mentor."""
INELIGIBLE = -1
"""In place of a key: a rule forbids this pair, whatever the student lists."""
CONTINUING, REST = 0, 1
"""The two classes every school has: a pair that goes on, and everybody else. A school may publish more, after these."""

_LOTTERY_BITS = _BAND_BITS = 24
_LOTTERY_MASK = (1 << _LOTTERY_BITS) - 1
_BAND_MASK = (1 << _BAND_BITS) - 1


class Key(NamedTuple):
    """A student's precedence at one mentor; smaller is better, and strict because no two share a lottery number."""

    cls: int
    band: int
    lottery: int


def pack(*, cls: int, band: int, lottery: int) -> int:
    """A key as one integer of 63 bits, because the engine compares keys and nothing else."""
    return cls << (_BAND_BITS + _LOTTERY_BITS) | band << _LOTTERY_BITS | lottery


def unpack(key: int) -> Key:
    return Key(key >> (_BAND_BITS + _LOTTERY_BITS), key >> _LOTTERY_BITS & _BAND_MASK, key & _LOTTERY_MASK)


def decided_by(key: int, other: int) -> int:
    """Which field of two keys decides between them: 0 is the class, 1 the band, 2 the lottery."""
    differing = key ^ other
    return 0 if differing >> _BAND_BITS + _LOTTERY_BITS else 1 if differing >> _LOTTERY_BITS else 2


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run depends on, frozen before it. Position in a sequence is the student's or the mentor's number."""

    preferences: Sequence[Sequence[int]]
    """Per student: mentors, best first."""
    keys: Sequence[Sequence[int]]
    """Beside each preference its packed key, or INELIGIBLE."""
    lottery: Sequence[int]
    """Per student: the number drawn for the year; distinct, from 0, below 2**24."""
    mentor_lottery: Sequence[int]
    """Per mentor: the last tie-break of completion, so that it never depends on the order of rows."""
    soft: Sequence[int]
    """Per mentor: the capacity the school wants."""
    hard: Sequence[int]
    """Per mentor: the capacity that is never exceeded; 0 for a mentor who is closed."""
    reserves: Sequence[int]
    """Per mentor: seats a member of the group has first claim to; more than the capacity means all of it."""
    group: AbstractSet[int]
    """Students the reserves are for. Sensitive: nothing that leaves the engine names them."""
    kept: Sequence[int]
    """Per student: the mentor of a pair that stands before the run (continuing, pinned, frozen), else NOBODY."""
    eligible: Sequence[AbstractSet[int]] | None = None
    """Per student: mentors the rules allow; None when every pair is allowed."""
    fit: Sequence[Mapping[int, int]] | None = None
    """Per student: how well a mentor suits (subject, grade, talent), more is better; completion breaks ties by it."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `stable` is the assignment after phase 1 with the kept pairs, `final` the one after completion."""

    capacities: list[int]
    lifted: int
    stable: list[int]
    final: list[int]
    proposals: int
    shortages: list[Shortage]
    """Found before the run: no assignment at all could give these students a mentor each."""
    exceptions: list[Shortage]
    """Found after it: who is left, and with whom they compete for which free seats. A person decides; no rule bends."""

    @property
    def covers_everybody(self) -> bool:
        return NOBODY not in self.final


def open_seats(snapshot: Snapshot, *, capacities: Sequence[int]) -> tuple[list[int], list[int]]:
    """Seats and reserves that the kept pairs leave. A kept pair stands even where the capacity was lowered since."""
    seats, reserves = list(capacities), list(snapshot.reserves)
    for student, mentor in enumerate(snapshot.kept):
        if mentor != NOBODY:
            seats[mentor] -= 1
            if student in snapshot.group:
                reserves[mentor] -= 1
    seats = [max(0, count) for count in seats]
    return seats, [max(0, min(reserve, count)) for reserve, count in zip(reserves, seats, strict=True)]


def deferred_acceptance(snapshot: Snapshot, *, capacities: Sequence[int]) -> tuple[list[int], int]:
    """Phase 1: the best stable assignment for every student at once, and how many proposals it took.

    A displaced student goes on at once; in which order students are taken up changes neither the assignment nor the
    number of proposals (McVitie and Wilson 1971), because the choice rule `_gives_way` is substitutable and
    size-monotone (Hatfield and Milgrom 2005). Another rule belongs there only if it is both.
    """
    preferences, keys = snapshot.preferences, snapshot.keys
    free, reserves = open_seats(snapshot, capacities=capacities)
    has_seats = [count > 0 for count in free]
    student_of = _students_by_lottery(snapshot)
    # Heaps of negated keys: the worst student held is on top. Members count apart only where seats are reserved.
    members: list[list[int]] = [[] for _ in free]
    others: list[list[int]] = [[] for _ in free]
    next_choice = [0] * len(preferences)
    proposals = 0

    for first, kept in enumerate(snapshot.kept):
        student = first if kept == NOBODY else NOBODY
        while student != NOBODY:
            choices, precedence, in_group = preferences[student], keys[student], student in snapshot.group
            displaced = NOBODY
            for choice in range(next_choice[student], len(choices)):
                mentor, key = choices[choice], precedence[choice]
                if key < 0 or not has_seats[mentor]:
                    continue
                proposals += 1
                inside, outside = members[mentor], others[mentor]
                heappush(inside if in_group and reserves[mentor] else outside, -key)
                if free[mentor]:
                    free[mentor] -= 1
                    out = NOBODY
                else:
                    out = student_of[-_gives_way(inside, outside, reserves[mentor]) & _LOTTERY_MASK]
                if out != student:
                    next_choice[student] = choice + 1
                    displaced = out
                    break
            student = displaced

    assignment = list(snapshot.kept)
    for held in (members, others):
        for mentor, heap in enumerate(held):
            for negated in heap:
                assignment[student_of[-negated & _LOTTERY_MASK]] = mentor
    return assignment, proposals


def _gives_way(members: list[int], others: list[int], reserve: int) -> int:
    """Of one too many: the worst of all, or the worst outside the group while the group is within its reserve."""
    from_members = len(members) > reserve and (not others or members[0] < others[0])
    return heappop(members if from_members else others)


def _students_by_lottery(snapshot: Snapshot) -> list[int]:
    student_of = [NOBODY] * (max(snapshot.lottery, default=0) + 1)
    for student, number in enumerate(snapshot.lottery):
        student_of[number] = student
    return student_of


def solve(snapshot: Snapshot, *, complete: bool = True) -> Result:
    """A whole run: capacities lifted evenly if seats are short, phase 1, completion. Without completion only phase 1.

    A shortage does not stop a trial run (it is read beside its report), but such a run cannot be published.
    """
    capacities = [min(pair) for pair in zip(snapshot.soft, snapshot.hard, strict=True)]
    lifted, shortages = 0, list[Shortage]()
    if complete:
        lifting = lift_capacities(
            soft=snapshot.soft, hard=snapshot.hard, kept=snapshot.kept, eligible=snapshot.eligible
        )
        capacities, lifted, shortages = lifting.capacities, lifting.lifted, lifting.shortages
    stable, proposals = deferred_acceptance(snapshot, capacities=capacities)
    final, exceptions = stable, list[Shortage]()
    if complete:
        waiting = [student for student, mentor in enumerate(stable) if mentor == NOBODY]
        waiting.sort(key=lambda student: (student not in snapshot.group, snapshot.lottery[student]))
        final = fill_free_seats(
            waiting=waiting,
            assignment=stable,
            capacities=capacities,
            draw=snapshot.mentor_lottery,
            eligible=snapshot.eligible,
            fit=snapshot.fit,
        )
        placed = {student: final[student] for student in waiting}
        exceptions = groups_short_of_seats(placed=placed, eligible=snapshot.eligible, mentors=len(capacities))
    return Result(
        capacities=capacities,
        lifted=lifted,
        stable=stable,
        final=final,
        proposals=proposals,
        shortages=shortages,
        exceptions=exceptions,
    )
