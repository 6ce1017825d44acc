"""The proof refuses what is broken: assignments spoilt by hand, and engines spoilt on purpose."""

from collections.abc import Callable
from functools import partial
from heapq import heappop
from random import Random

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gongyu_mentor import matching
from gongyu_mentor.definitions import Small, is_stable, random_market, solved_by_definition
from gongyu_mentor.matching import NOBODY, Result, Snapshot, solve
from gongyu_mentor.verification import BrokenAssignmentError, require_sound, verify

examples = partial(settings, deadline=None, derandomize=True)
dice = st.builds(Random, st.integers(0, 2**32))


def school(random: Random) -> Small:
    return random_market(random, students=10, mentors=4, rules=random.randrange(2) == 0, reserves=True)


def spoilt(result: Result, *, stable: dict[int, int] | None = None, final: dict[int, int] | None = None) -> Result:
    """The result with some students given another mentor; a change of phase 1 shows in the outcome as well."""
    moved = {**(stable or {}), **(final or {})}
    return msgspec.structs.replace(
        result,
        stable=[(stable or {}).get(s, m) for s, m in enumerate(result.stable)],
        final=[moved.get(s, m) for s, m in enumerate(result.final)],
    )


def codes(snapshot: Snapshot, result: Result) -> set[str]:
    return {flaw.code for flaw in verify(snapshot, result)}


@examples(max_examples=200)
@given(dice)
def test_the_proof_agrees_with_the_definition_on_any_assignment(random: Random) -> None:
    """Random changes of a stable phase 1: refused exactly where the definition calls them unstable."""
    market = school(random)
    snapshot, caps = market.snapshot(), [min(pair) for pair in zip(market.soft, market.hard, strict=True)]
    result = solve(snapshot, complete=False)
    for _ in range(20):
        student = random.randrange(10)
        other = random.choice([*market.mentors, NOBODY])
        partner = next((s for s, m in enumerate(result.stable) if m == other and s != student), student)
        change = {student: other, **({partner: result.stable[student]} if random.randrange(2) else {})}
        broken = spoilt(result, stable=change)
        sound = verify(snapshot, broken, complete=False) == []
        assert sound == is_stable(market, caps, broken.stable)


@examples(max_examples=100)
@given(dice)
def test_each_kind_of_broken_assignment_is_refused_by_its_name(random: Random) -> None:
    market = school(random)
    snapshot = market.snapshot()
    result = solve(snapshot)
    matched = [s for s, m in enumerate(result.stable) if m != NOBODY]
    assume(matched)
    student = random.choice(matched)
    mentor = result.stable[student]
    elsewhere = (mentor + 1) % len(market.soft)

    assert codes(snapshot, spoilt(result, stable={student: NOBODY})) & {"unstable"}, "dropped"
    assert codes(snapshot, spoilt(result, final={student: NOBODY})) >= {"moved"}, "dropped by completion"
    assume(len(market.soft) > 1)
    assert codes(snapshot, spoilt(result, final={student: elsewhere})) >= {"moved"}, "displaced by completion"
    lower = market.acceptable(student)[market.acceptable(student).index(mentor) + 1 :]
    for worse in lower:
        assert codes(snapshot, spoilt(result, stable={student: worse})) & {"unstable"}, "moved down"
    for stranger in set(market.mentors) - set(market.acceptable(student)):
        assert codes(snapshot, spoilt(result, stable={student: stranger})) >= {"unlisted"}, "unacceptable"
    everybody_here = dict.fromkeys(market.students, mentor)
    if result.capacities[mentor] < len(market.lists):
        assert codes(snapshot, spoilt(result, final=everybody_here)) >= {"overload"}
    assert codes(snapshot, msgspec.structs.replace(result, final=result.final[:-1])) == {"shape"}
    assert codes(snapshot, spoilt(result, final={student: 99})) == {"shape"}
    assert "capacity" in codes(snapshot, msgspec.structs.replace(result, capacities=[99] * len(market.soft)))
    kept = msgspec.structs.replace(snapshot, kept=[elsewhere if s == student else NOBODY for s in market.students])
    assert "kept" in codes(kept, result)


def best_goes(members: list[int], others: list[int], reserve: int) -> int:
    heap = members if len(members) > reserve else others
    return heap.pop(heap.index(max(heap)))


def reserve_is_forgotten(members: list[int], others: list[int], reserve: int) -> int:
    del reserve
    return heappop(members if members and (not others or members[0] < others[0]) else others)


def last_come_goes(members: list[int], others: list[int], reserve: int) -> int:
    """First come, first served."""
    return members.pop() if len(members) > reserve else others.pop()


def reserve_is_a_ceiling(members: list[int], others: list[int], reserve: int) -> int:
    return heappop(members if len(members) > reserve or not others else others)


Broken = Callable[[list[int], list[int], int], int]


@pytest.mark.parametrize("broken", [best_goes, reserve_is_forgotten, last_come_goes, reserve_is_a_ceiling])
def test_a_deliberately_broken_engine_is_refused(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both judges see it: the linear proof used in production and the definition-level solver."""
    monkeypatch.setattr(matching, "_gives_way", broken)
    refused = different = 0
    for seed in range(300):
        market = school(Random(seed))  # noqa: S311 - a market, not a secret
        result = solve(market.snapshot(), complete=False)
        caps = [min(pair) for pair in zip(market.soft, market.hard, strict=True)]
        different += result.stable != solved_by_definition(market, caps)
        flaws = verify(market.snapshot(), result, complete=False)
        assert bool(flaws) == (not is_stable(market, caps, result.stable))
        if flaws:
            refused += 1
            with pytest.raises(BrokenAssignmentError):
                require_sound(market.snapshot(), result, complete=False)
    assert min(refused, different) > 3


def test_a_completion_that_displaces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def emptiest_of_all(*, waiting: list[int], assignment: list[int], **_: object) -> list[int]:
        return [0 for _ in assignment] if waiting else assignment

    monkeypatch.setattr(matching, "fill_free_seats", emptiest_of_all)
    flaws: set[str] = set()
    for seed in range(30):
        market = school(Random(seed))  # noqa: S311 - a market, not a secret
        flaws |= codes(market.snapshot(), solve(market.snapshot()))
    assert flaws >= {"moved", "overload", "ineligible"}


def test_a_completion_that_leaves_seats_empty_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "fill_free_seats", lambda *, assignment, **_: assignment)
    market = school(Random(3))  # noqa: S311 - a market, not a secret
    assert codes(market.snapshot(), solve(market.snapshot())) == {"uncovered"}
