"""A district as a OneRoster 1.2 CSV package (1EdTech, 22 August 2023), bulk: what is on today, by the standard.

It imports back to the same state: what the standard has no column for stands in `metadata.*`, under the names that are
read (`roster/oneroster.py`); rows the source gave no id go by our own.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.sealing import Seals
from gongyu.people.archive import steady_zip
from gongyu.people.care import open_care
from gongyu.people.importing.numbers import id_number_context, identifier_context, phone_context
from gongyu.people.models import (
    AcademicSession,
    CareCategory,
    ClassGroup,
    Demographics,
    Enrolment,
    Guardianship,
    Membership,
    Org,
    Person,
)
from gongyu.people.private import open_private
from gongyu.people.roster import identity
from gongyu.people.roster.canonical import GUARDIAN_ROLES
from gongyu.people.roster.package_file import COLUMNS, PackageFile, manifest
from gongyu.people.roster.values import join_name
from gongyu.people.words import ORG_TYPES, ROLES, standard_word
from gongyu.platform import Platform
from gongyu.plugin import District

__all__ = ["export_oneroster"]

_COURSES: Final = {"homeroom": "行政班", "scheduled": "课程"}
_CLASS_ROLES: Final = frozenset({"administrator", "proctor", "student", "teacher"})
_OTHER: Final = "Z"  # of the register's codes
_CHUNK: Final = 5000
Cared = tuple[str, str, str]
"""Category and value, first and last day."""


async def export_oneroster(
    platform: Platform, slug: str, target: Path, *, actor: str, reason: str = ""
) -> dict[str, int]:
    """Write the zip, whole or not at all, and note it in the audit log.

    It holds identity and telephone numbers readable, for the next system matches people by them: it is to be kept like
    the register itself.

    Returns:
        Rows, by file.
    """
    district = platform.state(slug).district
    with TemporaryDirectory(dir=target.parent, prefix=".roster-") as folder:
        async with platform.database.work(district) as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # one moment in time
            with ExitStack() as stack:
                tables = {
                    name: stack.enter_context(PackageFile(Path(folder, f"{name}.csv"), columns))
                    for name, columns in COLUMNS.items()
                }
                await _Export(session, platform.seals(district), tables).write()
            counts = {name: table.rows for name, table in tables.items() if table.rows}
            with steady_zip(target) as archive:
                archive.writestr("manifest.csv", manifest(counts, system="gongyu"))
                for name in counts:
                    archive.write(Path(folder, f"{name}.csv"), f"{name}.csv")
            details = {"format": "oneroster-1.2", **counts}
            details |= {"reason": reason} if reason else {}
            await audit.record(
                session, action="roster.exported", actor=actor, subject=f"district:{slug}", details=details
            )
    return counts


class _Export:
    def __init__(self, session: AsyncSession, seals: Seals, tables: dict[str, PackageFile]) -> None:
        self._session, self._seals, self._tables = session, seals, tables
        self._district: District = session.info["district"]
        self._today = datetime.now(UTC).astimezone(ZoneInfo(self._district.timezone)).date()
        self._names: dict[UUID, str] = {}
        """Of every row that others refer to: the source's id, else our own."""
        self._schools: dict[UUID, list[UUID]] = {}
        self._guardians: set[UUID] = set()
        self._ties: dict[UUID, list[sa.Row[Any]]] = {}
        self._private: dict[UUID, dict[str, str]] = {}
        """What the source itself wrote where it put somebody's number."""

    async def write(self) -> None:
        await self._orgs()
        await self._sessions()
        await self._classes()
        await self._find_ties()
        await self._find_private()
        await self._roles()
        await self._users()
        await self._missing_roles()
        await self._enrolments()
        await self._demographics()

    def _lasts(self, table: type[Membership | Enrolment | Guardianship]) -> sa.ColumnElement[bool]:
        return sa.or_(table.ends_on.is_(None), table.ends_on >= self._today)

    async def _stream(self, query: sa.Select[*tuple[Any, ...]]) -> AsyncIterator[sa.Row[Any]]:
        result = await self._session.stream(query.execution_options(yield_per=_CHUNK))
        async for row in result:
            yield row

    def _name(self, row: sa.Row[Any]) -> str:
        name = self._names[row.id] = self._said(row.id, "sourced_id", row.sourced_id) or str(row.id)
        return name

    def _said(self, person: UUID, field: str, plain: str | None) -> str:
        return self._private.get(person, {}).get(field) or plain or ""

    async def _orgs(self) -> None:
        rows = (
            await self._session.execute(sa.select(Org.__table__).where(Org.ended_on.is_(None)).order_by(Org.id))
        ).all()
        for row in rows:
            self._name(row)
        for row in rows:
            kind = standard_word(row.type, ORG_TYPES)
            self._tables["orgs"].add(
                self._names[row.id], row.name, kind, row.identifier or "", self._names.get(row.parent_id, "")
            )

    async def _sessions(self) -> None:
        rows = (await self._session.execute(sa.select(AcademicSession.__table__).order_by(AcademicSession.id))).all()
        for row in rows:
            self._name(row)
        for row in rows:
            self._tables["academicSessions"].add(
                self._names[row.id], row.title, row.type, row.starts_on.isoformat(), row.ends_on.isoformat(),
                self._names.get(row.parent_id, ""), row.school_year or "",
            )  # fmt: skip

    async def _classes(self) -> None:
        root = next(iter(self._names.values()))
        used: set[str] = set()
        query = sa.select(ClassGroup.__table__).where(ClassGroup.ended_on.is_(None)).order_by(ClassGroup.id)
        async for row in self._stream(query):
            if row.school_id not in self._names:
                continue
            used.add(row.type)
            self._tables["classes"].add(
                self._name(row), row.title, row.grade or "", f"course-{row.type}", row.code or "", row.type, "",
                self._names[row.school_id], self._names.get(row.session_id, ""), "", "", "",
            )  # fmt: skip
        for kind in sorted(used):  # the standard wants a course for each class
            self._tables["courses"].add(f"course-{kind}", "", _COURSES[kind], kind, "", root, "", "")

    async def _find_ties(self) -> None:
        query = sa.select(Guardianship.__table__).where(self._lasts(Guardianship))
        async for row in self._stream(query.order_by(Guardianship.student_id, Guardianship.priority, Guardianship.id)):
            self._ties.setdefault(row.student_id, []).append(row)

    async def _find_private(self) -> None:
        query = sa.select(Person.id, Person.source_private).where(Person.source_private.is_not(None))
        async for row in self._stream(query):
            self._private[row.id] = open_private(self._seals, row.id, row.source_private)

    async def _roles(self) -> None:
        query = (
            sa.select(
                Membership.__table__, sa.func.coalesce(Person.sourced_id, sa.cast(Person.id, sa.Text)).label("who")
            )
            .join(Person, Person.id == Membership.person_id)
            .where(self._lasts(Membership), Person.erased_at.is_(None))
            .order_by(Membership.id)
        )
        async for row in self._stream(query):
            if row.org_id not in self._names:
                continue
            if row.role == "student":
                self._schools.setdefault(row.person_id, []).append(row.org_id)
            elif row.role in GUARDIAN_ROLES:
                self._guardians.add(row.person_id)
            self._tables["roles"].add(
                row.sourced_id or str(row.id), self._said(row.person_id, "sourced_id", row.who),
                "primary" if row.is_primary else "secondary",
                standard_word(row.role, ROLES - {"administrator"}), row.begins_on.isoformat(), _day(row.ends_on),
                self._names[row.org_id], "",
            )  # fmt: skip

    async def _users(self) -> None:
        on = [
            Person.ended_on.is_(None),
            sa.exists().where(Membership.person_id == Person.id, self._lasts(Membership)),
            sa.exists().where(Enrolment.person_id == Person.id, self._lasts(Enrolment)),
        ]
        here = sa.and_(sa.or_(*on), Person.erased_at.is_(None))
        everybody = sa.select(Person.__table__).where(here).order_by(Person.id)
        # Guardians come before their children only by chance, so the names of all are needed first.
        named = sa.select(Person.id, Person.sourced_id).where(here)
        async for row in self._stream(named):
            self._name(row)
        async for row in self._stream(everybody):
            ties = [tie for tie in self._ties.get(row.id, ()) if tie.guardian_id in self._names]
            family, given = row.family_name or "", row.given_name or ""
            if not family and not given:
                given = row.name
            self._tables["users"].add(
                self._names[row.id], _word(row.ended_on is None),
                self._said(row.id, "username", row.username) or self._names[row.id], "",
                given, family, "",
                self._open(row.identifier, identifier_context(row.id)), self._said(row.id, "email", row.email), "",
                self._open(row.phone, phone_context(row.id)),
                ",".join(self._names[tie.guardian_id] for tie in ties), "", "", "", "", "", "", "", "",
                "" if join_name(family, given) == row.name else row.name, *self._document(row), _word(row.boarding),
                *_parallel(ties),
            )  # fmt: skip

    def _open(self, sealed: bytes | None, context: bytes) -> str:
        return self._seals.keys.decrypt(self._seals.slug, sealed, context=context).decode() if sealed else ""

    def _document(self, row: sa.Row[Any]) -> tuple[str, str]:
        """Type and number. Of which document another number is nobody kept: only that it is no identity card's."""
        number = self._open(row.id_number, id_number_context(row.id))
        if not number:
            return "", ""
        return (identity.RESIDENT if identity.fault_of(number) in (None, "id_number_old") else _OTHER), number

    async def _missing_roles(self) -> None:
        """A link is read only where one side has a guardian's role; some that were made by hand have none."""
        written: set[tuple[UUID, UUID]] = set()
        for student, ties in self._ties.items():
            for tie in ties:
                for school in self._schools.get(student, ()):
                    pair = (tie.guardian_id, school)
                    if tie.guardian_id in self._guardians or tie.guardian_id not in self._names or pair in written:
                        continue
                    written.add(pair)
                    self._tables["roles"].add(
                        f"{tie.guardian_id}@{school}", self._names[tie.guardian_id], "secondary", "guardian", "", "",
                        self._names[school], "",
                    )  # fmt: skip

    async def _enrolments(self) -> None:
        query = (
            sa.select(Enrolment.__table__, ClassGroup.school_id)
            .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
            .where(self._lasts(Enrolment))
            .order_by(Enrolment.id)
        )
        async for row in self._stream(query):
            if row.class_id in self._names and row.person_id in self._names:
                self._tables["enrollments"].add(
                    row.sourced_id or str(row.id), self._names[row.class_id], self._names[row.school_id],
                    self._names[row.person_id], standard_word(row.role, _CLASS_ROLES), _word(row.is_primary),
                    row.begins_on.isoformat(), _day(row.ends_on), row.number or "",
                )  # fmt: skip

    async def _demographics(self) -> None:
        care: dict[UUID, list[Cared]] = {}
        held = sa.select(CareCategory.__table__)
        on = sa.or_(CareCategory.ends_on.is_(None), CareCategory.ends_on >= self._today)
        async for row in self._stream(held.where(on)):
            category = ":".join(open_care(self._seals, row.id, row.sealed))
            care.setdefault(row.student_id, []).append((category, row.begins_on.isoformat(), _day(row.ends_on)))
        async for row in self._stream(sa.select(Demographics.__table__).order_by(Demographics.person_id)):
            if row.person_id in self._names:
                self._facts(row.person_id, row.birth_date, row.sex, sorted(care.pop(row.person_id, [])))
        for person, categories in care.items():
            if person in self._names:
                self._facts(person, None, None, sorted(categories))

    def _facts(self, person: UUID, born: date | None, sex: str | None, care: Sequence[Cared]) -> None:
        lists = (_list(one[place] for one in care) for place in range(3))
        self._tables["demographics"].add(self._names[person], _day(born), sex or "", *[""] * 11, *lists)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _word(value: bool | None) -> str:  # noqa: FBT001 - the value of a cell
    return "" if value is None else "true" if value else "false"


def _parallel(ties: Sequence[sa.Row[Any]]) -> tuple[str, ...]:
    """What each guardianship is, in the order of `agentSourcedIds`."""
    return (
        _list(tie.kind for tie in ties),
        _list(_word(tie.is_legal) for tie in ties),
        _list(str(tie.priority) for tie in ties),
        _list(_word(tie.contact_allowed) for tie in ties),
        _list(tie.begins_on.isoformat() for tie in ties),
        _list(_day(tie.ends_on) for tie in ties),
    )


def _list(values: Iterable[str]) -> str:
    joined = ",".join(values)
    return joined if joined.strip(",") else ""
