"""A round's market, read from the district's tables in a handful of queries and frozen.

Reading costs more than solving, so it is the driver that reads: one row for each pupil with all there is, and lists of
choices as the bytes PostgreSQL sends, of which the engine wants numbers and no ids. Care categories come in here and
nowhere go out: they end as a set of numbers inside the engine.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from hashlib import sha256
from itertools import chain
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.keys import KeyRing
from gongyu.access.relations import holds
from gongyu.access.sealing import Seals
from gongyu.database.reading import Prepared
from gongyu.people.care import category_hash, value_hash
from gongyu.people.models import CareCategory, ClassGroup, Demographics, Guardianship, Membership
from gongyu_mentor import lottery, people
from gongyu_mentor.favours import most_stars
from gongyu_mentor.matching import CONTINUING, INELIGIBLE, NOBODY, REST, Snapshot, pack
from gongyu_mentor.models import AnyRow, Assignment, ClassAssignment, ClassPreference, Favour, Offer, Pin, Preference

__all__ = ["Frozen", "fingerprint", "freeze"]

#: Values of a care category that say it does not apply: for "no" is a statement too.
_NOT = ("none", "no", "")

_ROUND: Final = sa.bindparam("round", type_=sa.Uuid())
_SCHOOL: Final = sa.bindparam("school", type_=sa.Uuid())
_TODAY: Final = sa.bindparam("today", type_=sa.Date())
_GRADES: Final = sa.bindparam("grades", type_=ARRAY(sa.Text()))
_NAMED: Final = sa.bindparam("names", type_=ARRAY(sa.Uuid()))
_HASHES: Final = ARRAY(sa.LargeBinary())
_CATEGORIES: Final = sa.bindparam("categories", type_=_HASHES)
_NONE: Final = sa.bindparam("none", type_=_HASHES)


def _any_of(values: sa.BindParameter[Any], column: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """None named is all."""
    return sa.or_(sa.func.cardinality(values) == sa.literal_column("0"), column == sa.any_(values))


def _pupils() -> sa.Select[*tuple[Any, ...]]:
    """Each pupil of the round once, in the order of ids: what the rules ask about, the list, and whom they have."""
    part = people.students_at(_SCHOOL, today=_TODAY).subquery()
    has_now = sa.and_(
        Assignment.student_id == part.c.person_id, Assignment.school_id == _SCHOOL, Assignment.ends_at.is_(None)
    )
    return (
        sa.select(
            part.c.person_id,
            part.c.grade,
            Demographics.sex,
            sa.func.array_send(Preference.choices).label("choices"),
            Preference.keep,
            Assignment.mentor_id.label("present"),
            Pin.mentor_id.label("pinned"),
        )
        .select_from(part)
        .outerjoin(Demographics, Demographics.person_id == part.c.person_id)
        .outerjoin(Preference, sa.and_(Preference.student_id == part.c.person_id, Preference.round_id == _ROUND))
        .outerjoin(Assignment, has_now)
        .outerjoin(Pin, sa.and_(Pin.student_id == part.c.person_id, Pin.round_id == _ROUND))
        .where(_any_of(_GRADES, part.c.grade))
        .order_by(part.c.person_id)
    )


def _homerooms() -> sa.Select[*tuple[Any, ...]]:
    """Classes in the place of pupils: they choose, and a teacher has one of them."""
    has_now = sa.and_(ClassAssignment.class_id == ClassGroup.id, ClassAssignment.ends_at.is_(None))
    return (
        sa.select(
            ClassGroup.id.label("person_id"),
            ClassGroup.grade,
            sa.literal_column("NULL::text").label("sex"),
            sa.func.array_send(ClassPreference.choices).label("choices"),
            sa.literal_column("false").label("keep"),
            ClassAssignment.mentor_id.label("present"),
            sa.literal_column("NULL::uuid").label("pinned"),
        )
        .outerjoin(
            ClassPreference, sa.and_(ClassPreference.class_id == ClassGroup.id, ClassPreference.round_id == _ROUND)
        )
        .outerjoin(ClassAssignment, has_now)
        .where(
            ClassGroup.school_id == _SCHOOL,
            ClassGroup.type == sa.literal_column("'homeroom'"),
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= _TODAY),
            _any_of(_GRADES, ClassGroup.grade),
        )
        .order_by(ClassGroup.id)
    )


_PUPILS: Final = Prepared(_pupils())
_CLASSES: Final = Prepared(_homerooms())
_OFFERS: Final = Prepared(
    sa.select(
        Offer.mentor_id, Offer.soft_cap, Offer.hard_cap, Offer.reserve, Offer.grades, Offer.sex, Offer.left_at
    ).where(Offer.round_id == _ROUND)
)
_FAVOURS: Final = Prepared(sa.select(Favour.mentor_id, Favour.students, Favour.keep).where(Favour.round_id == _ROUND))
_TAKEN: Final = Prepared(
    sa.select(Assignment.mentor_id, sa.func.count().label("students"))
    .where(Assignment.school_id == _SCHOOL, Assignment.ends_at.is_(None))
    .group_by(Assignment.mentor_id)
)
_TEACHING: Final = Prepared(
    sa.select(ClassAssignment.mentor_id, sa.func.count().label("students"))
    .where(ClassAssignment.school_id == _SCHOOL, ClassAssignment.ends_at.is_(None))
    .group_by(ClassAssignment.mentor_id)
)
_FAMILY: Final = Prepared(
    sa.select(Guardianship.student_id, Guardianship.guardian_id).where(
        Guardianship.guardian_id == sa.any_(_NAMED), holds(Guardianship, _TODAY)
    )
)
_GROUP: Final = Prepared(
    sa.select(CareCategory.student_id)
    .distinct()
    .join(Membership, Membership.person_id == CareCategory.student_id)
    .where(
        Membership.org_id == _SCHOOL,
        holds(CareCategory, _TODAY),  # type: ignore[arg-type]  # it has the same period
        CareCategory.value_hash != sa.all_(_NONE),
        _any_of(_CATEGORIES, CareCategory.category_hash),
    )
)

_Read = Callable[..., Awaitable[list[asyncpg.Record]]]


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
    keys: KeyRing,
    today: date,
    refiled: Mapping[UUID, Sequence[UUID]] | None = None,
    continuing: bool = True,
) -> Frozen:
    """Everything the run depends on, in the order of ids.

    Args:
        session: The district's.
        row: The round.
        seed: Of its lottery.
        keys: The district's, for whoever is in a care category is found by keyed hash.
        today: The district's day.
        refiled: Lists that replace those on file: a rematch asks the displaced again.
        continuing: Whether pairs that both sides wish to keep stand before the run; a rematch freezes its own.
    """
    read = await _reader(session, row, today)
    classes = row.kind == "classes"
    pupils = await read(_CLASSES if classes else _PUPILS)
    students: list[UUID] = [one["person_id"] for one in pupils]
    student_at = {name: number for number, name in enumerate(students)}
    offers = {one["mentor_id"]: one for one in await read(_OFFERS)}
    mentors = sorted({*offers, *(name for one in pupils for name in (one["present"], one["pinned"]) if name)})
    mentor_at: dict[UUID | None, int] = {name: number for number, name in enumerate(mentors)}
    present = [mentor_at.get(one["present"], NOBODY) for one in pupils]
    pinned = [mentor_at.get(one["pinned"], NOBODY) for one in pupils]
    here = Counter(present)
    taken = {mentor_at.get(one["mentor_id"]): one["students"] for one in await read(_TEACHING if classes else _TAKEN)}
    outside = [taken.get(number, 0) - here[number] for number in range(len(mentors))]

    by_bytes = {name.bytes: mentor_at[name] for name in offers}
    wishes = [_listed(one["choices"], by_bytes) for one in pupils]
    keeping = [bool(one["keep"]) for one in pupils]
    for name, choices in (refiled or {}).items():
        if (number := student_at.get(name)) is not None:
            wishes[number] = list(dict.fromkeys(mentor_at[one] for one in choices if one in offers))
            keeping[number] = False
    stars, held_on = await _favours(read, row, wishes, student_at, mentor_at)
    eligible = await _eligible(read, pupils, mentors, offers)

    drawn = lottery.draw(seed=seed, round_id=str(row.id), ids=[str(name) for name in students])
    kept = [NOBODY] * len(students)
    if continuing:
        for number, going_on in enumerate(present):
            if keeping[number] and (going_on, number) in held_on and mentors[going_on] in offers:
                kept[number] = going_on
    kept = [mentor if pin == NOBODY else pin for mentor, pin in zip(kept, pinned, strict=True)]

    seals = Seals(keys, session.info["district"].slug)
    categories = [category_hash(seals, category) for category in row.care_categories]
    cared_for = await read(_GROUP, categories=categories, none=[value_hash(seals, value) for value in _NOT])
    group = frozenset(student_at[one["student_id"]] for one in cared_for if one["student_id"] in student_at)
    soft, hard, reserves = _seats(row, [offers.get(name) for name in mentors], outside, group, len(students))
    snapshot = Snapshot(
        preferences=wishes,
        keys=_keys(wishes, drawn, present, stars, eligible),
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


async def _reader(session: AsyncSession, row: AnyRow, today: date) -> _Read:
    """Reads what was prepared, in the caller's transaction."""
    connection, schema = await session.connection(), session.info["district"].schema
    values = {"round": row.id, "school": row.school_id, "today": today, "grades": list(row.grades)}

    async def read(prepared: Prepared, **more: object) -> list[asyncpg.Record]:
        return await prepared.fetch(connection, schema, values | more)

    return read


def _listed(sent: bytes | None, numbers: Mapping[bytes, int]) -> list[int]:
    """A list of ids as `array_send` writes it: 20 bytes of header, then 4 of length and 16 of id for each."""
    if sent is None:
        return []
    found = [numbers.get(sent[start : start + 16]) for start in range(24, len(sent), 20)]
    return list(dict.fromkeys(number for number in found if number is not None))


def _keys(
    wishes: Sequence[Sequence[int]],
    drawn: Sequence[int],
    present: Sequence[int],
    stars: AbstractSet[tuple[int, int]],
    eligible: Sequence[AbstractSet[int]] | None,
) -> list[list[int]]:
    """Beside each choice its key. Most have nothing but the lottery; the rest is looked at one by one."""
    starred = {student for _, student in stars}
    keys: list[list[int]] = []
    for student, choices in enumerate(wishes):
        number, has_now = drawn[student], present[student]
        row = [pack(cls=REST, band=1, lottery=number)] * len(choices)
        if student in starred or has_now != NOBODY or eligible is not None:
            for at, mentor in enumerate(choices):
                if eligible is not None and mentor not in eligible[student]:
                    row[at] = INELIGIBLE
                elif mentor == has_now or (mentor, student) in stars:
                    cls, band = CONTINUING if mentor == has_now else REST, 0 if (mentor, student) in stars else 1
                    row[at] = pack(cls=cls, band=band, lottery=number)
        keys.append(row)
    return keys


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


async def _favours(
    read: _Read,
    row: AnyRow,
    wishes: Sequence[Sequence[int]],
    student_at: Mapping[UUID, int],
    mentor_at: Mapping[UUID | None, int],
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Stars of actual applicants, no more than allowed by now, and whom each mentor would go on with."""
    stars: set[tuple[int, int]] = set()
    held_on: set[tuple[int, int]] = set()
    favours = await read(_FAVOURS)
    applicants = Counter(chain.from_iterable(wishes)) if favours else Counter[int]()
    for favour in favours:
        mentor = mentor_at[favour["mentor_id"]]
        starred = [student_at[name] for name in favour["students"] if name in student_at]
        applied = [student for student in starred if mentor in wishes[student]]
        most = most_stars(applicants[mentor], percent=row.favour_percent)
        stars.update((mentor, student) for student in applied[:most])
        held_on.update((mentor, student_at[name]) for name in favour["keep"] if name in student_at)
    return stars, held_on


async def _eligible(
    read: _Read,
    pupils: Sequence[asyncpg.Record],
    mentors: Sequence[UUID],
    offers: Mapping[UUID, asyncpg.Record],
) -> list[AbstractSet[int]] | None:
    """Whom the rules allow: the mentor's grades, the sex a dormitory asks for, and never one's own child."""
    family = {(one["student_id"], one["guardian_id"]) for one in await read(_FAMILY, names=mentors)}
    limited = any(one["grades"] or one["sex"] for one in offers.values())
    if not limited and not family:
        return None
    allowed: dict[tuple[Any, Any], frozenset[int]] = {}
    eligible: list[AbstractSet[int]] = []
    children = {student for student, _ in family}
    for pupil in pupils:
        grade, sex = sort = (pupil["grade"], pupil["sex"])
        if sort not in allowed:
            allowed[sort] = frozenset(
                number
                for number, name in enumerate(mentors)
                if (offer := offers.get(name)) is not None
                and (not offer["grades"] or grade in offer["grades"])
                and (offer["sex"] is None or sex == offer["sex"])
            )
        mine = allowed[sort]
        if pupil["person_id"] in children:
            mine = frozenset(number for number in mine if (pupil["person_id"], mentors[number]) not in family)
        eligible.append(mine)
    return eligible


def _seats(
    row: AnyRow,
    offers: Sequence[asyncpg.Record | None],
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
        if offer is None or offer["left_at"] is not None:
            soft.append(0)
            hard.append(0)
            reserves.append(0)
            continue
        most = max(0, min(offer["hard_cap"], row.hard_cap - elsewhere))
        wanted = min(offer["soft_cap"], most)
        hard.append(most)
        soft.append(wanted)
        # A float's last bit must not cost a seat more: 15 x 0.2 is 3, not 4.
        kept_for = math.ceil(round(wanted * share, 9)) if offer["reserve"] is None else offer["reserve"]
        reserves.append(min(kept_for, most))
    return soft, hard, reserves
