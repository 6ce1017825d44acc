"""Whom one may give to: by the same ground as giving, with what a giver looks at before the next award."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from gongyu.access.principal import Principal
from gongyu.access.relations import Students, holds, homeroom_teacher_of
from gongyu.database.reading import within_orgs
from gongyu.people.models import ClassGroup, Enrolment, Membership, Person
from gongyu.web import Call, Page, Paged
from gongyu_points.giving import MENTEES, in_class
from gongyu_points.models import Account
from gongyu_points.schemas import OwnPupilOut
from gongyu_points.schools import caps, lowest_cap
from gongyu_points.settings import of_schools

__all__ = ["whom_to_give"]

_TODAY: Any = sa.bindparam("today", type_=sa.Date())
_CLASS: Any = sa.bindparam("class_id", type_=sa.Uuid())


def _out(row: asyncpg.Record) -> OwnPupilOut:
    return OwnPupilOut(
        student=row["student"],
        name=row["name"],
        class_id=row["class_id"],
        class_title=row["class_title"],
        balance=row["balance"],
        earned_today=row["earned"],
        left_today=max(row["cap"] - row["earned"], 0),
    )


def _listed(theirs: Students) -> Paged[OwnPupilOut]:
    """These students with class, purse and day, all in one query."""
    homeroom = (
        sa.select(Enrolment.class_id, Enrolment.number, ClassGroup.title)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .where(
            Enrolment.person_id == Person.id,
            Enrolment.role == "student",
            holds(Enrolment, _TODAY),
            ClassGroup.type == "homeroom",
            sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= _TODAY),
        )
        .order_by(Enrolment.class_id)
        .limit(1)
        .lateral("homeroom")
    )
    earned = sa.case((Account.day == _TODAY, Account.day_points), else_=0)
    pupils = (
        sa.select(
            Person.id.label("student"),
            Person.name,
            homeroom.c.class_id,
            sa.func.coalesce(homeroom.c.title, "").label("class_title"),
            sa.func.coalesce(homeroom.c.number, "").label("number"),
            sa.func.coalesce(Account.posted, 0).label("balance"),
            earned.label("earned"),
            lowest_cap(Membership.person_id == Person.id).label("cap"),
        )
        .select_from(Person)
        .outerjoin(homeroom, sa.true())
        .outerjoin(Account, sa.and_(Account.owner_id == Person.id, Account.kind == "purse"))
        .where(Person.id.in_(theirs), sa.or_(_CLASS.is_(None), Person.id.in_(in_class(_CLASS, today=_TODAY))))
        .subquery("pupils")
    )
    return Paged(
        sa.select(pupils),
        key=[pupils.c.class_title, pupils.c.number, pupils.c.name, pupils.c.student],
        row=_out,
    )


_GIVER: Any = sa.bindparam("giver", type_=sa.Uuid())
_NAMED: Final = _listed(sa.select(sa.func.unnest(sa.bindparam("students", type_=ARRAY(sa.Uuid())))))
_HOMEROOM: Final = _listed(homeroom_teacher_of(Principal(_GIVER, "", (), None, ""), today=_TODAY))
_SCHOOL: Final = _listed(
    sa.select(Membership.person_id).where(
        Membership.role == "student", holds(Membership, _TODAY), within_orgs(Membership.org_id)
    )
)


async def whom_to_give(
    call: Call, *, today: date, class_id: UUID | None, limit: int, cursor: str | None
) -> Page[OwnPupilOut]:
    """The pupils whom the caller may give to out of their quota.

    Args:
        call: Who asks, and where they may give.
        today: The district's date.
        class_id: Of this class only.
        limit: Rows wanted.
        cursor: Where the page before ended.
    """
    values = {**caps(call.settings, of_schools(call.state)), "today": today, "class_id": class_id}
    if call.settings.give_to == "school":
        orgs = None if call.orgs is None else list(call.orgs)
        return await _SCHOOL.page(call, limit=limit, cursor=cursor, orgs=orgs, **values)
    if MENTEES in (context := await call.context()).capabilities:
        students: Sequence[UUID] = await context.capabilities[MENTEES](context, person=call.principal.person)
        return await _NAMED.page(call, limit=limit, cursor=cursor, students=list(students), **values)
    return await _HOMEROOM.page(call, limit=limit, cursor=cursor, giver=call.principal.person, **values)
