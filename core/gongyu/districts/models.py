"""The tables of the `gongyu` schema: what runs where. Everything else lives in the districts' own schemas."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import RegistryBase, sealed_column

__all__ = ["DistrictRow", "SwitchRow"]


class DistrictRow(RegistryBase):
    """A district. `state` is `creating` until its schema stands, so that a killed `create` can be run again.

    `access`, what its file says of signing in, is sealed with its own key: a provider's secret is in it.
    """

    __tablename__ = "district"
    __table_args__ = (
        sa.CheckConstraint("slug ~ '^[a-z][a-z0-9]{1,30}$'", name="slug"),
        sa.CheckConstraint("state IN ('creating', 'active', 'dropping')", name="state"),
    )

    number: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    timezone: Mapped[str] = mapped_column(server_default="Asia/Shanghai")
    state: Mapped[str] = mapped_column(server_default="creating")
    access: Mapped[bytes | None] = sealed_column()
    retention: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class SwitchRow(RegistryBase):
    """A plugin in a district: on, or explicitly off; no row means never touched. Settings survive being off.

    `schools` holds overrides of per-school fields by the school's identifier. Both are sealed with the district's key,
    whole: which fields are secret a plugin's type says, and the package may be missing when the row is written.
    """

    __tablename__ = "plugin_switch"

    district: Mapped[int] = mapped_column(sa.ForeignKey("district.number", ondelete="CASCADE"), primary_key=True)
    plugin: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool]
    settings: Mapped[bytes | None] = sealed_column()
    schools: Mapped[bytes | None] = sealed_column()
    version: Mapped[str] = mapped_column(server_default="")
    changed_by: Mapped[str] = mapped_column(server_default="")
    changed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
