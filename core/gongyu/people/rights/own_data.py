"""What the core itself knows about a person, part by part."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.keys import KeyRing
from gongyu.access.models import Account, ApiToken, Approval, ExternalIdentity, WebSession
from gongyu.access.sealing import Seals
from gongyu.people.care import open_care
from gongyu.people.models import (
    CareCategory,
    ClassGroup,
    Demographics,
    Enrolment,
    Guardianship,
    Membership,
    Org,
    Person,
)
from gongyu.people.private import open_private
from gongyu.people.rights.contract import EVERY_READER, PROTECTED, PersonPart, Reader
from gongyu.people.rights.models import Consent, CorrectedField, RightsRequest
from gongyu.people.rights.sealing import SEALED_COLUMNS, opened
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["CORE_PARTS"]

Rows = list[dict[str, Any]]

_LABELS: Final[Mapping[str, Text]] = {
    "at": Text(zh="时间", en="when"),
    "begins_on": Text(zh="开始", en="from"),
    "boarding": Text(zh="是否寄宿", en="boarder"),
    "by_hand": Text(zh="人工更正", en="corrected by people"),
    "birth_date": Text(zh="出生日期", en="date of birth"),
    "category": Text(zh="类别", en="category"),
    "channel": Text(zh="方式", en="channel"),
    "class": Text(zh="班级", en="class"),
    "created_at": Text(zh="建立时间", en="made"),
    "email": Text(zh="电子邮箱", en="e-mail"),
    "ended_at": Text(zh="结束时间", en="ended"),
    "ended_on": Text(zh="离开日期", en="left"),
    "ends_on": Text(zh="结束", en="until"),
    "expires_at": Text(zh="失效时间", en="expires"),
    "family_name": Text(zh="姓", en="family name"),
    "field": Text(zh="字段", en="field"),
    "fields": Text(zh="请求更正的字段", en="fields to be corrected"),
    "given_name": Text(zh="名", en="given name"),
    "id_number": Text(zh="身份证件号码", en="identity number"),
    "identifier": Text(zh="学号或工号", en="number at school"),
    "is_legal": Text(zh="是否法定监护人", en="guardian in law"),
    "kind": Text(zh="类型", en="kind"),
    "language": Text(zh="语言", en="language"),
    "last_seen_at": Text(zh="最近使用", en="last used"),
    "last_sign_in_at": Text(zh="最近登录", en="last signed in"),
    "last_used_at": Text(zh="最近使用", en="last used"),
    "name": Text(zh="姓名", en="name"),
    "from_roster": Text(zh="来自名册", en="from a roster"),
    "number": Text(zh="班内学号", en="number in class"),
    "sourced_id": Text(zh="来源编号", en="number at the source"),
    "org": Text(zh="机构", en="org"),
    "permission": Text(zh="权限", en="permission"),
    "phone": Text(zh="电话", en="phone"),
    "purpose": Text(zh="目的", en="purpose"),
    "role": Text(zh="角色", en="role"),
    "school": Text(zh="学校", en="school"),
    "sex": Text(zh="性别", en="sex"),
    "state": Text(zh="状态", en="state"),
    "until": Text(zh="有效至", en="until"),
    "username": Text(zh="用户名", en="user name"),
    "value": Text(zh="内容", en="value"),
    "version": Text(zh="版本", en="version"),
    "wish": Text(zh="请求内容", en="what was asked"),
    "reason": Text(zh="答复", en="answer"),
    "word": Text(zh="决定", en="said"),
}

_OUR_OWN: Final = frozenset({"id", "identifier_hash", "id_number_hash", "phone_hash", "erased_at", "updated_at"})


def _query(
    make: Callable[[UUID], sa.Select[*tuple[Any, ...]]],
) -> Callable[[AsyncSession, KeyRing, UUID], Awaitable[Rows]]:
    async def rows(session: AsyncSession, _: KeyRing, person: UUID) -> Rows:
        return [dict(row) for row in (await session.execute(make(person))).mappings()]

    return rows


async def _person(session: AsyncSession, keys: KeyRing, person: UUID) -> Rows:
    # Every column but keys, hashes and our own marks, also one that is added one day.
    columns = [column for column in Person.__table__.columns if column.key not in _OUR_OWN]
    found = (await session.execute(sa.select(*columns).where(Person.id == person))).mappings().one()
    row = dict(found)
    district: District = session.info["district"]
    for column in SEALED_COLUMNS:
        row[column.key] = opened(keys, district, column.key, person, row[column.key])
    return [row | open_private(Seals(keys, district.slug), person, row.pop("source_private"))]


async def _care(session: AsyncSession, keys: KeyRing, person: UUID) -> Rows:
    columns = (CareCategory.id, CareCategory.sealed, CareCategory.begins_on, CareCategory.ends_on)
    found = sa.select(*columns).where(CareCategory.student_id == person).order_by(CareCategory.begins_on)
    district: District = session.info["district"]
    seals = Seals(keys, district.slug)
    return [
        open_care(seals, id_, sealed)._asdict() | {"begins_on": begins_on, "ends_on": ends_on}
        for id_, sealed, begins_on, ends_on in await session.execute(found)
    ]


async def _requests(session: AsyncSession, keys: KeyRing, person: UUID) -> Rows:
    request = RightsRequest
    columns = (request.id, request.kind, request.asked_at.label("at"), request.state, request.wish, request.reason)
    corrected = (request.fields, request.by_hand, request.done_at.label("ended_at"))
    found = sa.select(*columns, *corrected).where(request.person_id == person).order_by(request.id)
    rows = [dict(row) for row in (await session.execute(found)).mappings()]
    district: District = session.info["district"]
    for row in rows:
        id_ = row.pop("id")
        for field in ("wish", "reason"):
            row[field] = opened(keys, district, field, id_, row[field])
        for column in (request.fields, request.by_hand):
            if row[column.key] is not None:
                row[column.key] = Seals(keys, district.slug).open(row[column.key], column, id_)
    return rows


def _guardians(person: UUID) -> sa.Select[*tuple[Any, ...]]:
    """Who they are to the child, not how to reach them: that is the other person's data."""
    columns = (Guardianship.kind, Person.name, Guardianship.is_legal, Guardianship.begins_on, Guardianship.ends_on)
    return (
        sa.select(*columns)
        .join(Person, Person.id == Guardianship.guardian_id)
        .where(Guardianship.student_id == person)
        .order_by(Guardianship.priority, Guardianship.id)
    )


def _children(person: UUID) -> sa.Select[*tuple[Any, ...]]:
    columns = (Guardianship.kind, Person.name, Guardianship.is_legal, Guardianship.begins_on, Guardianship.ends_on)
    return (
        sa.select(*columns)
        .join(Person, Person.id == Guardianship.student_id)
        .where(Guardianship.guardian_id == person)
        .order_by(Guardianship.id)
    )


def _memberships(person: UUID) -> sa.Select[*tuple[Any, ...]]:
    columns = (Membership.role, Org.name.label("org"), Membership.begins_on, Membership.ends_on)
    return sa.select(*columns).join(Org).where(Membership.person_id == person).order_by(Membership.begins_on)


def _enrolments(person: UUID) -> sa.Select[*tuple[Any, ...]]:
    columns = (
        ClassGroup.title.label("class"),
        Org.name.label("school"),
        Enrolment.role,
        Enrolment.number,
        Enrolment.begins_on,
        Enrolment.ends_on,
    )
    return (
        sa.select(*columns)
        .join(ClassGroup, ClassGroup.id == Enrolment.class_id)
        .join(Org, Org.id == ClassGroup.school_id)
        .where(Enrolment.person_id == person)
        .order_by(Enrolment.begins_on)
    )


def _part(
    name: str,
    title: Text,
    read: Callable[[AsyncSession, KeyRing, UUID], Awaitable[Rows]],
    readers: frozenset[Reader] = EVERY_READER,
) -> tuple[PersonPart, Callable[[AsyncSession, KeyRing, UUID], Awaitable[Rows]]]:
    return PersonPart(name=name, title=title, rows=(), labels=_LABELS, readers=readers), read


#: Each part, still empty, and how its rows are read.
CORE_PARTS: Final = (
    _part("person", Text(zh="基本信息", en="The person"), _person),
    _part(
        "demographics",
        Text(zh="出生信息", en="Facts of birth"),
        _query(
            lambda person: sa.select(Demographics.birth_date, Demographics.sex).where(Demographics.person_id == person)
        ),
    ),
    _part("memberships", Text(zh="任职与就读机构", en="Roles in orgs"), _query(_memberships)),
    _part("enrolments", Text(zh="班级", en="Classes"), _query(_enrolments)),
    _part("guardians", Text(zh="监护人", en="Guardians"), _query(_guardians)),
    _part("children", Text(zh="被监护的孩子", en="Children"), _query(_children)),
    _part(
        "care",
        Text(zh="关爱类别", en="Care categories"),
        _care,
        PROTECTED,
    ),
    _part(
        "account",
        Text(zh="账号", en="Account"),
        _query(
            lambda person: sa.select(
                Account.username, Account.state, Account.language, Account.created_at, Account.last_sign_in_at
            ).where(Account.person_id == person)
        ),
    ),
    _part(
        "sessions",
        Text(zh="登录记录", en="Sign-ins"),
        _query(
            lambda person: (
                sa.select(
                    WebSession.created_at,
                    WebSession.method.label("channel"),
                    WebSession.last_seen_at,
                    WebSession.ended_at,
                )
                .where(WebSession.person_id == person)
                .order_by(WebSession.created_at)
            )
        ),
    ),
    _part(
        "tokens",
        Text(zh="接口令牌", en="API tokens"),
        _query(
            lambda person: (
                sa.select(ApiToken.name, ApiToken.created_at, ApiToken.expires_at, ApiToken.last_used_at)
                .where(ApiToken.person_id == person)
                .order_by(ApiToken.created_at)
            )
        ),
    ),
    _part(
        "external_identities",
        Text(zh="外部登录", en="Sign-in elsewhere"),
        _query(
            lambda person: sa.select(
                ExternalIdentity.issuer, ExternalIdentity.subject, ExternalIdentity.bound_at.label("at")
            ).where(ExternalIdentity.person_id == person)
        ),
    ),
    _part(
        "consents",
        Text(zh="同意记录", en="Consents"),
        _query(
            lambda person: (
                sa.select(Consent.purpose, Consent.version, Consent.word, Consent.capacity, Consent.channel, Consent.at)
                .where(Consent.person_id == person)
                .order_by(Consent.at)
            )
        ),
    ),
    _part(
        "approvals",
        Text(zh="申请过的审批", en="Approvals asked for"),
        _query(
            lambda person: (
                sa.select(Approval.permission, Approval.asked_at.label("at"), Approval.until, Approval.state)
                .where(Approval.asked_by == person)
                .order_by(Approval.id)
            )
        ),
    ),
    _part(
        "corrected",
        Text(zh="已更正的字段", en="Fields that were corrected"),
        _query(
            lambda person: (
                sa.select(CorrectedField.field, CorrectedField.corrected_at.label("at"))
                .where(CorrectedField.person_id == person)
                .order_by(CorrectedField.field)
            )
        ),
    ),
    _part("requests", Text(zh="更正与删除请求", en="Requests"), _requests, frozenset({"self"})),
)
