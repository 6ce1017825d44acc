"""A population as the workbook of the national student register: 71 columns, the cells carry labels.

It has room for two family members and none for staff; who does not fit is not in it.
"""

import datetime as dt
from contextlib import closing
from pathlib import Path

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

from gongyu.people.archive import steady_zip
from gongyu.people.generate.model import Guardianship, Student
from gongyu.people.generate.population import Population, Totals
from gongyu.people.roster.register import COLUMNS

__all__ = ["members", "write_register"]

_TEMPLATE = tuple(column.name for column in COLUMNS[:71])
_NEVER = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - openpyxl refuses zones; the same for all, so that bytes are
_SEX = {"male": "男", "female": "女"}
_LEFT_BEHIND = {"none": "非留守儿童", "single": "单亲留守儿童", "double": "双亲留守儿童"}
_HEALTH = {"no": "健康或良好", "weak": "一般或较弱", "chronic": "有慢性病"}
_RELATION = {
    "father": "父亲",
    "mother": "母亲",
    "grandfather": "祖父",
    "grandmother": "祖母",
    "maternal_grandfather": "外祖父",
    "maternal_grandmother": "外祖母",
    "guardian": "监护人",
}


_SAME = {
    "出生地": "990000000000",  # a division that does not exist
    "民族": "汉族",
    "港澳台侨外": "否",
    "政治面貌": "群众",
    "户口性质": "非农业户口",
    "入学方式": "就近入学",
    "邮政编码": "990000",
    "是否独生子女": "否",
    "是否受过学前教育": "是",
    "是否享受一补": "否",
    "是否烈士或优抚子女": "否",
    "上下学距离（公里）": "1",
    "上下学交通方式": "步行",
    "是否需要乘坐校车": "否",
    "学生来源": "正常入学",
    "残疾类型": "无残疾",
    "是否由政府购买学位": "否",
    "随班就读": "非随班就读",
}
"""Required by the template and of no use to the platform."""


def write_register(population: Population, path: Path) -> Totals:
    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = _NEVER
    totals = Totals(staff=len(population.office))
    with closing(book.create_sheet("学生信息")) as sheet:
        sheet.append(_TEMPLATE)
        for school in population.walk():
            for student in school.students:
                cells = _cells(school.plan.code, student, population.today)
                sheet.append([cells.get(title) for title in _TEMPLATE])
            totals.add(school)
    with steady_zip(path) as archive:
        ExcelWriter(book, archive).write_data()
    return totals


def _cells(code: str, student: Student, today: dt.date) -> dict[str, str]:
    care, class_ = student.care, student.class_
    cells = {
        **_SAME,
        "学校标识码": code,
        "姓名": student.family_name + student.given_name,
        "性别": _SEX[student.sex],
        "出生日期": student.born.isoformat().replace("-", ""),
        "国籍/地区": "美国" if student.passport else "中国",
        "身份证件类型": "护照" if student.passport else "居民身份证",
        "身份证件号": student.id_number or student.passport,
        "健康状况": _HEALTH[care.get("health", "no")],
        "班级": class_.title,
        "入学年月": f"{class_.begins_on.year}09",
        "就读方式": "住校" if student.boarding else "走读",
        "现住址": student.address,
        "家庭地址": student.address,
        "是否留守儿童": _LEFT_BEHIND[care["left_behind"]],
        "是否需要申请资助": _said(care.get("aid") == "yes"),
        "是否孤儿": _said(care.get("orphan") == "yes"),
        "学籍辅号": student.number,
        "班内学号": str(student.place),
        "是否进城务工人员随迁子女": _said(care.get("migrant") == "yes"),
    }
    for number, tie in enumerate(members(student, today), 1):
        person = tie.guardian
        cells |= {
            f"成员{number}姓名": person.family_name + person.given_name,
            f"成员{number}关系": _RELATION[tie.kind],
            f"成员{number}关系说明": tie.note,
            f"成员{number}现住址": person.address,
            f"成员{number}联系电话": person.phone,
            f"成员{number}是否监护人": _said(tie.legal),
        }
        if person.id_number:
            cells |= {f"成员{number}身份证件类型": "居民身份证", f"成员{number}身份证件号": person.id_number}
        if number == 1:
            cells["联系电话"] = person.phone  # a child's telephone is in practice its mother's
    return {title: cell for title, cell in cells.items() if cell}


def members(student: Student, today: dt.date) -> list[Guardianship]:
    """The two that the form has room for: legal guardians of today first."""
    current = [tie for tie in student.guardianships if tie.ends_on is None or tie.ends_on >= today]
    return sorted(current, key=lambda tie: (not tie.legal, tie.priority))[:2]


def _said(yes: bool) -> str:  # noqa: FBT001 - the cell's own value
    return "是" if yes else "否"
