"""The log of a pair: what the situation is, what the term is to bring, what was done, what came of it."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.log.models import SECTIONS, LogPage
from gongyu_mentor.log.pairs import pair_of
from gongyu_mentor.log.schemas import LogOut, SectionIn, SectionOut
from gongyu_mentor.log.summary import drafted
from gongyu_mentor.talks.calendar import Span, calendar_of

__all__ = ["TITLES", "newest", "read_log", "term_of", "write_section"]

TITLES: Final = {
    "situation": Text(zh="情况分析", en="Situation"),
    "priorities": Text(zh="本学期重点", en="Priorities of the term"),
    "measures": Text(zh="育人措施", en="Measures"),
    "effects": Text(zh="成效", en="Effects"),
    "summary": Text(zh="学期小结", en="Summary of the term"),
}


async def newest(source: AsyncConnection | AsyncSession, *, pair: UUID, term: date | None = None) -> Sequence[LogPage]:
    """The newest version of each section, of one term or of all."""
    found = (
        sa.select(LogPage.__table__)
        .ext(distinct_on(LogPage.term_begins, LogPage.section))
        .where(LogPage.pair_id == pair)
        .order_by(LogPage.term_begins, LogPage.section, LogPage.number.desc())
    )
    rows = await source.execute(found if term is None else found.where(LogPage.term_begins == term))
    return list(rows)  # type: ignore[arg-type]  # rows with the columns of the table


async def term_of(source: AsyncConnection | AsyncSession, today: date) -> Span:
    """The term a log is written for: the one that runs, or in the holidays the school year."""
    calendar = await calendar_of(source, today)
    return calendar.term or calendar.year


async def read_log(
    source: AsyncConnection, seals: Seals, *, student: UUID, mentor: UUID, today: date, timezone: str
) -> LogOut:
    """The log of the running term, as its mentor reads it."""
    pair = await pair_of(source, student=student, mentor=mentor)
    term = await term_of(source, today)
    written = {page.section: page for page in await newest(source, pair=pair.id, term=term.begins)}
    draft = None
    if "summary" not in written:
        draft = await drafted(source, student=student, school=pair.school_id, mentor=mentor, term=term, zone=timezone)
    return LogOut(
        student=student,
        name=pair.name,
        term_begins=term.begins,
        term_ends=term.ends,
        sections=[_out(seals, section, written.get(section)) for section in SECTIONS],
        draft=draft,
    )


def _out(seals: Seals, section: str, page: LogPage | None) -> SectionOut:
    return SectionOut(
        section=section,  # type: ignore[arg-type]  # one of the names the database takes
        title=TITLES[section],
        version=page.number if page else 0,
        text=seals.open(page.text, LogPage.text, page.id) if page else "",
        written_at=page.written_at if page else None,
    )


async def write_section(
    context: Context, *, student: UUID, mentor: UUID, section: str, new: SectionIn, today: date
) -> SectionOut:
    """Write a section anew. The same text sent twice is written once.

    Raises:
        ProblemError: `not-found`: not one's pupil any more; `conflict`: somebody else's screen was faster (one's own).
    """
    session = context.session
    pair = await pair_of(session, student=student, mentor=mentor)
    term = await term_of(session, today)
    before = {page.section: page for page in await newest(session, pair=pair.id, term=term.begins)}.get(section)
    sent_twice = before is not None and before.number == new.version + 1
    if before is not None and sent_twice and context.seals.open(before.text, LogPage.text, before.id) == new.text:
        return _out(context.seals, section, before)
    id_ = new_id()
    values = {
        "id": id_,
        "pair_id": pair.id,
        "term_begins": term.begins,
        "section": section,
        "number": new.version + 1,
        "text": context.seals.seal(new.text, LogPage.text, id_),
        "written_at": context.now,
    }
    written = await session.execute(
        insert(LogPage)
        .values(values)
        .on_conflict_do_nothing(constraint="uq_mentor_log_page_number")
        .returning(LogPage.id)
    )
    if (before.number if before else 0) != new.version or written.first() is None:
        raise ProblemError(
            "conflict",
            Text(zh="这一栏刚刚被改过；请重新打开再写", en="this section was changed meanwhile; open it again"),
            errors=[("/version", Text(zh="不是最新版本", en="not the newest version"))],
        )
    return SectionOut(
        section=section,  # type: ignore[arg-type]  # as above
        title=TITLES[section],
        version=new.version + 1,
        text=new.text,
        written_at=context.now,
    )
