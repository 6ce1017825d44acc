"""Depositing: a code becomes points in a student's purse, once.

A stranger who tries codes learns nothing from the answer: unknown, spent, void and expired are one text, one status and
one query that finds nothing. That a code cannot be one at all (its check symbol is wrong) is told apart, since anybody
can work that out at home; it costs no try, and most wrong codes are slips of the finger.
"""

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.relations import holds
from gongyu.people.models import Membership
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points import schools
from gongyu_points.books import Command, Line, account_id, ensure_accounts, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.events import PointsAwarded
from gongyu_points.notes import opened, sealed
from gongyu_points.settings import capped
from gongyu_points.vouchers import codes
from gongyu_points.vouchers.printing import code_hash
from gongyu_points.vouchers.schemas import DepositOut, NewDeposit

__all__ = ["deposit", "read_code", "schools_of"]

# Whoever waited for the row finds it taken: then it is not found.
_FIND: Final = """
SELECT v.id, v.points, s.account, s.term_id, s.reason_id, s.printer, s.id AS sheet, n.text AS note
  FROM {s}.points_voucher AS v
  JOIN {s}.points_sheet AS s ON s.id = v.sheet_id JOIN {s}.points_term AS t ON t.id = s.term_id
  LEFT JOIN {s}.points_note AS n ON n.operation = s.id
 WHERE v.hash = $1::bytea AND v.entry_id IS NULL AND s.expires_on >= $2::date AND t.state = 'open'
   FOR UPDATE OF v"""

_DONE: Final = """
SELECT e.fingerprint, e.points, p.owner_id AS student, p.posted AS balance, r.code AS reason, v.hash
  FROM {s}.points_entry AS e JOIN {s}.points_account AS p ON p.id = e.credit
  LEFT JOIN {s}.points_reason AS r ON r.id = e.reason_id
  LEFT JOIN {s}.points_voucher AS v ON v.id = e.voucher_id WHERE e.id = $1"""


def read_code(typed: str) -> str:
    """The code, or what is wrong with the typing.

    Raises:
        ProblemError: `invalid`.
    """
    code = codes.read(typed)
    if code is None:
        text = Text(
            zh="有字符输错了，请对照积分券重新输入", en="mistyped: compare it with the voucher and type it again"
        )
        raise ProblemError("invalid", errors=[("/code", text)])
    return code


async def deposit(
    context: Context, *, new: NewDeposit, code: str, student: UUID, actor: UUID
) -> tuple[DepositOut, bool]:
    """Put a voucher's points into a purse; sent again with the same key, the answer is the same.

    Args:
        context: Its session holds no other command of the books.
        new: The key.
        code: As `read_code` gives it.
        student: Whose purse.
        actor: Who holds the paper: the student, or whoever is at the till. The giver of the points is who printed it.

    Returns:
        What it brought, and whether it did so now: an answer given before is no try, right or wrong, or one spent
        voucher would make up for any number of wrong codes.

    Raises:
        ProblemError: `code-refused` for a code that opens nothing, whatever the reason; `conflict` when the student may
            earn no more today; `not-found` for a key that somebody else used.
    """
    session, settings, today = context.session, context.settings, today_of(context)
    hashed = code_hash(context, code)
    mark = _mark(actor, student, hashed)
    if done := await _done(context, new.id, mark, actor):
        return done, False
    found = await run(session, _FIND, hashed, today)
    if not found:
        if done := await _done(context, new.id, mark, actor):  # the same request was ahead of us by a moment
            return done, False
        text = Text(
            zh="积分券无效：请核对，或询问发券的老师",
            en="this voucher is not valid; check it, or ask the teacher it came from",
        )
        raise ProblemError("code-refused", text)
    voucher = found[0]
    await ensure_accounts(session, "purse", [student], None)
    own = capped(settings, context.schools)
    cap = await schools.day_cap(session, settings=settings, schools=own, students=[student], today=today)
    command = Command(
        operation=new.id,
        fingerprint=mark,
        kind="deposit",
        debit_kind="voucher",
        credit_kind="purse",
        term=voucher.term_id,
        day=today,
        giver=voucher.printer,
        reason=voucher.reason_id,
        ground="voucher",
        note=sealed(context.seals, new.id, opened(context.seals, voucher.sheet, voucher.note)),
        day_cap=cap,
    )
    purse = account_id("purse", owner=student)
    told = PointsAwarded(entry=new.id, operation=new.id, student=student)
    line = Line(
        id=new.id,
        debit=voucher.account,
        credit=purse,
        points=voucher.points,
        voucher=voucher.id,
        event=told,
        subject=student,
    )
    written = await post(session, command, [line])
    done = await _done(context, new.id, mark, actor)
    if done is None:  # cannot be: it was written a moment ago
        raise ProblemError("not-found")
    return done, written


def _mark(actor: UUID, student: UUID, hashed: bytes) -> bytes:
    return fingerprint(actor, [student, hashed.hex()])


async def _done(context: Context, key: UUID, mark: bytes, actor: UUID) -> DepositOut | None:
    rows = await run(context.session, _DONE, key)
    if not rows:
        return None
    row = rows[0]
    if row.fingerprint != mark:  # the entry's giver is the printer; who deposited it is in the mark alone
        own = row.hash is not None and row.fingerprint == _mark(actor, row.student, row.hash)
        raise ProblemError("idempotency-mismatch" if own else "not-found")
    return DepositOut(key, row.student, row.points, row.reason, row.balance)


async def schools_of(context: Context, student: UUID) -> frozenset[UUID]:
    """Where they are a student today."""
    at = sa.select(Membership.org_id).where(
        Membership.person_id == student, Membership.role == "student", holds(Membership, today_of(context))
    )
    return frozenset((await context.session.scalars(at)).all())
