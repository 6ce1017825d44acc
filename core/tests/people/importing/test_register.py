"""The student register has no ids: people are known again by number, never by name alone."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from openpyxl import Workbook

from gongyu.people.models import ClassGroup, Guardianship, Membership, Person
from gongyu.people.roster.identity import check_character
from gongyu.people.roster.register import COLUMNS

if TYPE_CHECKING:
    from tests.people.importing.conftest import Some, Town, Write

MING, HONG, FATHER = (
    first + check_character(first) for first in ("99000020180101009", "99000020190203002", "99000019880101005")
)

Register = Callable[..., Path]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """A workbook of pupils given as dicts of the template's columns."""

    def make(*pupils: dict[str, str]) -> Path:
        book = Workbook()
        sheet = book.worksheets[0]
        names = [column.name for column in COLUMNS[:71]]
        sheet.append(names)
        for pupil in pupils:
            row = {"学校标识码": "2142001636", "性别": "男", "身份证件类型": "居民身份证", "班级": "2024级1班", **pupil}
            sheet.append([row.get(name, "") for name in names])
        path = tmp_path / f"register-{len(list(tmp_path.iterdir()))}.xlsx"
        book.save(path)
        return path

    return make


def ming(**other: str) -> dict[str, str]:
    return {
        "姓名": "王小明", "出生日期": "20180101", "身份证件号": MING, "是否留守儿童": "单亲留守儿童",
        "成员1姓名": "王大明", "成员1关系": "父亲", "成员1身份证件类型": "居民身份证", "成员1身份证件号": FATHER,
        "成员2姓名": "李秀英", "成员2关系": "母亲", **other,
    }  # fmt: skip


def hong(**other: str) -> dict[str, str]:
    return {
        "姓名": "王小红", "出生日期": "20190203", "身份证件号": HONG, "班级": "2025级1班",
        "成员1姓名": "王大明", "成员1关系": "父亲", "成员1身份证件类型": "居民身份证", "成员1身份证件号": FATHER,
        **other,
    }  # fmt: skip


async def test_same_register_again_changes_nothing(town: "Town", register: Register) -> None:
    """Also with a guardian who has neither number nor telephone: the mother is known beside her child."""
    path = register(ming(), hong())
    report = await town.load(path)
    assert [count for _, count in report.counts] == [1, 2, 2, 2, 0]
    assert not await town.plan(path)


async def test_siblings_in_two_schools_have_one_father(town: "Town", register: Register) -> None:
    await town.load(register(ming()))
    await town.load(register(hong(学校标识码="2142001637")))
    fathers = sa.select(Person.id).where(Person.name == "王大明")
    assert len(await town.rows(fathers)) == 1
    children = sa.select(Guardianship.student_id).where(Guardianship.guardian_id.in_(fathers))
    assert len(await town.rows(children)) == 2
    at = sa.select(Membership.org_id).where(Membership.person_id.in_(fathers), Membership.role == "guardian")
    assert len(set(await town.rows(at))) == 2


async def test_pupil_who_moved_up_is_known_by_number(town: "Town", register: Register) -> None:
    await town.load(register(ming(), hong()))
    report = await town.load(register(ming(班级="2023级2班"), hong()))
    assert report.events == 1
    pupils = sa.select(sa.func.count()).select_from(Person).where(Person.name == "王小明")
    assert await town.rows(pupils) == [(1,)]


async def test_a_school_s_register_ends_only_its_own(town: "Town", register: Register, yesterday: date) -> None:
    await town.load(register(ming(), hong(学校标识码="2142001637")))
    report = await town.load(register(hong(学校标识码="2142001637")))
    assert report.events == 0
    report = await town.load(register(hong(学校标识码="2142001636")))
    ended = sa.select(Membership.ends_on).join(Person, Person.id == Membership.person_id)
    assert report.refused is None
    assert await town.rows(ended.where(Person.name == "王小明")) == [(yesterday,)]


async def test_name_birth_date_and_class_are_only_a_hint(town: "Town", register: Register) -> None:
    """Without a number nobody is merged, and nobody is made twice: the row waits for a person who can ask."""
    keyless = {"身份证件号": "", "身份证件类型": "其他"}
    path = register(ming(**keyless), hong())
    await town.load(path)
    plan = await town.plan(path)
    assert ([*plan.lines()], [one.code for one in plan.findings]) == ([], ["person_held"])


async def test_oneroster_takes_over_what_the_register_brought(
    town: "Town", register: Register, write: "Write", instead: "Some"
) -> None:
    """By school code and by identity number, whatever their ids."""
    await town.load(register(ming(学籍号="G420101")))
    before = await town.rows(sa.select(Person.id).where(Person.name == "王小明"))
    pupil = ("p1", "true", "p1", "小明", "王", "", "", "", "g1,g2", MING, "father,mother")
    father = ("g1", "true", "g1", "大明", "王", "", "", "", "", FATHER, "")
    report = await town.load(write(users=instead("users", pupil, father)))
    assert [one.code for one in report.findings if one.code == "person_rekeyed"] == ["person_rekeyed"] * 2
    assert await town.rows(sa.select(Person.id).where(Person.sourced_id == "p1")) == before
    classes = sa.select(ClassGroup.title).where(ClassGroup.ended_on.is_(None)).order_by(ClassGroup.title)
    assert [title for (title,) in await town.rows(classes)] == ["一年级1班", "三年级1班", "三年级2班"]
