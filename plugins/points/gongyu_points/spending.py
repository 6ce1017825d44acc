"""Spending: from a student's purse to a school's shop."""

from uuid import UUID

from gongyu.plugin import Context
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, account_id, balances, ensure_accounts, fingerprint, post, run
from gongyu_points.calendar import today_of
from gongyu_points.events import PointsRedeemed
from gongyu_points.notes import sealed
from gongyu_points.schemas import NewRedemption, RedemptionOut
from gongyu_points.terms import current

__all__ = ["redeem"]


async def redeem(context: Context, *, new: NewRedemption, actor: UUID) -> RedemptionOut:
    """Pay for something. Who may is the caller's to say; whether the points are there is the database's.

    Args:
        context: Its session holds no other command.
        new: Who pays, where, what for.
        actor: Who stands at the till.

    Raises:
        ProblemError: `conflict` when the purse does not hold it or no term is open.
    """
    session = context.session
    purse, shop = account_id("purse", owner=new.student), account_id("shop", owner=new.shop)
    mark = fingerprint(actor, new)
    before = await run(session, "SELECT giver, fingerprint FROM {s}.points_entry WHERE id = $1", new.id)
    if not before:
        term = await current(session)
        if len(await balances(session, [purse, shop])) < 2:  # noqa: PLR2004 - two accounts
            await ensure_accounts(session, "purse", [new.student], None)
            await ensure_accounts(session, "shop", [new.shop], None)
        command = Command(
            operation=new.id,
            fingerprint=mark,
            kind="redeem",
            debit_kind="purse",
            credit_kind="shop",
            term=term,
            day=today_of(context),
            giver=actor,
            note=sealed(context.seals, new.id, new.item),
        )
        told = PointsRedeemed(entry=new.id, operation=new.id, student=new.student)
        line = Line(id=new.id, debit=purse, credit=shop, points=new.points, event=told, subject=new.student)
        await post(session, command, [line])
    elif before[0].giver != actor:
        raise ProblemError("not-found")
    elif before[0].fingerprint != mark:
        raise ProblemError("idempotency-mismatch")
    return RedemptionOut(new.id, (await balances(session, [purse]))[purse])
