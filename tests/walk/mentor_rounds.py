"""Rounds at every stage: choices open (`round_id`; at the first school a draft besides, as `class`); published, with an
appeal of each pupil and a window to choose anew; published with neither (`quiet`); closed, with a run that was looked
at; and one of classes.
"""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id
from gongyu_mentor import rounds, runs
from gongyu_mentor.models import Appeal, Favour, Offer, Pin, Preference, Refiling, Round
from gongyu_mentor.schemas import NewRound

from .ground import Ground, Things

__all__ = ["rounds_of"]


async def rounds_of(session: AsyncSession, ground: Ground) -> Things:
    found: Things = {"round_id": {}, "told": {}}
    by_school: dict[UUID, dict[str, UUID]] = {}
    for place, school in ground.schools.items():
        if school not in by_school:
            classes = await _opened(session, ground, school, kind="classes")
            everybody = [one for where, one in ground.mentors.items() if ground.schools[where] == school]
            for teacher in everybody:
                await _invite(session, classes, teacher, seats=1)
            by_school[school] = {
                "class_round": classes,
                "published": await _published(session, ground, school, everybody),
                "quiet": await _published(session, ground, school, everybody),
                **await _run(session, ground, school),
            }
            await _window(session, ground, by_school[school]["published"], gone=everybody[:1])
        for name, round_id in by_school[school].items():
            found.setdefault(name, {})[place] = round_id
        draft = place == "class"
        made = await _opened(session, ground, school, announced=not draft)
        found["round_id"][place] = made
        found["told"][place] = by_school[school]["class_round"] if draft else made
        pupil, teacher = ground.pupils[place], ground.mentors[place]
        mine = sa.update(Offer).where(Offer.round_id == made, Offer.mentor_id == teacher)
        await session.execute(mine.values(fewer=3, fewer_reason="带毕业班", fewer_state="asked"))
        await session.execute(sa.insert(Preference).values(round_id=made, student_id=pupil, choices=[teacher]))
        await session.execute(sa.insert(Favour).values(round_id=made, mentor_id=teacher, students=[pupil]))
        pinned = {"student_id": pupil, "mentor_id": teacher, "reason": "转入"}
        await session.execute(sa.insert(Pin).values(round_id=made, **pinned))
    found["appeal"] = {
        place: await _appeal(session, ground, place, found["published"][place]) for place in ground.pupils
    }
    return found


async def _opened(
    session: AsyncSession, ground: Ground, school: UUID, *, kind: str = "students", announced: bool = True
) -> UUID:
    hour = timedelta(hours=1)
    new = NewRound(
        school=school,
        title="双选",
        kind=kind,  # type: ignore[arg-type]  # one of the two
        opens_at=ground.now - hour,
        closes_at=ground.now + hour,
    )
    settings = ground.state.settings["mentor"]
    made = await rounds.create(session, new=new, settings=settings, schools={}, orgs=None, by=None, today=ground.today)
    if announced:
        await rounds.announce(session, made.id, orgs=None, by=None, now=ground.now, keys=ground.platform.keys)
    id_: UUID = made.id
    return id_


async def _invite(session: AsyncSession, round_id: UUID, mentor: UUID, *, seats: int) -> None:
    offer = {"soft_cap": seats, "hard_cap": seats, "party_member": True}
    await session.execute(sa.insert(Offer).values(round_id=round_id, mentor_id=mentor, **offer))


async def _published(session: AsyncSession, ground: Ground, school: UUID, mentors: list[UUID]) -> UUID:
    """As a publication leaves a round, as far as it is asked about: nobody is matched here."""
    id_, run = new_id(), new_id()
    await session.execute(
        sa.insert(Round).values(
            id=id_,
            school_id=school,
            title="双选",
            state="published",
            opens_at=ground.now - timedelta(days=3),
            closes_at=ground.now - timedelta(days=2),
            soft_cap=9,
            hard_cap=9,
            list_length=8,
            favour_percent=10,
            appeal_days=7,
            salt=b"0",
            seed_hash="0",
            run_id=run,
            published_at=ground.now,
            appeals_until=ground.now + timedelta(days=7),
        )
    )
    for mentor in mentors:
        await _invite(session, id_, mentor, seats=9)
    return id_


async def _run(session: AsyncSession, ground: Ground, school: UUID) -> dict[str, UUID]:
    """A round whose deadline has passed, and a run of it."""
    closed = await _opened(session, ground, school)
    over = sa.update(Round).where(Round.id == closed).values(closes_at=ground.now - timedelta(minutes=1))
    await session.execute(over)
    context = ground.platform.context("mentor", ground.state, session, ground.now)
    return {"closed": closed, "run": (await runs.try_out(context, closed, orgs=None, by=None)).id}


async def _window(session: AsyncSession, ground: Ground, round_id: UUID, *, gone: list[UUID]) -> None:
    times = {"opened_at": ground.now, "closes_at": ground.now + timedelta(days=1)}
    await session.execute(sa.insert(Refiling).values(round_id=round_id, gone=gone, **times))


async def _appeal(session: AsyncSession, ground: Ground, place: str, round_id: UUID) -> UUID:
    id_ = new_id()
    reasons = ground.platform.seals(ground.state.district).seal("…", Appeal.reasons, id_)
    values = {
        "id": id_,
        "round_id": round_id,
        "student_id": ground.pupils[place],
        "reasons": reasons,
        "filed_by": ground.persons["guardian"] if place == "own" else None,
        "filed_at": ground.now,
        "due_at": ground.now + timedelta(days=5),
    }
    await session.execute(sa.insert(Appeal).values(**values))
    return id_
