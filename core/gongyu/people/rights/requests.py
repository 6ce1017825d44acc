"""Correction and erasure on request: asked, answered in writing with a reason, in time, and never forgotten.

A correction that is accepted is made where the data comes from (the school's register, then imported again): changed
only here, the next import would undo it.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.keys import KeyRing
from gongyu.database.model import new_id
from gongyu.database.reading import within_orgs
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Guardianship, Membership
from gongyu.people.rights.contract import Erased, Reader
from gongyu.people.rights.erasure import erase
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.sealing import opened, sealed
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["ANSWER_WITHIN", "WITHIN", "AskedFor", "RequestError", "ask", "asked_about", "decide", "find"]

#: GB/T 35273-2020 8.7: an answer within thirty days.
ANSWER_WITHIN: Final = timedelta(days=30)

Kind = Literal["correction", "erasure"]

_ORGS: Final = sa.bindparam("orgs", type_=ARRAY(sa.Uuid()))
#: About people who are or were in the bound `orgs` (NULL: anywhere), and the guardians of such: whoever left is still
#: the org's to answer.
WITHIN: Final = sa.or_(
    _ORGS.is_(None),
    sa.exists().where(Membership.person_id == RightsRequest.person_id, within_orgs(Membership.org_id)),
    sa.exists().where(
        Guardianship.guardian_id == RightsRequest.person_id,
        Membership.person_id == Guardianship.student_id,
        within_orgs(Membership.org_id),
    ),
)


class RequestError(Exception):
    """It cannot be asked or answered like this; nothing has changed."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class AskedFor(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer, readable."""

    id: UUID
    kind: Kind
    person: UUID
    asked_as: Reader
    asked_at: datetime
    due_on: date
    wish: str | None
    state: Literal["open", "accepted", "refused"]
    decided_at: datetime | None
    reason: str | None
    outcome: list[Erased] | None


async def ask(
    session: AsyncSession,
    *,
    keys: KeyRing,
    kind: Kind,
    person: UUID,
    wish: str,
    by: UUID | None,
    asked_as: Reader,
    actor: str,
    now: datetime,
) -> UUID:
    """Put a request down.

    Args:
        session: The district's.
        keys: What is wished is sealed.
        kind: Which.
        person: Whose data.
        wish: What is wrong and what is right, or what is to go; in their own words.
        by: Who asks; None for an operator to whom it was said.
        asked_as: As what.
        actor: Who enters it.
        now: When.

    Raises:
        RequestError: An erasure is open already.
    """
    district: District = session.info["district"]
    if kind == "erasure":
        already = sa.select(RightsRequest.id).where(
            RightsRequest.person_id == person, RightsRequest.kind == kind, RightsRequest.state == "open"
        )
        if (await session.execute(already.limit(1))).first():
            raise RequestError(
                Text(zh="已有一份删除请求正在处理", en="a request for erasure is being dealt with already")
            )
    id_ = new_id()
    row = {
        "id": id_,
        "kind": kind,
        "person_id": person,
        "asked_by": by,
        "asked_as": asked_as,
        "asked_at": now,
        "due_on": today_in(district, now) + ANSWER_WITHIN,
        "wish": sealed(keys, district, "wish", id_, wish),
    }
    await session.execute(sa.insert(RightsRequest).values(row))
    details = {"request": id_, "as": asked_as}
    await audit.record(session, action=f"{kind}.asked", actor=actor, subject=f"person:{person}", details=details)
    return id_


async def decide(
    platform: Platform,
    state: DistrictState,
    session: AsyncSession,
    *,
    request: UUID,
    accept: bool,
    reason: str,
    orgs: frozenset[UUID] | None,
    actor: str,
    now: datetime,
) -> AskedFor | None:
    """Answer an open request, once; an erasure that is accepted is carried out in the same transaction.

    The caller calls `authenticate.changed` after the commit.

    Args:
        platform: Its keys and plugins.
        state: The district.
        session: Its unit of work.
        request: Which.
        accept: Or refuse.
        reason: In writing, for the person; a refusal without one is none (个人信息保护法 50).
        orgs: Where the decider may decide; None is everywhere.
        actor: Who decides.
        now: When.

    Returns:
        The request as it stands now; None where there is none for this decider.

    Raises:
        RequestError: Answered already, or without a reason.
        NotWholeError, HookRefusedError: The erasure could not be whole, so nothing is erased.
    """
    if not reason.strip():
        raise RequestError(Text(zh="须写明理由", en="a reason is needed, in writing"))
    district = state.district
    mine = sa.select(RightsRequest.kind, RightsRequest.person_id, RightsRequest.state)
    locked = mine.where(RightsRequest.id == request, WITHIN).with_for_update()
    row = (await session.execute(locked, {"orgs": None if orgs is None else list(orgs)})).first()
    if row is None:
        return None
    if row.state != "open":
        raise RequestError(Text(zh="这份请求已经答复", en="this request has been answered"))
    outcome: list[Erased] | None = None
    if accept and row.kind == "erasure":
        outcome = await erase(platform, state, session, person=row.person_id, actor=actor, now=now)
    answer = {
        "state": "accepted" if accept else "refused",
        "decided_at": now,
        "decided_by": actor,
        "reason": sealed(platform.keys, district, "reason", request, reason),
        "outcome": msgspec.to_builtins(outcome),
    }
    await session.execute(sa.update(RightsRequest).where(RightsRequest.id == request).values(answer))
    await audit.record(
        session,
        action=f"{row.kind}.{answer['state']}",
        actor=actor,
        subject=f"person:{row.person_id}",
        details={"request": request},
    )
    # Not by orgs again: an erasure may just have cut what bound the person to them.
    return await find(session, keys=platform.keys, request=request)


async def find(
    session: AsyncSession, *, keys: KeyRing, request: UUID, orgs: frozenset[UUID] | None = None
) -> AskedFor | None:
    """One request; None where there is none about somebody of these orgs (None: of the district)."""
    query = _READ.where(RightsRequest.id == request, WITHIN)
    row = (await session.execute(query, {"orgs": None if orgs is None else list(orgs)})).mappings().first()
    return None if row is None else _readable(keys, session.info["district"], row)


async def asked_about(session: AsyncSession, *, keys: KeyRing, person: UUID, reader: UUID) -> list[AskedFor]:
    """What a reader asked about a person; about themselves, what anybody did. What a pupil asks is not their guardian's
    to read, nor one parent's the other's.
    """
    theirs = sa.or_(RightsRequest.asked_by == reader, RightsRequest.person_id == reader)
    query = _READ.where(RightsRequest.person_id == person, theirs).order_by(RightsRequest.id)
    return [_readable(keys, session.info["district"], row) for row in (await session.execute(query)).mappings()]


_READ: Final = sa.select(
    RightsRequest.id,
    RightsRequest.kind,
    RightsRequest.person_id.label("person"),
    RightsRequest.asked_as,
    RightsRequest.asked_at,
    RightsRequest.due_on,
    RightsRequest.wish,
    RightsRequest.state,
    RightsRequest.decided_at,
    RightsRequest.reason,
    RightsRequest.outcome,
)


def _readable(keys: KeyRing, district: District, row: sa.RowMapping) -> AskedFor:
    values: dict[str, Any] = dict(row)
    for field in ("wish", "reason"):
        values[field] = opened(keys, district, field, values["id"], values[field])
    if values["outcome"] is not None:
        values["outcome"] = msgspec.convert(values["outcome"], list[Erased])
    return AskedFor(**values)
