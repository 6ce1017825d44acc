# ruff: noqa: ANN401 - answers are plain JSON
"""A school with everybody who may have something to do with a pupil's secrets, each in one role."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import openpyxl
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.people.models import Enrolment, Guardianship, Membership, Org, Person
from gongyu.people.rights.consent import say
from gongyu_mentor.models import Assignment, Load
from gongyu_mentor.wellbeing.screening import PURPOSE

from .conftest import SINCE, Site


@dataclass
class Cast:
    """Who is who at the first school of a site, beside what `Site` has."""

    site: Site
    pupil: UUID
    mentor: UUID
    former: UUID
    homeroom: UUID
    counsellor: UUID
    colleague: UUID
    """Another counsellor."""
    lead: UUID
    office: UUID
    """The district's administrator."""
    operator: UUID
    """Who administers the school's computers."""

    async def run(self, job: Any, *, later: timedelta = timedelta()) -> None:
        """A job, as if the time had come."""
        platform, state = self.site.platform, self.site.state
        async with platform.database.work(state.district) as session:
            await job(platform.context("mentor", state, session, datetime.now(UTC) + later))

    async def owner(self, statement: str, **values: Any) -> None:
        """Straight into the tables, as nobody but a test may."""
        async with self.site.platform.database.owner.begin() as connection:
            await connection.execute(sa.text(f'SET LOCAL search_path TO "{self.site.state.district.schema}"'))
            await connection.execute(sa.text(statement), values)

    async def pair(self, mentor: UUID, *, ended: bool = False, begun_days_ago: int = 30) -> None:
        """The pupil's mentor."""
        now, school = datetime.now(UTC), self.site.school.org
        async with self.site.platform.database.work(self.site.state.district) as session:
            session.add(Load(school_id=school, mentor_id=mentor, places=5))
            await session.flush()
            session.add(
                Assignment(
                    student_id=self.pupil,
                    mentor_id=mentor,
                    school_id=school,
                    begins_at=now - timedelta(days=begun_days_ago),
                    ends_at=now - timedelta(hours=1) if ended else None,
                )
            )

    async def consent(self, *students: UUID) -> None:
        """Each by a guardian of theirs."""
        site = self.site
        async with site.platform.database.work(site.state.district) as session:
            for student in students:
                guardian = new_id()
                await session.execute(sa.insert(Person).values(id=guardian, name="同意的家长"))
                kin = {"guardian_id": guardian, "student_id": student, "kind": "father", "begins_on": SINCE}
                await session.execute(sa.insert(Guardianship).values(**kin))
                await say(
                    session,
                    person=student,
                    purpose=PURPOSE,
                    version=1,
                    word="given",
                    by=guardian,
                    actor=f"person:{guardian}",
                    now=datetime.now(UTC),
                )


async def cast(site: Site) -> Cast:
    school = site.school
    async with site.platform.database.work(site.state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        until = datetime.now(UTC) + timedelta(days=1)

        async def person(name: str, role: str, org: UUID) -> UUID:
            one = Person(name=name)
            session.add(one)
            await session.flush()
            session.add(Membership(person_id=one.id, org_id=org, role=role, begins_on=SINCE))
            await session.flush()
            site.tokens[one.id] = await create_token(session, person=one.id, name="t", scopes=["*"], expires_at=until)
            id_: UUID = one.id
            return id_

        seals, homeroom = site.platform.seals(site.state.district), school.mentors[2]
        session.add(
            Enrolment(person_id=homeroom, class_id=school.class_id, role="teacher", is_primary=True, begins_on=SINCE)
        )
        for at, student in enumerate(school.students):
            number = (
                sa.update(Person)
                .where(Person.id == student)
                .values(identifier_hash=seals.hashed(f"G{at:04d}", purpose="identifier"))
            )
            await session.execute(number)
        made = Cast(
            site=site,
            pupil=school.students[0],
            mentor=school.mentors[0],
            former=school.mentors[1],
            homeroom=homeroom,
            counsellor=await person("心理老师甲", "counselor", school.org),
            colleague=await person("心理老师乙", "counselor", school.org),
            lead=school.mentors[3],
            office=await person("局长", "districtAdministrator", root),
            operator=await person("网管", "siteAdministrator", school.org),
        )
    await made.pair(made.former, ended=True, begun_days_ago=90)
    await made.pair(made.mentor, begun_days_ago=20)
    await site.done(school.head, "PUT", f"/wellbeing/schools/{school.org}/leads", {"people": [str(made.lead)]})
    return made


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


async def dump(site: Site) -> str:
    """Everything stored, in both schemas, as text: what an attacker with a backup has."""
    found: list[str] = []
    async with site.platform.database.owner.connect() as connection:
        tables = sa.text(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('gongyu', :schema) AND table_type = 'BASE TABLE' ORDER BY 1, 2"
        )
        for schema, table in (await connection.execute(tables, {"schema": site.state.district.schema})).all():
            rows = await connection.execute(sa.text(f'SELECT t::text FROM "{schema}"."{table}" AS t'))  # noqa: S608 - names from the catalogue
            found += [f"{schema}.{table} {row}" for row in rows.scalars()]
    return "\n".join(found)
