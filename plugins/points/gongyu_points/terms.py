"""A term of the books: opened with a quota for every giver, closed once, by policy."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Final
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.access.relations import holds
from gongyu.database.model import new_id
from gongyu.events.outbox import nudge_after_commit
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
from gongyu_points.schemas import BudgetOut, NewBudget, NewTerm
from gongyu_points.schools import is_at
from gongyu_points.settings import PointsSettings, capped
from gongyu_points.shop.closing import anything_open, settle_open

__all__ = ["LATEST", "Closed", "close_term", "ensure_quota", "grant_budget", "open_term", "quotas"]

#: The term that runs, else the last one: figures of a term are read after it was closed, too.
LATEST: Final = "(SELECT id FROM {s}.points_term ORDER BY opened_at DESC, id DESC LIMIT 1)"

#: Entries in one statement, and purses in one unit of work at the end: an advisory lock is held for each.
BATCH: Final = 500

Work = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class Closed(msgspec.Struct, frozen=True):
    """What this run of closing did: accounts settled, points expired; not what another run did before or meanwhile."""

    accounts: int
    points: int


async def open_term(context: Context, *, new: NewTerm, actor: str = "system") -> int:
    """Open a term and grant every giver their quota; open again, it grants those who have come since.

    Args:
        context: The district's.
        new: The term.
        actor: Who opens it, for the audit log; the calendar does by itself.

    Returns:
        How many quotas were granted now.

    Raises:
        ProblemError: `conflict` while another term is open, or when this one has been closed.
    """
    session, today = context.session, today_of(context)
    try:
        opened = await run(
            session,
            "INSERT INTO {s}.points_term (id, title) VALUES ($1::uuid, $2::text) "
            "ON CONFLICT (id) DO NOTHING RETURNING id",
            new.id,
            new.title,
        )
    except sa.exc.DBAPIError as error:
        raise refusal(error) from error
    state = (await run(session, "SELECT state FROM {s}.points_term WHERE id = $1", new.id))[0].state
    if state != "open":
        raise ProblemError("conflict", Text(zh="这个学期已经结账", en="this term has been closed"))
    wanted = await quotas(
        session, settings=context.settings, schools=capped(context.settings, context.schools), today=today
    )
    granted, people = 0, sorted(wanted)
    for start in range(0, len(people), BATCH):
        granted += await _grant(session, new.id, {one: wanted[one] for one in people[start : start + BATCH]}, today)
    if opened or granted:
        details = {"title": new.title, "quotas": granted}
        await audit.record(session, action="points.term_opened", actor=actor, subject=f"term:{new.id}", details=details)
    return granted


async def quotas(
    session: AsyncSession | AsyncConnection,
    *,
    settings: PointsSettings,
    schools: Mapping[str, PointsSettings],
    today: date,
    person: UUID | None = None,
) -> dict[UUID, int]:
    """What each giver may give in a term: whoever holds a giver's role today, and at two schools the larger quota.

    Args:
        session: The district's.
        settings: The district's.
        schools: The settings of schools that have their own, by identifier.
        today: The district's date.
        person: Of this one only.
    """
    found = (
        sa.select(Membership.person_id, sa.func.coalesce(Org.identifier, ""))
        .join(Org, Org.id == Membership.org_id)
        .where(Membership.role.in_(settings.givers), holds(Membership, today))
    )
    if person is not None:
        found = found.where(Membership.person_id == person)
    wanted: dict[UUID, int] = {}
    for giver, school in await session.execute(found):
        wanted[giver] = max(wanted.get(giver, 0), schools.get(school, settings).quota)
    return {giver: points for giver, points in wanted.items() if points > 0}


async def ensure_quota(context: Context, *, term: UUID, giver: UUID) -> None:
    """Grant a giver who came after the term had opened; usually there is nothing to do.

    Raises:
        ProblemError: `forbidden` for somebody who gets no quota: they give from a budget they hold, or not at all.
    """
    session, today = context.session, today_of(context)
    account = account_id("quota", owner=giver, term=term)
    if account in await balances(session, [account]):
        return
    schools = capped(context.settings, context.schools)
    wanted = await quotas(session, settings=context.settings, schools=schools, today=today, person=giver)
    if not wanted:
        text = Text(
            zh="您没有积分额度，只能从您掌握的预算中发放",
            en="you have no quota; you can give only from a budget in your hands",
        )
        raise ProblemError("forbidden", text)
    await _grant(session, term, wanted, today)


async def _grant(session: AsyncSession, term: UUID, wanted: Mapping[UUID, int], today: date) -> int:
    await ensure_accounts(session, "issue", [None], term)
    new = sorted(await ensure_accounts(session, "quota", wanted, term))
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
        Line(id=entry_id(key, n, giver), debit=source, credit=accounts[giver], points=wanted[giver])
        for n, giver in enumerate(new)
    ]
    return len(new) if await post(session, command, lines) else 0


async def grant_budget(context: Context, *, new: NewBudget, by: UUID) -> BudgetOut:
    """Put points for an occasion into somebody's hands; sent again, nothing happens twice.

    Args:
        context: Its session holds no other command of the books.
        new: The budget.
        by: Who grants it, and is the grant's giver.

    Raises:
        ProblemError: `invalid` when the holder is not of the org today; `conflict` when no term is open.
    """
    session, today = context.session, today_of(context)
    known = await run(session, "SELECT term_id FROM {s}.points_budget WHERE id = $1::uuid", new.id)
    if not known and not await is_at(context, person=new.holder, org=new.org):
        text = Text(zh="现在不是该机构的人", en="they are not of this org today")
        raise ProblemError("invalid", errors=[("/holder", text)])
    term = known[0].term_id if known else await current(session)
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
        giver=by,
    )
    source, target = account_id("issue", term=term), account_id("budget", owner=new.id, term=term)
    if await post(session, command, [Line(id=new.id, debit=source, credit=target, points=new.points)]):
        details = {"points": new.points, "holder": str(new.holder), "org": str(new.org)}
        await audit.record(
            session,
            action="points.budget_granted",
            actor=f"person:{by}",
            subject=f"budget:{new.id}",
            details=details,
        )
    left = (await balances(session, [target]))[target]
    return BudgetOut(new.id, new.title, term, new.org, new.holder, new.points, left)


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

# Each run has a key of its own: what another one settles meanwhile is not counted as ours.
_EXPIRED: Final = """
SELECT coalesce(sum(points), 0)::bigint AS points FROM {s}.points_entry WHERE operation = $1 AND id <> operation"""


async def close_term(
    work: Work,
    *,
    term: UUID,
    settings: PointsSettings,
    today: date,
    on_batch: Callable[[int], None] | None = None,
    actor: str = "system",
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
        actor: Who closes it, for the audit log.

    Raises:
        ProblemError: `not-found`; `conflict` while a kiosk may still upload what it sold.
    """
    while not await _begun(work, term, settings.keep_percent):
        await settle_open(work, today=today)
    async with work() as session:
        await ensure_accounts(session, "expired", [None], term)
    run_key, settled, last = new_id(), 0, UUID(int=0)
    while True:
        async with work() as session:
            chosen = [UUID(str(row.id)) for row in await run(session, _NEXT, term, last, BATCH)]
            if not chosen:
                break
            settled += await _settle(session, term, chosen, operation=run_key, today=today)
            last = chosen[-1]
        if on_batch:
            on_batch(settled)
    async with work() as session:
        ended = await run(
            session,
            "UPDATE {s}.points_term SET state = 'closed', closed_at = now() WHERE id = $1::uuid AND state = 'closing' "
            "RETURNING id",
            term,
        )
        points = (await run(session, _EXPIRED, run_key))[0].points
        if ended:  # of two that close at once, one does
            sink = account_id("expired", term=term)
            details = {"expired": (await balances(session, [sink]))[sink]}
            await audit.record(
                session, action="points.term_closed", actor=actor, subject=f"term:{term}", details=details
            )
        return Closed(settled, points)


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


async def _settle(session: AsyncSession, term: UUID, chosen: Sequence[UUID], *, operation: UUID, today: date) -> int:
    sink = account_id("expired", term=term)
    rows = await run(
        session,
        "SELECT {s}.points_expire($1::uuid, $2::uuid[], $3::uuid, $4::uuid, $5::bytea, $6::date) AS done",
        term,
        list(chosen),
        sink,
        operation,
        fingerprint(None, term),
        today,
    )
    nudge_after_commit(session)  # the function writes entries, as `post` does
    return int(rows[0].done)
