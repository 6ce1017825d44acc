"""Browsers' sessions, kept on the server so that they can be ended: idle limit, absolute limit, new at every step.

A cookie that was there before signing in is never taken over (session fixation): every sign-in and every raised level
makes a new one and ends the old (OWASP ASVS 5.0 7.2.4).
"""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.authenticate import cookie_name
from gongyu.access.models import WebSession
from gongyu.access.rules import AccessRules
from gongyu.access.tokens import credential, credential_digest, district_of
from gongyu.plugin import District

__all__ = ["Needs", "Staged", "end", "end_all", "forget_old", "set_cookie", "staged", "start"]

#: What is still to be done before a session opens anything.
Needs = Literal["", "totp", "totp_setup", "password"]

#: A sign-in that stopped half-way is not left standing (ASVS 5.0 6.5.5).
_STAGE: Final = timedelta(minutes=10)
_KEPT: Final = timedelta(days=30)


class Staged(msgspec.Struct, frozen=True):
    """A session that is not through yet: it says who it will be, and opens nothing."""

    id: UUID
    person: UUID
    needs: Needs
    method: str


async def start(
    session: AsyncSession,
    *,
    person: UUID,
    method: str,
    rules: AccessRules,
    needs: Needs = "",
    replaces: str | None = None,
    now: datetime,
) -> str:
    """Begin a session and return its cookie's value.

    Args:
        session: A district's session.
        person: Whose.
        method: How they showed who they are: `password`, `code`, `oidc`.
        rules: The district's limits.
        needs: What is still to be done.
        replaces: The cookie the browser came with, of whatever kind; it is ended.
        now: The time.
    """
    if replaces is not None:
        await end(session, cookie=replaces, now=now)
    district: District = session.info["district"]
    cookie = credential("gs", district.slug)
    row = sa.insert(WebSession).values(
        person_id=person,
        hash=credential_digest(cookie),
        needs=needs,
        method=method,
        created_at=now,
        last_seen_at=now,
        idle_seconds=rules.idle_minutes * 60,
        expires_at=now + (_STAGE if needs else rules.longest),
    )
    await session.execute(row)
    return cookie


async def staged(session: AsyncSession, *, cookie: str | None, now: datetime) -> Staged | None:
    """The half-way session of this cookie, locked: two requests do not take the same step."""
    district: District = session.info["district"]
    if cookie is None or district_of(cookie, "gs") != district.slug:
        return None
    found = (
        sa.select(WebSession.id, WebSession.person_id, WebSession.needs, WebSession.method)
        .where(
            WebSession.hash == credential_digest(cookie),
            WebSession.needs != "",
            WebSession.ended_at.is_(None),
            WebSession.expires_at > now,
        )
        .with_for_update()
    )
    row = (await session.execute(found)).first()
    return None if row is None else Staged(row.id, row.person_id, row.needs, row.method)


async def end(session: AsyncSession, *, cookie: str, now: datetime) -> UUID | None:
    """Sign out. The caller calls `authenticate.changed` after commit.

    Returns:
        Who was signed in.
    """
    ended = (
        sa.update(WebSession)
        .where(WebSession.hash == credential_digest(cookie), WebSession.ended_at.is_(None))
        .values(ended_at=now)
        .returning(WebSession.person_id)
    )
    return (await session.execute(ended)).scalar_one_or_none()


async def end_all(session: AsyncSession, *, person: UUID, staged_only: bool = False) -> None:
    """End a person's sessions, or only those half-way in. The caller calls `authenticate.changed` after commit."""
    living = sa.update(WebSession).where(WebSession.person_id == person, WebSession.ended_at.is_(None))
    if staged_only:
        living = living.where(WebSession.needs != "")
    await session.execute(living.values(ended_at=sa.func.now()))


async def forget_old(session: AsyncSession, *, now: datetime) -> None:
    """Sessions that can open nothing any more are of no use; the audit log keeps who signed in."""
    await session.execute(sa.delete(WebSession).where(WebSession.expires_at < now - _KEPT))


def set_cookie(slug: str, cookie: str) -> str:
    """The `Set-Cookie` header; an empty value takes the cookie away.

    It has no lifetime: the server decides, and closing the browser signs out. `Lax`, not `Strict`, or coming back from
    another sign-in service would arrive without it.
    """
    gone = "" if cookie else "; Max-Age=0"
    return f"{cookie_name(slug)}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax{gone}"
