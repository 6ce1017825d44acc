"""What is written about each pupil by their mentor: talks of every level with a promise, the log, the
profile, an entry of the care list with a note, and what a former mentor left. The walk's `teacher` was mentor of both
pupils of the first school until yesterday; its `lead` leads the care there.
"""

from datetime import timedelta
from typing import Final, get_args
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.model import new_id
from gongyu.plugin import Context
from gongyu_mentor.care.care import add_note, open_care
from gongyu_mentor.care.models import CareLead
from gongyu_mentor.care.schemas import NewCare, NewCareNote
from gongyu_mentor.log import pages, profile
from gongyu_mentor.log.models import Handover
from gongyu_mentor.log.schemas import NewItem, SectionIn
from gongyu_mentor.models import Assignment, Load, Photo
from gongyu_mentor.talks.schemas import Level, NewPromise, NewTalk
from gongyu_mentor.talks.talks import log_talk
from gongyu_mentor.training.models import Training

from .ground import Ground, Here, Things

__all__ = ["PICTURE", "records_of"]

#: The smallest PNG: one pixel.
PICTURE: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


async def records_of(context: Context, ground: Ground) -> Things:
    session, found = context.session, Things()
    leads = dict.fromkeys(("own", "class"), ground.persons["lead"]) | {"school": ground.teachers["school"]}
    former = dict.fromkeys(("own", "class"), ground.persons["teacher"]) | {"school": ground.teachers["school"]}
    for school, lead in {ground.schools[place]: leads[place] for place in leads}.items():
        appointed = {"school_id": school, "person_id": lead, "begins_at": ground.now}
        await session.execute(sa.insert(CareLead).values(**appointed))
    for place, pupil in ground.pupils.items():
        made = await _pairs(session, ground, place, former=former[place])
        made |= await _written(context, ground, pupil=pupil, mentor=ground.mentors[place])
        made["lead"], made["colleague"], made["mentor"] = leads[place], former[place], ground.mentors[place]
        made["section"] = "situation"
        made["training"] = await _training(session, ground, place)
        for name, thing in made.items():
            found.setdefault(name, {})[place] = thing
    photos = [
        {"person_id": one, "media_type": "image/png", "content": PICTURE, "digest": "0" * 32, "changed_at": ground.now}
        for one in ground.mentors.values()
    ]
    await session.execute(sa.insert(Photo), photos)
    return found


async def _pairs(session: AsyncSession, ground: Ground, place: str, *, former: UUID) -> Here:
    """The pair of now, and the one before it, of which the child is asked."""
    school, pupil, mentor = ground.schools[place], ground.pupils[place], ground.mentors[place]
    before, now = new_id(), new_id()
    for one in {former, mentor}:
        known = sa.exists().where(Load.school_id == school, Load.mentor_id == one)
        if not await session.scalar(sa.select(known)):
            await session.execute(sa.insert(Load).values(school_id=school, mentor_id=one, places=9))
    pair = {"student_id": pupil, "school_id": school}
    yesterday = ground.now - timedelta(days=1)
    await session.execute(
        sa.insert(Assignment).values(
            id=before, mentor_id=former, begins_at=yesterday - timedelta(days=90), ends_at=yesterday, **pair
        )
    )
    await session.execute(sa.insert(Assignment).values(id=now, mentor_id=mentor, begins_at=yesterday, **pair))
    await session.execute(sa.insert(Handover).values(pair_id=now, former_id=before, asked_at=ground.now))
    return {"pair": now}


async def _written(context: Context, ground: Ground, *, pupil: UUID, mentor: UUID) -> Here:
    made: Here = {}
    for level in get_args(Level):
        id_ = new_id()
        promise = NewPromise(text="一起去看围棋社")
        new = NewTalk(id=id_, students=[pupil], level=level, note="…", promise=promise)
        await log_talk(context, new=new, by=mentor)
        made[f"talk_{level}"] = id_
    made["promise"] = made["talk_mentor"]
    page = SectionIn(version=0, text="…")
    await pages.write_section(context, student=pupil, mentor=mentor, section="situation", new=page, today=ground.today)
    item, care, note = new_id(), new_id(), new_id()
    await profile.add(
        context, student=pupil, me=mentor, new=NewItem(id=item, kind="hobby", text="围棋"), today=ground.today
    )
    me: Here = {"by": mentor, "values": {"me": mentor, "today": ground.today}}
    entry = NewCare(id=care, student=pupil, category="留守", plan="…", responsible=mentor)
    await open_care(context, new=entry, **me)
    await add_note(context, care, new=NewCareNote(id=note, happened_on=ground.today, text="…"), **me)
    return {**made, "item": item, "care_id": care, "note": note}


async def _training(session: AsyncSession, ground: Ground, place: str) -> UUID:
    id_ = new_id()
    told = {"title": "岗前培训", "starts_at": ground.now - timedelta(hours=1), "place": "报告厅"}
    await session.execute(sa.insert(Training).values(id=id_, school_id=ground.schools[place], **told))
    return id_
