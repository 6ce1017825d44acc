"""The ledger's tables. Double entry: an entry moves points from one account to another, so none can be unbalanced.

The balances beside the entries are moved by a trigger of the database and by nobody else (see the migration): the
application may insert entries and read balances, no more. So not even a slip in our own SQL overspends.

An entry names its two accounts without foreign keys: each would lock the balance row that the trigger is about to move
(measured: a quarter of the throughput), and the trigger fails anyway on an account that is not there.
"""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gongyu.database.model import ModelBase, new_id, plugin_metadata, sealed_column
from gongyu.people.models import Org, Person

__all__ = ["DENOMINATIONS", "DIMENSIONS", "Account", "Base", "Budget", "Entry", "Note", "Reason", "Term"]

#: What a voucher may be worth (德育积分券); the database takes no other award.
DENOMINATIONS: Final = (2, 5, 10, 20)
#: 德智体美劳: the five dimensions of a child's education.
DIMENSIONS: Final = ("moral", "intellectual", "physical", "aesthetic", "labour")

_WAYS: Final = """(kind, debit_kind, credit_kind) IN (
    ('grant', 'issue', 'quota'), ('grant', 'issue', 'budget'),
    ('award', 'quota', 'purse'), ('award', 'budget', 'purse'),
    ('print', 'quota', 'voucher'), ('print', 'budget', 'voucher'), ('deposit', 'voucher', 'purse'),
    ('void', 'voucher', 'quota'), ('void', 'voucher', 'budget'),
    ('redeem', 'purse', 'shop'), ('hold', 'purse', 'hold'), ('capture', 'hold', 'shop'), ('release', 'hold', 'purse'),
    ('reverse', 'purse', 'quota'), ('reverse', 'purse', 'budget'), ('reverse', 'purse', 'voucher'),
    ('reverse', 'shop', 'purse'), ('reverse', 'shop', 'hold'),
    ('expire', 'quota', 'expired'), ('expire', 'budget', 'expired'), ('expire', 'voucher', 'expired'),
    ('expire', 'purse', 'expired'))"""


class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()


class Reason(Base):
    """What points are given for, in the district's own words, each for one of the five dimensions."""

    __tablename__ = "points_reason"
    __table_args__ = (
        sa.CheckConstraint(f"dimension IN {DIMENSIONS}", name="dimension"),
        sa.CheckConstraint("length(code) BETWEEN 1 AND 40", name="code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    zh: Mapped[str]
    en: Mapped[str]
    dimension: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=sa.true())


class Term(Base):
    """A term of the books: `open` → `closing` → `closed`. One at a time; the id is the academic session's where there
    is one, but no foreign key: the books outlive the calendar.
    """

    __tablename__ = "points_term"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'closing', 'closed')", name="state"),
        sa.CheckConstraint("keep_percent BETWEEN 0 AND 100", name="keep_percent"),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
        sa.Index(
            "uq_points_term_current", sa.text("(true)"), unique=True, postgresql_where=sa.text("state <> 'closed'")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    keep_percent: Mapped[int | None]
    opened_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    closed_at: Mapped[datetime | None]


class Budget(Base):
    """Points to give that are nobody's quota: a sports day, a reading month, the rules of another plugin."""

    __tablename__ = "points_budget"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    term_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Term.id, ondelete="CASCADE"))
    title: Mapped[str]
    org_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Org.id, ondelete="SET NULL"))
    holder_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"), index=True)


class Account(Base):
    """What a term issues, a giver's quota, a budget, the vouchers of a printed sheet, a student's purse, what is held
    of a purse for an order or a kiosk, a school's shop, or what a term let expire.

    Owners are ids alone: when a person is erased, the books still balance.
    """

    __tablename__ = "points_account"
    __table_args__ = (
        sa.CheckConstraint(
            "kind IN ('issue', 'quota', 'budget', 'voucher', 'purse', 'hold', 'shop', 'expired')", name="kind"
        ),
        sa.CheckConstraint("posted >= 0 OR kind = 'issue'", name="no_overspend"),
        sa.CheckConstraint("posted <= 0 OR kind <> 'issue'", name="issued"),
        sa.CheckConstraint("day_cap IS NULL OR day_points <= day_cap", name="day_cap"),
        sa.CheckConstraint(
            "(term_id IS NOT NULL) = (kind IN ('issue', 'quota', 'budget', 'voucher', 'expired'))", name="term"
        ),
        sa.CheckConstraint(
            "(owner_id IS NOT NULL) = (kind IN ('quota', 'budget', 'voucher', 'purse', 'hold', 'shop'))", name="owner"
        ),
        sa.UniqueConstraint(
            "owner_id", "kind", "term_id", name="uq_points_account_whose", postgresql_nulls_not_distinct=True
        ),
        {"postgresql_with": {"fillfactor": 70}},  # balances change in place; no index is on what changes
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    term_id: Mapped[UUID | None]
    owner_id: Mapped[UUID | None]
    posted: Mapped[int] = mapped_column(server_default="0")
    day: Mapped[date | None]
    """Of a purse: the day `day_points` were earned on, and the cap then in force."""
    day_points: Mapped[int] = mapped_column(server_default="0")
    day_cap: Mapped[int | None]


class Entry(Base):
    """An entry, for ever. The first entry of a command has the command's own key as its id, which the client made: so
    the primary key is what keeps a command from happening twice, and it never expires.
    """

    __tablename__ = "points_entry"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="positive"),
        sa.CheckConstraint("debit <> credit", name="two_accounts"),
        sa.CheckConstraint(_WAYS, name="way"),
        sa.CheckConstraint(f"kind NOT IN ('award', 'deposit') OR points IN {DENOMINATIONS}", name="denomination"),
        sa.CheckConstraint("kind NOT IN ('award', 'deposit') OR reason_id IS NOT NULL", name="reason"),
        sa.CheckConstraint("kind NOT IN ('award', 'deposit') OR day_cap IS NOT NULL", name="day_cap"),
        sa.CheckConstraint("kind <> 'grant' OR credit_kind <> 'quota' OR points <= 1000", name="quota"),
        sa.CheckConstraint("(voucher_id IS NOT NULL) = (kind IN ('deposit', 'void'))", name="voucher"),
        sa.CheckConstraint("(kind = 'reverse') = (reverses IS NOT NULL)", name="reverses"),
        # The pair makes a reversal the mirror of its original, and the last makes it happen once.
        sa.UniqueConstraint("id", "debit", "credit", "points", name="uq_points_entry_mirror"),
        sa.ForeignKeyConstraint(
            ["reverses", "credit", "debit", "points"],
            ["points_entry.id", "points_entry.debit", "points_entry.credit", "points_entry.points"],
            name="fk_points_entry_mirror",
            ondelete="CASCADE",  # of what can never be deleted
        ),
        sa.Index(
            "uq_points_entry_reversed_once", "reverses", unique=True, postgresql_where=sa.text("reverses IS NOT NULL")
        ),
        sa.Index(
            "uq_points_entry_quota_granted_once",
            "credit",
            unique=True,
            postgresql_where=sa.text("kind = 'grant' AND credit_kind = 'quota'"),
        ),
        sa.Index(
            "uq_points_entry_expired_once",
            "debit",
            "term_id",
            unique=True,
            postgresql_where=sa.text("kind = 'expire'"),
        ),
        sa.Index("ix_points_entry_debit", "debit", "seq"),
        sa.Index("ix_points_entry_credit", "credit", "seq"),
        sa.Index("ix_points_entry_operation", "operation", postgresql_where=sa.text("id <> operation")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Identity(always=True), unique=True)
    operation: Mapped[UUID]
    kind: Mapped[str]
    term_id: Mapped[UUID]
    debit: Mapped[UUID]
    debit_kind: Mapped[str]
    credit: Mapped[UUID]
    credit_kind: Mapped[str]
    points: Mapped[int]
    reason_id: Mapped[UUID | None]
    giver: Mapped[UUID | None]
    ground: Mapped[str] = mapped_column(server_default="")
    reverses: Mapped[UUID | None]
    voucher_id: Mapped[UUID | None]
    fingerprint: Mapped[bytes]
    day: Mapped[date]
    """The district's date; of a reversal, that of what it takes back: the day's points were earned on it."""
    day_cap: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Note(Base):
    """What was written beside a command, sealed. In a table of its own, since entries are never changed and a child's
    note must be able to go; no foreign key, which would write to the entry again.
    """

    __tablename__ = "points_note"

    operation: Mapped[UUID] = mapped_column(primary_key=True)
    text: Mapped[bytes] = sealed_column()
