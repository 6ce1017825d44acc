"""Points on hold: from the purse to an account of the order's (or lease's) own, and from there to the shop or back.

Every verb of the shop takes its locks here, all at once and in one order: the term, so that none begins to close under
it, then the accounts and the stock. So no two can wait for each other, and what is read after it stays true.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.errors import meaning_of
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.books import Command, Line, account_id, ensure_accounts, fingerprint, post, refusal, run
from gongyu_points.events import PointsRedeemed, PointsReversed

__all__ = ["Part", "accounts", "hold_of", "lock", "move", "shop_of", "step", "term_if_open", "term_kept_open", "tried"]

Kind = Literal["hold", "capture", "release", "reverse"]
_WAYS: Final[Mapping[Kind, tuple[str, str]]] = {
    "hold": ("purse", "hold"),
    "capture": ("hold", "shop"),
    "release": ("hold", "purse"),
    "reverse": ("shop", "hold"),
}


class Part(NamedTuple):
    """One pupil's points in a movement.

    Attributes:
        subject: The order or lease whose hold it is.
        entry: The entry's id; it follows from the deed, so that the deed is done once.
        reverses: The capture that a return takes back.
    """

    subject: UUID
    entry: UUID
    student: UUID
    shop: UUID
    points: int
    reverses: UUID | None = None


def step(subject: UUID, deed: str) -> UUID:
    """The entry by which a deed is done to an order: the same each time."""
    return uuid5(subject, deed)


def hold_of(subject: UUID) -> UUID:
    return account_id("hold", owner=subject)


def shop_of(shop: UUID) -> UUID:
    return account_id("shop", owner=shop)


async def term_kept_open(session: AsyncSession) -> UUID:
    """The open term, which cannot begin to close before this unit of work has ended.

    Raises:
        ProblemError: `conflict` when there is none.
    """
    term = await term_if_open(session)
    if term is None:
        raise ProblemError("conflict", Text(zh="没有开放的学期", en="no term is open"))
    return term


async def term_if_open(session: AsyncSession) -> UUID | None:
    """The same; None when there is none."""
    term: UUID | None = (await run(session, "SELECT {s}.points_kept_open() AS id"))[0].id
    return term


async def accounts(session: AsyncSession, *, hold: UUID, students: Iterable[UUID], shop: UUID) -> None:
    """Make sure that the accounts of an order or a lease are there."""
    await ensure_accounts(session, "hold", [hold], None)
    await ensure_accounts(session, "purse", students, None)
    await ensure_accounts(session, "shop", [shop], None)


async def lock(session: AsyncSession, ids: Iterable[UUID]) -> None:
    """Wait for one's turn at these accounts and items; nobody else moves them until this unit of work has ended."""
    await run(session, "SELECT {s}.points_lock($1::uuid[])", list(ids))


async def move(
    session: AsyncSession,
    kind: Kind,
    parts: Sequence[Part],
    *,
    term: UUID,
    day: date,
    by: UUID | None,
    note: bytes | None = None,
) -> None:
    """Move points one way; of what goes to the shop or comes back from it, an event tells.

    The first part's entry is the command; a note is sealed for it.
    """
    debit, credit = _WAYS[kind]
    command = Command(
        operation=parts[0].entry,
        fingerprint=fingerprint(by, [kind, parts]),
        kind=kind,
        debit_kind=debit,
        credit_kind=credit,
        term=term,
        day=day,
        giver=by,
        note=note,
    )
    lines = []
    for part in parts:
        sides = {
            "purse": account_id("purse", owner=part.student),
            "hold": hold_of(part.subject),
            "shop": shop_of(part.shop),
        }
        line = Line(
            id=part.entry,
            debit=sides[debit],
            credit=sides[credit],
            points=part.points,
            reverses=part.reverses,
            event=_told(kind, part, command.operation),
            subject=part.student,
        )
        lines.append(line)
    await post(session, command, lines)


def _told(kind: Kind, part: Part, operation: UUID) -> PointsRedeemed | PointsReversed | None:
    if kind == "capture":
        return PointsRedeemed(entry=part.entry, operation=operation, student=part.student)
    if kind == "reverse" and part.reverses is not None:
        return PointsReversed(entry=part.entry, operation=operation, student=part.student, reverses=part.reverses)
    return None


_REFUSALS: Final[Mapping[str, Text]] = {
    "ck_points_stock_enough": Text(
        zh="库存不够：已售完，或已被其他订单、自助机预留",
        en="not enough in stock: sold out, or promised to other orders and kiosks",
    ),
    "ck_points_item_taken_most": Text(
        zh="超过了每名学生每学期的限购数量", en="this is more of it than a pupil may have in a term"
    ),
    "points_order_held": Text(
        zh="活动已经开始，不能再取消；如有特殊情况，请找书坊驿站",
        en="the event has begun and is no longer cancelled; the shop's office may still do it",
    ),
    "points_order_term": Text(
        zh="所在学期已结账，不能再退", en="it was bought in a term that is over, and can no longer come back"
    ),
    "uq_points_shop_org_id_name": Text(
        zh="这所学校已有同名的书坊驿站", en="this school has a shop of that name already"
    ),
    "uq_points_lease_open": Text(
        zh="这台自助机还有未结清的离线额度，请先上传销售记录并结清",
        en="this kiosk has a lease that is not settled: upload its sales and settle it first",
    ),
}


async def tried(session: AsyncSession, sql: str, *values: object) -> Sequence[Any]:
    """SQL that the database may refuse, with its no put into words."""
    try:
        return await run(session, sql, *values)
    except sa.exc.DBAPIError as error:
        fault = meaning_of(error)
        if fault.kind == "conflict" and (text := _REFUSALS.get(fault.constraint)):
            raise ProblemError("conflict", text) from error
        raise refusal(error) from error
