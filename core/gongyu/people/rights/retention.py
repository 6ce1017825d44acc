"""Nothing is kept for ever: each category has a purpose, a law and a time, and a daily job ends what is over
(个人信息保护法 19, 47).

Each category is a transaction of its own, and so is each person made nameless: one that fails keeps nobody else's data
alive, and shows as the job's error until it is mended. Doing it twice does no harm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.authenticate import changed
from gongyu.access.models import Account, ApiToken, Approval, ExternalIdentity
from gongyu.districts.registry import DistrictState
from gongyu.host.isolation import said
from gongyu.people.models import CareCategory, Person, RosterImport
from gongyu.people.rights.contract import RetentionCategory
from gongyu.people.rights.declared import plugin_categories
from gongyu.people.rights.erasure import erase, sign_in_data
from gongyu.people.rights.models import Consent, RightsRequest
from gongyu.people.rights.periods import last_days, midnight_of, today_in
from gongyu.people.rights.reach import as_if_on, plugins_within_reach
from gongyu.platform import Platform
from gongyu.plugin import Context, Job
from gongyu.text import Text

__all__ = ["Expired", "categories_in", "expire", "expiring", "retention_type"]

log = structlog.get_logger("gongyu.rights")

_MONTH: Final = timedelta(days=30)
_MONTHS_3: Final = timedelta(days=90)
_MONTHS_6: Final = timedelta(days=180)
_YEAR: Final = timedelta(days=365)
_YEARS_3: Final = timedelta(days=3 * 365 + 1)
_YEARS_10: Final = timedelta(days=10 * 365 + 3)
#: People made nameless in one run; a graduating year is done within days, and no run lasts for hours.
_MOST: Final = 1000


class Expired(msgspec.Struct, frozen=True):
    """What one category lost in a run; `before` is the first day that is still kept."""

    category: str
    before: date
    rows: int


def core_categories(platform: Platform) -> list[RetentionCategory]:
    """The core's own, each for the time it is kept where a district says nothing."""
    return [
        RetentionCategory(
            name="core.care",
            title=Text(zh="关爱类别", en="Care categories"),
            purpose=Text(zh="关爱帮扶", en="Care for those who need it"),
            basis=Text(zh="未成年人保护法第二十九条", en="Law on the Protection of Minors 29"),
            keep=_YEAR,
            expire=_care,
            shortest=_MONTHS_3,
            longest=_YEARS_3,
        ),
        RetentionCategory(
            name="core.accounts",
            title=Text(zh="离开者的账号与登录", en="Accounts of those who left"),
            purpose=Text(zh="登录", en="Signing in"),
            basis=Text(zh="网络安全法第二十一条；个人信息保护法第十九条", en="Cybersecurity Law 21; PIPL 19"),
            keep=_MONTHS_6,
            expire=_accounts,
            longest=_YEAR,
        ),
        RetentionCategory(
            name="core.people",
            title=Text(zh="离开者的个人信息", en="Those who left"),
            purpose=Text(zh="学籍与在校教育", en="School register and schooling"),
            basis=Text(zh="民法典第一百八十八条；个人信息保护法第四十七条", en="Civil Code 188; PIPL 47"),
            keep=_YEARS_3,
            expire=partial(_people, platform),
            longest=_YEARS_10,
        ),
        RetentionCategory(
            name="core.consents",
            title=Text(zh="已删除人员的同意记录", en="Consents of people erased"),
            purpose=Text(zh="证明处理合法", en="Proof of what was lawful"),
            basis=Text(zh="个人信息保护法第六十九条；民法典第一百八十八条", en="PIPL 69; Civil Code 188"),
            keep=_YEARS_3,
            expire=partial(_consents, platform),
            longest=_YEARS_10,
        ),
        RetentionCategory(
            name="core.requests",
            title=Text(zh="更正与删除请求", en="Requests for correction and erasure"),
            purpose=Text(zh="证明已答复", en="Proof that they were answered"),
            basis=Text(zh="个人信息保护法第五十条；民法典第一百八十八条", en="PIPL 50; Civil Code 188"),
            keep=_YEARS_3,
            expire=_requests,
            longest=_YEARS_10,
        ),
        RetentionCategory(
            name="core.approvals",
            title=Text(zh="访问未成年人信息的审批", en="Approvals of access to minors' data"),
            purpose=Text(zh="证明访问经过审批", en="Proof that access was approved"),
            basis=Text(zh="未成年人网络保护条例第三十六条；民法典第一百八十八条", en="未网条例 36; Civil Code 188"),
            keep=_YEARS_3,
            expire=_approvals,
            longest=_YEARS_10,
        ),
        RetentionCategory(
            name="core.imports",
            title=Text(zh="名册导入的问题清单", en="Findings of roster imports"),
            purpose=Text(zh="改正名册", en="Mending rosters"),
            basis=Text(zh="个人信息保护法第十九条", en="PIPL 19"),
            keep=_MONTHS_6,
            expire=_imports,
            shortest=_MONTH,
            longest=_YEAR,
        ),
    ]


def categories_in(
    platform: Platform, state: DistrictState, plugins: Iterable[str] | None = None
) -> list[tuple[str, RetentionCategory]]:
    """The core's and those of these plugins (None: of those that are on), each with whose it is, kept as long as the
    district says.
    """
    asked = state.enabled if plugins is None else plugins
    found = [*(("core", one) for one in core_categories(platform)), *plugin_categories(platform, asked)]
    return [(owner, in_force(category, state.retention)) for owner, category in found]


def in_force(category: RetentionCategory, said: Mapping[str, Mapping[str, int]]) -> RetentionCategory:
    """A category as a district keeps it. What a newer release no longer allows is brought to the nearest it does."""
    owner, _, name = category.name.partition(".")
    days = said.get(owner, {}).get(name)
    if days is None:
        return category
    shortest, longest = category.bounds
    return replace(category, keep=min(max(timedelta(days=days), shortest), longest))


def retention_type(platform: Platform) -> type[msgspec.Struct]:
    """The table `[retention]` of a district's file: for each category the days it is kept, within its bounds."""
    by_owner: dict[str, list[RetentionCategory]] = {"core": core_categories(platform)}
    for implementation in platform.host.manager.hook.retention_categories.get_hookimpls():
        by_owner.setdefault(implementation.plugin_name, []).extend(
            cast("Sequence[RetentionCategory]", implementation.function())
        )
    return _table("Retention", {owner: _days(owner, categories) for owner, categories in sorted(by_owner.items())})


def _days(owner: str, categories: Sequence[RetentionCategory]) -> Any:  # noqa: ANN401 - a type made here
    fields = {}
    for category in categories:
        least, most = (bound.days for bound in category.bounds)
        fields[category.name.removeprefix(f"{owner}.")] = Annotated[int, Meta(ge=least, le=most)], category.keep.days
    made = msgspec.defstruct(
        owner, [(name, *of) for name, of in fields.items()], frozen=True, forbid_unknown_fields=True
    )
    return made, msgspec.field(default_factory=made)


def _table(name: str, fields: Mapping[str, Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        name, [(field, *of) for field, of in fields.items()], frozen=True, forbid_unknown_fields=True
    )


def expiring(platform: Platform, state: DistrictState) -> Job:
    """The core's daily job in a district."""

    async def run(context: Context) -> None:
        await expire(platform, state, now=context.now)

    title = Text(zh="删除到期的个人信息", en="End what was kept long enough")
    return Job(name="expire_data", title=title, run=run, every="daily", at=time(3, 45))


async def expire(platform: Platform, state: DistrictState, *, now: datetime) -> list[Expired]:
    """End what is over in every category, also of plugins that are off here while their data stays.

    Raises:
        Exception: The first failure, after all other categories have had their turn.
    """
    today = today_in(state.district, now)
    failures: list[Exception] = []
    found = []
    async with platform.database.work(state.district) as session:
        plugins = await plugins_within_reach(platform, state, session)
    for plugin, category in categories_in(platform, state, plugins):
        before = today - category.keep
        try:
            async with platform.database.work(state.district) as session:
                seen = state if plugin == "core" else as_if_on(platform, state, plugin)
                rows = await category.expire(platform.context(plugin, seen, session, now), before)
                if rows:
                    details = {"category": category.name, "before": before, "rows": rows}
                    await audit.record(session, action="retention.expired", actor="system", details=details)
        except Exception as error:  # noqa: BLE001 - it is raised below, when the others are done
            log.warning("retention failed", category=category.name, district=state.district.slug, error=said(error))
            failures.append(error)
        else:
            found.append(Expired(category.name, before, rows))
    if any(line.rows for line in found):
        await changed(platform, state.district.slug)
    if failures:
        raise failures[0]
    return found


async def _care(context: Context, before: date) -> int:
    return await _gone(context.session, sa.delete(CareCategory).where(CareCategory.ends_on < before))


async def _accounts(context: Context, before: date) -> int:
    holding = sa.union(*(sa.select(table.person_id) for table in (Account, ApiToken, ExternalIdentity)))
    people = (await context.session.execute(_left(before).where(Person.id.in_(holding)))).scalars().all()
    return await sign_in_data(context.session, people)


async def _people(platform: Platform, context: Context, before: date) -> int:
    state = platform.state(context.district.slug)
    people = (await context.session.execute(_left(before).order_by(Person.id).limit(_MOST))).scalars().all()
    failures: list[Exception] = []
    for person in people:
        try:
            async with platform.database.work(state.district) as session:
                still = (await session.execute(_left(before).where(Person.id == person))).first()
                if still is not None:  # nobody has brought them back meanwhile
                    await erase(platform, state, session, person=person, actor="system", now=context.now)
        except Exception as error:  # noqa: BLE001 - it is raised below, when the others are done
            failures.append(error)
    if failures:
        raise failures[0]
    return len(people)


async def _consents(platform: Platform, context: Context, before: date) -> int:
    """As the owner of the tables: the application's own role can add words and do nothing else."""
    erased = sa.select(Person.id).where(Person.erased_at < midnight_of(context.district, before))
    async with platform.database.work_as_owner(context.district) as session:
        return await _gone(session, sa.delete(Consent).where(Consent.person_id.in_(erased)))


async def _requests(context: Context, before: date) -> int:
    old = RightsRequest.decided_at < midnight_of(context.district, before)
    return await _gone(context.session, sa.delete(RightsRequest).where(old))


async def _approvals(context: Context, before: date) -> int:
    old = Approval.until < midnight_of(context.district, before)
    return await _gone(context.session, sa.delete(Approval).where(old))


async def _imports(context: Context, before: date) -> int:
    old = RosterImport.started_at < midnight_of(context.district, before)
    return await _gone(context.session, sa.delete(RosterImport).where(old))


def _left(before: date) -> sa.Select[UUID]:
    """Who left before a day and still has a name. Whoever never had a relation here counts from the last change."""
    last = last_days()
    without = sa.func.coalesce(Person.ended_on, sa.cast(Person.updated_at, sa.Date))
    return (
        sa.select(Person.id)
        .outerjoin(last, last.c.person_id == Person.id)
        .where(
            Person.erased_at.is_(None),
            sa.or_(last.c.last_day < before, sa.and_(last.c.person_id.is_(None), without < before)),
        )
    )


async def _gone(session: AsyncSession, delete: sa.Delete) -> int:
    done: sa.CursorResult[tuple[()]] = await session.execute(  # type: ignore[assignment]  # what a DELETE gives
        delete, execution_options={"synchronize_session": False}
    )
    return done.rowcount
