"""From names to numbers: the snapshot the engine runs on, and the fingerprint by which two runs are compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from gongyu_mentor import lottery
from gongyu_mentor.instance import Instance, Ranking
from gongyu_mentor.matching import INELIGIBLE, NOBODY, REST, Snapshot, pack

__all__ = ["Market", "fingerprint", "market"]

ROUND = "match"
"""The round's name in the lottery of a file, which has no other."""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot and the names of its numbers, both in the order of the ids."""

    snapshot: Snapshot
    students: list[str]
    mentors: list[str]


def _tiers(ranking: Ranking) -> Iterator[Sequence[str]]:
    return ([entry] if isinstance(entry, str) else entry for entry in ranking)


def market(instance: Instance, *, seed: str) -> Market:
    """The compact form. A mentor's ranking becomes bands of one class, a tie one band, which the lottery breaks."""
    students, mentors = sorted(instance.students), sorted(instance.mentors)
    student_at = {name: index for index, name in enumerate(students)}
    mentor_at = {name: index for index, name in enumerate(mentors)}
    drawn = lottery.draw(seed=seed, round_id=ROUND, ids=students)
    mentor_drawn = lottery.draw(seed=seed, round_id=f"{ROUND}|mentor", ids=mentors)
    band = [
        {
            student_at[name]: tier
            for tier, names in enumerate(_tiers(instance.mentors[mentor].priority))
            for name in names
        }
        for mentor in mentors
    ]
    preferences = [
        [
            mentor_at[name]
            for names in _tiers(instance.students[student])
            for name in sorted(names, key=lambda name: mentor_drawn[mentor_at[name]])
        ]
        for student in students
    ]
    keys = [
        [
            pack(cls=REST, band=band[mentor][index], lottery=drawn[index]) if index in band[mentor] else INELIGIBLE
            for mentor in choices
        ]
        for index, choices in enumerate(preferences)
    ]
    eligible: list[set[int]] | None = None
    if any(len(bands) < len(students) for bands in band):
        eligible = [set() for _ in students]
        for mentor_index, bands in enumerate(band):
            for student_index in bands:
                eligible[student_index].add(mentor_index)
    capacities = [instance.mentors[name].capacity for name in mentors]
    snapshot = Snapshot(
        preferences=preferences,
        keys=keys,
        lottery=drawn,
        mentor_lottery=mentor_drawn,
        soft=capacities,
        hard=capacities,
        reserves=[instance.reserves.get(name, 0) for name in mentors],
        group=frozenset(student_at[name] for name in instance.group),
        kept=[NOBODY] * len(students),
        eligible=eligible,
    )
    return Market(snapshot=snapshot, students=students, mentors=mentors)


def fingerprint(instance: Instance, *, previous: Mapping[str, str | None] | None, gone: Iterable[str]) -> str:
    """SHA-256 of everything but the seed, in one canonical writing: rows and ties in another order change nothing."""

    def canonical(ranking: Ranking) -> list[list[str]]:
        return [sorted(names) for names in _tiers(ranking)]

    content = {
        "students": {name: canonical(ranking) for name, ranking in instance.students.items()},
        "mentors": {name: [mentor.capacity, canonical(mentor.priority)] for name, mentor in instance.mentors.items()},
        "group": sorted(instance.group),
        "reserves": {name: seats for name, seats in instance.reserves.items() if seats},
        "previous": previous,
        "gone": sorted(set(gone)),
    }
    return sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
