"""Sheets of vouchers. The points of a sheet stand in an account of its own until each voucher is deposited or void.

Whether a voucher is open is not ours to write: the trigger that moves points sets `entry_id` to the entry that took
the voucher, under the lock of the sheet's account, and refuses a second one. The application may insert, and print a
code anew, no more.
"""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import new_id
from gongyu.people.models import Org
from gongyu_points.models import DENOMINATIONS, Base, Reason, Term

__all__ = ["Sheet", "Voucher"]


class Sheet(Base):
    """What was printed at once: by whom, out of which quota or budget, for what, and valid until when."""

    __tablename__ = "points_sheet"
    __table_args__ = (sa.CheckConstraint("source_kind IN ('quota', 'budget')", name="source_kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    term_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Term.id, ondelete="CASCADE"))
    account: Mapped[UUID] = mapped_column(unique=True)
    source: Mapped[UUID]
    """The account the points came out of, and go back to."""
    source_kind: Mapped[str]
    printer: Mapped[UUID] = mapped_column(index=True)
    org_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Org.id, ondelete="SET NULL"), index=True)
    reason_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Reason.id, ondelete="CASCADE"))
    expires_on: Mapped[date]
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Voucher(Base):
    """One note of paper. Its code is nowhere: only a keyed hash of it, and none before it is first printed."""

    __tablename__ = "points_voucher"
    __table_args__ = (
        sa.CheckConstraint(f"points IN {DENOMINATIONS}", name="denomination"),
        sa.UniqueConstraint("sheet_id", "number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sheet_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Sheet.id, ondelete="CASCADE"))
    number: Mapped[int]
    points: Mapped[int]
    hash: Mapped[bytes | None] = mapped_column(unique=True)
    entry_id: Mapped[UUID | None] = mapped_column(unique=True)
    """The entry that deposited or voided it and has not been reversed; the database's own to set."""
