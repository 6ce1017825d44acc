"""Mentors in a round: whom the school invites with how many places, what each shows, who asks for fewer and why."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.people.models import Person
from gongyu.plugin import Text
from gongyu.web import Paged, ProblemError
from gongyu_mentor import people
from gongyu_mentor.models import AnyRow, Offer, Photo, Pin, Preference, Round
from gongyu_mentor.rounds import managed, of_students, refuse
from gongyu_mentor.schemas import OfferIn, OfferOut, PinIn, PinOut, Profile

__all__ = ["OFFERS", "decide_fewer", "list_pins", "pin", "set_offers", "show_profile", "unpin", "withdraw"]

_round: Final = sa.bindparam("round", type_=sa.Uuid())
_demand = (
    sa.select(sa.func.unnest(Preference.choices).label("mentor"))
    .where(Preference.round_id == _round)
    .subquery("listed")
)
_counted = sa.select(_demand.c.mentor, sa.func.count().label("demand")).group_by(_demand.c.mentor).subquery("counted")


def _out(row: asyncpg.Record) -> OfferOut:
    return OfferOut(
        mentor=row["mentor_id"],
        name=row["name"],
        places=row["soft_cap"],
        demand=row["demand"],
        subjects=row["subjects"],
        talents=row["talents"],
        introduction=row["introduction"],
        grades=row["grades"],
        photo=row["photo"],
    )


#: The profiles students choose from, with the demand so far, in one query.
OFFERS = Paged(
    sa.select(
        Offer.mentor_id,
        Person.name,
        Offer.soft_cap,
        sa.func.coalesce(_counted.c.demand, sa.literal_column("0")).label("demand"),
        Offer.subjects,
        Offer.talents,
        Offer.introduction,
        Offer.grades,
        Photo.digest.label("photo"),
    )
    .join(Person, Person.id == Offer.mentor_id)
    .outerjoin(Photo, Photo.person_id == Offer.mentor_id)
    .outerjoin(_counted, _counted.c.mentor == Offer.mentor_id)
    .where(Offer.round_id == _round, Offer.left_at.is_(None)),
    key=[Offer.mentor_id],
    row=_out,
)


def _still_open(row: AnyRow) -> None:
    if row.state == "published":
        raise refuse("结果已经公布，请用学期中调整", "the assignment is published; use a rematch")


async def set_offers(
    session: AsyncSession,
    round_id: UUID,
    *,
    offers: Sequence[OfferIn],
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    today: date,
) -> int:
    """Invite mentors, or change their places; all of them or none."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    _still_open(row)
    staff = set(await session.scalars(people.staff_at(row.school_id, today=today)))
    errors: list[tuple[str, Text]] = []
    for at, one in enumerate(offers):
        if one.mentor not in staff:
            errors.append((f"/{at}/mentor", Text(zh="不是本校在职人员", en="does not work at this school")))
        if one.hard_cap > row.hard_cap:
            most = Text(zh="最多 {n}", en="at most {n}").format(n=row.hard_cap)
            errors.append((f"/{at}/hard_cap", most))
        if one.soft_cap > one.hard_cap:
            errors.append((f"/{at}/soft_cap", Text(zh="不能大于 hard_cap", en="not above hard_cap")))
        if row.kind == "classes" and not one.party_member:
            errors.append((f"/{at}/party_member", Text(zh="须为党员教师", en="must be a party member")))
        if one.reserve is not None and one.reserve > one.hard_cap:
            errors.append((f"/{at}/reserve", Text(zh="不能大于 hard_cap", en="not above hard_cap")))
    if len({one.mentor for one in offers}) < len(offers):
        errors.append(("", Text(zh="同一位导师出现两次", en="a mentor is given twice")))
    if errors:
        raise ProblemError("invalid", errors=errors)
    if offers:
        write = insert(Offer)
        names = ("soft_cap", "hard_cap", "reserve", "grades", "sex", "party_member")
        fresh = {name: write.excluded[name] for name in names}
        rows = [
            {"round_id": round_id, "mentor_id": one.mentor, **{name: getattr(one, name) for name in names}}
            for one in offers
        ]
        await session.execute(
            write.on_conflict_do_update(
                index_elements=["round_id", "mentor_id"], set_={**fresh, "version": Offer.version + 1}
            ),
            rows,
        )
    await _changed(session, round_id, "mentor.offers_set", by, {"offers": len(offers)})
    return len(offers)


async def _changed(
    session: AsyncSession, round_id: UUID, action: str, by: UUID | None, details: dict[str, Any]
) -> None:
    actor = f"person:{by}" if by else "system"
    await audit.record(session, action=action, actor=actor, subject=f"round:{round_id}", details=details)


async def withdraw(
    session: AsyncSession, round_id: UUID, *, mentor: UUID, orgs: frozenset[UUID] | None, by: UUID | None
) -> None:
    """Take a mentor out before anybody could choose them; later, set the places to 0 and say so."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    if row.state != "draft":
        raise refuse("已公布的轮次请把名额设为 0", "the round is announced; set the places to 0 instead")
    gone = sa.delete(Offer).where(Offer.round_id == round_id, Offer.mentor_id == mentor).returning(Offer.mentor_id)
    if (await session.execute(gone)).first() is None:
        raise ProblemError("not-found")
    await _changed(session, round_id, "mentor.offer_withdrawn", by, {"mentor": str(mentor)})


async def show_profile(session: AsyncSession, *, round_id: UUID, mentor: UUID, profile: Profile) -> None:
    """A mentor fills in their own page, and may ask for fewer students."""
    open_rounds = sa.select(Round.id).where(Round.id == round_id, Round.state.in_(["draft", "choosing"]))
    values: dict[str, Any] = {
        "subjects": profile.subjects,
        "talents": profile.talents,
        "introduction": profile.introduction,
    }
    if profile.fewer is not None:
        values |= {
            "fewer": profile.fewer.seats,
            "fewer_reason": profile.fewer.reason,
            "fewer_state": "asked",
            "fewer_by": None,
        }
    write = (
        sa.update(Offer)
        .where(Offer.mentor_id == mentor, Offer.round_id.in_(open_rounds))
        .values(**values, version=Offer.version + 1)
        .returning(Offer.mentor_id)
    )
    if (await session.execute(write)).first() is None:
        raise ProblemError("not-found")


async def decide_fewer(
    session: AsyncSession,
    round_id: UUID,
    *,
    mentor: UUID,
    granted: bool,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
) -> None:
    """The school grants or refuses; granted, the places are fewer from now on."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    _still_open(row)
    asked = sa.update(Offer).where(Offer.round_id == round_id, Offer.mentor_id == mentor, Offer.fewer_state == "asked")
    values: dict[str, Any] = {"fewer_state": "granted" if granted else "refused", "fewer_by": by}
    if granted:
        least = sa.func.least(Offer.fewer, Offer.hard_cap)
        values |= {
            "soft_cap": sa.func.least(Offer.soft_cap, least),
            "hard_cap": least,
            "reserve": sa.func.least(Offer.reserve, least),
        }
    done = await session.execute(asked.values(**values, version=Offer.version + 1).returning(Offer.mentor_id))
    if done.first() is None:
        raise ProblemError("not-found")
    await _changed(session, round_id, "mentor.fewer_decided", by, {"mentor": str(mentor), "granted": granted})


async def pin(
    session: AsyncSession,
    round_id: UUID,
    *,
    student: UUID,
    asked: PinIn,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    now: datetime,
    today: date,
) -> None:
    """A pair by decision. It takes the mentor's seat out of the run; it is never an edit of an assignment."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    of_students(row)
    _still_open(row)
    part = people.students_at(row.school_id, today=today, grades=row.grades).subquery()
    if (await session.execute(sa.select(part.c.person_id).where(part.c.person_id == student))).first() is None:
        raise ProblemError("not-found")
    offered = sa.select(Offer.mentor_id).where(Offer.round_id == round_id, Offer.mentor_id == asked.mentor)
    if (await session.execute(offered)).first() is None:
        raise ProblemError("invalid", errors=[("/mentor", Text(zh="本轮没有这位导师", en="no mentor of this round"))])
    taken = sa.select(sa.func.count()).where(
        Pin.round_id == round_id, Pin.mentor_id == asked.mentor, Pin.student_id != student
    )
    if (await session.execute(taken)).scalar_one() >= row.hard_cap:
        raise refuse("这位导师的名额已经指定满", "every seat of this mentor is pinned already")
    values = {"mentor_id": asked.mentor, "reason": asked.reason, "signed_by": by, "signed_at": now}
    write = insert(Pin).values(round_id=round_id, student_id=student, **values)
    await session.execute(write.on_conflict_do_update(index_elements=["round_id", "student_id"], set_=values))
    await _changed(session, round_id, "mentor.pinned", by, {"student": str(student), "mentor": str(asked.mentor)})


async def unpin(
    session: AsyncSession, round_id: UUID, *, student: UUID, orgs: frozenset[UUID] | None, by: UUID | None
) -> None:
    row = await managed(session, round_id, orgs=orgs, lock=True)
    _still_open(row)
    gone = sa.delete(Pin).where(Pin.round_id == round_id, Pin.student_id == student).returning(Pin.student_id)
    if (await session.execute(gone)).first() is None:
        raise ProblemError("not-found")
    await _changed(session, round_id, "mentor.unpinned", by, {"student": str(student)})


async def list_pins(session: Any, *, round_id: UUID) -> list[PinOut]:  # noqa: ANN401 - a session or a connection
    columns = sa.select(Pin.student_id, Pin.mentor_id, Pin.reason, Pin.signed_by, Pin.signed_at)
    found = await session.execute(columns.where(Pin.round_id == round_id).order_by(Pin.student_id))
    return [PinOut(*row) for row in found]
