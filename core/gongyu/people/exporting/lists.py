"""Class lists for people: one workbook a school, one sheet a homeroom class, in the order of the class register."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access import audit
from gongyu.access.keys import KeyRing
from gongyu.access.relations import holds
from gongyu.people.archive import steady_zip
from gongyu.people.importing.numbers import identifier_context, phone_context
from gongyu.people.models import ClassGroup, Demographics, Enrolment, Guardianship, Org, Person
from gongyu.platform import Platform
from gongyu.text import Language, Text

__all__ = ["export_lists"]

_COLUMNS: Final = (
    Text(zh="班内学号", en="No."),
    Text(zh="姓名", en="Name"),
    Text(zh="性别", en="Sex"),
    Text(zh="学籍号", en="Register number"),
    Text(zh="监护人", en="Guardian"),
    Text(zh="联系电话", en="Telephone"),
    Text(zh="第二监护人", en="Second guardian"),
    Text(zh="联系电话", en="Telephone"),
)
_SEX: Final = {"male": Text(zh="男", en="M"), "female": Text(zh="女", en="F")}
_HEAD: Final = Text(zh="{title}　班主任：{teachers}　{n} 人", en="{title}, homeroom teacher: {teachers}, {n} pupils")
_UNFIT: Final = re.compile(r"[\\/*?:\[\]<>|\"\x00-\x1f]+")
_WIDTHS: Final = {"A": 10, "B": 14, "C": 6, "D": 22, "E": 14, "F": 16, "G": 14, "H": 16}
_SHOWN: Final = 2  # guardians beside a pupil


async def export_lists(
    platform: Platform, slug: str, target: Path, *, actor: str, language: Language = "zh", reason: str = ""
) -> dict[str, int]:
    """Write a folder, or a zip if it is to be called so, and note it in the audit log.

    Who may not be called is not listed.

    Returns:
        Pupils, by file.
    """
    district = platform.state(slug).district
    today = datetime.now(UTC).astimezone(ZoneInfo(district.timezone)).date()
    written: dict[str, int] = {}
    with TemporaryDirectory(dir=target.parent, prefix=".lists-") as temporary:
        async with platform.database.work(district) as session:
            schools = sa.select(Org.id, Org.name).where(Org.type == "school", Org.ended_on.is_(None)).order_by(Org.name)
            for school in (await session.execute(schools)).all():
                name = _free_name(school.name, {*written})
                lists = _Lists(session, platform.keys, slug, language)
                if count := await lists.write(school.id, Path(temporary, name), today):
                    written[name] = count
            details = {"format": "excel", "pupils": sum(written.values())}
            details |= {"reason": reason} if reason else {}
            await audit.record(
                session, action="roster.exported", actor=actor, subject=f"district:{slug}", details=details
            )
        await asyncio.to_thread(_deliver, written, Path(temporary), target)
    return written


def _deliver(names: Iterable[str], folder: Path, target: Path) -> None:
    if target.suffix.lower() == ".zip":
        with steady_zip(target) as archive:
            for name in names:
                archive.write(folder / name, name)
    else:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).replace(target / name)


def _free_name(school: str, taken: set[str]) -> str:
    plain = _UNFIT.sub("_", school).strip(" .")[:80] or "_"
    name, number = f"{plain}.xlsx", 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}.xlsx"
    return name


class _Lists:
    def __init__(self, session: AsyncSession, keys: KeyRing, slug: str, language: Language) -> None:
        self._session, self._keys, self._slug, self._language = session, keys, slug, language

    async def write(self, school: UUID, path: Path, today: date) -> int:
        guardians = await self._guardians(school, today)
        rows = await self._pupils(school, today)
        if not rows:
            return 0
        teachers = await self._teachers(school, today)
        book = Workbook(write_only=True)
        titles: set[str] = set()
        for class_, pupils in groupby(rows, key=lambda row: row.class_id):
            self._sheet(book, list(pupils), teachers.get(class_, []), guardians, titles)
        book.save(path)
        return len(rows)

    async def _pupils(self, school: UUID, today: date) -> list[sa.Row[Any]]:
        query: sa.Select[*tuple[Any, ...]] = (
            sa.select(
                Enrolment.class_id, Enrolment.number, ClassGroup.title, Person.id, Person.name, Person.identifier,
                Demographics.sex,
            )
            .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
            .join(Person, Person.id == Enrolment.person_id)
            .outerjoin(Demographics, Demographics.person_id == Person.id)
            .where(
                ClassGroup.school_id == school, ClassGroup.type == "homeroom", ClassGroup.ended_on.is_(None),
                Enrolment.role == "student", holds(Enrolment, today),
            )
            .order_by(
                ClassGroup.grade, ClassGroup.title, ClassGroup.id, sa.func.length(Enrolment.number), Enrolment.number,
                Person.name, Person.id,
            )
        )  # fmt: skip
        return list(await self._session.execute(query))

    async def _teachers(self, school: UUID, today: date) -> dict[UUID, list[str]]:
        query = (
            sa.select(Enrolment.class_id, Person.name)
            .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
            .join(Person, Person.id == Enrolment.person_id)
            .where(ClassGroup.school_id == school, Enrolment.role == "teacher", Enrolment.is_primary)
            .where(holds(Enrolment, today))
        )
        found: dict[UUID, list[str]] = {}
        for class_, name in await self._session.execute(query):
            found.setdefault(class_, []).append(name)
        return found

    async def _guardians(self, school: UUID, today: date) -> dict[UUID, list[tuple[str, str]]]:
        pupil = aliased(Enrolment)
        query = (
            sa.select(Guardianship.student_id, Person.id, Person.name, Person.phone)
            .join(Person, Person.id == Guardianship.guardian_id)
            .where(
                Guardianship.contact_allowed,
                holds(Guardianship, today),
                Guardianship.student_id.in_(
                    sa.select(pupil.person_id)
                    .join(ClassGroup, ClassGroup.id == pupil.class_id)
                    .where(ClassGroup.school_id == school, holds(pupil, today))
                ),
            )
            .order_by(Guardianship.priority, Guardianship.id)
        )
        found: dict[UUID, list[tuple[str, str]]] = {}
        for student, id_, name, sealed in await self._session.execute(query):
            found.setdefault(student, []).append((name, self._open(sealed, phone_context(id_))))
        return found

    def _open(self, sealed: bytes | None, context: bytes) -> str:
        return self._keys.decrypt(self._slug, sealed, context=context).decode() if sealed else ""

    def _sheet(
        self,
        book: Workbook,
        pupils: Sequence[sa.Row[Any]],
        teachers: Sequence[str],
        guardians: dict[UUID, list[tuple[str, str]]],
        titles: set[str],
    ) -> None:
        title = pupils[0].title
        sheet = book.create_sheet(_sheet_name(title, titles))
        for letter, width in _WIDTHS.items():
            sheet.column_dimensions[letter].width = width
        sheet.freeze_panes = "A3"
        head = _HEAD.format(title=title, teachers="、".join(teachers) or "—", n=len(pupils))
        sheet.append([_cell(head.pick(self._language))])
        sheet.append([column.pick(self._language) for column in _COLUMNS])
        for pupil in pupils:
            sex = _SEX.get(pupil.sex)
            beside = [cell for pair in guardians.get(pupil.id, [])[:_SHOWN] for cell in pair]
            number = self._open(pupil.identifier, identifier_context(pupil.id))
            cells = [pupil.number, pupil.name, sex.pick(self._language) if sex else "", number, *beside]
            sheet.append([_cell(cell or "") for cell in cells])


def _sheet_name(title: str, taken: set[str]) -> str:
    """31 characters, unique whatever the case: Excel's own rules."""
    plain = _UNFIT.sub("_", title).strip("'")[:26] or "_"
    name, number = plain, 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name.casefold())
    return name


def _cell(value: str) -> str:
    """Text a spreadsheet will not run (OWASP, CSV injection): a name may begin with = in a hostile source."""
    value = ILLEGAL_CHARACTERS_RE.sub("�", value)
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
