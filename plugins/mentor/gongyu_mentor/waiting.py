"""What waits for somebody in rounds: a list to be filed, a page to be filled in, an appeal to be decided."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.relations import holds
from gongyu.people.models import ClassGroup, Enrolment, Guardianship
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text, ToDo
from gongyu_mentor import people
from gongyu_mentor.models import (
    AnyRow,
    Appeal,
    Assignment,
    ClassPreference,
    Offer,
    Preference,
    Refiled,
    Refiling,
    Round,
)

__all__ = ["to_dos"]

_CHOOSE: Final = Text(zh="填报导师志愿", en="Rank your mentors")
_ANEW: Final = Text(zh="重新填报导师志愿", en="Rank your mentors anew")
_PAGE: Final = Text(zh="填写给学生看的导师介绍", en="Fill in your page for those who choose")
_CLASS: Final = Text(zh="填报班级的党员教师志愿", en="File your class's list of teachers")
_APPEAL: Final = Text(zh="处理一份结对申诉", en="Decide an appeal")
_NONE: Final[sa.ColumnElement[int]] = sa.literal_column("0")


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    return [
        *await _lists(context, person),
        *await _pages(context, person),
        *await _classes(context, person),
        *await _appeals(context, person),
    ]


def _to_do(context: Context, title: Text, *, name: str, due: datetime, subject: UUID, link: str) -> ToDo:
    day = today_in(context.district, due)
    return ToDo(name=f"mentor.{name}", title=title, due=day, subject=subject, link=f"mentor/{link}")


async def _lists(context: Context, student: UUID) -> list[ToDo]:
    """A pupil's: rounds of their grade that are open, and windows to choose anew; until they have filed."""
    school = await people.school_of(context, student)
    if school is None:
        return []
    session, now = context.session, context.now
    home = people.homeroom(today_in(context.district, now))
    grades = sa.select(home.c.grade).where(home.c.person_id == student, home.c.school_id == school)
    mine = set(await session.scalars(grades))
    filed = sa.exists().where(Preference.round_id == Round.id, Preference.student_id == student)
    rounds = sa.select(Round.id, Round.grades, Round.closes_at).where(
        Round.school_id == school, Round.kind == "students", _open(now), ~filed
    )
    found = [
        _to_do(
            context,
            _CHOOSE,
            name="choose",
            due=row.closes_at,
            subject=row.id,
            link=f"rounds/{row.id}/preferences/mine",
        )
        for row in await session.execute(rounds.order_by(Round.closes_at, Round.id))
        if _takes_part(row, mine)
    ]
    again = sa.exists().where(Refiled.refiling_id == Refiling.id, Refiled.student_id == student)
    windows = (
        sa.select(Round.id, Round.grades, Refiling.gone, Refiling.closes_at)
        .join(Round, Round.id == Refiling.round_id)
        .where(Round.school_id == school, Refiling.used_at.is_(None), Refiling.closes_at > now, ~again)
    )
    has_now = sa.select(Assignment.mentor_id).where(Assignment.student_id == student, Assignment.ends_at.is_(None))
    mentor = (await session.execute(has_now)).scalar_one_or_none()
    return found + [
        _to_do(
            context,
            _ANEW,
            name="choose_anew",
            due=row.closes_at,
            subject=row.id,
            link=f"rounds/{row.id}/refiling/mine",
        )
        for row in await session.execute(windows)
        if _takes_part(row, mine) and (mentor is None or mentor in row.gone)
    ]


def _open(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Round.state == "choosing", Round.opens_at <= now, now < Round.closes_at)


def _takes_part(row: AnyRow, grades: set[str | None]) -> bool:
    return not row.grades or bool(grades & set(row.grades))


async def _pages(context: Context, mentor: UUID) -> list[ToDo]:
    """Of whoever is invited to an announced round and has shown nothing yet; best before it opens."""
    empty = sa.and_(
        sa.func.cardinality(Offer.subjects) == _NONE,
        sa.func.cardinality(Offer.talents) == _NONE,
        Offer.introduction == "",
    )
    offers = (
        sa.select(Round.id, sa.case((Round.opens_at > context.now, Round.opens_at), else_=Round.closes_at).label("due"))
        .join(Offer, Offer.round_id == Round.id)
        .where(Offer.mentor_id == mentor, Offer.left_at.is_(None), Offer.hard_cap > 0, empty)
        .where(Round.kind == "students", Round.state == "choosing", context.now < Round.closes_at)
    )
    return [
        _to_do(context, _PAGE, name="page", due=row.due, subject=row.id, link=f"rounds/{row.id}/offers/mine")
        for row in await context.session.execute(offers.order_by(Round.id))
    ]


async def _classes(context: Context, teacher: UUID) -> list[ToDo]:
    """A homeroom teacher's: the class that has no list yet in a round of classes."""
    today = today_in(context.district, context.now)
    filed = sa.exists().where(ClassPreference.round_id == Round.id, ClassPreference.class_id == ClassGroup.id)
    classes = (
        sa.select(Round.id, Round.closes_at, Round.grades, ClassGroup.id.label("class_id"), ClassGroup.grade)
        .join(ClassGroup, ClassGroup.school_id == Round.school_id)
        .join(Enrolment, Enrolment.class_id == ClassGroup.id)
        .where(Round.kind == "classes", _open(context.now), ClassGroup.type == "homeroom", ~filed)
        .where(sa.or_(ClassGroup.ended_on.is_(None), ClassGroup.ended_on >= today))
        .where(Enrolment.person_id == teacher, Enrolment.role == "teacher", Enrolment.is_primary)
        .where(holds(Enrolment, today))
    )
    return [
        _to_do(
            context,
            _CLASS,
            name="class_list",
            due=row.closes_at,
            subject=row.class_id,
            link=f"rounds/{row.id}/classes/{row.class_id}/preferences",
        )
        for row in await context.session.execute(classes.order_by(Round.id, ClassGroup.id))
        if _takes_part(row, {row.grade})
    ]


async def _appeals(context: Context, head: UUID) -> list[ToDo]:
    """Those a head may decide: who published the round, filed it or is of the family has nothing to do with it.
    The district hears of what a school has let pass.
    """
    principal = await people.as_principal(context, head)
    schools = people.schools_as(principal, "principal", "siteAdministrator")
    district = any(one.role == "districtAdministrator" and one.everywhere for one in principal.memberships)
    if not schools and not district:
        return []
    today = today_in(context.district, context.now)
    family = sa.exists().where(
        Guardianship.guardian_id == head, Guardianship.student_id == Appeal.student_id, holds(Guardianship, today)
    )
    late = sa.and_(sa.literal(district), Appeal.due_at < context.now)
    waiting = (
        sa.select(Appeal.id, Appeal.round_id, Appeal.due_at)
        .join(Round, Round.id == Appeal.round_id)
        .where(Appeal.state == "filed", sa.or_(Round.school_id.in_(schools), late), ~family)
        .where(Round.published_by.is_distinct_from(head), Appeal.filed_by.is_distinct_from(head))
        .order_by(Appeal.due_at, Appeal.id)
        .limit(50)
    )
    return [
        _to_do(context, _APPEAL, name="appeal", due=row.due_at, subject=row.id, link=f"rounds/{row.round_id}/appeals")
        for row in await context.session.execute(waiting)
    ]
