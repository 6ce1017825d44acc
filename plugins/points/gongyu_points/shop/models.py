"""The shop's tables.

Stock is what its movements add up to, and points on hold are what open orders and leases add up to. Both sums are kept
beside them by triggers, under CHECK, and the application's role may write neither: see the migration.

Pupils are ids alone, as in the ledger: when a person is erased, orders and books still agree.
"""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.access.models import ApiToken
from gongyu.database.model import new_id
from gongyu.people.models import Org, Person
from gongyu_points.models import Base

__all__ = [
    "STATES",
    "Duty",
    "Item",
    "Kiosk",
    "Lease",
    "LeaseItem",
    "LeasePupil",
    "Move",
    "Order",
    "Picture",
    "Shop",
    "Stock",
    "StockCount",
    "Taken",
]

#: Of an order: the points are on hold while it is `placed`, the shop's once it is `collected`, the pupil's otherwise.
STATES: Final = ("placed", "collected", "cancelled", "expired", "returned")


class Shop(Base):
    """A school's shop; a school may have several."""

    __tablename__ = "points_shop"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'closed')", name="state"),
        sa.UniqueConstraint("org_id", "name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    org_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    name: Mapped[str]
    hours: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="open")
    version: Mapped[int] = mapped_column(server_default="1")


class Item(Base):
    """What a shop offers. `slot` is another plugin's: the seats of such an event are taken there, not here."""

    __tablename__ = "points_item"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('good', 'privilege', 'event')", name="kind"),
        sa.CheckConstraint("price > 0", name="price"),
        sa.CheckConstraint("term_limit > 0", name="term_limit"),
        sa.CheckConstraint("slot IS NULL OR (kind = 'event' AND NOT limited)", name="slot"),
        sa.CheckConstraint("held_at IS NULL OR kind = 'event'", name="held_at"),
        sa.Index("ix_points_item_shop_id", "shop_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    shop_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Shop.id, ondelete="CASCADE"))
    kind: Mapped[str]
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    price: Mapped[int]
    term_limit: Mapped[int | None]
    """How many a pupil may have in a term."""
    limited: Mapped[bool]
    """Whether stock is counted; a song to choose is there for everybody."""
    slot: Mapped[UUID | None]
    held_at: Mapped[datetime | None]
    """When an event takes place: from then on no pupil cancels, and what is on hold for it is paid."""
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    version: Mapped[int] = mapped_column(server_default="1")


class Picture(Base):
    """An item's picture, beside the item so that lists do not drag it along."""

    __tablename__ = "points_item_picture"

    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"), primary_key=True)
    media_type: Mapped[str]
    content: Mapped[bytes]
    digest: Mapped[str]


class Stock(Base):
    """What is there of an item, and how much of it is promised to orders and kiosks."""

    __tablename__ = "points_stock"
    __table_args__ = (
        sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="enough"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")


class StockCount(Base):
    """Somebody counted: what was there, what should have been, and why they think it differs. For ever."""

    __tablename__ = "points_stock_count"
    __table_args__ = (
        sa.CheckConstraint("counted >= 0", name="counted"),
        sa.CheckConstraint("difference = counted - expected", name="difference"),
        sa.Index("ix_points_stock_count_item_id", "item_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"))
    counted: Mapped[int]
    expected: Mapped[int]
    difference: Mapped[int]
    reason: Mapped[str]
    by: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class Duty(Base):
    """Somebody of the school, usually a pupil, on duty in a shop for a while: hands out and sells. Ends by itself."""

    __tablename__ = "points_duty"
    __table_args__ = (
        sa.CheckConstraint("ends_at > begins_at", name="period"),
        sa.Index("ix_points_duty_person_id", "person_id", "ends_at"),
        sa.Index("ix_points_duty_shop_id", "shop_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Shop.id, ondelete="CASCADE"))
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    given_by: Mapped[UUID]


class Kiosk(Base):
    """A device in a shop. Its token can lease and sell, for no other kiosk, and show its school's live stream."""

    __tablename__ = "points_kiosk"
    __table_args__ = (sa.Index("ix_points_kiosk_shop_id", "shop_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Shop.id, ondelete="CASCADE"))
    name: Mapped[str]
    token_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(ApiToken.id, ondelete="SET NULL"))
    active: Mapped[bool] = mapped_column(server_default=sa.true())


class Lease(Base):
    """What a kiosk may sell while the network is away: these pupils' points and these goods are put aside for it.

    It sells until `valid_until`; what it has not uploaded by `kept_until` goes back to the purses.
    """

    __tablename__ = "points_lease"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'settled', 'expired', 'withdrawn')", name="state"),
        sa.CheckConstraint("taken_at < valid_until AND valid_until <= kept_until", name="period"),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended_at"),
        sa.Index("uq_points_lease_open", "kiosk_id", unique=True, postgresql_where=sa.text("state = 'open'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kiosk_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Kiosk.id, ondelete="CASCADE"))
    shop_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Shop.id, ondelete="CASCADE"))
    term_id: Mapped[UUID]
    taken_by: Mapped[UUID]
    taken_at: Mapped[datetime]
    valid_until: Mapped[datetime]
    kept_until: Mapped[datetime]
    fingerprint: Mapped[bytes]
    signature: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default="open")
    ended_at: Mapped[datetime | None]


class LeasePupil(Base):
    """What one pupil may spend at the kiosk; a trigger counts what was, and CHECK refuses more."""

    __tablename__ = "points_lease_pupil"
    __table_args__ = (sa.CheckConstraint("budget > 0 AND spent >= 0 AND spent <= budget", name="budget"),)

    lease_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Lease.id, ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget: Mapped[int]
    spent: Mapped[int] = mapped_column(server_default="0")


class LeaseItem(Base):
    """What the kiosk may sell of an item, at the price of the day; `quantity` is null where stock is not counted."""

    __tablename__ = "points_lease_item"
    __table_args__ = (
        sa.CheckConstraint("price > 0 AND sold >= 0 AND (quantity IS NULL OR sold <= quantity)", name="sold"),
    )

    lease_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Lease.id, ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"), primary_key=True)
    title: Mapped[str]
    price: Mapped[int]
    quantity: Mapped[int | None]
    sold: Mapped[int] = mapped_column(server_default="0")


class Order(Base):
    """A pupil's order, with the price of the moment it was placed. Its id is the key that the client made.

    `sold_at` and `lease_id` are a kiosk's: when it was sold there, while the network was away.
    """

    __tablename__ = "points_order"
    __table_args__ = (
        sa.CheckConstraint(f"state IN {STATES}", name="state"),
        sa.CheckConstraint("channel IN ('online', 'till', 'kiosk')", name="channel"),
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.CheckConstraint("price > 0 AND points = price * quantity", name="points"),
        sa.CheckConstraint("(channel = 'kiosk') = (lease_id IS NOT NULL)", name="lease"),
        sa.CheckConstraint("(state = 'placed') = (closed_at IS NULL)", name="closed_at"),
        sa.Index("ix_points_order_student_id", "student_id", "seq"),
        sa.Index("ix_points_order_shop_id", "shop_id", "state", "seq"),
        sa.Index("ix_points_order_open", "collect_by", postgresql_where=sa.text("state = 'placed'")),
        sa.Index("ix_points_order_lease_id", "lease_id", postgresql_where=sa.text("lease_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Identity(always=True), unique=True)
    shop_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Shop.id, ondelete="CASCADE"))
    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"))
    title: Mapped[str]
    student_id: Mapped[UUID]
    term_id: Mapped[UUID]
    quantity: Mapped[int]
    price: Mapped[int]
    points: Mapped[int]
    channel: Mapped[str]
    slot: Mapped[UUID | None]
    lease_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Lease.id, ondelete="CASCADE"))
    placed_by: Mapped[UUID]
    placed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    sold_at: Mapped[datetime | None]
    collect_by: Mapped[date | None]
    fingerprint: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default="placed")
    closed_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]


class Taken(Base):
    """How many of an item a pupil has or has ordered in a term; a trigger counts, and CHECK is the per-term limit."""

    __tablename__ = "points_item_taken"
    __table_args__ = (
        sa.CheckConstraint("taken >= 0", name="taken"),
        sa.CheckConstraint("most IS NULL OR taken <= most", name="most"),
    )

    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Item.id, ondelete="CASCADE"), primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    term_id: Mapped[UUID] = mapped_column(primary_key=True)
    taken: Mapped[int]
    most: Mapped[int | None]


class Move(Base):
    """A movement of stock, for ever: by how much what is there changes, and by how much what is promised of it."""

    __tablename__ = "points_stock_move"
    __table_args__ = (
        sa.CheckConstraint(
            """CASE kind WHEN 'delivery' THEN on_hand > 0 AND reserved = 0
                         WHEN 'loss' THEN on_hand < 0 AND reserved = 0
                         WHEN 'correction' THEN on_hand <> 0 AND reserved = 0
                         WHEN 'reserve' THEN on_hand = 0 AND reserved > 0
                         WHEN 'release' THEN on_hand = 0 AND reserved < 0
                         WHEN 'sold' THEN on_hand < 0 AND reserved = on_hand
                         WHEN 'returned' THEN on_hand > 0 AND reserved = 0
                         ELSE false END""",
            name="way",
        ),
        sa.CheckConstraint("(kind = 'correction') = (count_id IS NOT NULL)", name="count"),
        sa.CheckConstraint("kind NOT IN ('sold', 'returned') OR order_id IS NOT NULL", name="order"),
        # An order reserves, sells, releases and returns once each; so does a lease of each item.
        sa.Index(
            "uq_points_stock_move_order",
            "order_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("order_id IS NOT NULL"),
        ),
        sa.Index(
            "uq_points_stock_move_lease",
            "lease_id",
            "item_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("lease_id IS NOT NULL"),
        ),
        sa.Index("ix_points_stock_move_item_id", "item_id", "seq"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Identity(always=True), unique=True)
    item_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Stock.item_id, ondelete="CASCADE"))
    kind: Mapped[str]
    on_hand: Mapped[int]
    reserved: Mapped[int]
    order_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Order.id, ondelete="CASCADE"))
    lease_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Lease.id, ondelete="CASCADE"))
    count_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(StockCount.id, ondelete="CASCADE"), unique=True)
    reason: Mapped[str] = mapped_column(server_default="")
    by: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
