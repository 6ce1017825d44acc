"""A round's market, read from the district's tables in a handful of queries and frozen.

Care categories come in here and nowhere go out: they end as a set of numbers inside the engine.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from gongyu.access.relations import holds
from gongyu.people.models import CareCategory, Demographics, Guardianship
from gongyu_mentor import lottery, people
from gongyu_mentor.favours import most_stars
from gongyu_mentor.matching import CONTINUING, INELIGIBLE, NOBODY, REST, Snapshot, pack
from gongyu_mentor.models import AnyRow, Assignment, Favour, Offer, Pin, Preference

__all__ = ["Frozen", "fingerprint", "freeze"]

#: Values of a care category that say it does not apply: for "no" is a statement too.
_NOT = ("none", "no", "")


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot, whose its numbers are, and what stands today."""

    snapshot: Snapshot
    students: list[UUID]
    mentors: list[UUID]
    present: list[int]
    """Per student: the mentor they have now, else NOBODY."""
    outside: list[int]
    """Per mentor: students of theirs at this school who take no part in the round; these places are gone."""


async def freeze(
    session: AsyncSession,
    row: AnyRow,
    *,
    seed: str,
    today: date,
    refiled: Mapping[UUID, Sequence[UUID]] | None = None,
    continuing: bool = True,
) -> Frozen:
    """Everything the run depends on, in the order of ids.

    Args:
        session: The district's.
        row: The round.
        seed: Of its lottery.
        today: The district's day.
        refiled: Lists that replace those on file: a rematch asks the displaced again.
        continuing: Whether pairs that both sides wish to keep stand before the run; a rematch freezes its own.
    """
    taking_part = people.students_at(row.school_id, today=today, grades=row.grades).subquery()
    everybody = sa.select(taking_part.c.person_id, taking_part.c.grade, Demographics.sex).outerjoin(
        Demographics, Demographics.person_id == taking_part.c.person_id
    )
    student_rows = sorted(await session.execute(everybody))
    students = [one.person_id for one in student_rows]
    student_at = {name: number for number, name in enumerate(students)}

    offers = {one.mentor_id: one for one in await session.scalars(sa.select(Offer).where(Offer.round_id == row.id))}
    pins = await _pairs(session, Pin.student_id, Pin.mentor_id, Pin.round_id == row.id)
    open_now = sa.and_(Assignment.school_id == row.school_id, Assignment.ends_at.is_(None))
    pairs_now = await _pairs(session, Assignment.student_id, Assignment.mentor_id, open_now)
    now_here = {student: mentor for student, mentor in pairs_now.items() if student in student_at}
    mentors = sorted({*offers, *(pins[s] for s in pins if s in student_at), *now_here.values()})
    mentor_at = {name: number for number, name in enumerate(mentors)}
    present = [mentor_at[now_here[name]] if name in now_here else NOBODY for name in students]
    outside = [0] * len(mentors)
    for student, mentor in pairs_now.items():
        if student not in student_at and mentor in mentor_at:
            outside[mentor_at[mentor]] += 1

    filed = await _filed(session, row, refiled or {})
    wishes = [
        list(dict.fromkeys(mentor_at[name] for name in filed.get(student, ([], False))[0] if name in offers))
        for student in students
    ]
    stars, held_on = await _favours(session, row, wishes, student_at, mentor_at)
    eligible = await _eligible(session, student_rows, mentors, offers, today=today)

    drawn = lottery.draw(seed=seed, round_id=str(row.id), ids=[str(name) for name in students])
    keys = [
        [
            INELIGIBLE
            if eligible is not None and mentor not in eligible[student]
            else pack(
                cls=CONTINUING if present[student] == mentor else REST,
                band=0 if (mentor, student) in stars else 1,
                lottery=drawn[student],
            )
            for mentor in choices
        ]
        for student, choices in enumerate(wishes)
    ]
    kept = [NOBODY] * len(students)
    if continuing:
        for number, name in enumerate(students):
            going_on = present[number]
            if filed.get(name, ([], False))[1] and (going_on, number) in held_on and mentors[going_on] in offers:
                kept[number] = going_on
    for student_id, mentor_id in pins.items():
        if student_id in student_at:
            kept[student_at[student_id]] = mentor_at[mentor_id]

    group = frozenset(student_at[name] for name in await _group(session, row, today=today) if name in student_at)
    soft, hard, reserves = _seats(row, [offers.get(name) for name in mentors], outside, group, len(students))
    snapshot = Snapshot(
        preferences=wishes,
        keys=keys,
        lottery=drawn,
        mentor_lottery=lottery.draw(seed=seed, round_id=f"{row.id}|mentor", ids=[str(name) for name in mentors]),
        soft=soft,
        hard=hard,
        reserves=reserves,
        group=group,
        kept=kept,
        eligible=eligible,
    )
    return Frozen(snapshot=snapshot, students=students, mentors=mentors, present=present, outside=outside)


def fingerprint(frozen: Frozen, *, salt: bytes) -> str:
    """SHA-256 of everything the run depends on, the lottery included; salted, see `Round.salt`."""
    snapshot = frozen.snapshot
    eligible = None if snapshot.eligible is None else [sorted(allowed) for allowed in snapshot.eligible]
    content: list[Any] = [
        [str(name) for name in frozen.students],
        [str(name) for name in frozen.mentors],
        snapshot.preferences,
        snapshot.keys,
        snapshot.lottery,
        snapshot.mentor_lottery,
        snapshot.soft,
        snapshot.hard,
        snapshot.reserves,
        sorted(snapshot.group),
        snapshot.kept,
        eligible,
    ]
    return sha256(salt + msgspec.json.encode(content)).hexdigest()


async def _pairs(
    session: AsyncSession,
    student: InstrumentedAttribute[UUID],
    mentor: InstrumentedAttribute[UUID],
    where: sa.ColumnElement[bool],
) -> dict[UUID, UUID]:
    found = await session.execute(sa.select(student, mentor).where(where))
    return {one: other for one, other in found}  # noqa: C416 - rows are no pairs to `dict` in types


async def _filed(
    session: AsyncSession,
    row: AnyRow,
    refiled: Mapping[UUID, Sequence[UUID]],
) -> dict[UUID, tuple[Sequence[UUID], bool]]:
    columns = sa.select(Preference.student_id, Preference.choices, Preference.keep)
    found = await session.execute(columns.where(Preference.round_id == row.id))
    filed: dict[UUID, tuple[Sequence[UUID], bool]] = {one.student_id: (one.choices, one.keep) for one in found}
    return filed | {student: (choices, False) for student, choices in refiled.items()}


async def _favours(
    session: AsyncSession,
    row: AnyRow,
    wishes: Sequence[Sequence[int]],
    student_at: Mapping[UUID, int],
    mentor_at: Mapping[UUID, int],
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Stars of actual applicants, no more than allowed by now, and whom each mentor would go on with."""
    applicants: list[set[int]] = [set() for _ in mentor_at]
    for student, choices in enumerate(wishes):
        for mentor in choices:
            applicants[mentor].add(student)
    stars: set[tuple[int, int]] = set()
    held_on: set[tuple[int, int]] = set()
    for favour in await session.scalars(sa.select(Favour).where(Favour.round_id == row.id)):
        mentor = mentor_at[favour.mentor_id]
        starred = [student_at[name] for name in favour.students if name in student_at]
        applied = [student for student in starred if student in applicants[mentor]]
        most = most_stars(len(applicants[mentor]), percent=row.favour_percent)
        stars.update((mentor, student) for student in applied[:most])
        held_on.update((mentor, student_at[name]) for name in favour.keep if name in student_at)
    return stars, held_on


async def _eligible(
    session: AsyncSession,
    students: Sequence[Any],
    mentors: Sequence[UUID],
    offers: Mapping[UUID, Offer],
    *,
    today: date,
) -> list[AbstractSet[int]] | None:
    """Whom the rules allow: the mentor's grades, the sex a dormitory asks for, and never one's own child."""
    relatives = sa.select(Guardianship.student_id, Guardianship.guardian_id).where(
        Guardianship.guardian_id.in_(mentors), holds(Guardianship, today)
    )
    family = {(student, mentor) for student, mentor in await session.execute(relatives)}
    limited = any(one.grades or one.sex for one in offers.values())
    if not limited and not family:
        return None
    allowed: dict[tuple[Any, Any], frozenset[int]] = {}
    eligible: list[AbstractSet[int]] = []
    children = {student for student, _ in family}
    for student in students:
        sort = (student.grade, student.sex)
        if sort not in allowed:
            allowed[sort] = frozenset(
                number
                for number, name in enumerate(mentors)
                if (offer := offers.get(name)) is not None
                and (not offer.grades or student.grade in offer.grades)
                and (offer.sex is None or student.sex == offer.sex)
            )
        mine = allowed[sort]
        if student.person_id in children:
            mine = frozenset(number for number in mine if (student.person_id, mentors[number]) not in family)
        eligible.append(mine)
    return eligible


async def _group(session: AsyncSession, row: AnyRow, *, today: date) -> list[UUID]:
    found = (
        sa.select(CareCategory.student_id).distinct().where(holds(CareCategory, today), CareCategory.value.not_in(_NOT))  # type: ignore[arg-type]  # it has the same period
    )
    if row.care_categories:
        found = found.where(CareCategory.category.in_(row.care_categories))
    return list(await session.scalars(found))


def _seats(
    row: AnyRow,
    offers: Sequence[Offer | None],
    outside: Sequence[int],
    group: frozenset[int],
    students: int,
) -> tuple[list[int], list[int], list[int]]:
    """Soft, hard and reserved seats. The district's ratio counts all students of a mentor, not only this round's."""
    share = len(group) / students if students else 0.0
    if row.reserve_percent is not None:
        share = row.reserve_percent / 100
    soft, hard, reserves = [], [], []
    for offer, elsewhere in zip(offers, outside, strict=True):
        if offer is None or offer.left_at is not None:
            soft.append(0)
            hard.append(0)
            reserves.append(0)
            continue
        most = max(0, min(offer.hard_cap, row.hard_cap - elsewhere))
        wanted = min(offer.soft_cap, most)
        hard.append(most)
        soft.append(wanted)
        # A float's last bit must not cost a seat more: 15 x 0.2 is 3, not 4.
        kept_for = offer.reserve if offer.reserve is not None else math.ceil(round(wanted * share, 9))
        reserves.append(min(kept_for, most))
    return soft, hard, reserves
