"""Letters being read and answered: by the office that holds them, and by whoever wrote them."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.districts.schools import settings_at
from gongyu.people.models import Person
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.letters import boxes, receipts
from gongyu_mentor.letters.harm import asks_for_help, must_be_acknowledged
from gongyu_mentor.letters.models import Letter, Message
from gongyu_mentor.letters.offices import Desk, private_keys
from gongyu_mentor.letters.schemas import FollowUp, LetterLine, LetterOut, MessageOut, ReceiptMessage, Reply
from gongyu_mentor.letters.sending import add, context_of, held_by, is_overdue
from gongyu_mentor.models import AnyRow
from gongyu_mentor.reports.opening import open_draft

__all__ = [
    "close",
    "follow_up",
    "follow_up_by_receipt",
    "letters_of",
    "mine",
    "on_desk",
    "open_at_desk",
    "open_by_receipt",
    "open_mine",
    "reply",
]

_BY_RECEIPT: Final = Letter.receipt_hash.is_not(None)


def on_desk(desk: Desk, *, today: date) -> sa.ColumnElement[bool]:
    """The letters somebody's offices hold, and for the district those that schools let lie too long.

    A letter about a principal is the district's; should one person be both, they do not get it.
    """
    schools = sa.and_(Letter.office == "school", Letter.school_id.in_(desk.schools))
    return sa.or_(schools, _late(today), _of_district(desk)) if desk.district else schools


def _held(desk: Desk, *, today: date) -> sa.ColumnElement[bool]:
    """Those they answer: a letter that is only shown as overdue stays the school's to answer, unless it was meant to
    go on to the district.
    """
    schools = sa.and_(Letter.office == "school", Letter.school_id.in_(desk.schools))
    if not desk.district:
        return schools
    return sa.or_(schools, _of_district(desk), sa.and_(Letter.then_district, _late(today)))


def _of_district(desk: Desk) -> sa.ColumnElement[bool]:
    return sa.and_(Letter.office == "district", Letter.school_id.not_in(desk.schools))


def _late(today: date) -> sa.ColumnElement[bool]:
    """By the clock itself and not by the job that tells of it: the district does not wait for a morning."""
    now_late = sa.and_(Letter.state.in_(("received", "seen")), Letter.due_on < today)
    return sa.and_(Letter.office == "school", sa.or_(Letter.escalated_at.is_not(None), now_late))


async def letters_of(
    context: Context, *, desk: Desk, after: tuple[date, UUID] | None, limit: int, waiting: bool
) -> list[LetterLine]:
    """What lies on a desk, the most urgent first."""
    today = today_in(context.district, context.now)
    writer = aliased(Person)
    found = (
        sa.select(Letter.__table__, writer.name.label("writer_name"))
        .outerjoin(writer, writer.id == Letter.person_id)
        .where(on_desk(desk, today=today))
        .order_by(Letter.due_on, Letter.id)
        .limit(limit)
    )
    if waiting:
        found = found.where(Letter.state.in_(("received", "seen")))
    if after is not None:
        found = found.where(sa.tuple_(Letter.due_on, Letter.id) > after)
    return [_line(row, desk, today) for row in await context.session.execute(found)]


def _line(row: AnyRow, desk: Desk, today: date) -> LetterLine:
    readable = row.school_id in desk.schools if row.office == "school" else desk.district
    return LetterLine(
        **_facts(row, today),
        writer=row.writer,
        writer_name=row.writer_name if readable or row.then_district else None,
        readable=readable or (desk.district and row.then_district),
    )


def _facts(row: AnyRow, today: date) -> dict[str, Any]:
    return {
        "id": row.id,
        "school": row.school_id,
        "holder": row.office,
        "state": row.state,
        "sent_on": row.sent_on,
        "due_on": row.due_on,
        "overdue": is_overdue(row, today),
        "told_district": row.escalated_at is not None,
        "harm": row.harm,
    }


async def open_at_desk(context: Context, letter: UUID, *, desk: Desk) -> LetterOut:
    """Open a letter for one of the office that holds it; from then on its writer knows that it was read."""
    row = await held_by(context.session, letter, on_desk(desk, today=today_in(context.district, context.now)))
    thread = await _thread(context, row, keys=await private_keys(context, desk))
    if any(one.words is None for one in thread):
        text = Text(
            zh="这封信是写给学校的，只有学校能打开；请督促学校答复",
            en="this letter was sealed for the school, and only the school can open it; see that it is answered",
        )
        raise ProblemError("forbidden", text)
    if row.state == "received":
        row = await _changed(context, row, state="seen", seen_at=context.now)
    return _out(context, row, thread)


async def reply(context: Context, letter: UUID, *, desk: Desk, by: UUID, said: Reply) -> LetterOut:
    """Answer. Of two who answer at the same time one is told that the other was faster."""
    row = await held_by(context.session, letter, _held(desk, today=today_in(context.district, context.now)))
    _nobody_between(row, said.after)
    await add(context, row, words=said.words, by_office=True, author=by, keep_time=True)
    changes: dict[str, Any] = {"state": "answered", "seen_at": row.seen_at or context.now}
    if row.answered_at is None:
        in_time = row.due_on >= today_in(context.district, context.now)
        changes |= {"answered_at": context.now, "in_time": in_time}
    row = await _changed(context, row, **changes)
    return _out(context, row, await _thread(context, row, keys=await private_keys(context, desk)))


async def close(context: Context, letter: UUID, *, desk: Desk) -> None:
    """Close an answered letter; its writer can write on, and then it is open again."""
    row = await held_by(context.session, letter, _held(desk, today=today_in(context.district, context.now)))
    if row.state not in ("answered", "closed"):
        raise ProblemError("conflict", Text(zh="还没有答复", en="it has not been answered"))
    await _changed(context, row, state="closed", closed_at=context.now)


async def mine(context: Context, *, person: UUID) -> list[LetterLine]:
    """Somebody's own named letters, newest first."""
    today = today_in(context.district, context.now)
    found = (
        sa.select(Letter.__table__, Person.name.label("writer_name"))
        .join(Person, Person.id == Letter.person_id)
        .where(Letter.person_id == person)
        .order_by(Letter.sent_on.desc(), Letter.id)
        .limit(200)
    )
    rows = await context.session.execute(found)
    return [
        LetterLine(**_facts(row, today), writer=row.writer, writer_name=row.writer_name, readable=True) for row in rows
    ]


async def open_mine(context: Context, letter: UUID, *, person: UUID) -> LetterOut:
    row = await held_by(context.session, letter, Letter.person_id == person)
    return _out(context, row, await _thread(context, row, keys=_own_key(context, row)))


def _own_key(context: Context, row: AnyRow) -> dict[str, bytes]:
    return {boxes.WRITER: bytes.fromhex(context.seals.open(row.writer_private, Letter.writer_private, row.id))}


async def open_by_receipt(context: Context, letter: UUID, *, receipt: str) -> LetterOut:
    row = await held_by(context.session, letter, _BY_RECEIPT)
    private, _ = boxes.pair_of(receipts.secret_of(receipt))
    return _out(context, row, await _thread(context, row, keys={boxes.WRITER: private}))


async def follow_up(context: Context, letter: UUID, *, person: UUID, said: FollowUp) -> LetterOut:
    row = await held_by(context.session, letter, Letter.person_id == person)
    row = await _written_on(context, row, said)
    return _out(context, row, await _thread(context, row, keys=_own_key(context, row)))


async def follow_up_by_receipt(context: Context, letter: UUID, *, said: ReceiptMessage) -> LetterOut:
    row = await held_by(context.session, letter, _BY_RECEIPT)
    row = await _written_on(context, row, said)
    private, _ = boxes.pair_of(receipts.secret_of(said.receipt))
    return _out(context, row, await _thread(context, row, keys={boxes.WRITER: private}))


async def _written_on(context: Context, row: AnyRow, said: FollowUp | ReceiptMessage) -> AnyRow:
    """One more message of the writer: the letter is new again, with a new day to answer by."""
    _nobody_between(row, said.after)
    harm = asks_for_help(said.words, listed=context.settings.harm_words)
    if harm and not said.acknowledged:
        raise must_be_acknowledged()
    named = row.person_id is not None
    await add(context, row, words=said.words, by_office=False, author=None, keep_time=named)
    if harm and not row.harm:
        await open_draft(context, letter=row, exact=named)
    changes: dict[str, Any] = {"state": "received", "harm": row.harm or harm}
    if row.state in ("answered", "closed"):
        settings = await settings_at(context, [row.school_id])
        due = today_in(context.district, context.now) + timedelta(days=settings.letter_days)
        changes |= {"due_on": due, "escalated_at": None}
    return await _changed(context, row, **changes)


def _nobody_between(row: AnyRow, after: int) -> None:
    if after != row.messages:
        raise ProblemError(
            "conflict",
            Text(zh="此间又有新的内容，请先阅读", en="there is something new in it; read that first"),
        )


async def _changed(context: Context, row: AnyRow, **values: Any) -> AnyRow:  # noqa: ANN401 - columns of a letter
    done = sa.update(Letter).where(Letter.id == row.id).values(**values).returning(*Letter.__table__.columns)
    return (await context.session.execute(done)).one()


async def _thread(context: Context, row: AnyRow, *, keys: dict[str, bytes]) -> list[MessageOut]:
    found = sa.select(Message.__table__).where(Message.letter_id == row.id).order_by(Message.number)
    return [
        MessageOut(
            number=one.number,
            by_office=one.by_office,
            at=one.at,
            words=boxes.opened(one.body, keys=keys, context=context_of(row.id, one.number)),
        )
        for one in await context.session.execute(found)
    ]


def _out(context: Context, row: AnyRow, thread: list[MessageOut]) -> LetterOut:
    return LetterOut(**_facts(row, today_in(context.district, context.now)), messages=thread)
