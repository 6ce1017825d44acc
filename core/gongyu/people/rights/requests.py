"""Correction and erasure on request: asked, answered in writing with a reason, in time, and never forgotten.

A correction that names fields and is accepted is made in the same transaction; what comes from a roster must then be
put right at its source as well. One in words alone is put right by people, who say so when it is done.
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
from gongyu.access.sealing import Seals
from gongyu.database.model import new_id
from gongyu.database.reading import within_orgs
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Guardianship, Membership, Person
from gongyu.people.rights.contract import Erased, Reader
from gongyu.people.rights.corrections import Fields, apply_correction, said_in
from gongyu.people.rights.erasure import erase
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.sealing import opened, sealed
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "ANSWER_WITHIN",
    "STILL_IN_SOURCE",
    "TO_BE_DONE",
    "WITHIN",
    "AskedFor",
    "RequestError",
    "ask",
    "asked_about",
    "decide",
    "find",
    "mark_done",
]

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
#: Accepted, and not put right everywhere yet.
TO_BE_DONE: Final = sa.and_(
    RightsRequest.kind == "correction", RightsRequest.state == "accepted", RightsRequest.done_at.is_(None)
)
#: Put right here, while the source of the roster still has it wrong: its next delivery would say so again.
STILL_IN_SOURCE: Final = sa.and_(
    TO_BE_DONE,
    RightsRequest.fields.is_not(None),
    sa.exists().where(Person.id == RightsRequest.person_id, Person.from_roster),
)


class RequestError(Exception):
    """It cannot be asked or answered like this; nothing has changed."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class AskedFor(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer, readable.

    Attributes:
        fields: What is right, in a correction that names fields.
        by_hand: Of an accepted correction in words: who puts it right, and where.
        still_to_be_done: Accepted, and not put right everywhere yet: by hand, or at the roster's source.
        still_in_source: What it names is put right here, and not yet at the source of the roster.
    """

    id: UUID
    kind: Kind
    person: UUID
    asked_as: Reader
    asked_at: datetime
    due_on: date
    wish: str | None
    fields: Fields | None
    state: Literal["open", "accepted", "refused"]
    decided_at: datetime | None
    reason: str | None
    outcome: list[Erased] | None
    by_hand: str | None
    done_at: datetime | None
    still_to_be_done: bool
    still_in_source: bool


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
    fields: Fields | None = None,
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
        fields: What is right, for a correction that the system can make itself.

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
        "wish": sealed(keys, district, "wish", id_, wish) if wish else None,
    }
    details: dict[str, Any] = {"request": id_, "as": asked_as}
    if fields is not None:
        text = msgspec.json.encode(fields).decode()
        row["fields"] = Seals(keys, district.slug).seal(text, RightsRequest.fields, id_)
        details["fields"] = sorted(said_in(fields))
    await session.execute(sa.insert(RightsRequest).values(row))
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
    done_by_hand: str = "",
) -> AskedFor | None:
    """Answer an open request, once; an erasure that is accepted is carried out in the same transaction, and so is
    a correction that names fields.

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
        done_by_hand: Who puts right what was asked in words alone, and where: nothing else would come of accepting it.

    Returns:
        The request as it stands now; None where there is none for this decider.

    Raises:
        RequestError: Answered already, without a reason, or nobody would do what is accepted.
        NotWholeError, HookRefusedError: The erasure could not be whole, so nothing is erased.
    """
    if not reason.strip():
        raise RequestError(Text(zh="须写明理由", en="a reason is needed, in writing"))
    district = state.district
    mine = sa.select(RightsRequest.kind, RightsRequest.person_id, RightsRequest.state, RightsRequest.fields)
    locked = mine.where(RightsRequest.id == request, WITHIN).with_for_update()
    row = (await session.execute(locked, {"orgs": None if orgs is None else list(orgs)})).first()
    if row is None:
        return None
    if row.state != "open":
        raise RequestError(Text(zh="这份请求已经答复", en="this request has been answered"))
    outcome: list[Erased] | None = None
    if accept and row.kind == "erasure":
        outcome = await erase(platform, state, session, person=row.person_id, actor=actor, now=now)
    corrected: dict[str, Any] = {}
    details: dict[str, Any] = {"request": request}
    if accept and row.kind == "correction":
        seals, note = platform.seals(district), done_by_hand.strip()
        corrected = await _correct(
            session,
            seals,
            request=request,
            person=row.person_id,
            fields=row.fields,
            note=note,
            actor=actor,
            now=now,
        )
        details["fields"] = corrected.pop("corrected")
    answer = {
        "state": "accepted" if accept else "refused",
        "decided_at": now,
        "decided_by": actor,
        "reason": sealed(platform.keys, district, "reason", request, reason),
        "outcome": msgspec.to_builtins(outcome),
        **corrected,
    }
    await session.execute(sa.update(RightsRequest).where(RightsRequest.id == request).values(answer))
    await audit.record(
        session,
        action=f"{row.kind}.{answer['state']}",
        actor=actor,
        subject=f"person:{row.person_id}",
        details=details,
    )
    # Not by orgs again: an erasure may just have cut what bound the person to them.
    return await find(session, keys=platform.keys, request=request)


async def _correct(
    session: AsyncSession,
    seals: Seals,
    *,
    request: UUID,
    person: UUID,
    fields: bytes | None,
    note: str,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    """What the answer says of it, and the names of the fields that are put right already."""
    if fields is None and not note:
        raise RequestError(
            Text(
                zh="这份请求没有写明字段，系统无法自动更正：请在 done_by_hand 中写明由谁、在哪里更正",
                en="this request names no fields, so nothing would be corrected by itself: say in done_by_hand who "
                "corrects it, and where",
            )
        )
    said: dict[str, Any] = {"corrected": []}
    in_source = False
    if fields is not None:
        wished = msgspec.json.decode(seals.open(fields, RightsRequest.fields, request), type=Fields)
        found = await apply_correction(session, seals=seals, person=person, fields=wished, now=now)
        if found is None:
            raise RequestError(Text(zh="此人的信息已经删除", en="this person's data have been erased"))
        in_source = found
        said["corrected"] = sorted(said_in(wished))
    if note:
        said["by_hand"] = seals.seal(note, RightsRequest.by_hand, request)
    elif not in_source:
        said |= {"done_at": now, "done_by": actor}
    return said


async def mark_done(
    session: AsyncSession, *, keys: KeyRing, request: UUID, orgs: frozenset[UUID] | None, actor: str, now: datetime
) -> AskedFor | None:
    """An accepted correction is put right wherever it had to be: by hand, at the roster's source.

    Returns:
        The request as it stands now; None where there is none for this person.

    Raises:
        RequestError: Nothing is left to be done.
    """
    done = sa.update(RightsRequest).where(RightsRequest.id == request, TO_BE_DONE, WITHIN)
    marked = done.values(done_at=now, done_by=actor).returning(RightsRequest.person_id)
    bound = {"orgs": None if orgs is None else list(orgs)}
    options = {"synchronize_session": False}
    person = (await session.execute(marked, bound, execution_options=options)).scalar_one_or_none()
    found = await find(session, keys=keys, request=request, orgs=orgs)
    if person is None and found is not None:
        raise RequestError(Text(zh="这份请求没有待办的更正", en="nothing is left to be done about this request"))
    if person is not None:
        details = {"request": request}
        await audit.record(session, action="correction.done", actor=actor, subject=f"person:{person}", details=details)
    return found


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
    RightsRequest.fields,
    RightsRequest.by_hand,
    RightsRequest.done_at,
    TO_BE_DONE.label("still_to_be_done"),
    STILL_IN_SOURCE.label("still_in_source"),
)


def _readable(keys: KeyRing, district: District, row: sa.RowMapping) -> AskedFor:
    values: dict[str, Any] = dict(row)
    for field in ("wish", "reason"):
        values[field] = opened(keys, district, field, values["id"], values[field])
    seals = Seals(keys, district.slug)
    if values["by_hand"] is not None:
        values["by_hand"] = seals.open(values["by_hand"], RightsRequest.by_hand, values["id"])
    if values["fields"] is not None:
        values["fields"] = msgspec.json.decode(
            seals.open(values["fields"], RightsRequest.fields, values["id"]), type=Fields
        )
    if values["outcome"] is not None:
        values["outcome"] = msgspec.convert(values["outcome"], list[Erased])
    return AskedFor(**values)
