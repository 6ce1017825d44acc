"""Who may come in and what was done: API tokens, and the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import Base, new_id

__all__ = ["ApiToken", "AuditLine"]


class ApiToken(Base):
    """A named key for a script. Only its SHA-256 is kept: 256 random bits need no slow hash."""

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(sa.Text()))
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditLine(Base):
    """Append-only by the database's grants, chained by hash: `hash` covers the line and `previous`."""

    __tablename__ = "audit_line"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    ground: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[bytes]
    hash: Mapped[bytes]
