"""After the round: a rematch that moves nobody who stays, what-if that writes nothing, a lottery one can check."""

import hmac
from functools import partial
from hashlib import sha256
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gongyu_mentor import lottery
from gongyu_mentor.definitions import Small, changed, random_market, solved_by_definition
from gongyu_mentor.explanations import explain
from gongyu_mentor.figures import Coverage
from gongyu_mentor.matching import CONTINUING, NOBODY, REST, Snapshot, pack, solve
from gongyu_mentor.rematch import rematch
from gongyu_mentor.verification import verify
from gongyu_mentor.whatif import Edit, Move, what_if

examples = partial(settings, deadline=None, derandomize=True)
dice = st.builds(Random, st.integers(0, 2**32))
markets = st.builds(
    random_market,
    dice,
    students=st.integers(1, 10),
    mentors=st.integers(2, 4),
    rules=st.booleans(),
    reserves=st.booleans(),
)


def remaining(market: Small, kept: list[int], gone: int) -> tuple[Small, list[int]]:
    """What is left to decide, stated directly: the displaced and new students, the free seats, the unused reserves."""
    seats = [0 if m == gone else max(0, min(cap, market.hard[m]) - kept.count(m)) for m, cap in enumerate(market.soft)]
    used = [sum(kept[s] == m for s in market.group) for m in market.mentors]
    return changed(
        market,
        lists=[[] if kept[s] != NOBODY else wishes for s, wishes in enumerate(market.lists)],
        reserves=[max(0, reserve - taken) for reserve, taken in zip(market.reserves, used, strict=True)],
    ), seats


@examples(max_examples=400)
@given(markets, dice)
def test_a_rematch_moves_nobody_who_stays_and_is_best_for_the_others(market: Small, random: Random) -> None:
    before = solve(market.snapshot()).final
    newcomers = {s for s in market.students if random.randrange(5) == 0}
    previous = [NOBODY if s in newcomers else mentor for s, mentor in enumerate(before)]
    gone = random.randrange(len(market.soft))
    refiled = changed(
        market,
        lists=[random.sample(list(market.mentors), random.randint(0, len(market.soft))) for _ in market.students],
    )
    again = rematch(refiled.snapshot(), previous=previous, gone={gone}).snapshot

    first = solve(again, complete=False)
    kept = [NOBODY if mentor == gone else mentor for mentor in previous]
    rest, seats = remaining(refiled, kept, gone)
    expected = [k if k != NOBODY else m for k, m in zip(kept, solved_by_definition(rest, seats), strict=True)]
    assert first.stable == expected
    assert verify(again, first, complete=False) == []

    result = solve(again)
    assert verify(again, result) == []
    assert all(result.final[s] == mentor for s, mentor in enumerate(kept) if mentor != NOBODY)
    free = sum(max(0, cap - kept.count(m)) for m, cap in enumerate(result.capacities))
    if market.allowed is None and free >= kept.count(NOBODY):
        assert result.covers_everybody, "the displaced are placed"
        assert gone not in result.final


def three_mentors() -> Snapshot:
    """Six students: 0–2 with mentor 0, who leaves; 3–4 with mentor 1; 5 is new and listed mentor 1."""
    return Snapshot(
        preferences=[[], [2], [1], [], [], [1]],
        keys=[[pack(cls=REST, band=0, lottery=s)] * length for s, length in enumerate([0, 1, 1, 0, 0, 1])],
        lottery=list(range(6)),
        mentor_lottery=[0, 1, 2],
        soft=[3, 2, 3],
        hard=[3, 5, 3],
        reserves=[0, 0, 0],
        group=frozenset(),
        kept=[NOBODY] * 6,
    )


def test_a_successor_inherits_the_group_behind_its_own_choices() -> None:
    previous = [0, 0, 0, 1, 1, NOBODY]
    handed = rematch(three_mentors(), previous=previous, gone={0}, successors={0: 1})
    assert (handed.snapshot.soft, handed.snapshot.hard) == ([0, 5, 3], [0, 5, 3])
    assert handed.inherited == [1, 1, NOBODY, NOBODY, NOBODY, NOBODY], "student 2 had listed the successor already"
    assert handed.snapshot.keys[2] == [pack(cls=CONTINUING, band=0, lottery=2)]
    result = solve(handed.snapshot)
    told = explain(handed.snapshot, result, inherited=handed.inherited)
    assert result.final == [1, 2, 1, 1, 1, 1]
    assert [one.code for one in told] == ["HANDOVER", "CHOICE_1", "CHOICE_1", "KEPT", "KEPT", "CHOICE_1"]
    assert [one.choices for one in told] == [0, 1, 1, 0, 0, 1]


def test_a_student_may_decline_the_successor() -> None:
    handed = rematch(three_mentors(), previous=[0, 0, 0, 1, 1, NOBODY], gone={0}, successors={0: 1}, declined={0, 1})
    result = solve(handed.snapshot)
    assert result.final == [2, 2, 1, 1, 1, 1]
    assert handed.inherited == [NOBODY] * 6


def test_a_pair_above_a_lowered_capacity_stays_and_takes_no_further_seat() -> None:
    lowered = rematch(three_mentors(), previous=[0, 0, 0, 1, 1, NOBODY], gone={2}).snapshot
    market = what_if(lowered, [Edit(mentor=0, field="capacity", value=1), Edit(mentor=1, field="soft", value=2)])
    assert market.moves == []
    assert market.after.figures.loads == [3, 3, 0]
    assert market.after.figures.lifted == 1, "one more seat for the new student, and none beyond"


@examples(max_examples=200)
@given(markets, dice)
def test_what_if_tells_what_the_other_run_would_give_and_changes_nothing(market: Small, random: Random) -> None:
    mentor, value = random.randrange(len(market.soft)), random.randrange(4)
    snapshot = market.snapshot()
    before = solve(snapshot)
    field = random.choice(["capacity", "reserve"])
    difference = what_if(
        snapshot, [Edit(mentor=mentor, field="capacity" if field == "capacity" else "reserve", value=value)]
    )
    numbers = [
        value if m == mentor else n for m, n in enumerate(market.soft if field == "capacity" else market.reserves)
    ]
    other = changed(market, soft=numbers, hard=[value if m == mentor else n for m, n in enumerate(market.hard)])
    after = solve((other if field == "capacity" else changed(market, reserves=numbers)).snapshot())
    assert difference.moves == [
        Move(s, old, new) for s, (old, new) in enumerate(zip(before.final, after.final, strict=True)) if old != new
    ]
    assert difference.after.figures.loads == [after.final.count(m) for m in market.mentors]
    assert solve(snapshot) == before
    assert difference.before.group.students == len(market.group)


def test_what_if_tells_how_the_group_would_fare() -> None:
    """One seat wanted by two: with a reserve it is the member's, who would otherwise be outside the list."""
    market = Small(
        lists=[[0], [0]],
        key={(s, m): (1, s, s) for s in range(2) for m in range(2)},
        soft=[1, 1],
        hard=[1, 1],
        reserves=[0, 0],
        group=frozenset({1}),
    )
    difference = what_if(market.snapshot(), [Edit(mentor=0, field="reserve", value=1)])
    assert difference.moves == [Move(0, 0, 1), Move(1, 1, 0)]
    outside = Coverage(students=1, matched=1, unmatched=0, kept=0, completed=1, rank_distribution={})
    assert difference.before.group == outside
    assert difference.after.group == Coverage(
        students=1, matched=1, unmatched=0, kept=0, completed=0, rank_distribution={"1": 1}
    )


def test_the_lottery_is_the_published_formula_and_opens_its_commitment() -> None:
    seed, ids = lottery.new_seed(), [f"s{n}" for n in range(50)]
    drawn = lottery.draw(seed=seed, round_id="2025", ids=ids)
    by_formula = sorted(ids, key=lambda name: hmac.new(seed.encode(), f"2025|{name}".encode(), "sha256").hexdigest())
    assert [ids[drawn.index(place)] for place in range(50)] == by_formula
    published = sha256(seed.encode()).hexdigest()
    assert lottery.commitment(seed) == published
    assert lottery.opens(seed=seed, published=published.upper())
    assert not lottery.opens(seed=seed + "0", published=published)


def test_the_lottery_keeps_its_order_when_students_come_and_go() -> None:
    ids = [f"s{n}" for n in range(50)]
    everybody = lottery.draw(seed="x", round_id="2025", ids=ids)
    some = lottery.draw(seed="x", round_id="2025", ids=ids[::-3])
    assert sorted(ids[::-3], key=lambda name: everybody[ids.index(name)]) == [
        name for _, name in sorted(zip(some, ids[::-3], strict=True))
    ]
    assert (
        lottery.draw(seed="x", round_id="2026", ids=ids)
        != everybody
        != lottery.draw(seed="y", round_id="2025", ids=ids)
    )
