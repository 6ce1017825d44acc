"""Who in the district the people of a roster are.

By the source's id; else by school and the number the school system gave; else by the keyed hash of the identity number.
Name, birth date and class together are a hint to somebody who can ask, never a proof: two 张伟 in one class exist.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.importing.comparing import Comparison, by_chunks, stream
from gongyu.people.importing.numbers import plain_phone
from gongyu.people.importing.plan import SECRET, Change
from gongyu.people.models import Demographics, Enrolment, Guardianship, Membership
from gongyu.people.models import Person as Row_
from gongyu.people.private import PRIVATE_FIELDS, open_private
from gongyu.people.rights.models import CorrectedField
from gongyu.people.roster.canonical import Person, Source

__all__ = ["compare_persons"]

Row = sa.Row[Any]

_PERSONS = (
    sa.select(
        Row_.id,
        sa.func.coalesce(Row_.sourced_id, sa.cast(Row_.id, sa.Text)).label("sourced_id"),
        Row_.name,
        Row_.given_name,
        Row_.family_name,
        Row_.username,
        Row_.email,
        Row_.boarding,
        Row_.identifier_hash,
        Row_.id_number_hash,
        Row_.phone_hash,
        Row_.source_private,
        Row_.from_roster,
        Row_.ended_on,
        Demographics.birth_date,
        Demographics.sex,
    )
    .outerjoin(Demographics, Demographics.person_id == Row_.id)
    .where(Row_.erased_at.is_(None))  # nobody is there any more to be recognised
    .order_by(Row_.id)
)


async def compare_persons(work: Comparison) -> None:
    roster, ids = work.roster, work.plan.ids["person"]
    records = {record.sourced_id: record for record in roster.persons}
    details = {one.person: one for one in roster.demographics if not one.ended}
    referred = _referred(work) if roster.mode == "delta" else frozenset()
    loose: list[Row] = []
    current = 0
    for one in await work.session.execute(sa.select(CorrectedField.person_id, CorrectedField.field)):
        work.corrected.setdefault(one.person_id, set()).add(one.field)
    async for rows in stream(work.session, _PERSONS):
        for row in rows:
            current += row.from_roster and row.ended_on is None
            record = records.get(row.sourced_id) if roster.stable_ids else None
            if record is not None:
                ids[row.sourced_id] = row.id
                _compare(work, row, record)
                continue
            if row.sourced_id in referred:
                ids[row.sourced_id] = row.id
            if (said := details.get(row.sourced_id)) is not None:
                born = {"birth_date": said.birth_date, "sex": said.sex}
                _note(work, row, born, row.ended_on, source=said.source)
            loose.append(row)
        work.progress("planning", current, len(records))
    work.plan.current["person"] = current
    unmatched = [record for key, record in records.items() if key not in ids]
    held: dict[str, UUID] = {}
    if loose and unmatched:
        held = await _recognise(work, unmatched, loose)
    for record in unmatched:
        if record.sourced_id not in ids and record.sourced_id not in held and not record.ended:
            work.add("person", record.sourced_id, record)
    _protect(work, held)
    _end_silent(work, loose)


def _referred(work: Comparison) -> frozenset[str]:
    """Whom a delta names without describing them."""
    roster = work.roster
    named: set[str] = {one.person for one in roster.memberships} | {one.person for one in roster.enrolments}
    for tie in roster.guardianships:
        named |= {tie.guardian, tie.student}
    return frozenset(named | {one.student for one in roster.care} | {one.person for one in roster.demographics})


def _compare(work: Comparison, row: Row, record: Person) -> None:
    if record.ended:
        if row.ended_on is None:
            work.end("person", row, row.name)
        return
    wanted = {
        "sourced_id": record.sourced_id if work.roster.stable_ids else None,
        "name": record.name,
        "given_name": record.given_name if record.given_name not in ("", record.name) else None,
        "family_name": record.family_name or None,
        "username": record.username if record.username not in ("", record.sourced_id) else None,
        "email": record.email or None,
        "boarding": record.boarding,
        "birth_date": record.birth_date,
        "sex": record.sex,
    }
    last = None if record.enabled else row.ended_on or work.yesterday
    secrets = {
        "identifier": record.identifier,
        "id_number": record.id_number,
        "phone": plain_phone(record.phone),
    }
    private = _private(work, row, record)
    _note(work, row, wanted, last, source=record.source, secrets=secrets, private=private)


def _private(work: Comparison, row: Row, record: Person) -> dict[str, str] | None:
    """What is sealed of the source's own texts from now on; None when that stays as it is."""
    said = work.plan.private.get(record.sourced_id, {})
    if not said and row.source_private is None:
        return None
    old = open_private(work.seals, row.id, row.source_private)
    if "email" in work.corrected.get(row.id, set()):
        said = {field: text for field, text in said.items() if field != "email"}
    plain = {field for field in PRIVATE_FIELDS if field not in said and getattr(record, field)}
    if not work.roster.stable_ids:
        plain.discard("sourced_id")
    new = {field: text for field, text in old.items() if field not in plain} | said
    return None if new == old else new


def _stays(work: Comparison, row: Row, column: str, source: Source) -> bool:
    """Whether this was put right on the person's request; the source is told of it instead of followed."""
    corrected = column in work.corrected.get(row.id, set())
    if corrected:
        work.remarks.add("corrected_here", source, value=column)
    return corrected


def _note(
    work: Comparison,
    row: Row,
    wanted: Mapping[str, Any],
    last: date | None,
    *,
    source: Source,
    secrets: Mapping[str, str] | None = None,
    private: dict[str, str] | None = None,
) -> None:
    fields: dict[str, tuple[Any, Any]] = {}
    values: dict[str, Any] = {}
    for column, value in wanted.items():
        if value is not None and value != (old := getattr(row, column)) and not _stays(work, row, column, source):
            fields[column] = (SECRET, SECRET) if column == "birth_date" else (old, value)
            values[column] = value
    for column, value in (secrets or {}).items():
        if value:
            hashed = work.hash(column, value)
            if hashed != (old := getattr(row, f"{column}_hash")) and not _stays(work, row, column, source):
                fields[column] = (SECRET if old else None, SECRET)
                values |= {column: value, f"{column}_hash": hashed}
    if private is not None:
        fields["source_private"] = (SECRET, SECRET)
        values["source_private"] = private
    if row.ended_on != last:
        fields["ended_on"] = (row.ended_on, last)
    if fields:
        work.plan.changed["person"].append(Change(row.id, row.name, fields, {**values, "ended_on": last}))


async def _recognise(work: Comparison, unmatched: list[Person], loose: list[Row]) -> dict[str, UUID]:
    """Match by numbers; answers who is kept out because they only look like somebody here."""
    rows = {row.id: row for row in loose}

    def take(record: Person, row_id: UUID) -> None:
        row = rows.pop(row_id)
        work.plan.ids["person"][record.sourced_id] = row.id
        if work.roster.stable_ids:
            work.remarks.add("person_rekeyed", record.source, value=record.sourced_id, old=row.sourced_id)
        _compare(work, row, record)

    for record, row_id in await _by_identifier(work, unmatched, rows.values()):
        take(record, row_id)
    rest = [record for record in unmatched if record.sourced_id not in work.plan.ids["person"]]
    for record, row_id in _by_number(work, rest, rows.values()):
        take(record, row_id)
    rest = [record for record in rest if record.sourced_id not in work.plan.ids["person"]]
    held = await _similar(work, rest, rows)
    if not work.roster.stable_ids:
        rest = [record for record in rest if record.sourced_id not in held]
        for record, row_id in await _by_family(work, rest, rows):
            take(record, row_id)
        held |= _families(work, rest, held)
    loose[:] = rows.values()
    return held


async def _by_identifier(work: Comparison, records: list[Person], rows: Iterable[Row]) -> list[tuple[Person, UUID]]:
    """(学校标识码, 学籍号): the number alone may be another school's."""
    hashes = {record.sourced_id: work.hash("identifier", one) for record in records if (one := record.identifier)}
    wanted = set(hashes.values())
    numbered = {row.id: row.identifier_hash for row in rows if row.identifier_hash in wanted}
    if not numbered:
        return []
    held: dict[tuple[bytes, UUID], list[UUID]] = {}
    for some in by_chunks(list(numbered)):
        schools = sa.select(Membership.person_id, Membership.org_id).where(Membership.person_id.in_(some)).distinct()
        for person, org in await work.session.execute(schools):
            held.setdefault((numbered[person], org), []).append(person)
    orgs = work.plan.ids["org"]
    at = {one.person: orgs[one.org] for one in work.roster.memberships if one.org in orgs}
    numbers = [(record, number) for record in records if (number := hashes.get(record.sourced_id)) is not None]
    keys = [(record, (number, at[record.sourced_id])) for record, number in numbers if record.sourced_id in at]
    return _unambiguous(work, keys, held)


def _by_number(work: Comparison, records: list[Person], rows: Iterable[Row]) -> list[tuple[Person, UUID]]:
    keys = [(record, work.hash("id_number", record.id_number)) for record in records if record.id_number]
    wanted = {key for _, key in keys}
    held: dict[bytes, list[UUID]] = {}
    for row in rows:
        if row.id_number_hash in wanted:
            held.setdefault(row.id_number_hash, []).append(row.id)
    return _unambiguous(work, keys, held)


def _unambiguous(
    work: Comparison, keys: list[tuple[Person, Any]], held: Mapping[Any, list[UUID]]
) -> list[tuple[Person, UUID]]:
    """A number that two people share, here or there, is nobody's."""
    stated = Counter(key for _, key in keys)
    found = []
    for record, key in keys:
        rows = held.get(key, ())
        if len(rows) == 1 and stated[key] == 1:
            found.append((record, rows[0]))
        elif rows:
            work.remarks.add("number_ambiguous", record.source)
    return found


async def _by_family(work: Comparison, records: list[Person], rows: Mapping[UUID, Row]) -> list[tuple[Person, UUID]]:
    """Guardians without a number, in a register: same name and telephone, or same name beside the same child."""
    students = work.plan.ids["person"]
    children = {tie.guardian: students[tie.student] for tie in work.roster.guardianships if tie.student in students}
    ties = {tie.guardian for tie in work.roster.guardianships}
    adults = [record for record in records if record.sourced_id in ties and not record.id_number]
    by_phone: dict[tuple[str, bytes], list[UUID]] = {}
    for row in rows.values():
        if row.phone_hash:
            by_phone.setdefault((row.name, row.phone_hash), []).append(row.id)
    beside: dict[tuple[str, UUID], list[UUID]] = {}
    for some in by_chunks(list(set(children.values()))):
        known = sa.select(Guardianship.student_id, Guardianship.guardian_id).where(Guardianship.student_id.in_(some))
        for student, guardian in await work.session.execute(known.distinct()):
            if guardian in rows:
                beside.setdefault((rows[guardian].name, student), []).append(guardian)
    found: list[tuple[Person, UUID]] = []
    taken: set[UUID] = set()
    for record in adults:
        phone = plain_phone(record.phone)
        candidates = by_phone.get((record.name, work.hash("phone", phone)), []) if phone else []
        if len(candidates) != 1 and record.sourced_id in children:
            candidates = beside.get((record.name, children[record.sourced_id]), [])
        if len(candidates) == 1 and candidates[0] not in taken:
            taken.add(candidates[0])
            found.append((record, candidates[0]))
    return found


def _families(work: Comparison, records: list[Person], held: Mapping[str, UUID]) -> dict[str, UUID]:
    """Whose children are all held back waits with them."""
    free = {tie.guardian for tie in work.roster.guardianships if tie.student not in held}
    waiting = {tie.guardian: held[tie.student] for tie in work.roster.guardianships if tie.student in held}
    unknown = {record.sourced_id for record in records} - work.plan.ids["person"].keys() - free
    return {key: id_ for key, id_ in waiting.items() if key in unknown}


async def _similar(work: Comparison, records: list[Person], rows: Mapping[UUID, Row]) -> dict[str, UUID]:
    """Name, birth date and class. Without an id of their own, such people are held back: a second time they would be
    somebody new again.
    """
    named: dict[tuple[str, date | None], list[UUID]] = {}
    wanted = {(record.name, record.birth_date) for record in records if record.birth_date}
    for row in rows.values():
        if (row.name, row.birth_date) in wanted:
            named.setdefault((row.name, row.birth_date), []).append(row.id)
    if not named:
        return {}
    theirs = await _classes_of(work, [id_ for ids in named.values() for id_ in ids])
    stated: dict[str, set[UUID]] = {}
    for one in work.roster.enrolments:
        if (class_ := work.plan.ids["class"].get(one.class_)) is not None:
            stated.setdefault(one.person, set()).add(class_)
    held: dict[str, UUID] = {}
    for record in records:
        own = stated.get(record.sourced_id, set())
        alike = [id_ for id_ in named.get((record.name, record.birth_date), ()) if own & theirs.get(id_, set())]
        if alike:
            code = "person_similar" if work.roster.stable_ids else "person_held"
            work.remarks.add(code, record.source, value=str(alike[0]), blocks=int(not work.roster.stable_ids))
            if not work.roster.stable_ids:
                held[record.sourced_id] = alike[0]
    return held


async def _classes_of(work: Comparison, people: list[UUID]) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    for some in by_chunks(people):
        pairs = sa.select(Enrolment.person_id, Enrolment.class_id).where(Enrolment.person_id.in_(some))
        for person, class_ in await work.session.execute(pairs):
            found.setdefault(person, set()).add(class_)
    return found


def _protect(work: Comparison, held: Mapping[str, UUID]) -> None:
    """Silence about somebody who stands in the files, but was not taken over, ends nothing."""
    ids = work.plan.ids["person"]
    for kind, key in work.roster.held:
        if (id_ := ids.get(key)) is not None:
            work.protected[kind].add(id_)
    for id_ in held.values():
        for protected in work.protected.values():
            protected.add(id_)


def _end_silent(work: Comparison, loose: list[Row]) -> None:
    roster = work.roster
    held = {key for kind, key in roster.held if kind == "person"}
    for row in loose:
        if row.sourced_id in held:
            for protected in work.protected.values():
                protected.add(row.id)
        elif work.complete("person") and roster.schools is None and row.from_roster and row.ended_on is None:
            work.end("person", row, row.name)
            work.removed("person")
