"""A term of the books: opened with a quota for every giver, closed once, by policy."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Final
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.relations import holds
from gongyu.people.models import Membership, Org
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import (
    Command,
    Line,
    account_id,
    balances,
    ensure_accounts,
    entry_id,
    fingerprint,
    post,
    refusal,
    run,
)
from gongyu_points.calendar import today_of
from gongyu_points.schemas import NewBudget, NewTerm
from gongyu_points.settings import PointsSettings
from gongyu_points.shop.closing import anything_open, settle_open

__all__ = ["Closed", "close_term", "ensure_quota", "grant_budget", "open_term"]

#: Entries in one statement, and purses in one unit of work at the end: an advisory lock is held for each.
BATCH: Final = 500

Work = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class Closed(msgspec.Struct, frozen=True):
    """What closing did this time: accounts settled, points expired; nothing when it was done before."""

    accounts: int
    points: int


async def open_term(context: Context, *, new: NewTerm, schools: Mapping[str, PointsSettings] | None = None) -> int:
    """Open a term and grant every giver their quota; open again, it grants those who have come since.

    Args:
        context: The district's.
        new: The term.
        schools: Settings of schools that have their own, by identifier.

    Returns:
        How many quotas were granted now.

    Raises:
        ProblemError: `conflict` while another term is open, or when this one has been closed.
    """
    session, settings, today = context.session, context.settings, today_of(context)
    try:
        await run(
            session,
            "INSERT INTO {s}.points_term (id, title) VALUES ($1::uuid, $2::text) ON CONFLICT (id) DO NOTHING",
            new.id,
            new.title,
        )
    except sa.exc.DBAPIError as error:
        raise refusal(error) from error
    state = (await run(session, "SELECT state FROM {s}.points_term WHERE id = $1", new.id))[0].state
    if state != "open":
        raise ProblemError("conflict", Text(zh="这个学期已经结账", en="this term has been closed"))
    quotas: dict[UUID, int] = {}
    async for giver, school in _givers(session, settings, today):
        own = (schools or {}).get(school, settings)
        quotas[giver] = max(quotas.get(giver, 0), own.quota)  # whoever works at two schools has the larger one
    granted = 0
    people = [giver for giver in sorted(quotas) if quotas[giver] > 0]
    for start in range(0, len(people), BATCH):
        granted += await _grant(session, new.id, {one: quotas[one] for one in people[start : start + BATCH]}, today)
    return granted


async def _givers(session: AsyncSession, settings: PointsSettings, today: date) -> AsyncIterator[tuple[UUID, str]]:
    found = (
        sa.select(Membership.person_id, sa.func.coalesce(Org.identifier, ""))
        .join(Org, Org.id == Membership.org_id)
        .where(Membership.role.in_(settings.givers), holds(Membership, today))
    )
    for giver, school in await session.execute(found):
        yield giver, school


async def ensure_quota(session: AsyncSession, *, term: UUID, giver: UUID, points: int, today: date) -> None:
    """Grant a giver who came after the term had opened; usually there is nothing to do."""
    account = account_id("quota", owner=giver, term=term)
    if account not in await balances(session, [account]) and points > 0:
        await _grant(session, term, {giver: points}, today)


async def _grant(session: AsyncSession, term: UUID, quotas: Mapping[UUID, int], today: date) -> int:
    await ensure_accounts(session, "issue", [None], term)
    new = sorted(await ensure_accounts(session, "quota", quotas, term))
    if not new:
        return 0
    accounts = {giver: account_id("quota", owner=giver, term=term) for giver in new}
    # Whoever opened the account grants, so nobody grants twice; the index says so too.
    key = uuid5(accounts[new[0]], "grant")
    command = Command(
        operation=key,
        fingerprint=fingerprint(None, [term, new]),
        kind="grant",
        debit_kind="issue",
        credit_kind="quota",
        term=term,
        day=today,
    )
    source = account_id("issue", term=term)
    lines = [
        Line(id=entry_id(key, n, giver), debit=source, credit=accounts[giver], points=quotas[giver])
        for n, giver in enumerate(new)
    ]
    return len(new) if await post(session, command, lines) else 0


async def grant_budget(context: Context, *, new: NewBudget) -> None:
    """Put points for an occasion into somebody's hands; sent again, nothing happens twice."""
    session, today = context.session, today_of(context)
    term = await current(session)
    await run(
        session,
        "INSERT INTO {s}.points_budget (id, term_id, title, org_id, holder_id) "
        "SELECT $1::uuid, $2::uuid, $3::text, $4::uuid, $5::uuid ON CONFLICT (id) DO NOTHING",
        new.id,
        term,
        new.title,
        new.org,
        new.holder,
    )
    await ensure_accounts(session, "issue", [None], term)
    await ensure_accounts(session, "budget", [new.id], term)
    command = Command(
        operation=new.id,
        fingerprint=fingerprint(None, new),
        kind="grant",
        debit_kind="issue",
        credit_kind="budget",
        term=term,
        day=today,
    )
    source, target = account_id("issue", term=term), account_id("budget", owner=new.id, term=term)
    await post(session, command, [Line(id=new.id, debit=source, credit=target, points=new.points)])


async def current(session: AsyncSession) -> UUID:
    """The open term.

    Raises:
        ProblemError: `conflict` when there is none.
    """
    rows = await run(session, "SELECT id FROM {s}.points_term WHERE state = 'open'")
    if not rows:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
    return UUID(str(rows[0].id))


_NEXT: Final = """
SELECT id FROM {s}.points_account
 WHERE id > $2::uuid AND posted > 0
   AND (kind = 'purse' OR (kind IN ('quota', 'budget', 'voucher') AND term_id = $1::uuid))
 ORDER BY id LIMIT $3::bigint"""


async def close_term(
    work: Work, *, term: UUID, settings: PointsSettings, today: date, on_batch: Callable[[int], None] | None = None
) -> Closed:
    """Expire quotas and vouchers nobody deposited, and of the purses what the policy says; run twice, it happens once.

    From the first step on nobody gives or spends in this term. A run that was cut short is finished by the next one,
    by the policy of the first.

    Args:
        work: Makes a unit of work; each batch is one.
        term: Which.
        settings: The policy, unless closing has begun already.
        today: The district's date.
        on_batch: Told how many accounts each batch settled.

    Raises:
        ProblemError: `not-found`; `conflict` while a kiosk may still upload what it sold.
    """
    while not await _begun(work, term, settings.keep_percent):
        await settle_open(work, today=today)
    async with work() as session:
        await ensure_accounts(session, "expired", [None], term)
        before = await _expired(session, term)
    settled, last = 0, UUID(int=0)
    while True:
        async with work() as session:
            chosen = [UUID(str(row.id)) for row in await run(session, _NEXT, term, last, BATCH)]
            if not chosen:
                break
            settled += await _settle(session, term, chosen, today)
            last = chosen[-1]
        if on_batch:
            on_batch(settled)
    async with work() as session:
        await run(
            session,
            "UPDATE {s}.points_term SET state = 'closed', closed_at = now() WHERE id = $1::uuid AND state = 'closing'",
            term,
        )
        return Closed(settled, await _expired(session, term) - before if settled else 0)


async def _begun(work: Work, term: UUID, keep_percent: int) -> bool:
    """Whether closing has begun. It does not while points are on hold in the shop: from then on nothing is released."""
    async with work() as session:
        # Whoever writes in the books has finished or waits until this is committed: so what is there now, on hold and
        # in the purses, is all there will be.
        await run(session, "SELECT {s}.points_halt()")
        rows = await run(session, "SELECT state FROM {s}.points_term WHERE id = $1::uuid", term)
        if not rows:
            raise ProblemError("not-found")
        if rows[0].state == "open" and await anything_open(session):
            return False
        await run(
            session,
            "UPDATE {s}.points_term SET state = 'closing', keep_percent = $2::bigint "
            "WHERE id = $1::uuid AND state = 'open'",
            term,
            keep_percent,
        )
    return True


async def _settle(session: AsyncSession, term: UUID, chosen: Sequence[UUID], today: date) -> int:
    sink = account_id("expired", term=term)
    rows = await run(
        session,
        "SELECT {s}.points_expire($1::uuid, $2::uuid[], $3::uuid, $4::uuid, $5::bytea, $6::date) AS done",
        term,
        list(chosen),
        sink,
        uuid5(sink, "close"),
        fingerprint(None, term),
        today,
    )
    return int(rows[0].done)


async def _expired(session: AsyncSession, term: UUID) -> int:
    sink = account_id("expired", term=term)
    return (await balances(session, [sink])).get(sink, 0)
