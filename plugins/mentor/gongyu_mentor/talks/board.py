"""The board of a school: which children were not reached, and until when they should be. Teachers are not on it."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from gongyu.people.models import ClassGroup, Person
from gongyu.plugin import District
from gongyu.printing.workbook import Table, render
from gongyu_mentor import people
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks.cadence import Due, applies, counts, dues_of, is_owed, owed, read_rules
from gongyu_mentor.talks.calendar import calendar_of
from gongyu_mentor.talks.schemas import Board, Child, RuleCount
from gongyu_mentor.workbook import columns

__all__ = ["board", "board_sheet", "school_dues", "unreached"]

Source = AsyncConnection | AsyncSession
_OWED = ("班级 class", "学生 student", "导师 mentor", "事项 rule", "已做 done", "应做 minimum", "截止 due")


async def school_dues(source: Source, school: UUID, *, today: date) -> list[Due]:
    """The school's rules in the periods that run now."""
    rules = await read_rules(source, school)
    return dues_of(rules.rules, await calendar_of(source, today))


async def board(
    source: Source,
    *,
    district: District,
    school: UUID,
    today: date,
    rule: str | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> Board:
    """How many children each rule has reached, and a page of those it has not.

    Args:
        source: The district's.
        district: For its midnight.
        school: Whose children.
        today: The day.
        rule: Only what is owed by this rule.
        after: The last child of the page before.
        limit: Children on a page; None: all.
    """
    dues = await school_dues(source, school, today=today)
    items = await unreached(
        source, dues, district=district, school=school, today=today, rule=rule, after=after, limit=limit
    )
    following = str(items[limit - 1].student) if limit is not None and len(items) > limit else None
    figures = await _figures(source, dues, district=district, school=school, today=today)
    return Board(today=today, rules=figures, items=items if limit is None else items[:limit], next=following)


async def _figures(
    source: Source, dues: Sequence[Due], *, district: District, school: UUID, today: date
) -> list[RuleCount]:
    if not dues:
        return []
    pupils = people.students_at(school, today=today).subquery()
    counted = counts(dues, district=district, students=sa.select(pupils.c.person_id))
    columns: list[sa.ColumnElement[Any]] = []
    for at, due in enumerate(dues):
        columns += [
            sa.func.count().filter(applies(due, pupils.c.grade)),
            sa.func.count().filter(is_owed(at, due, counted, pupils.c.grade)),
        ]
    found = sa.select(*columns).select_from(pupils).outerjoin(counted, counted.c.student_id == pupils.c.person_id)
    row = (await source.execute(found)).one()
    return [
        RuleCount(
            rule=due.rule.key,
            title=due.rule.title,
            begins=due.span.begins,
            due=due.span.ends,
            reached=row[2 * at] - row[2 * at + 1],
            of=row[2 * at],
        )
        for at, due in enumerate(dues)
    ]


async def unreached(
    source: Source,
    dues: Sequence[Due],
    *,
    district: District,
    school: UUID,
    today: date,
    rule: str | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> list[Child]:
    """Children to whom something is owed, one more than a page holds if there are more."""
    dues = [due for due in dues if rule is None or due.rule.key == rule]
    if not dues:
        return []
    pupils = people.students_at(school, today=today).subquery()
    counted = counts(dues, district=district, students=sa.select(pupils.c.person_id))
    pair, child, mentor, home = aliased(Assignment), aliased(Person), aliased(Person), aliased(ClassGroup)
    found = (
        sa.select(
            pupils.c.person_id,
            child.name,
            home.title.label("class_title"),
            pupils.c.grade,
            pair.mentor_id,
            mentor.name.label("mentor_name"),
            *[column for column in counted.c if column.key != "student_id"],
        )
        .select_from(pupils)
        .join(child, child.id == pupils.c.person_id)
        .outerjoin(home, home.id == pupils.c.class_id)
        .outerjoin(counted, counted.c.student_id == pupils.c.person_id)
        .outerjoin(pair, sa.and_(pair.student_id == pupils.c.person_id, pair.ends_at.is_(None)))
        .outerjoin(mentor, mentor.id == pair.mentor_id)
        .where(sa.or_(*(is_owed(at, due, counted, pupils.c.grade) for at, due in enumerate(dues))))
        .order_by(pupils.c.person_id)
    )
    if after is not None:
        found = found.where(pupils.c.person_id > after)
    if limit is not None:
        found = found.limit(limit + 1)
    return [
        Child(
            student=row.person_id,
            name=row.name,
            class_title=row.class_title,
            grade=row.grade,
            mentor=row.mentor_id,
            mentor_name=row.mentor_name,
            owed=owed(row, dues),
        )
        for row in await source.execute(found)
    ]


def board_sheet(found: Board) -> bytes:
    """The board as a workbook: one line for each child and rule."""
    titles = {one.rule: one.title for one in found.rules}
    children = sorted(found.items, key=lambda one: (one.class_title or "", one.name, one.student))
    lines = [
        [one.class_title, one.name, one.mentor_name, titles[due.rule], due.done, due.minimum, due.due.isoformat()]
        for one in children
        for due in one.owed
    ]
    reached = [[one.title, one.reached, one.of, one.due.isoformat()] for one in found.rules]
    return render(
        Table("未谈到的学生 not reached", columns(*_OWED), lines),
        Table("完成情况 reached", columns("事项 rule", "已达到 reached", "学生 pupils", "截止 due"), reached),
    )
