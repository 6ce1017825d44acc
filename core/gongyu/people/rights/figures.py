"""The yearly audit of minors' data: counts, and nobody's name (未网条例 37; due on 31 January for the year before)."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from openpyxl import Workbook
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.models import AuditLine
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Demographics, Membership, Person
from gongyu.people.rights.declared import purposes_in
from gongyu.people.rights.models import Consent, RightsRequest
from gongyu.people.rights.periods import ADULT, OWN_WORD, birthday, midnight_of, today_in
from gongyu.people.rights.retention import categories_in
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["Section", "as_markdown", "as_workbook", "yearly"]

Cell = Text | str | int

_COUNT: Final = Text(zh="次数", en="count")


class Section(msgspec.Struct, frozen=True):
    """One table of the report."""

    title: Text
    columns: Sequence[Text]
    rows: Sequence[Sequence[Cell]]


async def yearly(
    platform: Platform, state: DistrictState, session: AsyncSession, *, year: int, now: datetime
) -> list[Section]:
    """The figures of a calendar year in the district's time zone."""
    district = state.district
    begins, ends = midnight_of(district, date(year, 1, 1)), midnight_of(district, date(year + 1, 1, 1))
    last_day = date(year, 12, 31)
    purposes = purposes_in(platform, state)
    said = (
        sa.select(Consent.purpose, Consent.word, sa.func.count())
        .where(Consent.at >= begins, Consent.at < ends)
        .group_by(Consent.purpose, Consent.word)
    )
    words = {(row[0], row[1]): row[2] for row in await session.execute(said)}
    answered = sa.func.coalesce(sa.cast(RightsRequest.decided_at, sa.Date), today_in(district, now))
    overdue = RightsRequest.due_on < answered
    asked = (
        sa.select(RightsRequest.kind, RightsRequest.state, sa.func.count(), sa.func.count().filter(overdue))
        .where(RightsRequest.asked_at >= begins, RightsRequest.asked_at < ends)
        .group_by(RightsRequest.kind, RightsRequest.state)
        .order_by(RightsRequest.kind, RightsRequest.state)
    )
    done = (
        sa.select(AuditLine.action, sa.func.count(), sa.func.count(sa.distinct(AuditLine.actor)))
        .where(AuditLine.at >= begins, AuditLine.at < ends)
        .group_by(AuditLine.action)
        .order_by(AuditLine.action)
    )
    return [
        Section(
            Text(zh="未成年人", en="Minors"),
            [Text(zh="类别", en="kind"), Text(zh="人数", en="people")],
            await _minors(session, last_day),
        ),
        Section(
            Text(zh="处理目的与同意", en="Purposes and consents"),
            [
                Text(zh="目的", en="purpose"),
                Text(zh="敏感", en="sensitive"),
                Text(zh="法定职责", en="duty by law"),
                Text(zh="版本", en="version"),
                Text(zh="同意", en="given"),
                Text(zh="拒绝", en="refused"),
                Text(zh="撤回", en="withdrawn"),
            ],
            [
                [
                    one.title,
                    Text(zh="是", en="yes") if one.sensitive else Text(zh="否", en="no"),
                    one.duty or "—",
                    one.version,
                    *(words.get((one.name, word), 0) for word in ("given", "refused", "withdrawn")),
                ]
                for one in purposes.values()
            ],
        ),
        Section(
            Text(zh="更正与删除请求", en="Requests for correction and erasure"),
            [Text(zh="类型", en="kind"), Text(zh="状态", en="state"), _COUNT, Text(zh="逾期", en="overdue")],
            [list(row) for row in await session.execute(asked)],
        ),
        Section(
            Text(zh="访问、导出、拒绝及其他审计记录", en="Accesses, exports, refusals and all else in the audit log"),
            [Text(zh="行为", en="action"), _COUNT, Text(zh="行为人数", en="actors")],
            [list(row) for row in await session.execute(done)],
        ),
        Section(
            Text(zh="保存期限", en="Retention"),
            [Text(zh="类别", en="category"), Text(zh="依据", en="law"), Text(zh="天数", en="days")],
            [[category.title, category.basis, category.keep.days] for _, category in categories_in(platform, state)],
        ),
    ]


async def _minors(session: AsyncSession, day: date) -> list[list[Cell]]:
    """Pupils of the year's last day by the ages that matter in law."""
    pupil = sa.exists().where(
        Membership.person_id == Person.id,
        Membership.role == "student",
        Membership.begins_on <= day,
        sa.or_(Membership.ends_on.is_(None), Membership.ends_on >= day),
    )
    born = Demographics.birth_date
    child, minor = birthday(day, -OWN_WORD), birthday(day, -ADULT)
    counts = (
        sa.select(
            sa.func.count().filter(born > child),
            sa.func.count().filter(sa.and_(born <= child, born > minor)),
            sa.func.count().filter(born <= minor),
            sa.func.count().filter(born.is_(None)),
        )
        .select_from(Person)
        .outerjoin(Demographics, Demographics.person_id == Person.id)
        .where(pupil, Person.erased_at.is_(None))
    )
    names = (
        Text(zh="未满十四周岁", en="under 14"),
        Text(zh="十四至十七周岁", en="14 to 17"),
        Text(zh="已成年学生", en="adult pupils"),
        Text(zh="出生日期未知", en="date of birth unknown"),
    )
    return [[name, count] for name, count in zip(names, (await session.execute(counts)).one(), strict=True)]


def as_markdown(sections: Sequence[Section], *, title: Text) -> str:
    lines = [f"# {_both(title)}", ""]
    for section in sections:
        lines += [f"## {_both(section.title)}", "", _line(section.columns), _line(["---"] * len(section.columns))]
        lines += [_line(row) for row in section.rows] or [_line(["—"] * len(section.columns))]
        lines.append("")
    return "\n".join(lines)


def as_workbook(sections: Sequence[Section], target: Path) -> None:
    """One sheet for each section."""
    workbook = Workbook()
    if workbook.active is not None:
        workbook.remove(workbook.active)
    for section in sections:
        sheet = workbook.create_sheet(section.title.zh[:31])
        sheet.append([_both(column) for column in section.columns])
        for row in section.rows:
            sheet.append([cell if isinstance(cell, int) else _inert(_both(cell)) for cell in row])
        sheet.freeze_panes = "A2"
    workbook.save(target)


def _line(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(_both(cell).replace("|", "\\|") for cell in cells) + " |"


def _both(cell: Cell) -> str:
    return f"{cell.zh} · {cell.en}" if isinstance(cell, Text) else str(cell)


def _inert(text: str) -> str:
    """Never a formula, whatever a plugin calls its purposes (OWASP: CSV injection)."""
    return f"'{text}" if text[:1] in "=+-@" else text
