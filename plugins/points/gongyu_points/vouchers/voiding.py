"""Voiding: what nobody deposited goes back to the quota or budget it came out of, and its paper opens nothing."""

from typing import Final
from uuid import UUID

from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, entry_id, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.vouchers.schemas import VoidSheet

__all__ = ["void"]

# In one order for everybody. A voucher that is being deposited is waited for, and then left out.
_LEFT: Final = """
SELECT v.id, v.number, v.points, s.account, s.source, s.source_kind, s.term_id
  FROM {s}.points_voucher AS v JOIN {s}.points_sheet AS s ON s.id = v.sheet_id
 WHERE s.id = $1::uuid AND v.entry_id IS NULL AND (cardinality($2::bigint[]) = 0 OR v.number = ANY ($2::bigint[]))
 ORDER BY v.id FOR UPDATE OF v"""


async def void(context: Context, *, new: VoidSheet, sheet: UUID, actor: UUID | None) -> tuple[int, bool]:
    """Take vouchers of a sheet back; who may is the caller's to say.

    Args:
        context: Its session holds no other command of the books.
        new: The key, and which vouchers; all that are left when none is named.
        sheet: Which.
        actor: Who printed them, or an officer; None for an operator.

    Returns:
        How many points went back, and whether by this very call; nothing when nothing was left.

    Raises:
        ProblemError: `conflict` for a named voucher that is deposited or void, and when the term is over.
    """
    session, mark = context.session, fingerprint(actor, [sheet, new])
    rows = await run(session, _LEFT, sheet, list(new.numbers))
    # After the wait: the same request, sent twice at once, finds the first one's answer.
    before = await run(
        session,
        "SELECT giver, fingerprint, points FROM {s}.points_entry "
        "WHERE id = $1 OR (operation = $1 AND id <> operation) ORDER BY seq",
        new.id,
    )
    if before:
        if before[0].giver != actor:
            raise ProblemError("not-found")
        if before[0].fingerprint != mark:
            raise ProblemError("idempotency-mismatch")
        return sum(row.points for row in before), False
    if gone := sorted(set(new.numbers) - {row.number for row in rows}):
        text = Text(
            zh="已存入、已作废或不存在：第 {n} 张", en="deposited, void or not there: {n}; nothing has been voided"
        )
        raise ProblemError("conflict", text.format(n=", ".join(map(str, gone))))
    if not rows:
        return 0, False
    command = Command(
        operation=new.id,
        fingerprint=mark,
        kind="void",
        debit_kind="voucher",
        credit_kind=rows[0].source_kind,
        term=rows[0].term_id,
        day=today_of(context),
        giver=actor,
        ground="void",
    )
    lines = [
        Line(id=entry_id(new.id, n, row.id), debit=row.account, credit=row.source, points=row.points, voucher=row.id)
        for n, row in enumerate(rows)
    ]
    await post(session, command, lines)
    return sum(row.points for row in rows), True
