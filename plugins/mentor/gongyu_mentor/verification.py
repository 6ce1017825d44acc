"""A result is proved before anybody sees it, in linear time and from the assignment alone.

A stable assignment is one in which everybody has the first listed mentor whose cut-off they clear (Azevedo and Leshno
2016). The cut-offs are read off the assignment, never taken from the engine, so a wrong engine cannot vouch for itself.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from gongyu.text import Text
from gongyu_mentor.matching import NOBODY, Result, Snapshot, open_seats

__all__ = ["BrokenAssignmentError", "CutOffs", "Flaw", "cut_offs", "require_sound", "verify"]

EVERYBODY = 1 << 63
"""A cut-off above every key."""
CLOSED = -1
"""A cut-off below every key."""


class CutOffs(NamedTuple):
    """The largest key each mentor still admits. For the server only: those of a small group give its members away."""

    open: list[int]
    """For students outside the group."""
    reserved: list[int]
    """For members of it."""
    last: list[int]
    """The worst key actually held by a full mentor, whosoever; EVERYBODY while there is room."""
    seats: list[int]
    """The seats this run had to give."""


def cut_offs(snapshot: Snapshot, *, capacities: Sequence[int], stable: Sequence[int]) -> CutOffs:
    seats, reserves = open_seats(snapshot, capacities=capacities)
    held, members = [0] * len(seats), [0] * len(seats)
    last, last_open = [CLOSED] * len(seats), [CLOSED] * len(seats)
    for student, mentor in enumerate(stable):
        if mentor == NOBODY or snapshot.kept[student] != NOBODY:
            continue
        choices = snapshot.preferences[student]
        if mentor not in choices:
            continue  # a flaw, reported as such by `verify`
        key = snapshot.keys[student][choices.index(mentor)]
        held[mentor] += 1
        last[mentor] = max(last[mentor], key)
        if student in snapshot.group:
            members[mentor] += 1
        else:
            last_open[mentor] = max(last_open[mentor], key)

    cut = CutOffs(open=[], reserved=[], last=[], seats=seats)
    for mentor, count in enumerate(seats):
        if held[mentor] < count:
            bounds = (EVERYBODY, EVERYBODY, EVERYBODY)
        elif not count:
            bounds = (CLOSED, CLOSED, CLOSED)
        else:
            worst = last[mentor]
            bounds = (
                worst if members[mentor] > reserves[mentor] else last_open[mentor],
                worst if members[mentor] >= reserves[mentor] else EVERYBODY,
                worst,
            )
        cut.open.append(bounds[0])
        cut.reserved.append(bounds[1])
        cut.last.append(bounds[2])
    return cut


FlawCode = Literal["shape", "capacity", "kept", "overload", "unlisted", "unstable", "moved", "ineligible", "uncovered"]

_MEANING: dict[FlawCode, Text] = {
    "shape": Text(zh="人数或导师编号与快照不符", en="the numbers of students or mentors are not those of the snapshot"),
    "capacity": Text(zh="名额不是均匀提高后的名额", en="the capacities are not the evenly lifted ones"),
    "kept": Text(zh="保留的结对被改动", en="a kept pair was moved"),
    "overload": Text(zh="导师超出名额", en="a mentor has more students than seats"),
    "unlisted": Text(zh="第一阶段结对不在志愿内或不符合条件", en="phase 1 gave a mentor not listed or not allowed"),
    "unstable": Text(
        zh="学生应得到排位更前、且够得上的导师",
        en="a student clears the cut-off of a mentor listed above the one given",
    ),
    "moved": Text(zh="补录阶段移动了已结对的学生", en="completion moved a student placed in phase 1"),
    "ineligible": Text(zh="补录结对不符合条件", en="completion gave a mentor the rules do not allow"),
    "uncovered": Text(
        zh="尚有符合条件的空余名额，学生却没有导师", en="a student has no mentor although an allowed seat is free"
    ),
}


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to refuse a result; which student or mentor is a number of the snapshot."""

    code: FlawCode
    student: int | None = None
    mentor: int | None = None

    @property
    def meaning(self) -> Text:
        return _MEANING[self.code]


class BrokenAssignmentError(Exception):
    """The result contradicts the mechanism; it must not be published."""

    def __init__(self, flaws: list[Flaw]) -> None:
        self.flaws = flaws
        shown = "; ".join(f"{flaw.meaning.en} (student {flaw.student}, mentor {flaw.mentor})" for flaw in flaws[:5])
        super().__init__(f"{len(flaws)} flaws: {shown}")


def require_sound(snapshot: Snapshot, result: Result, *, complete: bool = True) -> None:
    """Refuse a broken assignment."""
    if flaws := verify(snapshot, result, complete=complete):
        raise BrokenAssignmentError(flaws)


def verify(snapshot: Snapshot, result: Result, *, complete: bool = True) -> list[Flaw]:
    """Everything that is wrong with a result; nothing when it may be published (if it also covers everybody)."""
    students, mentors = len(snapshot.preferences), len(snapshot.hard)
    sizes = (len(result.stable), len(result.final), len(result.capacities))
    in_range = range(NOBODY, mentors)
    if sizes != (students, students, mentors) or not all(m in in_range for m in (*result.stable, *result.final)):
        return [Flaw(code="shape")]
    flaws: list[Flaw] = []
    expected = [min(most, wanted + result.lifted) for wanted, most in zip(snapshot.soft, snapshot.hard, strict=True)]
    if result.capacities != expected or result.lifted < 0 or (result.lifted and not complete):
        flaws.append(Flaw(code="capacity"))
    flaws += _loads(snapshot, result)
    flaws += _phase_one(snapshot, result)
    flaws += _completion(snapshot, result, complete=complete)
    return flaws


def _loads(snapshot: Snapshot, result: Result) -> list[Flaw]:
    seats, _ = open_seats(snapshot, capacities=result.capacities)
    flaws: list[Flaw] = []
    for assignment in (result.stable, result.final):
        used = [0] * len(seats)
        for student, mentor in enumerate(assignment):
            if mentor != NOBODY and snapshot.kept[student] == NOBODY:
                used[mentor] += 1
        flaws += [Flaw(code="overload", mentor=m) for m, count in enumerate(used) if count > seats[m]]
    return flaws


def _phase_one(snapshot: Snapshot, result: Result) -> list[Flaw]:
    cut = cut_offs(snapshot, capacities=result.capacities, stable=result.stable)
    flaws: list[Flaw] = []
    for student, mentor in enumerate(result.stable):
        if snapshot.kept[student] != NOBODY:
            if mentor != snapshot.kept[student]:
                flaws.append(Flaw(code="kept", student=student, mentor=mentor))
            continue
        bounds = cut.reserved if student in snapshot.group else cut.open
        choices = snapshot.preferences[student]
        deserved = NOBODY
        for choice, key in zip(choices, snapshot.keys[student], strict=True):
            if 0 <= key <= bounds[choice]:
                deserved = choice
                break
        if deserved == mentor:
            continue
        listed = mentor == NOBODY or any(
            choice == mentor and key >= 0 for choice, key in zip(choices, snapshot.keys[student], strict=True)
        )
        flaws.append(Flaw(code="unstable" if listed else "unlisted", student=student, mentor=mentor))
    return flaws


def _completion(snapshot: Snapshot, result: Result, *, complete: bool) -> list[Flaw]:
    seats, _ = open_seats(snapshot, capacities=result.capacities)
    free = list(seats)
    for student, mentor in enumerate(result.final):
        if mentor != NOBODY and snapshot.kept[student] == NOBODY:
            free[mentor] -= 1
    with_room = {mentor for mentor, count in enumerate(free) if count > 0}
    flaws: list[Flaw] = []
    for student, (before, after) in enumerate(zip(result.stable, result.final, strict=True)):
        if before != NOBODY:
            if after != before:
                flaws.append(Flaw(code="moved", student=student, mentor=after))
        elif after != NOBODY:
            if not complete or (snapshot.eligible is not None and after not in snapshot.eligible[student]):
                flaws.append(Flaw(code="ineligible", student=student, mentor=after))
        elif complete and with_room and (snapshot.eligible is None or snapshot.eligible[student] & with_room):
            flaws.append(Flaw(code="uncovered", student=student))
    return flaws
