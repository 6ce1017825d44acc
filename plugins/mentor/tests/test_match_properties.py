"""One test for each property the mechanism promises, on random markets with reserves and rules."""

from functools import partial
from itertools import product
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gongyu_mentor.definitions import (
    Assignment,
    Small,
    all_stable,
    changed,
    chosen,
    random_market,
    rank,
    solved_by_definition,
)
from gongyu_mentor.matching import NOBODY, solve
from gongyu_mentor.shortage import lift_capacities
from gongyu_mentor.verification import verify

examples = partial(settings, deadline=None, derandomize=True)
dice = st.builds(Random, st.integers(0, 2**32))


def markets(*, students: int = 9, mentors: int = 4, rules: bool | None = None) -> st.SearchStrategy[Small]:
    """Markets with and without reserves and rules; their sizes shrink."""
    return st.builds(
        random_market,
        dice,
        students=st.integers(1, students),
        mentors=st.integers(1, mentors),
        rules=st.booleans() if rules is None else st.just(rules),
        reserves=st.sampled_from([True, True, False]),
        choices=st.sampled_from([1, 4]),
    )


def phase_one(market: Small) -> Assignment:
    return solve(market.snapshot(), complete=False).stable


def caps_of(market: Small) -> list[int]:
    return [min(pair) for pair in zip(market.soft, market.hard, strict=True)]


def nobody_worse(market: Small, before: Assignment, after: Assignment, *, but: int = NOBODY) -> bool:
    return all(rank(market, s, after[s]) <= rank(market, s, before[s]) for s in market.students if s != but)


@examples(max_examples=800)
@given(markets())
def test_phase_one_equals_the_definition_level_solver(market: Small) -> None:
    result = solve(market.snapshot(), complete=False)
    assert result.stable == solved_by_definition(market, caps_of(market))
    assert result.final == result.stable
    assert verify(market.snapshot(), result, complete=False) == []


@examples(max_examples=300)
@given(markets(students=5, mentors=3))
def test_phase_one_is_the_best_stable_assignment_for_every_student(market: Small) -> None:
    found = phase_one(market)
    stable = list(all_stable(market, caps_of(market)))
    assert found in stable
    assert all(nobody_worse(market, other, found) for other in stable)


@examples(max_examples=600)
@given(markets(rules=False))
def test_everybody_is_covered_when_seats_suffice_and_nobody_is_displaced(market: Small) -> None:
    result = solve(market.snapshot())
    n, hard = len(market.lists), sum(caps_of(changed(market, soft=market.hard)))
    assert verify(market.snapshot(), result) == []
    assert all(after == before for before, after in zip(result.stable, result.final, strict=True) if before != NOBODY)
    assert all(result.final.count(m) <= result.capacities[m] <= market.hard[m] for m in market.mentors)
    if hard >= n:
        assert result.covers_everybody
        assert result.shortages == result.exceptions == []
        lifted = [min(most, wanted + result.lifted - 1) for wanted, most in zip(market.soft, market.hard, strict=True)]
        assert result.lifted == 0 or sum(lifted) < n, "the lift is the least that seats everybody"
    else:
        (shortage,) = result.shortages
        assert (shortage.students, shortage.missing) == (list(market.students), n - hard)
        assert result.final.count(NOBODY) == n - hard, "completion still uses every seat"
    in_turn = sorted(
        (s for s in market.students if result.stable[s] == NOBODY),
        key=lambda s: (s not in market.group, market.lottery(s)),
    )
    placed = [s for s in in_turn if result.final[s] != NOBODY]
    assert placed == in_turn[: len(placed)], "the group first, then by lottery"
    loads = [result.final.count(m) for m in market.mentors]
    lowest = min((loads[m] for m in market.mentors if loads[m] < result.capacities[m]), default=n)
    assert all(loads[result.final[s]] - 1 <= lowest for s in placed), "the emptiest first"


@examples(max_examples=200)
@given(markets(rules=True), dice)
def test_completion_prefers_the_emptiest_then_what_suits_then_the_draw(market: Small, random: Random) -> None:
    """The first in turn, with and without rules, against the sentence itself; suiting never outweighs the load."""
    fit = [{m: random.randint(0, 2) for m in market.mentors if random.randrange(3)} for _ in market.students]
    for rules, suits in product((market, changed(market, allowed=None)), (fit, None)):
        snapshot = msgspec.structs.replace(rules.snapshot(), fit=suits)
        result = solve(snapshot)
        assert verify(snapshot, result) == []
        waiting = [s for s in rules.students if result.stable[s] == NOBODY]
        loads = [result.stable.count(m) for m in rules.mentors]
        first = min(waiting, key=lambda s: (s not in rules.group, rules.lottery(s)), default=NOBODY)
        open_to_first = [m for m in rules.mentors if loads[m] < result.capacities[m] and rules.may(first, m)]
        if len(waiting) == 1 and open_to_first:
            best = min(
                open_to_first,
                key=lambda m: (loads[m], -(suits[first].get(m, 0) if suits else 0), rules.mentor_lottery[m]),
            )
            assert result.final[first] == best


@examples(max_examples=200)
@given(dice)
def test_everybody_is_covered_without_any_slack(random: Random) -> None:
    market = random_market(random, students=random.randint(1, 12), mentors=4, rules=False, reserves=True)
    seats = [0, 0, 0, 0]
    for _ in market.students:
        seats[random.randrange(4)] += 1
    market = changed(market, soft=seats, hard=seats)
    result = solve(market.snapshot())
    assert [result.final.count(m) for m in market.mentors] == seats
    assert verify(market.snapshot(), result) == []


def most_placed(market: Small, students: list[int], seats: list[int]) -> list[dict[int, int]]:
    """Every placement of as many of these students as possible, by trying them all."""
    placements: list[dict[int, int]] = [{}]
    for student in students:
        placements += [
            {**placed, student: mentor}
            for placed in placements
            for mentor in market.mentors
            if market.may(student, mentor) and list(placed.values()).count(mentor) < seats[mentor]
        ]
    most = max(map(len, placements))
    return [placed for placed in placements if len(placed) == most]


@examples(max_examples=500)
@given(markets(students=6, mentors=3, rules=True))
def test_with_rules_completion_is_largest_most_even_and_explains_who_is_left(market: Small) -> None:
    result = solve(market.snapshot())
    assert verify(market.snapshot(), result) == []
    waiting = [s for s in market.students if result.stable[s] == NOBODY]
    loads = [result.stable.count(m) for m in market.mentors]
    free = [cap - load for cap, load in zip(result.capacities, loads, strict=True)]

    def unevenness(placed: dict[int, int]) -> int:
        after = [loads[m] + list(placed.values()).count(m) for m in market.mentors]
        return sum(load * load for load in after)

    placed = {s: result.final[s] for s in waiting if result.final[s] != NOBODY}
    best = most_placed(market, waiting, free)
    assert len(placed) == len(best[0])
    assert unevenness(placed) == min(map(unevenness, best))
    everywhere = most_placed(market, list(market.students), result.capacities)
    assert bool(result.shortages) == (len(everywhere[0]) < len(market.lists))
    assert sum(shortage.missing for shortage in result.shortages) == len(market.lists) - len(everywhere[0])
    if result.lifted and not result.shortages:
        lower = [min(most, wanted + result.lifted - 1) for wanted, most in zip(market.soft, market.hard, strict=True)]
        assert len(most_placed(market, list(market.students), lower)[0]) < len(market.lists), "the least lift"
    for shortages in (result.shortages, result.exceptions):
        together = [m for shortage in shortages for m in shortage.mentors or [NOBODY]]
        assert len(together) == len(set(together)), "who competes for the same seats is one group"
    for shortages, seats in ((result.shortages, result.capacities), (result.exceptions, free)):
        for shortage in shortages:
            open_to_them = {m for s in shortage.students for m in market.mentors if market.may(s, m) and seats[m]}
            assert open_to_them == set(shortage.mentors), "these students have only these mentors"
            assert sum(seats[m] for m in open_to_them) == shortage.seats < len(shortage.students)
    assert {s for e in result.exceptions for s in e.students} >= set(waiting) - set(placed)


@examples(max_examples=400)
@given(markets(), dice)
def test_no_other_list_gets_a_student_a_better_mentor(market: Small, random: Random) -> None:
    truth = phase_one(market)
    student = random.randrange(len(market.lists))
    for _ in range(6):
        lie = random.sample(list(market.mentors), random.randint(0, len(market.mentors)))
        lists = [lie if s == student else wishes for s, wishes in enumerate(market.lists)]
        got = phase_one(changed(market, lists=lists))[student]
        assert rank(market, student, got) >= rank(market, student, truth[student])


@examples(max_examples=600)
@given(markets(), dice)
def test_a_better_key_or_joining_the_group_never_hurts_the_student(market: Small, random: Random) -> None:
    student, mentor = random.randrange(len(market.lists)), random.randrange(len(market.soft))
    before = phase_one(market)[student]
    cls, band, lottery = market.key[student, mentor]
    for better in ((0, band, lottery), (cls, 0, lottery)):
        improved = changed(market, key={**market.key, (student, mentor): better})
        assert rank(market, student, phase_one(improved)[student]) <= rank(market, student, before)
    joined = changed(market, group=market.group | {student})
    assert rank(market, student, phase_one(joined)[student]) <= rank(market, student, before)


@examples(max_examples=600)
@given(markets(), dice)
def test_more_seats_or_fewer_students_hurt_nobody(market: Small, random: Random) -> None:
    before = phase_one(market)
    wider = list(market.soft)
    wider[random.randrange(len(wider))] += 1
    assert nobody_worse(market, before, phase_one(changed(market, soft=wider, hard=[9] * len(wider))))
    gone = random.randrange(len(market.lists))
    lists = [[] if s == gone else wishes for s, wishes in enumerate(market.lists)]
    assert nobody_worse(market, before, phase_one(changed(market, lists=lists)), but=gone)
    closed = random.randrange(len(wider))
    without = phase_one(changed(market, soft=[0 if m == closed else cap for m, cap in enumerate(market.soft)]))
    assert nobody_worse(market, without, before), "adding the mentor"


def renamed(market: Small, students: list[int], mentors: list[int]) -> Small:
    """The same market with its rows in another order: row i is what was row students[i] before."""
    old_to_new = {old: new for new, old in enumerate(mentors)}
    return Small(
        lists=[[old_to_new[m] for m in market.lists[s]] for s in students],
        key={(i, j): market.key[s, m] for i, s in enumerate(students) for j, m in enumerate(mentors)},
        soft=[market.soft[m] for m in mentors],
        hard=[market.hard[m] for m in mentors],
        reserves=[market.reserves[m] for m in mentors],
        group=frozenset(i for i, s in enumerate(students) if s in market.group),
        allowed=[{old_to_new[m] for m in market.allowed[s]} for s in students] if market.allowed else None,
        mentor_lottery=[market.mentor_lottery[m] for m in mentors],
    )


@examples(max_examples=700)
@given(markets(students=14, mentors=6), dice)
def test_neither_the_order_of_rows_nor_names_matter(market: Small, random: Random) -> None:
    students = random.sample(list(market.students), len(market.lists))
    mentors = random.sample(list(market.mentors), len(market.soft))
    result, other = solve(market.snapshot()), solve(renamed(market, students, mentors).snapshot())

    def back(assignment: Assignment) -> Assignment:
        old = [NOBODY] * len(students)
        for new, student in enumerate(students):
            old[student] = NOBODY if assignment[new] == NOBODY else mentors[assignment[new]]
        return old

    assert (back(other.stable), back(other.final)) == (result.stable, result.final)
    assert (other.proposals, other.lifted) == (result.proposals, result.lifted)


@examples(max_examples=300)
@given(markets(rules=True), markets(rules=True))
def test_two_schools_solved_together_equal_each_alone(one: Small, two: Small) -> None:
    n, m = len(one.lists), len(one.soft)
    shifted = {(s + n, t + m): (c, b, number + n) for (s, t), (c, b, number) in two.key.items()}
    across = {(s, t + m): one.key[s, 0] for s in one.students for t in two.mentors}
    across |= {(s + n, t): (9, 9, two.lottery(s) + n) for s in two.students for t in one.mentors}
    union = Small(
        lists=one.lists + [[t + m for t in wishes] for wishes in two.lists],
        key=one.key | across | shifted,
        soft=one.soft + two.soft,
        hard=one.soft + two.soft,  # an even lift is a school's own, so this compares what no lift touches
        reserves=one.reserves + two.reserves,
        group=one.group | {s + n for s in two.group},
        allowed=(one.allowed or []) + [{t + m for t in may} for may in two.allowed or []],
        mentor_lottery=one.mentor_lottery + [number + m for number in two.mentor_lottery],
    )
    apart = [solve(changed(school, hard=school.soft).snapshot()) for school in (one, two)]
    together = solve(union.snapshot())

    def joined(first: Assignment, second: Assignment) -> Assignment:
        return first + [mentor if mentor == NOBODY else mentor + m for mentor in second]

    assert together.stable == joined(apart[0].stable, apart[1].stable)
    assert together.final == joined(apart[0].final, apart[1].final)
    assert together.proposals == apart[0].proposals + apart[1].proposals


@examples(max_examples=400)
@given(markets())
def test_cutting_lists_below_the_given_mentor_changes_nothing(market: Small) -> None:
    before = solve(market.snapshot(), complete=False)
    cut = [
        wishes if given == NOBODY else wishes[: wishes.index(given) + 1]
        for wishes, given in zip(market.lists, before.stable, strict=True)
    ]
    after = solve(changed(market, lists=cut).snapshot(), complete=False)
    assert (after.stable, after.proposals) == (before.stable, before.proposals)


@examples(max_examples=300)
@given(markets())
def test_one_common_order_is_serial_dictatorship(market: Small) -> None:
    common = changed(market, key={pair: (1, 0, key[2]) for pair, key in market.key.items()}, group=frozenset())
    seats = caps_of(common)
    expected = [NOBODY] * len(common.lists)
    for student in sorted(common.students, key=common.lottery):
        for mentor in common.acceptable(student):
            if seats[mentor]:
                seats[mentor] -= 1
                expected[student] = mentor
                break
    assert phase_one(common) == expected


@examples(max_examples=400)
@given(markets())
def test_reserves_for_nobody_everybody_or_nothing_are_plain_deferred_acceptance(market: Small) -> None:
    plain = solved_by_definition(changed(market, group=frozenset()), caps_of(market))
    assert phase_one(changed(market, reserves=[0] * len(market.soft))) == plain
    assert phase_one(changed(market, group=frozenset())) == plain
    assert phase_one(changed(market, group=frozenset(market.students))) == plain


def call_order(ranking: str, percent: int) -> list[str]:
    """Parcoursup's order of call (description of the algorithms, section 4.1): B holds a grant, C does not.

    Whoever is next by merit is called next, unless that would leave fewer than `percent` of those called with a grant.
    """
    left, called = ranking.split(), list[str]()
    while left:
        with_grant = sum(name[0] == "B" for name in called)
        grants = [name for name in left if name[0] == "B"]
        short = with_grant * 100 < percent * (len(called) + 1)
        called.append(grants[0] if short and grants else left[0])
        left.remove(called[-1])
    return called


def test_the_call_order_is_the_published_one() -> None:
    ranking = " ".join([f"C{n}" for n in range(1, 901)] + [f"B{n}" for n in range(901, 1001)])
    expected = ["B901", *(f"C{n}" for n in range(1, 10)), "B902", *(f"C{n}" for n in range(10, 19)), "B903"]
    assert call_order(ranking, 10)[:21] == expected
    assert call_order("C1 B2 B3 C4 C5 C6 C7 B8 C9 C10", 20)[:8] == ["B2", "C1", "B3", "C4", "C5", "C6", "C7", "B8"]
    assert call_order("C1 B2", 1) == ["B2", "C1"]


@examples(max_examples=300)
@given(dice, st.sampled_from([0, 1, 10, 20, 33, 50, 100]))
def test_one_mentor_with_a_reserve_admits_whom_parcoursup_calls(random: Random, percent: int) -> None:
    names = [f"{random.choice('BCC')}{n}" for n in range(random.randint(1, 12))]
    seats = random.randint(1, 12)
    market = Small(
        lists=[[0] for _ in names],
        key={(s, 0): (1, 0, s) for s in range(len(names))},
        soft=[seats],
        hard=[seats],
        reserves=[-(-seats * percent // 100)],
        group=frozenset(s for s, name in enumerate(names) if name[0] == "B"),
    )
    admitted = {names[s] for s, mentor in enumerate(phase_one(market)) if mentor == 0}
    assert admitted == set(call_order(" ".join(names), percent)[:seats])
    assert admitted == {names[s] for s in chosen(market, 0, set(market.students), seats, market.reserves[0])}


@examples(max_examples=400)
@given(markets())
def test_a_reserve_never_hurts_the_whole_group(market: Small) -> None:
    with_reserves, without = phase_one(market), phase_one(changed(market, reserves=[0] * len(market.soft)))
    ranks = [(rank(market, s, with_reserves[s]), rank(market, s, without[s])) for s in market.group]
    assert not ranks or any(after <= before for after, before in ranks)


@examples(max_examples=300)
@given(markets())
def test_listing_more_mentors_never_costs_a_student_the_mentor_it_had(market: Small) -> None:
    before = phase_one(market)
    for student in market.students:
        longer = market.lists[student] + [m for m in market.mentors if m not in market.lists[student]]
        lists = [longer if s == student else wishes for s, wishes in enumerate(market.lists)]
        after = phase_one(changed(market, lists=lists))[student]
        assert before[student] in {NOBODY, after}


def test_the_largest_school_is_solved_in_order_of_its_lists() -> None:
    """A chain in which every student displaces the one before costs one proposal each: no recursion, no squares."""
    n = 20_000
    market = Small(
        lists=[[0, 1] for _ in range(n)],
        key={(s, m): (1, 0, n - 1 - s) for s in range(n) for m in range(2)},
        soft=[1, n - 1],
        hard=[1, n - 1],
        reserves=[0, 0],
    )
    result = solve(market.snapshot())
    assert result.stable == [1] * (n - 1) + [0]
    assert result.proposals == 2 * n - 1


def test_a_student_whom_nothing_helps_does_not_stop_the_others() -> None:
    """One has no mentor at all; the others fit if the first steps aside, the second time after a lift."""
    taken_aside = lift_capacities(soft=[1, 1], hard=[1, 1], kept=[NOBODY] * 3, eligible=[set(), {0, 1}, {0}])
    assert [(group.students, group.mentors) for group in taken_aside.shortages] == [([0], [])]
    soft, hard = [1, 1, 1], [1, 2, 1]
    lifted = lift_capacities(soft=soft, hard=hard, kept=[NOBODY] * 3, eligible=[{0, 1}, {1}, {0}])
    assert (lifted.lifted, lifted.capacities, lifted.shortages) == (1, [1, 2, 1], [])
