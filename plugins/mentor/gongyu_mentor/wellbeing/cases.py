"""A counsellor takes a case: asked for by pupil or mentor, or by anybody at school in a crisis; then theirs."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.models import AnyRow, Assignment
from gongyu_mentor.people import STAFF, school_of, schools_as
from gongyu_mentor.wellbeing.grounds import lead_schools, owns
from gongyu_mentor.wellbeing.models import Case, CaseNote, PlanItem
from gongyu_mentor.wellbeing.schemas import CaseIn, CaseLine, CaseOut, NoteOut, PlanIn, PlanOut

__all__ = ["ask", "close", "note", "plan", "plan_of", "read", "take", "waiting"]


async def ask(context: Context, principal: Principal, *, asked: CaseIn) -> UUID:
    """Ask for a counsellor. Who asks for a pupil who has one already is told nothing but that it is noted.

    Raises:
        ProblemError: `not-found`: not theirs to ask for.
    """
    student = asked.student or principal.person
    school = await school_of(context, student)
    if school is None or not await _may_ask(context, principal, asked, student=student, school=school):
        raise ProblemError("not-found")
    id_ = new_id()
    words = asked.words and context.seals.seal(asked.words, Case.words, id_)
    row = insert(Case).values(
        id=id_,
        student_id=student,
        school_id=school,
        ground=asked.ground,
        words=words,
        opened_by=principal.person,
        opened_at=context.now,
    )
    open_ = row.on_conflict_do_nothing(index_elements=[Case.student_id], index_where=Case.closed_at.is_(None))
    if (await context.session.execute(open_.returning(Case.id))).first() is None and asked.words:
        await _add_to_open(context, student, words=asked.words, by=principal.person)
    return student


async def _add_to_open(context: Context, student: UUID, *, words: str, by: UUID) -> None:
    """A second request is the first one's note: nothing anybody said is lost because another was faster."""
    case = sa.select(Case.id).where(Case.student_id == student, Case.closed_at.is_(None))
    await _note(context, (await context.session.execute(case)).scalar_one(), words=words, by=by)


async def _may_ask(context: Context, principal: Principal, asked: CaseIn, *, student: UUID, school: UUID) -> bool:
    if asked.ground == "pupil":
        return student == principal.person
    if school not in schools_as(principal, *STAFF):
        return False
    if asked.ground == "crisis":
        return True
    mine = sa.select(Assignment.id).where(
        Assignment.student_id == student, Assignment.mentor_id == principal.person, Assignment.ends_at.is_(None)
    )
    return (await context.session.execute(mine)).first() is not None


async def waiting(context: Context, principal: Principal) -> list[CaseLine]:
    """The cases nobody has taken at a counsellor's schools, and the counsellor's own."""
    pupil = aliased(Person)
    found = (
        sa.select(Case.id, Case.student_id, pupil.name, Case.ground, Case.opened_at, Case.taken_by)
        .join(pupil, pupil.id == Case.student_id)
        .where(
            Case.closed_at.is_(None),
            Case.school_id.in_(schools_as(principal, "counselor")),
            sa.or_(Case.taken_by.is_(None), Case.taken_by == principal.person),
        )
        .order_by(Case.taken_by.is_(None).desc(), Case.opened_at, Case.id)
    )
    return [
        CaseLine(
            id=row.id,
            student=row.student_id,
            student_name=row.name,
            ground=row.ground,
            opened_at=row.opened_at,
            mine=row.taken_by is not None,
        )
        for row in await context.session.execute(found)
    ]


async def take(context: Context, principal: Principal, case: UUID) -> UUID:
    """Take a case: of two counsellors at the same moment one has it. Returns the pupil."""
    here = sa.and_(Case.id == case, Case.school_id.in_(schools_as(principal, "counselor")), Case.closed_at.is_(None))
    taken = (
        sa.update(Case)
        .where(here, Case.taken_by.is_(None))
        .values(taken_by=principal.person, taken_at=context.now)
        .returning(Case.student_id)
    )
    student: UUID | None = (await context.session.execute(taken)).scalar_one_or_none()
    if student is not None:
        return student
    if (await context.session.execute(sa.select(Case.id).where(here))).first() is None:
        raise ProblemError("not-found")
    raise ProblemError("conflict", Text(zh="已有心理教师受理", en="another counsellor has taken it"))


async def _own(context: Context, principal: Principal, case: UUID) -> AnyRow:
    pupil = aliased(Person)
    found = (
        sa.select(Case.__table__, pupil.name.label("student_name"))
        .join(pupil, pupil.id == Case.student_id)
        .where(Case.id == case, owns(principal))
    )
    row = (await context.session.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    return row


async def read(context: Context, principal: Principal, case: UUID) -> CaseOut:
    """A case with its notes and plan, for its owner."""
    row = await _own(context, principal, case)
    notes = sa.select(CaseNote.__table__).where(CaseNote.case_id == case).order_by(CaseNote.id)
    return CaseOut(
        id=row.id,
        student=row.student_id,
        student_name=row.student_name,
        ground=row.ground,
        words=context.seals.open(row.words, Case.words, row.id) if row.words else None,
        opened_at=row.opened_at,
        notes=[
            NoteOut(at=one.at, words=context.seals.open(one.words, CaseNote.words, one.id))
            for one in await context.session.execute(notes)
        ],
        plan=await _plan(context, PlanItem.case_id == case),
    )


async def note(context: Context, principal: Principal, case: UUID, *, words: str) -> UUID:
    """Add a note; none is ever changed. Returns the pupil."""
    row = await _own(context, principal, case)
    await _note(context, case, words=words, by=principal.person)
    student: UUID = row.student_id
    return student


async def _note(context: Context, case: UUID, *, words: str, by: UUID) -> None:
    id_ = new_id()
    sealed = context.seals.seal(words, CaseNote.words, id_)
    row = sa.insert(CaseNote).values(id=id_, case_id=case, by=by, at=context.now, words=sealed)
    await context.session.execute(row)


async def plan(context: Context, principal: Principal, case: UUID, *, item: PlanIn) -> PlanOut:
    """Say who is to do what."""
    await _own(context, principal, case)
    id_ = new_id()
    row = sa.insert(PlanItem).values(
        id=id_,
        case_id=case,
        audience=item.audience,
        words=context.seals.seal(item.words, PlanItem.words, id_),
        due_on=item.due_on,
        by=principal.person,
        at=context.now,
    )
    await context.session.execute(row)
    return PlanOut(id=id_, audience=item.audience, words=item.words, due_on=item.due_on, done_at=None)


async def close(context: Context, principal: Principal, case: UUID) -> UUID:
    """Close a case: from this moment its owner has no more right to the pupil's record than anybody."""
    row = await _own(context, principal, case)
    await context.session.execute(sa.update(Case).where(Case.id == case).values(closed_at=context.now))
    student: UUID = row.student_id
    return student


async def plan_of(context: Context, principal: Principal, student: UUID) -> list[PlanOut]:
    """Referral and plan of a pupil's open case: for its owner, the school's lead, and the pupil."""
    may = sa.or_(owns(principal), Case.school_id.in_(lead_schools(principal)), Case.student_id == principal.person)
    case = sa.select(Case.id).where(Case.student_id == student, Case.closed_at.is_(None), may)
    if (await context.session.execute(case)).first() is None:
        raise ProblemError("not-found")
    return await _plan(context, PlanItem.case_id.in_(case))


async def _plan(context: Context, which: sa.ColumnElement[bool]) -> list[PlanOut]:
    found = sa.select(PlanItem.__table__).where(which).order_by(PlanItem.id)
    return [_item(context, row, row.done_at) for row in await context.session.execute(found)]


def _item(context: Context, row: AnyRow, done_at: datetime | None) -> PlanOut:
    words = context.seals.open(row.words, PlanItem.words, row.id)
    return PlanOut(id=row.id, audience=row.audience, words=words, due_on=row.due_on, done_at=done_at)
