"""What if: other capacities or reserves, the same lists and the same lottery. Nothing is written.

For administrators only: to a student the difference would tell what others had listed.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from gongyu_mentor.figures import Coverage, Figures, coverage, figures
from gongyu_mentor.matching import Result, Snapshot, solve

__all__ = ["Difference", "Edit", "Field", "Move", "Side", "compare", "edited", "what_if"]

Field = Literal["capacity", "soft", "hard", "reserve"]


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one mentor; `capacity` sets the soft and the hard one."""

    mentor: int
    field: Field
    value: int


class Move(NamedTuple):
    student: int
    before: int
    after: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    figures: Figures
    group: Coverage
    """The students the reserves are for."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    moves: list[Move]
    before: Side
    after: Side


def edited(snapshot: Snapshot, edits: Sequence[Edit]) -> Snapshot:
    soft, hard, reserves = list(snapshot.soft), list(snapshot.hard), list(snapshot.reserves)
    for edit in edits:
        if edit.field in {"capacity", "soft"}:
            soft[edit.mentor] = edit.value
        if edit.field in {"capacity", "hard"}:
            hard[edit.mentor] = edit.value
        if edit.field == "reserve":
            reserves[edit.mentor] = edit.value
    return msgspec.structs.replace(snapshot, soft=soft, hard=hard, reserves=reserves)


def compare(*, before: tuple[Snapshot, Result], after: tuple[Snapshot, Result]) -> Difference:
    def side(snapshot: Snapshot, result: Result) -> Side:
        return Side(
            figures=figures(snapshot, result), group=coverage(snapshot, result, students=sorted(snapshot.group))
        )

    pairs = zip(before[1].final, after[1].final, strict=True)
    moves = [Move(student, old, new) for student, (old, new) in enumerate(pairs) if old != new]
    return Difference(moves=moves, before=side(*before), after=side(*after))


def what_if(snapshot: Snapshot, edits: Sequence[Edit], *, complete: bool = True) -> Difference:
    changed = edited(snapshot, edits)
    return compare(
        before=(snapshot, solve(snapshot, complete=complete)), after=(changed, solve(changed, complete=complete))
    )
