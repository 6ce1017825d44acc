"""Putting right what is wrong about a person, field by field (个人信息保护法 46).

What a correction names is written where the roster's import writes it, sealed and hashed in the same way, and marked
as corrected by hand (`CorrectedField`). The source of the roster has it wrong until somebody puts it right there too.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.sealing import Seals
from gongyu.people.importing.numbers import plain_phone
from gongyu.people.models import Demographics, Person
from gongyu.people.private import holds_number, open_private, seal_private
from gongyu.people.rights.models import CorrectedField
from gongyu.people.rights.sealing import sealed
from gongyu.people.roster.canonical import Sex
from gongyu.people.roster.identity import fault_of
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["FIELDS", "Fields", "apply_correction", "faults"]

Name = Annotated[str, Meta(min_length=1, max_length=200)]
#: Empty: it is to be taken away.
Word = Annotated[str, Meta(max_length=200)]


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is right: the fields of a person's core record that are to be corrected, and no others. An empty text takes
    one away.
    """

    name: Annotated[Name | None, Meta(examples=["王小红"])] = None
    given_name: Word | None = None
    family_name: Word | None = None
    email: Word | None = None
    phone: Word | None = None
    id_number: Word | None = None
    identifier: Word | None = None
    birth_date: Annotated[date | None, Meta(examples=["2014-03-02"])] = None
    sex: Sex | None = None


FIELDS: Final = Fields.__struct_fields__
_NUMBERS: Final = ("phone", "id_number", "identifier")
_FACTS: Final = ("birth_date", "sex")
_RESIDENT: Final = re.compile(r"\d{17}[\dXx]")
_PHONE: Final = re.compile(r"\+?\d[\d -]{4,24}")
_EARLIEST: Final = date(1900, 1, 1)
_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f]")


def said_in(fields: Fields) -> dict[str, Any]:
    """What is wished, by field."""
    return {name: value for name in FIELDS if (value := getattr(fields, name)) is not None}


def faults(fields: Fields, *, today: date) -> list[tuple[str, Text]]:
    """What cannot be right, by field."""
    found: list[tuple[str, Text]] = []
    said = said_in(fields)
    if not said:
        found.append(("", Text(zh="没有写明要更正的字段", en="no field to be corrected is named")))
    for name, value in said.items():
        if isinstance(value, str) and (
            _NO_TEXT.search(value) or value != value.strip() or (name, value) == ("name", "")
        ):
            found.append((name, Text(zh="不能有首尾空白或控制字符", en="no blanks around it, no control characters")))
    if fields.phone and not _PHONE.fullmatch(fields.phone):
        found.append(("phone", Text(zh="不是电话号码", en="this is no telephone number")))
    if fields.email and not re.fullmatch(r"[^@\s]+@[^@\s]+", fields.email):
        found.append(("email", Text(zh="不是电子邮箱地址", en="this is no e-mail address")))
    # Others' documents have other forms; what has the form of a resident's number must be one.
    if fields.id_number and _RESIDENT.fullmatch(fields.id_number) and fault_of(fields.id_number.upper()):
        found.append(("id_number", Text(zh="不是有效的身份证号码", en="this is no valid identity number")))
    if fields.birth_date and not _EARLIEST <= fields.birth_date <= today:
        found.append(("birth_date", Text(zh="须在 1900 年以后、今天以前", en="it must lie between 1900 and today")))
    return found


async def apply_correction(
    session: AsyncSession, *, seals: Seals, person: UUID, fields: Fields, now: datetime
) -> bool | None:
    """Write what is wished, in the caller's transaction.

    Returns:
        Whether a roster brought this person, so that its source has to be put right as well; None where there is nobody
        (any more) to correct.
    """
    held = sa.select(Person.email, Person.source_private, Person.from_roster)
    locked = held.where(Person.id == person, Person.erased_at.is_(None)).with_for_update()
    row = (await session.execute(locked)).first()
    if row is None:
        return None
    said = said_in(fields)
    values: dict[str, Any] = {"updated_at": now}
    values |= {name: said[name] or None for name in ("name", "given_name", "family_name") if name in said}
    if "name" in said:  # the parts of the former name are parts of nothing now
        values = {"given_name": None, "family_name": None} | values
    for name in _NUMBERS:
        if name in said:
            values |= _number(session, seals, person, name, said[name])
    if "email" in said:
        values |= _mail(seals, person, row.source_private, said["email"])
    await session.execute(sa.update(Person).where(Person.id == person).values(values))
    if facts := {name: said[name] for name in _FACTS if name in said}:
        put = insert(Demographics).values(person_id=person, **facts)
        await session.execute(put.on_conflict_do_update(index_elements=["person_id"], set_=facts))
    marked = {*said, *(name for name in ("given_name", "family_name") if name in values)}
    marks = insert(CorrectedField).values([(person, name, now) for name in sorted(marked)])
    again = {"corrected_at": marks.excluded.corrected_at}
    await session.execute(marks.on_conflict_do_update(index_elements=["person_id", "field"], set_=again))
    return bool(row.from_roster)


def _number(session: AsyncSession, seals: Seals, person: UUID, name: str, said: str) -> Mapping[str, bytes | None]:
    """Sealed, and hashed in the one form by which an import finds it again."""
    if not said:
        return {name: None, f"{name}_hash": None}
    plain = plain_phone(said) if name == "phone" else said.upper() if name == "id_number" else said
    district: District = session.info["district"]
    return {
        name: sealed(seals.keys, district, name, person, plain),
        f"{name}_hash": seals.hashed(plain, purpose=name),
    }


def _mail(seals: Seals, person: UUID, private: bytes | None, said: str) -> Mapping[str, Any]:
    """An address with somebody's number in it stands sealed: `people.private`."""
    texts = open_private(seals, person, private)
    texts.pop("email", None)
    if holds_number(said):
        texts["email"] = said
        said = ""
    return {"email": said or None, "source_private": seal_private(seals, person, texts)}
