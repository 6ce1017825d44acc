"""Who may see a child on the care list, as conditions to be put into queries: by relation or by name, never by rank."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.relations import holds
from gongyu.people.models import Membership
from gongyu_mentor.care.models import Care, CareEnd, CareLead, CarePlan
from gongyu_mentor.talks.relations import ME, TODAY, Where, homeroom_of, mentored, word

__all__ = ["care_ground", "in_my_care", "leads", "newest_plan", "reads_care", "responsible_for"]


def newest_plan(plan: Any) -> Where:  # noqa: ANN401 - an alias of the table
    later = aliased(CarePlan)
    return ~sa.exists().where(later.care_id == plan.care_id, later.number > plan.number)


def leads(school: sa.SQLColumnExpression[Any]) -> Where:
    """I was appointed to lead the care of this school's children."""
    lead = aliased(CareLead)
    return sa.exists().where(lead.school_id == school, lead.person_id == ME, lead.ends_at.is_(None))


def responsible_for(student: sa.SQLColumnExpression[Any], school: sa.SQLColumnExpression[Any]) -> Where:
    """An open plan of this child names me: the counsellor, often."""
    care, plan, end = aliased(Care), aliased(CarePlan), aliased(CareEnd)
    return sa.exists().where(
        care.student_id == student,
        care.school_id == school,
        plan.care_id == care.id,
        plan.responsible_id == ME,
        newest_plan(plan),
        ~sa.exists().where(end.care_id == care.id),
        _is_here(care),
    )


def in_my_care() -> sa.Select[UUID]:
    """Children a plan of whom names me, or named me."""
    care, plan = aliased(Care), aliased(CarePlan)
    return sa.select(care.student_id).join(plan, plan.care_id == care.id).where(plan.responsible_id == ME)


def _is_here(care: Any) -> Where:  # noqa: ANN401 - as above
    """The child is at that school still."""
    member = aliased(Membership)
    return sa.exists().where(
        member.person_id == care.student_id,
        member.org_id == care.school_id,
        member.role == word("student"),
        holds(member, TODAY),
    )


def reads_care(care: Any, plan: Any) -> Where:  # noqa: ANN401 - as above
    """Of one entry with its newest plan."""
    return sa.and_(
        _is_here(care),
        sa.or_(
            mentored(care.student_id, care.school_id),
            homeroom_of(care.student_id, care.school_id),
            plan.responsible_id == ME,
            leads(care.school_id),
        ),
    )


def care_ground(care: Any, plan: Any) -> sa.ColumnElement[str]:  # noqa: ANN401 - as above
    return sa.case(
        (plan.responsible_id == ME, word("responsible")),
        (mentored(care.student_id, care.school_id), word("mentor")),
        (homeroom_of(care.student_id, care.school_id), word("homeroom teacher")),
        else_=word("leads the care of the school"),
    )
