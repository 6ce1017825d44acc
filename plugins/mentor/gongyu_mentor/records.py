"""What rounds and pairs hold about one person, for their copy; and what goes when they ask to be forgotten."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.people.models import Person
from gongyu.people.rights.contract import Erased, PersonPart, RetentionCategory
from gongyu.people.rights.periods import last_days, midnight_of
from gongyu.plugin import Context, Text
from gongyu_mentor.models import (
    Appeal,
    Assignment,
    Favour,
    Offer,
    Photo,
    Pin,
    Preference,
    Refiled,
    Refiling,
    Round,
    Run,
)
from gongyu_mentor.outcome import opened

__all__ = ["RETENTION", "erased", "held"]

_LABELS: Final = {
    "round": Text(zh="轮次", en="round"),
    "choices": Text(zh="志愿", en="choices"),
    "filed_at": Text(zh="填报时间", en="filed at"),
    "mentor": Text(zh="导师", en="mentor"),
    "begins_at": Text(zh="开始", en="begins"),
    "ends_at": Text(zh="结束", en="ends"),
    "why": Text(zh="结对原因代码", en="code of the reason"),
    "subjects": Text(zh="学科", en="subjects"),
    "talents": Text(zh="特长", en="talents"),
    "introduction": Text(zh="介绍", en="introduction"),
    "fewer": Text(zh="希望减少到", en="asked for so few"),
    "fewer_reason": Text(zh="理由", en="reason"),
    "reason": Text(zh="理由", en="reason"),
    "answer": Text(zh="答复", en="answer"),
    "media_type": Text(zh="类型", en="kind"),
    "digest": Text(zh="指纹", en="fingerprint"),
    "changed_at": Text(zh="更换时间", en="changed at"),
}


async def held(context: Context, person: UUID) -> list[PersonPart]:
    """Lists, pairs and pages of their own. Of a mentor's pairs only the periods: the students are other people."""
    mentor = aliased(Person)
    names = {row.id: row.name for row in await context.session.execute(_mentors_listed(person))}
    choices = [
        {"round": row.title, "choices": [names.get(one, "") for one in row.choices], "filed_at": row.filed_at}
        for row in await context.session.execute(
            sa.select(Round.title, Preference.choices, Preference.filed_at)
            .join(Round, Round.id == Preference.round_id)
            .where(Preference.student_id == person)
            .order_by(Preference.filed_at)
        )
    ]
    pairs = await _rows(
        context,
        sa.select(mentor.name.label("mentor"), Assignment.begins_at, Assignment.ends_at, Run.outcome)
        .join(mentor, mentor.id == Assignment.mentor_id)
        .outerjoin(Run, Run.id == Assignment.run_id)
        .where(Assignment.student_id == person)
        .order_by(Assignment.begins_at),
    )
    for pair in pairs:
        kept = pair.pop("outcome")
        told = opened(kept).why(person) if kept else None
        pair["why"] = told[1].code if told else None
    anew = [
        {"choices": [names.get(one, "") for one in row.choices], "filed_at": row.filed_at}
        for row in await context.session.execute(
            sa.select(Refiled.choices, Refiled.filed_at).where(Refiled.student_id == person).order_by(Refiled.filed_at)
        )
    ]
    appeals = [
        {
            "reason": context.seals.open(row.reasons, Appeal.reasons, row.id),
            "filed_at": row.filed_at,
            "answer": context.seals.open(row.answer, Appeal.answer, row.id) if row.answer else None,
        }
        for row in await context.session.execute(
            sa.select(Appeal.id, Appeal.reasons, Appeal.filed_at, Appeal.answer)
            .where(Appeal.student_id == person)
            .order_by(Appeal.id)
        )
    ]
    photo = await _rows(
        context, sa.select(Photo.media_type, Photo.digest, Photo.changed_at).where(Photo.person_id == person)
    )
    decided = await _rows(
        context,
        sa.select(Round.title.label("round"), mentor.name.label("mentor"), Pin.reason)
        .join(Round, Round.id == Pin.round_id)
        .join(mentor, mentor.id == Pin.mentor_id)
        .where(Pin.student_id == person),
    )
    pages = await _rows(
        context,
        sa.select(
            Round.title.label("round"),
            Offer.subjects,
            Offer.talents,
            Offer.introduction,
            Offer.fewer,
            Offer.fewer_reason,
        )
        .join(Round, Round.id == Offer.round_id)
        .where(Offer.mentor_id == person)
        .order_by(Round.id),
    )
    mentored = await _rows(
        context,
        sa.select(Assignment.begins_at, Assignment.ends_at)
        .where(Assignment.mentor_id == person)
        .order_by(Assignment.begins_at),
    )
    return [
        _part("choices", Text(zh="导师志愿", en="Mentors ranked"), choices),
        _part("choices_anew", Text(zh="重新填报的志愿", en="Mentors ranked anew"), anew),
        _part("appeals", Text(zh="结对申诉", en="Appeals"), appeals),
        _part("pairs", Text(zh="我的导师", en="My mentors"), pairs),
        _part("decided", Text(zh="指定结对", en="Pairs by decision"), decided),
        _part("pages", Text(zh="我作为导师的介绍", en="My pages as a mentor"), pages),
        _part("photo", Text(zh="我作为导师的照片", en="My photo as a mentor"), photo),
        _part("mentored", Text(zh="我作为导师的结对时间", en="When I mentored"), mentored),
    ]


def _part(name: str, title: Text, rows: list[dict[str, Any]]) -> PersonPart:
    return PersonPart(name=name, title=title, rows=rows, labels=_LABELS)


def _mentors_listed(person: UUID) -> sa.Select[UUID, str]:
    listed = sa.union_all(
        sa.select(sa.func.unnest(Preference.choices)).where(Preference.student_id == person),
        sa.select(sa.func.unnest(Refiled.choices)).where(Refiled.student_id == person),
    )
    return sa.select(Person.id, Person.name).where(Person.id.in_(listed))


async def _rows(context: Context, query: sa.Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [row._asdict() for row in await context.session.execute(query)]


async def erased(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    """Wishes and words go. What stays is that a pair existed, by number: it proves who could open a child's record.

    While somebody is at school here, what the running round needs stays with it.
    """
    over = sa.select(Round.id).where(Round.state == "published") if here else sa.select(Round.id)
    session = context.session
    choices = await session.execute(
        sa.delete(Preference)
        .where(Preference.student_id == person, Preference.round_id.in_(over))
        .returning(Preference.round_id)
    )
    pins = await session.execute(
        sa.delete(Pin).where(Pin.student_id == person, Pin.round_id.in_(over)).returning(Pin.round_id)
    )
    appeals = await session.execute(
        sa.delete(Appeal).where(Appeal.student_id == person, Appeal.state != "filed").returning(Appeal.id)
        if here
        else sa.delete(Appeal).where(Appeal.student_id == person).returning(Appeal.id)
    )
    used = sa.select(Refiling.id).where(Refiling.used_at.is_not(None)) if here else sa.select(Refiling.id)
    anew = await session.execute(
        sa.delete(Refiled)
        .where(Refiled.student_id == person, Refiled.refiling_id.in_(used))
        .returning(Refiled.refiling_id)
    )
    photo = await session.execute(sa.delete(Photo).where(Photo.person_id == person).returning(Photo.person_id))
    stars = await session.execute(
        sa.delete(Favour).where(Favour.mentor_id == person, Favour.round_id.in_(over)).returning(Favour.round_id)
    )
    for column in (Favour.students, Favour.keep):
        await session.execute(
            sa.update(Favour)
            .where(column.any_() == person, Favour.round_id.in_(over))
            .values({column.key: sa.func.array_remove(column, person)})
        )
    words: dict[str, Any] = {"subjects": [], "talents": [], "introduction": "", "fewer": None, "fewer_reason": None}
    pages = await session.execute(
        sa.update(Offer)
        .where(Offer.mentor_id == person, Offer.round_id.in_(over))
        .values(**words, fewer_state=None)
        .returning(Offer.round_id)
    )
    pairs = sa.select(sa.func.count()).where(sa.or_(Assignment.student_id == person, Assignment.mentor_id == person))
    stay = Text(
        zh="只留编号，不留姓名，用来证明谁在何时可以查阅学生记录（未成年人保护法第六十二条、个人信息保护法第五十五条）",
        en="kept by number, without a name, to prove who could open a child's record and when (Law on the Protection "
        "of Minors, art. 62; Personal Information Protection Law, art. 55)",
    )
    return [
        Erased(what=Text(zh="导师志愿", en="mentors ranked"), rows=len(choices.all())),
        Erased(what=Text(zh="结对申诉", en="appeals"), rows=len(appeals.all())),
        Erased(what=Text(zh="重新填报的志愿", en="mentors ranked anew"), rows=len(anew.all())),
        Erased(what=Text(zh="照片", en="photo"), rows=len(photo.all())),
        Erased(what=Text(zh="导师的优先选择", en="a mentor's stars"), rows=len(stars.all())),
        Erased(what=Text(zh="指定结对", en="pairs by decision"), rows=len(pins.all())),
        Erased(what=Text(zh="导师介绍", en="a mentor's pages"), rows=len(pages.all())),
        Erased(what=Text(zh="结对记录", en="pairs"), rows=(await session.execute(pairs)).scalar_one(), kept=stay),
    ]


async def _expire(context: Context, before: date) -> int:
    """Wishes and words of rounds that were published before the day, and photos of those who left before it. The pairs
    stay by number; see `erased`.
    """
    over = sa.select(Round.id).where(Round.published_at < midnight_of(context.district, before))
    last = last_days()
    left = sa.select(last.c.person_id).where(last.c.last_day < before)
    count = 0
    for gone in (
        *(sa.delete(table).where(table.round_id.in_(over)) for table in (Preference, Favour, Refiling, Appeal)),
        sa.delete(Photo).where(Photo.person_id.in_(left)),
    ):
        ended = gone.returning(sa.literal(1)).execution_options(synchronize_session=False)
        count += len((await context.session.execute(ended)).all())
    return count


RETENTION: Final = (
    RetentionCategory(
        name="mentor.choices",
        title=Text(zh="导师双选中的志愿、申诉与照片", en="Choices, appeals and photos of rounds"),
        purpose=Text(zh="公平地结对，并能说明原因", en="to make pairs fairly, and to be able to say why"),
        basis=Text(zh="个人信息保护法第十九条", en="PIPL art. 19"),
        keep=timedelta(days=3 * 366),
        expire=_expire,
    ),
)
