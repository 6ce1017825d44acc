"""Printing: the points leave the quota when the vouchers are made; their codes are made when the paper is.

Only a keyed hash of a code is kept, so no paper can be printed a second time from what is stored. Keeping the codes
sealed, or deriving them from a key, would put every voucher of a district into the hands of whoever gets that key, for
the sake of one case: an answer lost on the way to the printer. Instead, printing a sheet again gives fresh codes to
all of its vouchers that are still open, and the paper before opens nothing any more. So printing may be repeated
safely, and a sheet that was lost is replaced by the same act; the books are not touched by it.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID, uuid5

from gongyu.access.principal import Principal
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, account_id, ensure_accounts, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.notes import sealed
from gongyu_points.settings import PointsSettings
from gongyu_points.terms import ensure_quota
from gongyu_points.vouchers import codes
from gongyu_points.vouchers.schemas import NewSheet, Paper

__all__ = ["MOST", "code_hash", "fresh_codes", "print_sheet"]

#: Ten pages of twenty-four.
MOST: Final = 240
_LATEST: Final = timedelta(days=366)

_FACTS: Final = """
SELECT (SELECT id FROM {s}.points_term WHERE state = 'open') AS term,
       (SELECT id FROM {s}.points_reason WHERE code = $1::text AND active) AS reason,
       (SELECT e.ends_on FROM {s}.academic_session AS e JOIN {s}.points_term AS t ON t.id = e.id WHERE t.state = 'open')
         AS ends_on,
       EXISTS (SELECT 1 FROM {s}.points_budget WHERE id = $2::uuid AND holder_id = $3::uuid) AS holds_budget"""

_SHEET: Final = """
INSERT INTO {s}.points_sheet (id, term_id, account, source, source_kind, printer, org_id, reason_id, expires_on)
VALUES ($1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::text, $6::uuid, $7::uuid, $8::uuid, $9::date)
ON CONFLICT DO NOTHING"""

_VOUCHERS: Final = """
INSERT INTO {s}.points_voucher (id, sheet_id, number, points)
SELECT v.id, $1::uuid, v.number, v.points FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS v(id, number, points)
ON CONFLICT DO NOTHING"""


async def print_sheet(
    context: Context,
    *,
    new: NewSheet,
    printer: Principal,
    orgs: frozenset[UUID] | None,
    settings: PointsSettings | None = None,
) -> None:
    """Make the vouchers of a sheet and pay for them; sent again, nothing happens twice.

    Args:
        context: Its session holds no other command of the books.
        new: How many of what, and what for.
        printer: Who prints, out of their quota or a budget they hold.
        orgs: Where the printer's permission holds; None: everywhere.
        settings: The school's own, where it has some; else the district's.

    Raises:
        ProblemError: `invalid` with every wrong field; `forbidden` for somebody else's budget, and without a quota;
            `conflict` when the points are not there or no term is open; `not-found` when somebody else used the key.
    """
    session, settings, today = context.session, settings or context.settings, today_of(context)
    mark = fingerprint(printer.person, new)
    before = await run(session, "SELECT giver, fingerprint FROM {s}.points_entry WHERE id = $1", new.id)
    if before:
        if before[0].giver != printer.person:
            raise ProblemError("not-found")
        if before[0].fingerprint != mark:
            raise ProblemError("idempotency-mismatch")
        return
    facts = (await run(session, _FACTS, new.reason, new.budget, printer.person))[0]
    org = _org(new, printer, orgs)
    end = max(today, facts.ends_on or date.max)  # open past its last day, a term has paper for a day
    known_reason, known_org = facts.reason is not None, org is not None
    if wrong := _wrong(new, known_reason=known_reason, known_org=known_org, of=settings, today=today, end=end):
        raise ProblemError("invalid", errors=wrong)
    if facts.term is None:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
    if new.budget is not None and not facts.holds_budget:
        raise ProblemError("forbidden", Text(zh="不是您掌握的预算", en="this budget is not in your hands"))
    kind, owner = ("quota", printer.person) if new.budget is None else ("budget", new.budget)
    if kind == "quota":  # they came after the term had opened
        await ensure_quota(context, term=facts.term, giver=printer.person)
    source = account_id(kind, owner=owner, term=facts.term)
    account = account_id("voucher", owner=new.id, term=facts.term)
    expires = new.expires_on or min(today + timedelta(days=settings.voucher_days), end)
    values = (facts.term, account, source, kind, printer.person, org, facts.reason, expires)
    await run(session, _SHEET, new.id, *values)
    worth = [batch.points for batch in new.batches for _ in range(batch.count)]
    numbers = list(range(1, len(worth) + 1))
    await run(session, _VOUCHERS, new.id, [uuid5(new.id, str(number)) for number in numbers], numbers, worth)
    await ensure_accounts(session, "voucher", [new.id], facts.term)
    command = Command(
        operation=new.id,
        fingerprint=mark,
        kind="print",
        debit_kind=kind,
        credit_kind="voucher",
        term=facts.term,
        day=today,
        giver=printer.person,
        reason=facts.reason,
        ground=kind,
        note=sealed(context.seals, new.id, new.note),
    )
    await post(session, command, [Line(id=new.id, debit=source, credit=account, points=sum(worth))])


def _org(new: NewSheet, printer: Principal, orgs: frozenset[UUID] | None) -> UUID | None:
    """The school on the paper, if the printer may speak for it."""
    if new.org is not None:
        return new.org if orgs is None or new.org in orgs else None
    own = sorted(one.org for one in printer.memberships if orgs is None or one.org in orgs)
    return own[0] if own else None


def _wrong(
    new: NewSheet, *, known_reason: bool, known_org: bool, of: PointsSettings, today: date, end: date
) -> list[tuple[str, Text]]:
    wrong: list[tuple[str, Text]] = []
    allowed = ", ".join(map(str, of.denominations))
    for n, batch in enumerate(new.batches):
        if batch.points not in of.denominations:
            text = Text(zh="面值应为 {n}", en="it must be one of {n}").format(n=allowed)
            wrong.append((f"/batches/{n}/points", text))
    if sum(batch.count for batch in new.batches) > MOST:
        text = Text(zh="一次最多印 {n} 张", en="no more than {n} vouchers at once").format(n=MOST)
        wrong.append(("/batches", text))
    if not known_reason:
        wrong.append(("/reason", Text(zh="没有这个事由，或已停用", en="there is no such reason, or it is retired")))
    if not known_org:
        wrong.append(("/org", Text(zh="应为您任职的学校", en="it must be a school you work at")))
    if new.expires_on is not None and not today <= new.expires_on <= today + _LATEST:
        wrong.append(("/expires_on", Text(zh="应在今天至一年之内", en="it must be within a year from today")))
    elif new.expires_on is not None and new.expires_on > end:
        text = Text(zh="{day} 晚于学期最后一天 {end}", en="{day} is after {end}, the last day of the term")
        wrong.append(("/expires_on", text.format(day=new.expires_on, end=end)))
    return wrong


_OPEN: Final = """
SELECT v.id, v.number, v.points FROM {s}.points_voucher AS v
  JOIN {s}.points_sheet AS s ON s.id = v.sheet_id JOIN {s}.points_term AS t ON t.id = s.term_id
 WHERE s.id = $1::uuid AND s.printer = $2::uuid AND v.entry_id IS NULL AND s.expires_on >= $3::date AND t.state = 'open'
 ORDER BY v.id FOR UPDATE OF v"""

_HASHES: Final = """
UPDATE {s}.points_voucher AS v SET hash = n.hash
  FROM unnest($1::uuid[], $2::bytea[]) AS n(id, hash) WHERE v.id = n.id"""


async def fresh_codes(context: Context, *, sheet: UUID, printer: UUID) -> Sequence[Paper]:
    """Give the open vouchers of one's own sheet new codes; this is the only place where they are seen.

    Raises:
        ProblemError: `not-found` for a sheet that is not one's own, or has nothing open left.
    """
    rows = await run(context.session, _OPEN, sheet, printer, today_of(context))
    if not rows:
        raise ProblemError(
            "not-found", Text(zh="没有可印的积分券", en="there is no sheet of yours with open vouchers here")
        )
    paper = {row.id: Paper(row.number, row.points, codes.new_code()) for row in rows}
    hashes = [code_hash(context, one.code) for one in paper.values()]
    await run(context.session, _HASHES, list(paper), hashes)
    return sorted(paper.values(), key=lambda one: one.number)


def code_hash(context: Context, code: str) -> bytes:
    """Keyed outside the database: a copy of it spends nothing."""
    return context.seals.hashed(code, purpose="points.voucher")
