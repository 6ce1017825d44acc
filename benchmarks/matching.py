"""Mentor matching: a school of 1,000 with everything, growth to 10,000, a second opinion where one is installed."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from random import Random
from statistics import median
from time import process_time
from typing import Any

import msgspec

from gongyu_mentor.explanations import explain, reason, refusal_reason
from gongyu_mentor.matching import NOBODY, REST, Snapshot, deferred_acceptance, pack, solve
from gongyu_mentor.verification import require_sound

RUNS = 9


def school(students: int, *, seed: int = 2025, choices: int = 10) -> Snapshot:
    """Log-normal popularity, 12 students per mentor, 15 seats, 2 reserved; 10 % favoured, 12 % in the group."""
    random = Random(seed)  # noqa: S311 - a market, not a secret
    mentors = students // 12
    popularity = [random.lognormvariate(0, 1) for _ in range(mentors)]
    lottery = random.sample(range(students), students)
    preferences: list[list[int]] = []
    for _ in range(students):
        wishes: dict[int, None] = {}
        while len(wishes) < min(choices, mentors):
            wishes.update(dict.fromkeys(random.choices(range(mentors), popularity, k=choices)))
        preferences.append(list(wishes)[:choices])
    keys = [
        [
            pack(cls=REST + random.randrange(3), band=int(random.random() > 0.1), lottery=lottery[student])
            for _ in wishes
        ]
        for student, wishes in enumerate(preferences)
    ]
    return Snapshot(
        preferences=preferences,
        keys=keys,
        lottery=lottery,
        mentor_lottery=random.sample(range(mentors), mentors),
        soft=[15] * mentors,
        hard=[15] * mentors,
        reserves=[2] * mentors,
        group=frozenset(student for student in range(students) if random.random() < 0.12),
        kept=[NOBODY] * students,
    )


def milliseconds(work: Callable[[], object], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        before = process_time()
        work()
        times.append(process_time() - before)
    return median(times) * 1000


def whole_run(snapshot: Snapshot) -> dict[str, float]:
    """CPU of each part of a run as a school has it, from the snapshot to the words for every family."""
    result = solve(snapshot)
    explanations = explain(snapshot, result)

    def words() -> None:
        for told in explanations:
            reason(told)
            for refusal in told.refusals:
                refusal_reason(refusal)

    return {
        "phase 1 with reserves": milliseconds(lambda: deferred_acceptance(snapshot, capacities=snapshot.soft)),
        "whole run with completion": milliseconds(lambda: solve(snapshot)),
        "verification": milliseconds(lambda: require_sound(snapshot, result)),
        "explanations": milliseconds(lambda: explain(snapshot, result)),
        "their words, two languages": milliseconds(words),
    }


def second_opinion(snapshot: Snapshot) -> float:
    """PyPI `matching` on the same market without reserves, which it does not know; its answer must be ours."""
    games: Any = import_module("matching.games")
    plain: list[list[tuple[int, int]]] = [[] for _ in snapshot.soft]
    for student, (wishes, keys) in enumerate(zip(snapshot.preferences, snapshot.keys, strict=True)):
        for mentor, key in zip(wishes, keys, strict=True):
            plain[mentor].append((key, student))
    seekers = {
        f"s{student}": [f"m{mentor}" for mentor in wishes] for student, wishes in enumerate(snapshot.preferences)
    }
    givers = {f"m{mentor}": [f"s{student}" for _, student in sorted(ranked)] for mentor, ranked in enumerate(plain)}
    seats = {f"m{mentor}": count for mentor, count in enumerate(snapshot.soft)}
    found: dict[str, str] = {}

    def work() -> None:
        game = games.HospitalResident.create_from_dictionaries(seekers, givers, seats)
        for giver, kept in game.solve(optimal="resident").items():
            found.update({str(student): str(giver) for student in kept})

    taken = milliseconds(work, runs=1)
    ours, _ = deferred_acceptance(snapshot, capacities=snapshot.soft)
    if found != {f"s{student}": f"m{mentor}" for student, mentor in enumerate(ours) if mentor != NOBODY}:
        print("  the two assignments differ!")
    return taken


def run() -> None:
    small, large = whole_run(school(1_000)), whole_run(school(10_000))
    print(f"mentor matching, CPU ms, median of {RUNS}       1,000   10,000   growth")
    for part, figure in small.items():
        print(f"  {part:<36}{figure:9.2f}{large[part]:9.1f}{large[part] / figure:8.1f}x")
    total = sum(list(small.values())[1:]), sum(list(large.values())[1:])
    print(f"  {'run, proof and explanations':<36}{total[0]:9.2f}{total[1]:9.1f}{total[1] / total[0]:8.1f}x")
    print("  goals: a school of 1,000 in 20 ms; growth at most 40x")
    if find_spec("matching") is None:
        print("  side by side: the package `matching` is not installed")
        return
    for students in (300, 1_000):
        market = msgspec.structs.replace(school(students), group=frozenset())
        ours = milliseconds(partial(deferred_acceptance, market, capacities=market.soft))
        try:
            theirs = second_opinion(market)
        except RecursionError:  # it copies its objects recursively
            print(f"  `matching` at {students:,} ends in a RecursionError; ours {ours:.2f}")
        else:
            print(f"  {f'`matching` at {students:,}':<36}{theirs:9.2f}   ours{ours:8.2f}   ratio{theirs / ours:8.0f}")


if __name__ == "__main__":
    run()
