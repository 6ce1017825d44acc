"""The template of the national student register (学籍信息模板): one row a pupil, 71 columns, two family members a row.

It has no ids of its own: a person gets one that is only good inside this reading, and is matched by number, name and
birth date.
What the platform has no use for (origin, addresses, politics, blood group …) is known and not read: PIPL 6 and 28.
"""

import re
import sys
from typing import Any

from gongyu.people.roster import identity, labels
from gongyu.people.roster.canonical import CareCategory, Class_, Enrolment, Guardianship, Membership, Org, Person
from gongyu.people.roster.dialect import ANY_TABLE, Column, Dialect, FileFormat
from gongyu.people.roster.draft import Draft, Row
from gongyu.people.roster.guardians import report_many
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import Note, Unreadable, date, document_number, email, name, phone, reference
from gongyu.text import Text

__all__ = ["COLUMNS", "TEMPLATE", "header"]

_MEMBER = re.compile(r"(?:家庭)?(?:成员|监护人|家长)(?:或监护人)?([12一二])(?:信息|情况)?[:：_\-—]?(.+)")
_MARKS = re.compile(r"[\s*★☆＊]+|（必填）|\(必填\)")


def header(cell: str) -> str:
    """Without stars and line breaks; 家庭成员一姓名 and 监护人1姓名 are 成员1姓名."""
    plain = _MARKS.sub("", cell).replace("(", "（").replace(")", "）")
    member = _MEMBER.fullmatch(plain)
    if member is None:
        return plain
    return f"成员{ {'一': '1', '二': '2'}.get(member[1], member[1]) }{member[2]}"


def _school_code(value: str, note: Note) -> str | None:
    found = document_number(value, note)
    if found is not None and not re.fullmatch(r"\d{10}", found):
        raise Unreadable("school_code_invalid")
    return sys.intern(found) if found else None


def _member(number: int) -> tuple[Column, ...]:
    def column(title: str, field: str = "", **options: Any) -> Column:  # noqa: ANN401 - a column's options
        return Column(f"成员{number}{title}", f"{field}{number}" if field else "", **options)

    return (
        column("姓名", "member_name", convert=name),
        column("关系", "member_relation", convert=labels.RELATION, aliases=(f"成员{number}与学生关系",)),
        column("关系说明", "member_note"),
        column("现住址"),
        column("户口所在地", aliases=(f"成员{number}户口所在地行政区划",)),
        column(
            "联系电话", "member_phone", convert=phone, secret=True, aliases=(f"成员{number}电话", f"成员{number}手机"),
        ),
        column("是否监护人", "member_legal", convert=labels.YES_NO),
        column("身份证件类型", "member_id_type", convert=labels.ID_TYPE, aliases=(f"成员{number}身份证类型",)),
        column(
            "身份证件号", "member_id_number", convert=document_number, secret=True,
            aliases=(f"成员{number}身份证号", f"成员{number}身份证件号码"),
        ),
        column("民族"),
        column("工作单位"),
        column("职务"),
    )  # fmt: skip


COLUMNS: tuple[Column, ...] = (
    Column("学校标识码", "school", _school_code, required=True),
    Column("姓名", "name", name, required=True, aliases=("学生姓名",)),
    Column("性别", "sex", labels.SEX),
    Column("出生日期", "birth_date", date(compact=True), secret=True),
    Column("出生地", aliases=("出生地行政区划代码",)),
    Column("籍贯"),
    Column("民族"),
    Column("国籍/地区", aliases=("国籍", "国籍地区")),
    Column("身份证件类型", "id_type", labels.ID_TYPE, aliases=("身份证类型",)),
    Column("港澳台侨外"),
    Column("健康状况", "health", labels.HEALTH, secret=True),
    Column("政治面貌"),
    Column("身份证件号", "id_number", document_number, secret=True, aliases=("身份证号", "身份证件号码", "身份证号码")),
    Column("户口性质"),
    Column("户口所在地", aliases=("户口所在地行政区划", "户口所在地行政区划代码")),
    Column("班级", "class_", reference, required=True, aliases=("班级名称",)),
    Column("入学年月", "entered"),
    Column("入学方式"),
    Column("就读方式", "boarding", labels.BOARDING, aliases=("住宿",)),
    Column("现住址"),
    Column("通信地址"),
    Column("家庭地址"),
    Column("联系电话", "phone", phone, secret=True),
    Column("邮政编码"),
    Column("是否独生子女"),
    Column("是否受过学前教育"),
    Column("是否留守儿童", "left_behind", labels.LEFT_BEHIND, secret=True),
    Column("是否需要申请资助", "aid", labels.YES_NO, secret=True),
    Column("是否享受一补"),
    Column("是否孤儿", "orphan", labels.YES_NO, secret=True),
    Column("是否烈士或优抚子女", "martyr_family", labels.YES_NO, secret=True),
    Column("上下学距离（公里）", aliases=("上下学距离",)),
    Column("上下学交通方式", aliases=("上下学方式",)),
    Column("是否需要乘坐校车"),
    Column("曾用名"),
    Column("身份证件有效期"),
    Column("血型"),
    Column("特长"),
    Column("学籍辅号"),
    Column("班内学号", "number"),
    Column("学生来源"),
    Column("电子信箱", "email", email, aliases=("电子邮箱",)),
    Column("主页地址"),
    Column("残疾类型", "disability", labels.DISABILITY, secret=True),
    Column("是否由政府购买学位"),
    Column("随班就读"),
    *_member(1),
    *_member(2),
    Column("是否进城务工人员随迁子女", "migrant", labels.YES_NO, secret=True),
    # Not in the template, but in what the register and local systems export.
    Column("学籍号", "identifier", document_number, secret=True, aliases=("全国学籍号",)),
    Column("姓名拼音"),
    Column("学校名称", "school_name", aliases=("学校",)),
    Column("年级", "grade", reference),
    Column("是否贫困户", "poverty", labels.YES_NO, secret=True),
    Column("是否建档立卡", "poverty_registered", labels.YES_NO, secret=True),
)

_CARE = (
    "left_behind",
    "health",
    "disability",
    "aid",
    "orphan",
    "martyr_family",
    "migrant",
    "poverty",
    "poverty_registered",
)
_SAYS_COHORT = re.compile(r"级|届|[一二三四五六七八九初高]年|[初高][一二三]")


def _pupil(row: Row) -> None:
    values, draft, source = row.values, row.draft, row.source
    school = values["school"]
    if school not in draft.orgs:
        title = values.get("school_name", school)
        draft.keep_org(Org(source=source, sourced_id=school, name=title, type="school", identifier=school))
    person = Person(
        source=source,
        sourced_id=f"{source.file}#{source.row}",
        name=values["name"],
        sex=values.get("sex"),
        birth_date=values.get("birth_date"),
        id_type=values.get("id_type", ""),
        id_number=row.sound_number(values.get("id_number", ""), values.get("id_type"), "身份证件号"),
        identifier=values.get("identifier", ""),
        phone=values.get("phone", ""),
        email=values.get("email", ""),
        boarding=values.get("boarding"),
        grades=(values["grade"],) if "grade" in values else (),
    )
    _compare_birth(row, person)
    draft.keep_person(person)
    draft.add_role(person.sourced_id, "student")
    draft.keep_membership(Membership(source=source, person=person.sourced_id, org=school, role="student", primary=True))
    class_ = _class(row, school)
    draft.keep_enrolment(
        Enrolment(
            source=source, person=person.sourced_id, class_=class_, school=school, role="student", primary=True,
            number=values.get("number", ""),
        )
    )  # fmt: skip
    draft.care += [
        CareCategory(source=source, student=person.sourced_id, category=category, value=_state(values[category]))
        for category in _CARE
        if category in values
    ]
    for member in (1, 2):
        _guardian(row, person, member)


def _state(value: str | bool) -> str:  # noqa: FBT001 - a cell's value, converted by its own table
    return value if isinstance(value, str) else "yes" if value else "no"


def _compare_birth(row: Row, person: Person) -> None:
    if person.birth_date is None or len(person.id_number) != 18 or person.id_type not in ("", identity.RESIDENT):  # noqa: PLR2004 - GB 11643
        return
    if identity.birth_of(person.id_number) != person.birth_date:
        row.finding("id_number_birth", "出生日期", person.birth_date.isoformat(), secret=True)


def _class(row: Row, school: str) -> str:
    """1班 is another class every year, so its id needs the cohort; 2018级3班 says it itself."""
    title = row.values["class_"]
    grade = row.values.get("grade", "")
    entered = row.values.get("entered", "")[:4]
    cohort = grade or (f"{entered}级" if entered.isdigit() else "")
    known = bool(_SAYS_COHORT.search(title)) or not cohort
    key = sys.intern(f"{school}/{title}" if known else f"{school}/{cohort}/{title}")
    if key not in row.draft.classes:
        row.draft.keep_class(
            Class_(
                source=row.source, sourced_id=key, title=title if known else f"{cohort}{title}", school=school,
                type="homeroom", grades=(grade,) if grade else (),
            )
        )  # fmt: skip
    return key


def _guardian(row: Row, student: Person, member: int) -> None:
    values, draft = row.values, row.draft
    title = values.get(f"member_name{member}")
    if title is None:
        if f"member_relation{member}" in values or f"member_phone{member}" in values:
            row.finding("guardian_incomplete", f"成员{member}姓名")
        return
    id_type = values.get(f"member_id_type{member}")
    number = row.sound_number(values.get(f"member_id_number{member}", ""), id_type, f"成员{member}身份证件号")
    mobile = values.get(f"member_phone{member}", "")
    # Siblings share their parents: the same number, else the same name and telephone, is the same person.
    twin = number or (f"{title}\0{mobile}" if mobile else "")
    key = draft.twins.get(twin) if twin else None
    if key is None:
        key = f"{student.sourced_id}/{member}"
        draft.keep_person(
            Person(
                source=row.source, sourced_id=key, name=title, phone=mobile, id_number=number,
                id_type=id_type or "",
            )
        )  # fmt: skip
        if twin:
            draft.twins[twin] = key
    draft.guardianships.append(
        Guardianship(
            source=row.source,
            guardian=key,
            student=student.sourced_id,
            kind=values.get(f"member_relation{member}", "unknown"),
            legal=values.get(f"member_legal{member}"),
            priority=member,
            note=values.get(f"member_note{member}", ""),
        )
    )


def _finish(draft: Draft) -> None:
    report_many(draft)


_ANCHORS = frozenset({"姓名", "班级"})


def _detect(tables: Tables) -> Text | None:
    for member in tables.members:
        for head in tables.heads(member):
            if any({header(cell) for cell in cells} >= _ANCHORS for cells in head):
                return None
    return Text(zh="没有同时含“姓名”和“班级”列的表。", en="no table has both columns 姓名 and 班级.")


TEMPLATE = Dialect(
    name="register",
    title=Text(zh="学籍信息模板", en="Student register template"),
    detect=_detect,
    files=(
        FileFormat(
            ANY_TABLE,
            COLUMNS,
            _pupil,
            kinds=("org", "class", "person", "membership", "enrolment", "guardianship", "care"),
            header_within=10,
            anchors=_ANCHORS,
        ),
    ),
    finish=_finish,
    header=header,
    stable_ids=False,
    roles=frozenset({"student"}),
    columns={"person.id_number": "身份证件号"},
    by_school=True,
)
