"""A second opinion: the definitions of the theory as they stand in the books, on small random markets.

The engine is not used here and shares no data structure with it: keys are tuples, a mentor's choice is a sentence about
sets, and stability is checked pair by pair. Slow on purpose, for tests and for whoever audits a round.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random

from gongyu_mentor.matching import INELIGIBLE, NOBODY, Snapshot, pack

Assignment = list[int]


@dataclass(frozen=True)
class Small:
    """A market as in a textbook; `key[s, m]` is a tuple and smaller is better."""

    lists: list[list[int]]
    key: dict[tuple[int, int], tuple[int, int, int]]
    soft: list[int]
    hard: list[int]
    reserves: list[int]
    group: frozenset[int] = frozenset()
    allowed: list[set[int]] | None = None
    kept: list[int] = field(default_factory=list)
    mentor_lottery: list[int] = field(default_factory=list)

    @property
    def students(self) -> range:
        return range(len(self.lists))

    @property
    def mentors(self) -> range:
        return range(len(self.soft))

    def may(self, student: int, mentor: int) -> bool:
        return self.allowed is None or mentor in self.allowed[student]

    def acceptable(self, student: int) -> list[int]:
        return [mentor for mentor in self.lists[student] if self.may(student, mentor)]

    def snapshot(self) -> Snapshot:
        keys = [
            [
                pack(cls=self.key[s, m][0], band=self.key[s, m][1], lottery=self.key[s, m][2])
                if self.may(s, m)
                else INELIGIBLE
                for m in self.lists[s]
            ]
            for s in self.students
        ]
        return Snapshot(
            preferences=self.lists,
            keys=keys,
            lottery=[self.lottery(s) for s in self.students],
            mentor_lottery=self.mentor_lottery or list(self.mentors),
            soft=self.soft,
            hard=self.hard,
            reserves=self.reserves,
            group=self.group,
            kept=self.kept or [NOBODY] * len(self.lists),
            eligible=self.allowed,
        )

    def lottery(self, student: int) -> int:
        return self.key[student, 0][2]


def random_market(
    random: Random, *, students: int, mentors: int, rules: bool, reserves: bool, choices: int = 4, share: float = 0.4
) -> Small:
    """A market of this size; `share` of the students are in the group, half that share of pairs is not allowed."""
    lottery = list(range(students))
    random.shuffle(lottery)
    mentor_lottery = list(range(mentors))
    random.shuffle(mentor_lottery)
    soft = [random.randint(0, 3) for _ in range(mentors)]
    key = {
        (s, m): (random.randint(1, 2), random.randint(0, 2), lottery[s])
        for s in range(students)
        for m in range(mentors)
    }
    return Small(
        lists=[random.sample(range(mentors), random.randint(0, min(mentors, choices))) for _ in range(students)],
        key=key,
        soft=soft,
        hard=[cap + random.randint(0, 2) if cap else 0 for cap in soft],
        reserves=[random.randint(0, 3) if reserves else 0 for _ in range(mentors)],
        group=frozenset(s for s in range(students) if reserves and random.random() < share),
        allowed=[{m for m in range(mentors) if random.random() > share / 2} for _ in range(students)]
        if rules
        else None,
        mentor_lottery=mentor_lottery,
    )


def chosen(market: Small, mentor: int, applicants: set[int], seats: int, reserve: int) -> set[int]:
    """The policy in words: members to the reserved seats first, then everybody by key to what is left."""
    ranked = sorted(applicants, key=lambda student: market.key[student, mentor])
    first = [student for student in ranked if student in market.group][: min(reserve, seats)]
    rest = [student for student in ranked if student not in first][: seats - len(first)]
    return set(first) | set(rest)


def solved_by_definition(market: Small, caps: list[int]) -> Assignment:
    """Cumulative offers: each mentor chooses anew from all who ever asked, until nobody has to ask again."""
    asked: list[set[int]] = [set() for _ in market.mentors]
    at = [0] * len(market.lists)
    while True:
        held = [chosen(market, m, asked[m], caps[m], market.reserves[m]) for m in market.mentors]
        seeking = [
            s
            for s in market.students
            if at[s] < len(market.acceptable(s)) and not any(s in held[m] for m in market.mentors)
        ]
        if not seeking:
            return [next((m for m in market.mentors if s in held[m]), NOBODY) for s in market.students]
        for student in seeking:
            asked[market.acceptable(student)[at[student]]].add(student)
            at[student] += 1


def is_stable(market: Small, caps: list[int], assignment: Assignment) -> bool:
    """Nobody over capacity, nobody with an unacceptable partner, and no pair that would rather have each other."""
    held = [{s for s in market.students if assignment[s] == m} for m in market.mentors]
    for mentor in market.mentors:
        if chosen(market, mentor, held[mentor], caps[mentor], market.reserves[mentor]) != held[mentor]:
            return False
    for student, given in enumerate(assignment):
        wishes = market.acceptable(student)
        if given != NOBODY and given not in wishes:
            return False
        for mentor in wishes[: rank(market, student, given)]:
            if student in chosen(market, mentor, held[mentor] | {student}, caps[mentor], market.reserves[mentor]):
                return False
    return True


def all_stable(market: Small, caps: list[int]) -> Iterator[Assignment]:
    for picks in product(*([*market.acceptable(s), NOBODY] for s in market.students)):
        if is_stable(market, caps, list(picks)):
            yield list(picks)


def rank(market: Small, student: int, mentor: int) -> int:
    """How many acceptable mentors the student prefers to this one; nobody comes last."""
    wishes = market.acceptable(student)
    return wishes.index(mentor) if mentor in wishes else len(wishes)


def changed(market: Small, **fields: object) -> Small:
    return replace(market, **fields)  # type: ignore[arg-type]  # the tests name fields of Small
