"""Notices, as the database keeps them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gongyu.database.model import ModelBase, new_id, plugin_metadata
from gongyu.people.models import Org, Person


class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()


class Notice(Base):
    __tablename__ = "bulletin_notice"
    __table_args__ = (
        sa.CheckConstraint("length(title) BETWEEN 1 AND 100", name="title"),
        sa.Index("ix_bulletin_notice_page", "posted_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    org_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Org.id, ondelete="CASCADE"))
    author_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="SET NULL"))
    title: Mapped[str]
    body: Mapped[str]
    pinned: Mapped[bool] = mapped_column(server_default=sa.false())
    posted_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
