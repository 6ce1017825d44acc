"""What pupils confide, and who is told by the law: moods and wishes to talk, cases and screenings, letters, reports.

The own pupil's case was taken by the walk's `counselor`, the others' wait. Its `lead` leads mental health at the first
school. Letters are the pupils' own; reports are made by the teacher of the class about its pupil.
"""

import hashlib
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.people.rights.models import Consent
from gongyu.plugin import Context
from gongyu_mentor.letters import sending, threads
from gongyu_mentor.letters.models import Change, Letter
from gongyu_mentor.letters.offices import Desk
from gongyu_mentor.letters.schemas import AnonymousLetter, NewLetter, Reply
from gongyu_mentor.reports import opening
from gongyu_mentor.reports.schemas import NewReport
from gongyu_mentor.wellbeing import curve
from gongyu_mentor.wellbeing.models import BreakGlass, Case, Lead, PlanItem, Screening, Wish
from gongyu_mentor.wellbeing.schemas import StudentEntry
from gongyu_mentor.wellbeing.screening import PURPOSE

from .ground import Ground, Here, Things

__all__ = ["confided_of"]


async def confided_of(context: Context, ground: Ground) -> Things:
    found = Things()
    near, far = ground.schools["own"], ground.schools["school"]
    for school, lead in {near: ground.persons["lead"], far: ground.teachers["school"]}.items():
        named = {"school_id": school, "person_id": lead, "since": ground.now}
        await context.session.execute(sa.insert(Lead).values(**named))
    for place in ground.pupils:
        made = {
            **await _wellbeing(context, ground, place),
            **await _screened(context, ground, place),
            **await _letters(context, ground, place),
            **await _reports(context, ground, place),
        }
        for name, thing in made.items():
            found.setdefault(name, {})[place] = thing
    return found


async def _wellbeing(context: Context, ground: Ground, place: str) -> Here:
    session, pupil, school = context.session, ground.pupils[place], ground.schools[place]
    made: Here = {}
    await curve.by_student(context, student=pupil, entry=StudentEntry(mood=3, words="…"))
    for who in ("mentor", "homeroom", "counselor", "principal"):
        id_ = made[f"wish_{who}"] = new_id()
        asked = {"student_id": pupil, "school_id": school, "asked_at": ground.now, "due_at": ground.now}
        await session.execute(sa.insert(Wish).values(id=id_, wants=who, **asked))
    case = made["case"] = new_id()
    taken = {"taken_by": ground.persons["counselor"], "taken_at": ground.now} if place == "own" else {}
    opened = {"student_id": pupil, "school_id": school, "ground": "pupil", "opened_at": ground.now}
    await session.execute(sa.insert(Case).values(id=case, **opened, **taken))
    for audience in ("mentor", "homeroom", "principal", "lead", "home", "pupil", "doctor"):
        id_ = made[f"task_{audience}"] = new_id()
        words = context.seals.seal("…", PlanItem.words, id_)
        task = {"case_id": case, "audience": audience, "words": words, "at": ground.now}
        await session.execute(sa.insert(PlanItem).values(id=id_, **task))
    glass = made["glass"] = new_id()
    await session.execute(
        sa.insert(BreakGlass).values(
            id=glass,
            student_id=pupil,
            school_id=school,
            asked_by=ground.teachers["school"] if place == "school" else ground.persons["lead"],
            reason=context.seals.seal("……", BreakGlass.reason, glass),
            asked_at=ground.now,
        )
    )
    return made


async def _screened(context: Context, ground: Ground, place: str) -> Here:
    """A result of last month, and a file with one of today, to which the own pupil's guardian has consented."""
    session, pupil, id_ = context.session, ground.pupils[place], new_id()
    result = context.seals.seal('{"level":"high","score":"61"}', Screening.result, id_)
    told = {"scale": "MSSMHS", "version": "1", "consent": "1", "result": result, "taken_at": ground.now}
    whose = {"student_id": pupil, "school_id": ground.schools[place], "day": ground.today - timedelta(days=30)}
    await session.execute(sa.insert(Screening).values(id=id_, **whose, **told))
    number = f"G{place}"
    hashed = context.seals.hashed(number, purpose="identifier")
    await session.execute(sa.update(Person).where(Person.id == pupil).values(identifier_hash=hashed))
    if place == "own":
        yes = {"purpose": PURPOSE.name, "version": PURPOSE.version, "word": "given", "channel": "paper"}
        whose = {"person_id": pupil, "capacity": "guardian", "said_by": ground.persons["guardian"]}
        await session.execute(sa.insert(Consent).values(**whose, **yes, at=ground.now))
    file = f"学籍号,量表,日期,等级,同意书编号\n{number},MSSMHS,{ground.today},正常,1\n"
    digest = hashlib.sha256(file.encode()).hexdigest()
    return {"screening": file, "digest": digest}


async def _letters(context: Context, ground: Ground, place: str) -> Here:
    pupil, school = ground.pupils[place], ground.schools[place]
    words = "食堂的菜总是凉的。"
    plain = await sending.send(context, letter=NewLetter(school=school, words=words), person=pupil)
    answered = await sending.send(context, letter=NewLetter(school=school, words=words), person=pupil)
    above = NewLetter(school=school, words=words, about_principal=True)
    about = await sending.send(context, letter=above, person=pupil)
    principal = Desk(person=ground.persons["principal"], schools=frozenset({school}), district=False)
    said = Reply(words="会改。", after=1)
    await threads.reply(context, answered.id, desk=principal, by=principal.person, said=said)
    late = await sending.send(context, letter=NewLetter(school=school, words=words), person=pupil)
    onward = NewLetter(school=school, words=words, then_district=True)
    further = await sending.send(context, letter=onward, person=pupil)
    yesterday = ground.today - timedelta(days=1)
    overdue = sa.update(Letter).where(Letter.id.in_([late.id, further.id])).values(due_on=yesterday)
    await context.session.execute(overdue)
    nobody = await sending.send_anonymously(
        context, letter=AnonymousLetter(school=school, words=words, once=new_id()), person=pupil
    )
    change = new_id()
    told = {"title": "食堂", "asked": "菜凉", "changed": "加了保温", "at": ground.now}
    await context.session.execute(sa.insert(Change).values(id=change, school_id=school, **told))
    return {
        "letter": plain.id,
        "letter_answered": answered.id,
        "letter_above": about.id,
        "letter_late": late.id,
        "letter_further": further.id,
        "receipt": nobody.receipt,
        "change": change,
    }


async def _reports(context: Context, ground: Ground, place: str) -> Here:
    """About the pupil: a plain one, one under which the first school's principal is suspected, one the reporter is."""
    pupil, teacher, principal = ground.pupils[place], ground.teachers[place], ground.persons["principal"]
    suspects: dict[str, list[UUID]] = {"report": [], "report_of_head": [principal], "report_of_reporter": [teacher]}
    made: Here = {}
    for name, under in suspects.items():
        new = NewReport(student=pupil, kind="violence", words="…", suspects=under)
        made[name], _ = await opening.make(context, report=new, by=teacher)
    return made
