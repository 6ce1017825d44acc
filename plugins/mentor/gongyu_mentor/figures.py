"""What one run looks like in numbers."""

from collections import Counter
from collections.abc import Collection

import msgspec

from gongyu_mentor.matching import NOBODY, Result, Snapshot

__all__ = ["Coverage", "Figures", "coverage", "figures"]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How some students fared. `rank_distribution` counts who got their first, second, … choice."""

    students: int
    matched: int
    unmatched: int
    kept: int
    completed: int
    rank_distribution: dict[str, int]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    everybody: Coverage
    mentors: int
    seats: int
    lifted: int
    loads: list[int]
    proposals: int


def coverage(snapshot: Snapshot, result: Result, *, students: Collection[int]) -> Coverage:
    ranks: Counter[int] = Counter()
    kept = completed = unmatched = 0
    for student in students:
        if snapshot.kept[student] != NOBODY:
            kept += 1
        elif result.stable[student] != NOBODY:
            ranks[snapshot.preferences[student].index(result.stable[student]) + 1] += 1
        elif result.final[student] != NOBODY:
            completed += 1
        else:
            unmatched += 1
    return Coverage(
        students=len(students),
        matched=len(students) - unmatched,
        unmatched=unmatched,
        kept=kept,
        completed=completed,
        rank_distribution={str(rank): ranks[rank] for rank in sorted(ranks)},
    )


def figures(snapshot: Snapshot, result: Result) -> Figures:
    loads = [0] * len(result.capacities)
    for mentor in result.final:
        if mentor != NOBODY:
            loads[mentor] += 1
    return Figures(
        everybody=coverage(snapshot, result, students=range(len(result.final))),
        mentors=len(loads),
        seats=sum(result.capacities),
        lifted=result.lifted,
        loads=loads,
        proposals=result.proposals,
    )
