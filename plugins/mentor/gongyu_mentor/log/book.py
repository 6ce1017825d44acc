"""The log as a book (导育记录册): PDF to be filed, Word to go on writing."""

import asyncio
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.people.models import Org, Person
from gongyu.plugin import District, Text
from gongyu.printing.document import render
from gongyu_mentor.log.models import SECTIONS, LogPage
from gongyu_mentor.log.pages import TITLES, newest, term_of
from gongyu_mentor.log.pairs import pair_of
from gongyu_mentor.talks.models import Talk
from gongyu_mentor.talks.readers import is_newest

__all__ = ["Book", "as_docx", "as_pdf", "gather"]

_TEMPLATE: Final = Path(__file__).with_name("book.typ")
_KINDS: Final = {"weekly": "谈心", "key_moment": "关键时刻", "home_visit": "家访", "message": "寄语"}


class Chapter(msgspec.Struct, frozen=True):
    title: Text
    text: str


class TalkLine(msgspec.Struct, frozen=True):
    day: str
    kind: str
    note: str


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One child's book of one term, as the present mentor may read it."""

    school: str
    student: str
    mentor: str
    term: str
    sections: list[Chapter]
    talks: list[TalkLine]
    made: str


async def gather(
    source: AsyncConnection,
    seals: Seals,
    district: District,
    *,
    student: UUID,
    mentor: UUID,
    today: date,
    now: datetime,
    private: bool,
) -> Book:
    """Everything for the book of the running term.

    Args:
        source: A connection of the district.
        seals: Its keys.
        district: For its zone.
        student: Whose book.
        mentor: Who asks; their own pair must be on.
        today: The district's date.
        now: The time of making.
        private: With the sentences of talks that are between child and mentor alone. A book that is filed at school
            is read by others: it is made without.

    Raises:
        ProblemError: `not-found`.
    """
    pair = await pair_of(source, student=student, mentor=mentor)
    term = await term_of(source, today)
    names = sa.select(
        sa.select(Org.name).where(Org.id == pair.school_id).scalar_subquery(),
        sa.select(Person.name).where(Person.id == mentor).scalar_subquery(),
    )
    school, who = (await source.execute(names)).one()
    written = {page.section: page for page in await newest(source, pair=pair.id, term=term.begins)}
    talks = (
        sa.select(Talk.id, Talk.kind, Talk.happened_at, Talk.level, Talk.note)
        .where(
            Talk.student_id == student,
            Talk.author_id == mentor,
            Talk.school_id == pair.school_id,
            ~Talk.withdrawn,
            is_newest(Talk),
            Talk.happened_at >= term.begins - timedelta(days=1),
        )
        .order_by(Talk.happened_at)
    )
    zone = ZoneInfo(district.timezone)
    lines = [
        TalkLine(
            f"{row.happened_at.astimezone(zone):%Y-%m-%d}",
            _KINDS[row.kind],
            seals.open(row.note, Talk.note, row.id) if row.note and (private or row.level != "mentor") else "",
        )
        for row in await source.execute(talks)
    ]
    return Book(
        school=school,
        student=pair.name,
        mentor=who,
        term=f"{term.begins} – {term.ends}",
        sections=[
            Chapter(TITLES[name], seals.open(page.text, LogPage.text, page.id) if (page := written.get(name)) else "")
            for name in SECTIONS
        ],
        talks=lines,
        made=f"{now.astimezone(zone):%Y-%m-%d %H:%M}",
    )


async def as_pdf(book: Book, *, now: datetime) -> bytes:
    """To be filed.

    Raises:
        MissingGlyphError: A character that no font can draw.
    """
    return await asyncio.to_thread(render, _TEMPLATE, book, title=f"导育记录册 {book.student}", created=now)


async def as_docx(book: Book) -> bytes:
    """To go on writing in."""
    return await asyncio.to_thread(_document, book)


def _document(book: Book) -> bytes:
    import docx  # noqa: PLC0415 - a tenth of a second, wanted by few
    from docx.oxml.ns import qn  # noqa: PLC0415 - as above

    document = docx.Document()
    style = document.styles["Normal"]
    style.font.name = "宋体"
    style.element.rPr.rFonts.set(qn("w:eastAsia"), "宋体")  # Word takes a font of its own for Chinese
    document.add_heading("成长导师导育记录册 Mentor's log", level=0)
    for name, value in (("学校", book.school), ("学生", book.student), ("导师", book.mentor), ("学期", book.term)):
        document.add_paragraph(f"{name}：{value}")
    for chapter in book.sections:
        document.add_heading(f"{chapter.title.zh} {chapter.title.en}", level=1)
        for line in (chapter.text or "（未填写）").split("\n"):
            document.add_paragraph(line)
    document.add_heading("谈心与家访 Talks and visits", level=1)
    table = document.add_table(rows=1, cols=3, style="Table Grid")
    for cell, name in zip(table.rows[0].cells, ("日期", "类型", "记录"), strict=True):
        cell.text = name
    for talk in book.talks:
        for cell, value in zip(table.add_row().cells, (talk.day, talk.kind, talk.note), strict=True):
            cell.text = value
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()
