"""Why this mentor, and why not the ones listed above: the same cut-offs that prove the result, put into words.

No explanation names another student, a group or anybody's key. What a family may know is its own place in the queue,
and that only where the queue is long enough to hide in.
"""

from bisect import bisect_left
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import NamedTuple

import msgspec

from gongyu.text import Text
from gongyu_mentor.matching import INELIGIBLE, NOBODY, Result, Snapshot, decided_by
from gongyu_mentor.verification import EVERYBODY, CutOffs, cut_offs

__all__ = ["HIDDEN_BELOW", "Explanation", "Position", "Refusal", "Told", "explain", "reason", "refusal_reason", "tell"]

HIDDEN_BELOW = 5
"""A queue shorter than this stays hidden: in it a place would be a statement about particular classmates."""


class Position(NamedTuple):
    """Place `place` of the `of` students who are there or would rather be there, for `seats` seats."""

    place: int
    of: int
    seats: int


class Refusal(NamedTuple):
    mentor: int
    code: str
    position: Position | None


class Explanation(NamedTuple):
    """One reason for the mentor given, and one for each mentor listed above."""

    code: str
    mentor: int
    choices: int
    refusals: list[Refusal]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """The explanations of a whole run as numbers; words are made for whoever asks, one student at a time."""

    codes: list[int]
    """Per student: the number of the choice given, or what `_GIVEN` has at its negative."""
    choices: list[int]
    """Per student: how many were listed."""
    refused: list[list[int]]
    """Per student, for each mentor listed above: mentor, place in `_REFUSED`, place in the queue or 0."""
    queues: list[int]
    """Per mentor: how many are there or would rather be there."""
    seats: list[int]

    def of(self, student: int, *, mentor: int) -> Explanation:
        code, refused = self.codes[student], self.refused[student]
        refusals = [
            Refusal(who, _REFUSED[why], Position(place, self.queues[who], self.seats[who]) if place else None)
            for who, why, place in zip(refused[::3], refused[1::3], refused[2::3], strict=True)
        ]
        return Explanation(f"CHOICE_{code}" if code > 0 else _GIVEN[-code], mentor, self.choices[student], refusals)


_GIVEN = ("KEPT", "PINNED", "HANDOVER", "COMPLETION", "UNMATCHED")
_KEPT, _PINNED, _HANDOVER, _COMPLETION, _UNMATCHED = (-at for at in range(len(_GIVEN)))
_REFUSED = ("FULL_CLASS", "FULL_BAND", "FULL_LOTTERY", "FULL_POLICY", "CLOSED", "NOT_ELIGIBLE")
_POLICY, _CLOSED, _NOT_ELIGIBLE = 3, 4, 5


def explain(
    snapshot: Snapshot, result: Result, *, inherited: Sequence[int] | None = None, hidden_below: int = HIDDEN_BELOW
) -> list[Explanation]:
    """One explanation per student. `inherited` is the successor a rematch added to a student's list."""
    told = tell(snapshot, result, inherited=inherited, hidden_below=hidden_below)
    return [told.of(student, mentor=mentor) for student, mentor in enumerate(result.final)]


def tell(
    snapshot: Snapshot,
    result: Result,
    *,
    inherited: Sequence[int] | None = None,
    pinned: AbstractSet[int] = frozenset(),
    hidden_below: int = HIDDEN_BELOW,
) -> Told:
    """All of it in numbers. `pinned` are students whose pair somebody decided: they are told that, and not "kept"."""
    cut = cut_offs(snapshot, capacities=result.capacities, stable=result.stable)
    reached = _reached(snapshot, result)
    queues = _queues(snapshot, reached, mentors=len(cut.seats))
    told = Told(codes=[], choices=[], refused=[], queues=[len(queue) for queue in queues], seats=cut.seats)
    for student, choices in enumerate(snapshot.preferences):
        listed = len(choices) - (inherited is not None and inherited[student] != NOBODY)
        given = reached[student]
        if snapshot.kept[student] != NOBODY:
            code = _PINNED if student in pinned else _KEPT
        elif given < listed:
            code = given + 1
        elif given < len(choices):
            code = _HANDOVER
        else:
            code = _UNMATCHED if result.final[student] == NOBODY else _COMPLETION
        told.codes.append(code)
        told.choices.append(listed)
        told.refused.append(_refused(student, min(given, listed), snapshot, cut, queues, hidden_below))
    return told


def _reached(snapshot: Snapshot, result: Result) -> list[int]:
    """How far down the list each student had to go: its whole length without success, NOBODY where none was asked."""
    return [
        NOBODY if kept != NOBODY else len(choices) if mentor == NOBODY else choices.index(mentor)
        for choices, mentor, kept in zip(snapshot.preferences, result.stable, snapshot.kept, strict=True)
    ]


def _queues(snapshot: Snapshot, reached: Sequence[int], *, mentors: int) -> list[list[int]]:
    """Per mentor the sorted keys of those who are there or would rather be there."""
    queues: list[list[int]] = [[] for _ in range(mentors)]
    for choices, precedence, upto in zip(snapshot.preferences, snapshot.keys, reached, strict=True):
        for mentor, key in zip(choices[: upto + 1], precedence, strict=False):
            if key != INELIGIBLE:
                queues[mentor].append(key)
    for queue in queues:
        queue.sort()
    return queues


def _refused(  # noqa: PLR0917 - called once per student, where names would cost more than they tell
    student: int,
    upto: int,
    snapshot: Snapshot,
    cut: CutOffs,
    queues: Sequence[list[int]],
    hidden_below: int,
) -> list[int]:
    """For each of the first choices the mentor, why not, and the place in the queue."""
    told: list[int] = []
    bounds = cut.reserved if student in snapshot.group else cut.open
    choices, precedence = snapshot.preferences[student], snapshot.keys[student]
    for at in range(upto):
        mentor, key = choices[at], precedence[at]
        if key == INELIGIBLE:
            told += (mentor, _NOT_ELIGIBLE, 0)
            continue
        if not cut.seats[mentor]:
            told += (mentor, _CLOSED, 0)
            continue
        bound = bounds[mentor]
        if key < cut.last[mentor] or bound < 0:
            code = _POLICY  # somebody with a worse key is there, or every seat went by policy
        elif bound == EVERYBODY:  # unreachable in a sound result; `verify` refuses it as unstable
            raise ValueError(f"student {student} clears mentor {mentor}: the result is not stable")
        else:
            code = decided_by(key, bound)
        queue = queues[mentor]
        told += (mentor, code, bisect_left(queue, key) + 1 if len(queue) >= hidden_below else 0)
    return told


_REFUSALS = {
    "FULL_CLASS": Text(
        zh="名额已满：最后一位结对的同学在学校公布的优先类别中排在前面。",
        en="Full: the last one admitted had precedence by the school's published class.",
    ),
    "FULL_BAND": Text(
        zh="名额已满：最后一位结对的同学是该导师优先选择的。",
        en="Full: the last one admitted had precedence by the mentor's choice.",
    ),
    "FULL_LOTTERY": Text(
        zh="名额已满：最后一位结对的同学抽签号在前。",
        en="Full: the last one admitted had precedence by lottery number.",
    ),
    "FULL_POLICY": Text(
        zh="名额已满：部分名额按学校规定安排。",
        en="Full: some seats follow school policy.",
    ),
    "CLOSED": Text(zh="该导师本轮没有名额。", en="This mentor had no seats in this round."),
    "NOT_ELIGIBLE": Text(
        zh="按照结对规则（如年级、亲属回避等），不能与该导师结对。",
        en="A rule (grade, own child, …) does not allow this pair.",
    ),
}
_POSITION = Text(
    zh="在已结对或更想选该导师的 {of} 人中排第 {place} 位，名额 {seats} 个。",
    en="Position {place} of {of} who are there or would rather be there, for {seats} seats.",
)
_REASONS = {
    "KEPT": Text(zh="原有结对继续。", en="Your pair continues."),
    "PINNED": Text(zh="学校指定的结对，理由可向学校了解。", en="The school decided this pair and can tell you why."),
    "HANDOVER": Text(zh="原导师离任，由接任导师继续。", en="Your mentor left; this is the successor."),
    "COMPLETION": Text(
        zh="你填报的 {choices} 个志愿都已满或不能结对，这位导师还有空余名额。",
        en="Your {choices} choices were full or not open to you; this mentor had free seats.",
    ),
    "UNMATCHED": Text(
        zh="你填报的 {choices} 个志愿都已满或不能结对，目前还没有导师。",
        en="Your {choices} choices were full or not open to you; you have no mentor yet.",
    ),
}
_NOTHING_LISTED = {
    "COMPLETION": Text(
        zh="你没有填报志愿，这位导师还有空余名额。", en="You listed nobody; this mentor had free seats."
    ),
    "UNMATCHED": Text(zh="你没有填报志愿，目前还没有导师。", en="You listed nobody; you have no mentor yet."),
}
_CHOICE = Text(zh="这是你的第 {choice} 志愿。", en="This was your choice number {choice}.")


def reason(explanation: Explanation) -> Text:
    """Why this mentor, for the family."""
    return _worded(explanation.code, explanation.choices)


@cache
def _worded(code: str, choices: int) -> Text:
    if code.startswith("CHOICE_"):
        return _CHOICE.format(choice=code.removeprefix("CHOICE_"))
    if not choices and code in _NOTHING_LISTED:
        return _NOTHING_LISTED[code]
    return _REASONS[code].format(choices=choices)


def refusal_reason(refusal: Refusal) -> Text:
    """Why not this one, for the family."""
    words = _REFUSALS[refusal.code]
    if refusal.position is None:
        return words
    place = _POSITION.format(**refusal.position._asdict())
    return Text(zh=words.zh + place.zh, en=f"{words.en} {place.en}")
