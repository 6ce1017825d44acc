"""Approvals: who works with minors' data beyond their own task asks somebody responsible first, and says why.

Source: 未成年人网络保护条例 36 (access by staff is approved by a responsible person or somebody they authorised, and
recorded). Nobody approves their own asking; an approval is for one permission and for hours or days, never for good.
"""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.access.models import Approval
from gongyu.access.relations import holds
from gongyu.access.sealing import Seals
from gongyu.access.sign_in import day_of
from gongyu.database.model import new_id
from gongyu.people.models import Membership
from gongyu.plugin import District

__all__ = ["LONGEST", "Asked", "ask", "decide", "in_force", "list_asked"]

#: A term's work is renewed, so that somebody thinks of it again.
LONGEST: Final = timedelta(days=30)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An approval asked for, and what became of it."""

    id: UUID
    permission: str
    asked_by: UUID
    reason: str
    asked_at: datetime
    until: datetime
    state: Literal["open", "granted", "refused"]
    decided_by: UUID | None
    decided_at: datetime | None


async def ask(
    session: AsyncSession, *, seals: Seals, permission: str, person: UUID, reason: str, until: datetime, now: datetime
) -> Asked:
    """Ask to use a permission until a moment.

    Args:
        session: The district's.
        seals: The reason may name a child.
        permission: Which.
        person: Who asks.
        reason: What for, in their own words.
        until: When it ends; at most `LONGEST` from now.
        now: The time.
    """
    id_ = new_id()
    sealed = seals.seal(reason, Approval.reason, id_)
    row = {"id": id_, "permission": permission, "asked_by": person, "reason": sealed, "asked_at": now, "until": until}
    await session.execute(sa.insert(Approval).values(row))
    details = {"approval": id_, "permission": permission, "until": until}
    await audit.record(session, action="approval.asked", actor=f"person:{person}", details=details)
    return (await list_asked(session, seals=seals, only=id_))[0]


async def decide(
    session: AsyncSession,
    *,
    seals: Seals,
    approval: UUID,
    grant: bool,
    by: UUID,
    orgs: frozenset[UUID] | None,
    ground: str,
    now: datetime,
) -> Asked | None:
    """Answer once, for somebody of one's orgs (None: of the district) other than oneself; None where there is none such
    that is open.
    """
    district: District = session.info["district"]
    answered = sa.update(Approval).where(
        Approval.id == approval, Approval.state == "open", Approval.until > now, Approval.asked_by != by
    )
    if orgs is not None:
        theirs = sa.select(Membership.person_id).where(
            Membership.org_id.in_(orgs), holds(Membership, day_of(district, now))
        )
        answered = answered.where(Approval.asked_by.in_(theirs))
    state = "granted" if grant else "refused"
    done = answered.values(state=state, decided_by=by, decided_at=now).returning(Approval.asked_by)
    asker = (await session.execute(done, execution_options={"synchronize_session": False})).scalar_one_or_none()
    if asker is None:
        return None
    await audit.record(
        session,
        action=f"approval.{state}",
        actor=f"person:{by}",
        subject=f"person:{asker}",
        ground=ground,
        details={"approval": approval},
    )
    return (await list_asked(session, seals=seals, only=approval))[0]


async def list_asked(
    session: AsyncSession,
    *,
    seals: Seals,
    only: UUID | None = None,
    by: UUID | None = None,
    orgs: frozenset[UUID] | None = None,
    open_only: bool = False,
    limit: int = 100,
) -> list[Asked]:
    """Newest first: one, those of a person, or those of people of some orgs."""
    found = sa.select(*[getattr(Approval, name) for name in Asked.__struct_fields__])
    if only is not None:
        found = found.where(Approval.id == only)
    if by is not None:
        found = found.where(Approval.asked_by == by)
    if orgs is not None:
        found = found.where(Approval.asked_by.in_(sa.select(Membership.person_id).where(Membership.org_id.in_(orgs))))
    if open_only:
        found = found.where(Approval.state == "open")
    rows = (await session.execute(found.order_by(Approval.id.desc()).limit(limit))).mappings()
    return [Asked(**{**row, "reason": seals.open(row["reason"], Approval.reason, row["id"])}) for row in rows]


async def in_force(
    connection: AsyncConnection | AsyncSession, *, person: UUID, permission: str, now: datetime
) -> UUID | None:
    """The approval by which somebody may use a permission now."""
    held = sa.select(Approval.id).where(
        Approval.asked_by == person,
        Approval.permission == permission,
        Approval.state == "granted",
        Approval.until > now,
    )
    return (await connection.execute(held.order_by(Approval.until.desc()).limit(1))).scalar_one_or_none()
