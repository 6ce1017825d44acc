"""Who may come in and what was done: accounts, codes, sessions, API tokens, attempts, and the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongyu.database.model import Base, new_id, sealed_column

__all__ = [
    "AccessCode",
    "Account",
    "ApiToken",
    "Approval",
    "AuditLine",
    "ExternalIdentity",
    "FormerPassword",
    "RecoveryCode",
    "SignInAttempt",
    "WebSession",
]


class Account(Base):
    """How a person signs in. The user name is kept as it is compared: normalised, in lower case.

    `totp_secret` is sealed with the district's key and counts once `totp_since` is set; `totp_step` is the last time
    step accepted, so that a code seen over a shoulder opens nothing (RFC 6238 5.2).
    """

    __tablename__ = "account"
    __table_args__ = (sa.CheckConstraint("state IN ('active', 'disabled')", name="state"),)

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    password_since: Mapped[datetime | None]
    must_change: Mapped[bool] = mapped_column(server_default=sa.false())
    state: Mapped[str] = mapped_column(server_default="active")
    totp_secret: Mapped[bytes | None]
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int | None]
    language: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    last_sign_in_at: Mapped[datetime | None]


class FormerPassword(Base):
    """A hash that was in force before, kept only where the district's policy forbids to take a password again."""

    __tablename__ = "former_password"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.person_id", ondelete="CASCADE"), index=True)
    password: Mapped[str]
    replaced_at: Mapped[datetime]


class RecoveryCode(Base):
    """One of the codes that stand in once each for a lost second factor; only its keyed hash is kept."""

    __tablename__ = "recovery_code"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.person_id", ondelete="CASCADE"), index=True)
    used_at: Mapped[datetime | None]


class AccessCode(Base):
    """A code on paper: `activation` gives a person their account, `guardian` binds guardians to this student."""

    __tablename__ = "access_code"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('activation', 'guardian')", name="kind"),
        sa.CheckConstraint("uses_left >= 0", name="uses_left"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    uses_left: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WebSession(Base):
    """A sign-in of a browser. Only the SHA-256 of the cookie is kept.

    `needs` names what is still to be done before it opens anything: a second factor (`totp`), setting one up
    (`totp_setup`), or a new password (`password`); empty means signed in.
    """

    __tablename__ = "web_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    needs: Mapped[str] = mapped_column(server_default="")
    method: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    idle_seconds: Mapped[int]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """One try to sign in, so that limits survive a restart and hold over all processes; kept for a day.

    `name` is the keyed hash of what was typed: people type passwords into the wrong field.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        sa.Index("ix_sign_in_attempt_name", "name", "at"),
        sa.Index("ix_sign_in_attempt_address", "address", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(index=True)
    name: Mapped[bytes]
    address: Mapped[bytes]
    succeeded: Mapped[bool] = mapped_column(server_default=sa.false())


class ExternalIdentity(Base):
    """A person as another sign-in service knows them: bound to issuer *and* subject, never to a name or an address
    that the service may give to somebody else later (OWASP ASVS 5.0 6.8.1).
    """

    __tablename__ = "external_identity"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"), index=True)
    bound_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


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


class Approval(Base):
    """What somebody asked to be allowed for a time, why, and who answered for it. The reason may name anybody."""

    __tablename__ = "approval"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'granted', 'refused')", name="state"),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("decided_by <> asked_by", name="two_people"),
        sa.Index("ix_approval_asked_by", "asked_by", "permission", "until"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    permission: Mapped[str]
    asked_by: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    reason: Mapped[bytes] = sealed_column()
    asked_at: Mapped[datetime]
    until: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="open")
    decided_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id", ondelete="SET NULL"), index=True)
    decided_at: Mapped[datetime | None]


class AuditLine(Base):
    """Append-only by the database's grants, chained by hash: `hash` covers the line and `previous`."""

    __tablename__ = "audit_line"
    __table_args__ = (
        sa.Index("ix_audit_line_at", "at"),
        sa.Index("ix_audit_line_actor", "actor", "seq"),
        sa.Index("ix_audit_line_subject", "subject", "seq"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    ground: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[bytes]
    hash: Mapped[bytes]
