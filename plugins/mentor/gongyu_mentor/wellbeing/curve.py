"""The curve: entries by the pupil and by the mentor, day by day, with its gaps."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor.models import AnyRow
from gongyu_mentor.people import school_of
from gongyu_mentor.wellbeing import wishes
from gongyu_mentor.wellbeing.grounds import GROUNDS, Opened, ground_of, opened
from gongyu_mentor.wellbeing.models import Entry, Opening
from gongyu_mentor.wellbeing.schemas import (
    Curve,
    Day,
    EntryMade,
    MentorEntry,
    Mine,
    OpeningOut,
    Point,
    StudentEntry,
)

__all__ = ["by_mentor", "by_student", "curve_of", "entries_of", "mine", "openings"]

#: A year at most in one answer.
_MOST: Final = timedelta(days=366)


class _Content(msgspec.Struct, frozen=True):
    mood: int
    words: str | None = None


async def by_student(context: Context, *, student: UUID, entry: StudentEntry) -> EntryMade:
    """A pupil's own entry; with "I want to talk to …" the clock of the answer begins."""
    school = await school_of(context, student)
    if school is None:
        raise ProblemError("forbidden", Text(zh="现在不是在校学生", en="not a pupil of a school now"))
    id_, day = await _add(context, student, author="student", by=student, content=_Content(entry.mood, entry.words))
    wish = None
    if entry.talk_to is not None:
        wish = await wishes.ask(context, student=student, school=school, wanted=entry.talk_to)
    return EntryMade(id=id_, day=day, wish=wish, help_lines=list(context.settings.help_lines))


async def by_mentor(context: Context, principal: Principal, *, student: UUID, entry: MentorEntry) -> EntryMade:
    """An entry of the mentor of today; nobody else adds to a pupil's curve."""
    right = await ground_of(context, principal, student)
    if right.since is None:
        raise ProblemError("not-found")
    content = _Content(entry.mood, entry.words)
    id_, day = await _add(context, student, author="mentor", by=principal.person, content=content)
    return EntryMade(id=id_, day=day, wish=None, help_lines=list(context.settings.help_lines))


async def _add(
    context: Context, student: UUID, *, author: Literal["student", "mentor"], by: UUID, content: _Content
) -> tuple[UUID, date]:
    id_, day = new_id(), today_in(context.district, context.now)
    text = msgspec.json.encode(content).decode()
    row = {"id": id_, "student_id": student, "author": author, "by": by, "day": day, "at": context.now}
    sealed = context.seals.seal(text, Entry.content, id_)
    await context.session.execute(sa.insert(Entry).values(**row, content=sealed))
    return id_, day


async def mine(context: Context, *, student: UUID, since: date | None, until: date | None) -> Mine:
    days = await _days(context, student, since=since, until=until, right=None)
    own = await wishes.of_student(context, student)
    return Mine(days=days, wishes=own, help_lines=list(context.settings.help_lines))


async def curve_of(
    context: Context, principal: Principal, *, student: UUID, since: date | None, until: date | None, language: Language
) -> tuple[Curve, Opened]:
    """A pupil's curve for whoever has a right to it now; the pupil can see that it was opened."""
    right = await ground_of(context, principal, student)
    days = await _days(context, student, since=since, until=until, right=right)
    await opened(context, by=principal.person, students=[student], ground=right.ground, what="curve")
    return Curve(student=student, ground=GROUNDS[right.ground].pick(language), days=days), right


async def _days(
    context: Context, student: UUID, *, since: date | None, until: date | None, right: Opened | None
) -> list[Day]:
    """Every day from first to last, those without an entry too."""
    last = until or today_in(context.district, context.now)
    first = since or last - timedelta(days=29)
    if first > last or last - first > _MOST:
        text = Text(zh="起止日期相差应在一年以内", en="the days must be in order and within a year")
        raise ProblemError("invalid", errors=[("since", text)])
    confided = right.since if right else None
    points: dict[date, list[Point]] = defaultdict(list)
    for row in await entries_of(context, student, first=first, last=last):
        points[row.day].append(_point(context, row, since=confided))
    span = [first + timedelta(days=at) for at in range((last - first).days + 1)]
    return [Day(day=day, mood=_mood(points[day]), points=points[day]) for day in span]


async def entries_of(context: Context, student: UUID, *, first: date, last: date) -> Sequence[AnyRow]:
    found = (
        sa.select(Entry.__table__)
        .where(Entry.student_id == student, Entry.day.between(first, last))
        .order_by(Entry.day, Entry.id)
    )
    return (await context.session.execute(found)).all()


def _point(context: Context, row: AnyRow, *, since: datetime | None) -> Point:
    """A mentor sees the whole curve, and the words that were written since they are the mentor."""
    content = msgspec.json.decode(context.seals.open(row.content, Entry.content, row.id), type=_Content)
    hidden = since is not None and row.at < since
    return Point(id=row.id, at=row.at, author=row.author, mood=content.mood, words=None if hidden else content.words)


def _mood(points: Sequence[Point]) -> int | None:
    """The pupil's own last word of the day; what a mentor thinks stands beside it, never in its place."""
    own = [one.mood for one in points if one.author == "student"]
    return own[-1] if own else None


async def openings(context: Context, *, student: UUID, language: Language) -> list[OpeningOut]:
    """Who opened one's record, newest first."""
    who = aliased(Person)
    found = (
        sa.select(Opening.ground, Opening.what, Opening.at, who.name)
        .outerjoin(who, who.id == Opening.by)
        .where(Opening.student_id == student)
        .order_by(Opening.id.desc())
        .limit(200)
    )
    rows: Sequence[Any] = (await context.session.execute(found)).all()
    return [
        OpeningOut(by_name=row.name, ground=GROUNDS[row.ground].pick(language), what=row.what, at=row.at)
        for row in rows
    ]
