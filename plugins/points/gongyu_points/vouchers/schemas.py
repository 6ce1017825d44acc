"""Vouchers on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu_points.schemas import Code, Key, Note
from gongyu_points.settings import Denomination

__all__ = ["Batch", "CountOut", "DepositOut", "NewDeposit", "NewSheet", "Paper", "SheetOut", "VoidSheet", "VoucherOut"]


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """So many vouchers of one denomination."""

    points: Denomination
    count: Annotated[int, Meta(ge=1, le=240)]


class NewSheet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Vouchers to be printed at once; their points leave the quota now, so that paper never exceeds it."""

    id: Key
    batches: Annotated[tuple[Batch, ...], Meta(min_length=1, max_length=4)]
    reason: Code
    budget: UUID | None = None
    """From a budget that one holds, instead of one's own quota."""
    org: UUID | None = None
    """The school whose name is on them; absent: one's own."""
    expires_on: date | None = None
    """The last day they are taken, no later than the term's; absent: as the district says."""
    note: Note = ""


class CountOut(Struct, frozen=True):
    """How many vouchers, and what they are worth."""

    vouchers: int
    points: int


class SheetOut(Struct, frozen=True):
    """A sheet and what became of it: printed = deposited + void + expired + open."""

    id: UUID
    term: UUID
    printer: UUID
    org: UUID | None
    reason: str
    note: str
    printed_at: datetime
    expires_on: date
    printed: CountOut
    deposited: CountOut
    void: CountOut
    expired: CountOut
    open: CountOut


class VoucherOut(Struct, frozen=True):
    """One voucher of a sheet, by its number on the paper; its code is shown to nobody."""

    number: int
    points: int
    state: Literal["open", "deposited", "void", "expired"]


class Paper(Struct, frozen=True):
    """A voucher as it goes on paper. It never goes into a database or an answer of JSON."""

    number: int
    points: int
    code: str


class VoidSheet(Struct, frozen=True, forbid_unknown_fields=True):
    """A sheet that is lost or left over: what nobody deposited goes back to where it came from."""

    id: Key
    numbers: Annotated[tuple[int, ...], Meta(max_length=960)] = ()
    """Some vouchers, by their numbers; none named: all that are open or expired."""


class NewDeposit(Struct, frozen=True, forbid_unknown_fields=True):
    """A voucher's code, typed or scanned."""

    id: Key
    code: Annotated[str, Meta(min_length=1, max_length=64, examples=["K7QM-3XWD-9F2PH"])]
    student: UUID | None = None
    """Whose purse; absent: one's own."""


class DepositOut(Struct, frozen=True):
    """What the voucher brought, and the purse after it."""

    operation: UUID
    student: UUID
    points: int
    reason: str
    balance: int
