"""One person's part of the books: their copy, and what stays when they are erased."""

from typing import Any, Final
from uuid import UUID

from gongyu.people.rights.contract import Erased, PersonPart
from gongyu.plugin import Context, Text
from gongyu_points import notes
from gongyu_points.books import KINDS, account_id, run
from gongyu_points.shop import personal as shop

__all__ = ["copy_of", "erase"]

_ENTRIES: Final = """
SELECT e.at, e.kind, CASE WHEN e.debit = $1::uuid THEN -e.points ELSE e.points END AS points,
       r.zh, r.en, e.operation, n.text AS note
  FROM {s}.points_entry AS e LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
  LEFT JOIN {s}.points_note AS n ON n.operation = e.operation
 WHERE $1::uuid IN (e.debit, e.credit) ORDER BY e.seq"""

# A voucher was given when it was printed, and what goes over the counter is spent: who by is another person's.
_GIVEN: Final = """
SELECT e.at, e.kind, e.points, r.zh, r.en
  FROM {s}.points_entry AS e LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
 WHERE e.giver = $1::uuid AND e.kind NOT IN ('deposit', 'redeem', 'hold', 'capture', 'release') ORDER BY e.seq"""

_COUNT: Final = (
    "SELECT count(*) AS n FROM {s}.points_entry WHERE giver = $1::uuid OR debit = $2::uuid OR credit = $2::uuid"
)

_LABELS: Final = {
    "at": Text(zh="时间", en="time"),
    "kind": Text(zh="种类", en="kind"),
    "points": Text(zh="积分", en="points"),
    "reason": Text(zh="事由", en="reason"),
    "note": Text(zh="备注", en="note"),
}


async def copy_of(context: Context, *, person: UUID) -> list[PersonPart]:
    """A student's entries; of a giver, what they gave and what for, without to whom: that is another person's."""
    purse = account_id("purse", owner=person)
    earned = [
        {**_told(row), "note": notes.opened(context.seals, row.operation, row.note)}
        for row in await run(context.session, _ENTRIES, purse)
    ]
    given = [_told(row) for row in await run(context.session, _GIVEN, person)]
    return [
        PersonPart(name="points", title=Text(zh="积分明细", en="Points"), rows=earned, labels=_LABELS),
        PersonPart(name="points_given", title=Text(zh="发放的积分", en="Points given"), rows=given, labels=_LABELS),
        *await shop.copy_of(context, person=person),
    ]


def _told(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    """In words of both languages: a copy is one, whoever reads it."""
    kind = KINDS[row.kind]
    reason = f"{row.zh} {row.en}" if row.zh else ""
    return {"at": row.at, "kind": f"{kind.zh} {kind.en}", "points": row.points, "reason": reason}


async def erase(context: Context, *, person: UUID) -> list[Erased]:
    """The words go, unless they were said of others too. The entries hold ids and no name, and stay: without them other
    people's balances could not be proved.
    """
    purse = account_id("purse", owner=person)
    words = await notes.erase(context.session, purse=purse)
    rows = await run(context.session, _COUNT, person, purse)
    kept = Text(
        zh="分录只含编号、不含姓名；删去会使他人的账目不平（会计凭证不得变造）",
        en="entries hold ids and no names; without them the accounts of others could not be proved",
    )
    sheets = await run(context.session, "SELECT count(*) AS n FROM {s}.points_sheet WHERE printer = $1::uuid", person)
    return [
        Erased(what=Text(zh="积分分录", en="entries of the points ledger"), rows=rows[0].n, kept=kept),
        Erased(what=Text(zh="印制的积分券", en="sheets of vouchers"), rows=sheets[0].n, kept=kept),
        Erased(what=Text(zh="积分备注", en="notes beside points"), rows=words),
        *await shop.erase(context, person=person),
    ]
