"""Erasure: everything that no law demands goes, from the core and every plugin, in one transaction, and what stays is
said with its reason (个人信息保护法 47; 未网条例 34).

It is whole or it is not at all: a plugin that cannot erase its part, or is not installed to do so, refuses the erasure
by name, since nobody could be told "it is gone" otherwise. One that is off erases like any other.
Audit lines stay; they hold ids and no content.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.access import audit
from gongyu.access.models import AccessCode, Account, ApiToken, ExternalIdentity, WebSession
from gongyu.access.sealing import Seals
from gongyu.districts.registry import DistrictState
from gongyu.events.models import IdempotencyRow
from gongyu.people.models import CareCategory, Demographics, Enrolment, Guardianship, Membership, Person
from gongyu.people.private import open_private, seal_private
from gongyu.people.rights.contract import Erased
from gongyu.people.rights.copy import NobodyError
from gongyu.people.rights.models import Consent, CorrectedField, RightsRequest
from gongyu.people.rights.periods import last_days, today_in
from gongyu.people.rights.reach import as_if_on, plugins_holding_data, plugins_within_reach
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["NAMELESS", "NotWholeError", "erase", "sign_in_data"]

#: What stands where a name stood.
NAMELESS: Final = "（已删除）"

#: Of a person's row, what stays when the name goes; every other column is emptied, also one that is added one day.
_STAYING: Final = frozenset({"id", "name", "from_roster", "ended_on", "erased_at", "updated_at"})
_EMPTIED: Final = {column.key: None for column in Person.__table__.columns if column.key not in _STAYING}

_REGISTER: Final = Text(
    zh="在籍、在职或监护关系存续期间，学校须保存（义务教育法第十三、十四条；中小学生学籍管理办法）",
    en="while the person or their child is at the school, the register must be kept (Compulsory Education Law 13, 14)",
)
_CARE: Final = Text(
    zh="在校期间学校须建立关爱档案（未成年人保护法第二十九条）",
    en="while the pupil is here, the school must keep it (Law on the Protection of Minors 29)",
)
_PROOF: Final = Text(
    zh="证明处理合法所需，保存三年（个人信息保护法第六十九条；民法典第一百八十八条），其中已不含姓名",
    en="needed for three years as proof of what was lawful (PIPL 69, Civil Code 188); no name is in it",
)


class NotWholeError(Exception):
    """Some data could not be reached, so nothing was erased; `plugins` names where it is."""

    def __init__(self, plugins: list[str]) -> None:
        self.plugins = plugins
        self.text = Text(
            zh="这些插件仍保存数据，但未安装或不支持删除：{names}；请安装它们，"
            "或用 gongyu plugin erase 清除其数据；现在什么都没有删除",
            en="these plugins hold data but are not installed, or cannot erase: {names}; install them, or take their "
            "data away with gongyu plugin erase; nothing was erased",
        ).format(names=", ".join(plugins))
        super().__init__(self.text.en)


async def erase(
    platform: Platform, state: DistrictState, session: AsyncSession, *, person: UUID, actor: str, now: datetime
) -> list[Erased]:
    """Erase a person's data in the caller's transaction, who calls `authenticate.changed` after the commit.

    While a relation to the district is open, the register stays and says so; all else goes, the account too. After
    that the person's row is made nameless and keeps its id, so that what refers to it stays consistent.

    Args:
        platform: Its plugins.
        state: The district.
        session: Its unit of work; rolled back instead of committed, this is a rehearsal.
        person: Whose.
        actor: Who decided.
        now: When.

    Returns:
        What went and what stays, and why.

    Raises:
        NobodyError: No such person, or erased before.
        NotWholeError: A plugin's data cannot be reached.
        HookRefusedError: A plugin failed.
    """
    locked = sa.select(Person.id).where(Person.id == person, Person.erased_at.is_(None)).with_for_update()
    if (await session.execute(locked)).first() is None:
        raise NobodyError
    if unreached := await _unreached(platform, session):
        raise NotWholeError(unreached)
    today = today_in(state.district, now)
    here = await _is_here(session, person, today)
    contexts = [
        (plugin, platform.context(plugin, as_if_on(platform, state, plugin), session, now))
        for plugin in await plugins_within_reach(platform, state, session)
    ]
    answers = await platform.dispatcher.call(hookspecs.person_erased, contexts, person=person, here=here)
    found = [line for answer in answers.values() for line in answer]
    found.append(
        Erased(what=Text(zh="账号与登录", en="account and sign-in"), rows=await sign_in_data(session, [person]))
    )
    if here:
        found += await _keep_register(session, platform.seals(state.district), person, today)
    else:
        found += await _make_nameless(session, person, today, now)
    found = [line for line in found if line.rows]
    details = {"here": here, "gone": sum(line.rows for line in found if line.kept is None)}
    details["kept"] = sum(line.rows for line in found if line.kept is not None)
    await audit.record(session, action="person.erased", actor=actor, subject=f"person:{person}", details=details)
    return found


async def sign_in_data(session: AsyncSession, people: Sequence[UUID]) -> int:
    """Account, sessions, tokens, codes: gone, whatever else stays."""
    gone = 0
    for table in (WebSession, ApiToken, AccessCode, ExternalIdentity, Account):  # recovery codes go with the account
        gone += await _delete(session, table, table.person_id.in_(people))
    actors = [f"person:{person}" for person in people]
    return gone + await _delete(session, IdempotencyRow, IdempotencyRow.actor.in_(actors))


async def _keep_register(session: AsyncSession, seals: Seals, person: UUID, today: date) -> list[Erased]:
    ended = sa.and_(CareCategory.student_id == person, CareCategory.ends_on < today)
    care = await _delete(session, CareCategory, ended)
    mailed = await _forget_mail(session, seals, person)
    return [
        Erased(what=Text(zh="电子邮箱", en="e-mail address"), rows=mailed),
        Erased(what=Text(zh="已结束的关爱类别", en="care categories that ended"), rows=care),
        Erased(
            what=Text(zh="关爱类别", en="care categories"),
            rows=await _count(session, CareCategory, CareCategory.student_id == person),
            kept=_CARE,
        ),
        Erased(
            what=Text(zh="姓名、证件号码与联系方式", en="name, identity number and how to reach them"),
            rows=1,
            kept=_REGISTER,
        ),
        Erased(
            what=Text(zh="出生信息", en="facts of birth"),
            rows=await _count(session, Demographics, Demographics.person_id == person),
            kept=_REGISTER,
        ),
        Erased(
            what=Text(zh="任职、班级与监护关系", en="roles, classes and guardianships"),
            rows=await _count(session, Membership, Membership.person_id == person)
            + await _count(session, Enrolment, Enrolment.person_id == person)
            + await _count(session, Guardianship, _related(person)),
            kept=_REGISTER,
        ),
        await _proof(session, person),
    ]


async def _forget_mail(session: AsyncSession, seals: Seals, person: UUID) -> int:
    """Where it stands: in its column, or sealed because a number is part of it."""
    held = sa.select(Person.email, Person.source_private).where(Person.id == person)
    mail, sealed = (await session.execute(held)).one()
    private = open_private(seals, person, sealed)
    if mail is None and "email" not in private:
        return 0
    private.pop("email", None)
    emptied = {"email": None, "source_private": seal_private(seals, person, private)}
    await session.execute(sa.update(Person).where(Person.id == person).values(emptied))
    return 1


async def _make_nameless(session: AsyncSession, person: UUID, today: date, now: datetime) -> list[Erased]:
    found = [
        Erased(
            what=Text(zh="出生信息", en="facts of birth"),
            rows=await _delete(session, Demographics, Demographics.person_id == person),
        ),
        Erased(
            what=Text(zh="关爱类别", en="care categories"),
            rows=await _delete(session, CareCategory, CareCategory.student_id == person),
        ),
        Erased(
            what=Text(zh="监护关系", en="guardianships"), rows=await _delete(session, Guardianship, _related(person))
        ),
        Erased(what=Text(zh="姓名、证件号码与联系方式", en="name, identity number and contact details"), rows=1),
    ]
    ended = sa.func.coalesce(Person.ended_on, today)
    anonymised = sa.update(Person).where(Person.id == person)
    await session.execute(
        anonymised.values({**_EMPTIED, "name": NAMELESS, "ended_on": ended, "erased_at": now, "updated_at": now})
    )
    # A register's own numbers lead back to the person.
    await session.execute(sa.update(Membership).where(Membership.person_id == person).values(sourced_id=None))
    enrolments = sa.update(Enrolment).where(Enrolment.person_id == person)
    await session.execute(enrolments.values(sourced_id=None, number=None))
    wished = (
        sa.update(RightsRequest)
        .where(RightsRequest.person_id == person)
        .values(wish=None, reason=None, fields=None, by_hand=None)
    )
    await session.execute(wished)
    await _delete(session, CorrectedField, CorrectedField.person_id == person)  # of what is no longer there
    return [*found, await _proof(session, person)]


async def _proof(session: AsyncSession, person: UUID) -> Erased:
    rows = await _count(session, Consent, Consent.person_id == person)
    rows += await _count(session, RightsRequest, RightsRequest.person_id == person)
    return Erased(what=Text(zh="同意与请求的记录", en="records of consent and requests"), rows=rows, kept=_PROOF)


def _related(person: UUID) -> sa.ColumnElement[bool]:
    return sa.or_(Guardianship.guardian_id == person, Guardianship.student_id == person)


async def _is_here(session: AsyncSession, person: UUID, today: date) -> bool:
    last = last_days()
    found = (await session.execute(sa.select(last.c.last_day).where(last.c.person_id == person))).first()
    return found is not None and (found.last_day is None or found.last_day >= today)


async def _unreached(platform: Platform, session: AsyncSession) -> list[str]:
    caller = platform.host.manager.hook.person_erased
    able = {implementation.plugin_name for implementation in caller.get_hookimpls()}
    return [name for name in await plugins_holding_data(session) if name not in able]


async def _delete(session: AsyncSession, table: type, which: sa.ColumnElement[bool]) -> int:
    done = await session.execute(sa.delete(table).where(which), execution_options={"synchronize_session": False})
    return cast("sa.CursorResult[tuple[()]]", done).rowcount


async def _count(session: AsyncSession, table: type, which: sa.ColumnElement[bool]) -> int:
    return (await session.execute(sa.select(sa.func.count()).select_from(table).where(which))).scalar_one()
