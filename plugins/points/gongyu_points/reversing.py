"""Taking back: by the giver within minutes, later by an officer with a reason. Never an edit, never a delete."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.relations import holds
from gongyu.people.models import Membership
from gongyu.plugin import Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, entry_id, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.events import PointsReversed
from gongyu_points.notes import sealed
from gongyu_points.schemas import NewReversal, ReversalOut
from gongyu_points.terms import current

__all__ = ["reverse", "undo"]

_ENTRIES: Final = """
SELECT e.id, e.kind, e.term_id, e.debit, e.debit_kind, e.credit, e.credit_kind, e.points, e.giver, e.at,
       p.owner_id AS student
  FROM {s}.points_entry AS e
  JOIN {s}.points_account AS p ON p.id = CASE e.credit_kind WHEN 'purse' THEN e.credit ELSE e.debit END
 WHERE (e.id = $1 OR (e.operation = $1 AND e.id <> e.operation)) AND e.kind = ANY ($2::text[])
 ORDER BY p.owner_id"""


async def undo(context: Context, *, key: UUID, operation: UUID, giver: UUID) -> ReversalOut:
    """The giver takes a whole award back, as given: one pupil's or the class's.

    Raises:
        ProblemError: `not-found` for what is not one's own award; `conflict` after the time for it, for what was taken
            back before, and when a student has spent it.
    """
    found = [row for row in await run(context.session, _ENTRIES, operation, ["award"]) if row.giver == giver]
    if not found:
        raise ProblemError("not-found")
    mark = fingerprint(giver, ["undo", operation])
    if done := await _repeated(context.session, key, giver, mark):
        return done
    minutes = context.settings.undo_minutes
    if context.now - found[0].at > timedelta(minutes=minutes):
        text = Text(
            zh="只能在 {n} 分钟内撤销；之后请学校积分管理员冲正",
            en="an award can be taken back for {n} minutes; after that, ask your school's points officer",
        )
        raise ProblemError("conflict", text.format(n=minutes))
    return await _mirror(context, found, key=key, actor=giver, mark=mark, ground="undo", note="")


async def reverse(
    context: Context, *, new: NewReversal, entry: UUID, officer: UUID, orgs: frozenset[UUID] | None
) -> tuple[ReversalOut, bool]:
    """An officer takes one entry back, an award, a deposit or a redemption, and says why.

    Args:
        context: Its session holds no other command.
        new: The key and the reason.
        entry: Which.
        officer: Who.
        orgs: Where the officer's permission holds.

    Returns:
        The answer, and whether it was done by this very call: the same command sent again changes nothing.

    Raises:
        ProblemError: As `undo`, without its time.
    """
    rows = await run(context.session, _ENTRIES, entry, ["award", "deposit", "redeem"])
    found = [row for row in rows if row.id == entry]
    if not found or not await _within(context, found[0].student, orgs):
        raise ProblemError("not-found")
    mark = fingerprint(officer, [entry, new])
    if done := await _repeated(context.session, new.id, officer, mark):
        return done, False
    done = await _mirror(context, found, key=new.id, actor=officer, mark=mark, ground="officer", note=new.reason)
    return done, True


async def _mirror(
    context: Context, entries: Sequence[sa.Row[Any]], *, key: UUID, actor: UUID, mark: bytes, ground: str, note: str
) -> ReversalOut:
    first = entries[0]
    # What goes back to a quota, a budget or a sheet belongs to its own term; a returned purchase to the open one.
    term = first.term_id if first.kind in ("award", "deposit") else await current(context.session)
    command = Command(
        operation=key,
        fingerprint=mark,
        kind="reverse",
        debit_kind=first.credit_kind,
        credit_kind=first.debit_kind,
        term=term,
        day=today_of(context),
        giver=actor,
        ground=ground,
        note=sealed(context.seals, key, note),
    )
    lines = []
    for number, row in enumerate(entries):
        id_ = entry_id(key, number, row.id)
        told = PointsReversed(entry=id_, operation=key, student=row.student, reverses=row.id)
        lines.append(
            Line(
                id=id_,
                debit=row.credit,
                credit=row.debit,
                points=row.points,
                reverses=row.id,
                event=told,
                subject=row.student,
            )
        )
    await post(context.session, command, lines)
    return ReversalOut(key, [line.id for line in lines])


async def _repeated(session: AsyncSession, key: UUID, actor: UUID, mark: bytes) -> ReversalOut | None:
    rows = await run(
        session,
        "SELECT id, giver, fingerprint FROM {s}.points_entry "
        "WHERE id = $1 OR (operation = $1 AND id <> operation) ORDER BY seq",
        key,
    )
    if not rows:
        return None
    if rows[0].giver != actor:
        raise ProblemError("not-found")
    if rows[0].fingerprint != mark:
        raise ProblemError("idempotency-mismatch")
    return ReversalOut(key, [row.id for row in rows])


async def _within(context: Context, student: UUID, orgs: frozenset[UUID] | None) -> bool:
    if orgs is None:
        return True
    at = sa.exists().where(
        Membership.person_id == student,
        Membership.role == "student",
        holds(Membership, today_of(context)),
        Membership.org_id.in_(orgs),
    )
    return bool((await context.session.execute(sa.select(at))).scalar())
