"""Screening results come in by a table: Excel or CSV, one row for each pupil and scale. All rows are taken, or none.

Which pupil is said by the school number (学籍号). Whoever has not consented (or whose guardian has not) is refused by
row: a school may not keep what it may not process. Items and answers are not read; a column for them is a finding.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from io import BytesIO
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gongyu.access.relations import holds
from gongyu.database.model import new_id
from gongyu.people.models import Membership, Person
from gongyu.people.rights.consent import may_process
from gongyu.people.rights.contract import Purpose
from gongyu.people.rights.models import Consent
from gongyu.people.rights.periods import today_in
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.package import UNREADABLE, Limits, Member
from gongyu.people.roster.table import Cells
from gongyu.people.roster.workbook import open_sheets
from gongyu.plugin import Context, Text
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor.wellbeing.models import Screening
from gongyu_mentor.wellbeing.results import LEVELS, Result, content_of
from gongyu_mentor.wellbeing.schemas import Finding, Level, Plan

__all__ = ["COLUMNS", "PURPOSE", "apply", "forget_withdrawn", "plan"]

PURPOSE: Final = Purpose(
    name="mentor.screening",
    title=Text(zh="心理健康筛查结果", en="Results of mental-health screenings"),
    text=Text(
        zh="学校保存心理健康筛查的量表名称、日期、分数与结果等级，用来及时发现需要帮助的学生。只有本校心理教师可以查看，不进入成长档案、"
        "不公开、不用于评价；加密保存，离校半年后删除。筛查不是诊断。不同意不影响任何在校学习与活动；可以随时撤回、查阅、更正或"
        "要求删除，也可以向学校或区县教育局投诉。",
        en="The school keeps the name of the scale, the day, the score and the level of mental-health screenings, to "
        "notice in time who needs help. Only the school's counsellors see them; they are in no growth record, are not "
        "published and judge nobody. They are encrypted, and deleted half a year after leaving school. A screening is "
        "no diagnosis. A refusal changes nothing at school; consent can be withdrawn at any time, and you can see, "
        "correct or delete the data, and complain to the school or the education bureau.",
    ),
    sensitive=True,
)

#: Columns by what may stand above them.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("学籍号", "学号", "number"),
    "scale": ("量表", "scale"),
    "version": ("版本", "version"),
    "day": ("日期", "date"),
    "score": ("分数", "score"),
    "level": ("等级", "level"),
    "consent": ("同意书编号", "consent"),
}
_OPTIONAL: Final = ("version", "score")
_MOST_ROWS: Final = 5000
_MOST_BYTES: Final = 8 << 20
_LONGEST: Final = {"number": 40, "scale": 40, "version": 20, "score": 20, "consent": 100}
_LEVELS: Final[Mapping[str, Level]] = {
    word: level for level, text in LEVELS.items() for word in (level, text.zh, text.en)
}


@dataclass(slots=True)
class _Row:
    place: tuple[str, int]
    cells: Mapping[str, str]
    student: UUID | None = None
    day: date = date.min
    level: Level = "normal"


@dataclass(slots=True)
class _Reading:
    """The rows of a file and what is wrong with them."""

    language: Language
    file: str
    rows: list[_Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unchanged: int = 0

    def add(self, row: int, column: str, text: Text, *, file: str | None = None) -> None:
        told = Finding(file=file or self.file, row=row, column=column, text=text.pick(self.language))
        self.findings.append(told)


async def plan(context: Context, *, school: UUID, content: bytes, file: str, language: Language) -> Plan:
    """What taking a file in would do; nothing is written."""
    reading = await _read(context, school=school, content=content, file=file, language=language)
    return _planned(reading, content)


async def apply(
    context: Context, *, school: UUID, content: bytes, file: str, digest: str, by: UUID, language: Language
) -> Plan:
    """Take the file in that was looked at, whole.

    Raises:
        ProblemError: `conflict`: another file; `invalid` with every finding; nothing is written then.
    """
    if digest != hashlib.sha256(content).hexdigest():
        raise ProblemError("conflict", Text(zh="不是刚才检查的文件", en="this is not the file that was looked at"))
    reading = await _read(context, school=school, content=content, file=file, language=language)
    if reading.findings:
        errors = [(f"{one.file}:{one.row}:{one.column}", Text(zh=one.text, en=one.text)) for one in reading.findings]
        raise ProblemError("invalid", Text(zh="没有录入任何一行", en="no row was taken"), errors=errors)
    rows = []
    for row in reading.rows:
        id_ = new_id()
        result = msgspec.json.encode(Result(row.level, row.cells["score"] or None)).decode()
        rows.append(
            {
                "id": id_,
                "student_id": row.student,
                "school_id": school,
                "scale": row.cells["scale"],
                "version": row.cells["version"],
                "day": row.day,
                "consent": row.cells["consent"],
                "result": context.seals.seal(result, Screening.result, id_),
                "taken_by": by,
                "taken_at": context.now,
            }
        )
    if rows:
        await context.session.execute(sa.insert(Screening), rows)
    return _planned(reading, content)


def _planned(reading: _Reading, content: bytes) -> Plan:
    return Plan(
        digest=hashlib.sha256(content).hexdigest(),
        rows=len(reading.rows) + reading.unchanged,
        new=len(reading.rows),
        unchanged=reading.unchanged,
        findings=reading.findings,
    )


async def _read(context: Context, *, school: UUID, content: bytes, file: str, language: Language) -> _Reading:
    if len(content) > _MOST_BYTES:
        raise ProblemError("too-large")
    reading = _Reading(language, file)
    today = today_in(context.district, context.now)
    _tabulate(reading, content)
    for row in reading.rows:
        _check(reading, row, today=today)
    await _find_students(context, reading, school=school, today=today)
    await _ask_consent(context, reading, today=today)
    await _compare(context, reading)
    reading.findings.sort(key=lambda one: (one.file, one.row))
    return reading


def _tabulate(reading: _Reading, content: bytes) -> None:
    """Through the same reader as a roster, with its limits."""
    found = Findings()
    try:
        _take_rows(reading, Member(reading.file, partial(BytesIO, content)), found)
    except UNREADABLE:
        unreadable = Text(zh="不是可读的 Excel 或 CSV 文件", en="not a readable Excel or CSV file")
        reading.add(0, "", unreadable)
    for one in found.close():
        if one.severity == "error":
            reading.add(one.row, one.column, one.text, file=one.file)
    if not reading.rows and not reading.findings:
        reading.add(0, "", Text(zh="没有数据行", en="there are no rows"))


def _take_rows(reading: _Reading, member: Member, found: Findings) -> None:
    """The rows under the header of each sheet."""
    for sheet in open_sheets(member, found, Limits()):
        header: dict[int, str] | None = None
        for number, cells in sheet.rows:
            if cells is None or not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(reading, sheet.file, number, cells)
                continue
            if len(reading.rows) == _MOST_ROWS:
                most = Text(zh=f"最多 {_MOST_ROWS} 行", en=f"at most {_MOST_ROWS} rows")
                reading.add(number, "", most, file=sheet.file)
                return
            named = {header[at]: cell.strip() for at, cell in enumerate(cells) if at in header}
            filled = {name: named.get(name, "") for name in COLUMNS}
            reading.rows.append(_Row((sheet.file, number), filled))


def _header(reading: _Reading, file: str, number: int, cells: Cells) -> dict[int, str]:
    known = {word: name for name, words in COLUMNS.items() for word in words}
    header: dict[int, str] = {}
    for at, cell in enumerate(cells):
        word = cell.strip().lower()
        if word in known and known[word] not in header.values():
            header[at] = known[word]
        elif word:
            strange = Text(
                zh="没有这一列；题目与作答不在此保存", en="there is no such column; items and answers are not kept here"
            )
            reading.add(number, cell.strip()[:40], strange, file=file)
    for name in COLUMNS:
        if name not in header.values() and name not in _OPTIONAL:
            reading.add(number, COLUMNS[name][0], Text(zh="缺少这一列", en="this column is missing"), file=file)
    return header


def _check(reading: _Reading, row: _Row, *, today: date) -> None:
    file, number = row.place
    for name, cell in row.cells.items():
        if not cell and name not in _OPTIONAL:
            reading.add(number, COLUMNS[name][0], Text(zh="必填", en="it is required"), file=file)
        elif len(cell) > _LONGEST.get(name, 40):
            reading.add(number, COLUMNS[name][0], Text(zh="太长", en="it is too long"), file=file)
    if row.cells["day"]:
        day = _day(row.cells["day"])
        if day is None or day > today:
            text = Text(zh="应为不晚于今天的日期，如 2026-10-08", en="a day not after today, such as 2026-10-08")
            reading.add(number, COLUMNS["day"][0], text, file=file)
        else:
            row.day = day
    if row.cells["level"]:
        level = _LEVELS.get(row.cells["level"].lower())
        if level is None:
            words = "、".join(text.zh for text in LEVELS.values())
            text = Text(zh=f"应为：{words}", en=f"one of: {', '.join(LEVELS)}")
            reading.add(number, COLUMNS["level"][0], text, file=file)
        else:
            row.level = level


def _day(cell: str) -> date | None:
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日"):
        try:
            return datetime.strptime(cell, form).date()  # noqa: DTZ007 - a day, which has no zone
        except ValueError:
            continue
    return None


async def _find_students(context: Context, reading: _Reading, *, school: UUID, today: date) -> None:
    numbers = {row.cells["number"] for row in reading.rows} - {""}
    hashes = {context.seals.hashed(number, purpose="identifier"): number for number in numbers}
    found = (
        sa.select(Person.identifier_hash, sa.func.array_agg(Person.id.distinct()).label("ids"))
        .join(Membership, Membership.person_id == Person.id)
        .where(
            Person.identifier_hash.in_(hashes),
            Membership.org_id == school,
            Membership.role == "student",
            holds(Membership, today),
        )
        .group_by(Person.identifier_hash)
    )
    students: dict[str, Sequence[UUID]] = {
        hashes[row.identifier_hash]: row.ids for row in await context.session.execute(found)
    }
    seen: set[tuple[UUID, str, date]] = set()
    for row in reading.rows:
        file, number = row.place
        ids = students.get(row.cells["number"], ())
        if len(ids) != 1:
            text = (
                Text(zh="不止一名学生有这个号码", en="more than one pupil has this number")
                if ids
                else Text(zh="不是本校在校学生", en="no pupil of this school")
            )
            if row.cells["number"]:
                reading.add(number, COLUMNS["number"][0], text, file=file)
            continue
        row.student = ids[0]
        key = (row.student, row.cells["scale"], row.day)
        if key in seen:
            text = Text(zh="同一学生同一量表同一天出现两次", en="the same pupil, scale and day are there twice")
            reading.add(number, COLUMNS["number"][0], text, file=file)
        seen.add(key)


async def _ask_consent(context: Context, reading: _Reading, *, today: date) -> None:
    asked: dict[UUID, Text | None] = {}
    for row in reading.rows:
        if row.student is None:
            continue
        if row.student not in asked:
            said = await may_process(context.session, person=row.student, purpose=PURPOSE, on=today)
            asked[row.student] = None if said.allowed else said.ground
        if (ground := asked[row.student]) is not None:
            reading.add(row.place[1], COLUMNS["consent"][0], ground, file=row.place[0])


async def _compare(context: Context, reading: _Reading) -> None:
    """What is on file already is not taken again; what differs from it is a finding, since results are not changed."""
    students = {row.student for row in reading.rows if row.student}
    found = sa.select(Screening.__table__).where(Screening.student_id.in_(students))
    on_file = {(one.student_id, one.scale, one.day): one for one in await context.session.execute(found)}
    fresh = []
    for row in reading.rows:
        one = on_file.get((row.student, row.cells["scale"], row.day)) if row.student else None
        if one is None:
            fresh.append(row)
        elif content_of(context, one) == Result(row.level, row.cells["score"] or None):
            reading.unchanged += 1
        else:
            text = Text(zh="该学生这一天的结果已录入，且不同", en="another result of that day is on file")
            reading.add(row.place[1], COLUMNS["level"][0], text, file=row.place[0])
            fresh.append(row)
    reading.rows = fresh


async def forget_withdrawn(context: Context) -> None:
    """Once a day: results whose consent was taken back are deleted (个人信息保护法 15, 47)."""
    today = today_in(context.district, context.now)
    taken_back = (
        sa.select(Screening.student_id)
        .distinct()
        .join(Consent, Consent.person_id == Screening.student_id)
        .where(Consent.purpose == PURPOSE.name, Consent.word != "given")
    )
    for student in (await context.session.execute(taken_back)).scalars().all():
        said = await may_process(context.session, person=student, purpose=PURPOSE, on=today)
        if not said.allowed:
            await context.session.execute(sa.delete(Screening).where(Screening.student_id == student))
