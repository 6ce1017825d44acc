"""Who leads the care of a school's children is appointed by name; the appointment itself is in the audit log."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_mentor import people
from gongyu_mentor.care.models import CareLead
from gongyu_mentor.care.schemas import LeadOut

__all__ = ["appoint", "dismiss", "list_leads"]


async def appoint(context: Context, *, school: UUID, person: UUID, by: UUID) -> None:
    """Appoint; doing it twice is doing it once. Nobody appoints themselves: rank alone opens nothing (promise 4).

    Raises:
        ProblemError: `forbidden`: oneself.
    """
    if person == by:
        raise ProblemError("forbidden", people.NOT_ONESELF)
    await people.require_staff(context, school=school, whom=[person], pointer="person")
    row = {"id": new_id(), "school_id": school, "person_id": person, "appointed_by": by, "begins_at": context.now}
    added = insert(CareLead).values(row).on_conflict_do_nothing().returning(CareLead.id)
    if (await context.session.execute(added)).first() is not None:
        await _noted(context, "mentor.care_lead_appointed", school=school, person=person, by=by)


async def dismiss(context: Context, *, school: UUID, person: UUID, by: UUID) -> None:
    """From this moment they see nothing by it."""
    over = (
        sa.update(CareLead)
        .where(CareLead.school_id == school, CareLead.person_id == person, CareLead.ends_at.is_(None))
        .values(ends_at=context.now)
        .returning(CareLead.id)
    )
    if (await context.session.execute(over)).first() is None:
        raise ProblemError("not-found")
    await _noted(context, "mentor.care_lead_dismissed", school=school, person=person, by=by)


async def _noted(context: Context, action: str, *, school: UUID, person: UUID, by: UUID) -> None:
    details = {"school": str(school)}
    await audit.record(
        context.session, action=action, actor=f"person:{by}", subject=f"person:{person}", details=details
    )


async def list_leads(connection: AsyncConnection, *, school: UUID) -> list[LeadOut]:
    found = (
        sa.select(CareLead.person_id, Person.name, CareLead.begins_at)
        .join(Person, Person.id == CareLead.person_id)
        .where(CareLead.school_id == school, CareLead.ends_at.is_(None))
        .order_by(Person.name, Person.id)
    )
    return [
        LeadOut(person=row.person_id, name=row.name, since=row.begins_at) for row in await connection.execute(found)
    ]
