"""Thanks, one for each notice."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gongyu.database.model import ModelBase, plugin_metadata


class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()


class Thanks(Base):
    __tablename__ = "kindness_thanks"

    #: Another plugin's row: an id, never a foreign key, because that plugin may leave.
    notice: Mapped[UUID] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(server_default="1")
    thanked_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
