"""Letters on their way: from whoever belongs to a school to its principal, or past them to the district."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.relations import holds
from gongyu.districts.schools import settings_at
from gongyu.events.outbox import publish
from gongyu.people.models import Guardianship, Membership
from gongyu.people.rights.periods import midnight_of, today_in
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.letters import boxes, receipts
from gongyu_mentor.letters.events import LetterReceived
from gongyu_mentor.letters.harm import asks_for_help, must_be_acknowledged
from gongyu_mentor.letters.models import Letter, Message
from gongyu_mentor.letters.offices import public_keys
from gongyu_mentor.letters.schemas import AnonymousLetter, AnonymousSent, NewLetter, Sent
from gongyu_mentor.models import AnyRow
from gongyu_mentor.people import STAFF
from gongyu_mentor.reports.opening import open_draft

__all__ = ["add", "context_of", "held_by", "is_overdue", "readers_of", "send", "send_anonymously"]


@dataclass(frozen=True, slots=True)
class _Writer:
    """What is known of a writer. Of an anonymous one the receipt's hash, and the public half of the key it makes."""

    kind: Literal["student", "adult"]
    public: bytes
    person: UUID | None = None
    private: str | None = None
    receipt: bytes | None = None


class _Office(NamedTuple):
    name: Literal["school", "district"]
    days: int


async def send(context: Context, *, letter: NewLetter, person: UUID) -> Sent:
    """Send a letter under one's name.

    Raises:
        ProblemError: `not-found`: no school of theirs; `invalid`: harm words, and the protocol was not acknowledged.
    """
    kind = await _kind_of(context, person, letter.school)
    private, public = boxes.new_pair()
    writer = _Writer(kind=kind, public=public, person=person, private=private.hex())
    row = await _put(context, letter, writer)
    if row is None:
        raise AssertionError("a fresh id cannot be there already")
    await publish(context.session, LetterReceived(letter=row.id, holder=row.office), subject=row.id)
    return Sent(id=row.id, holder=row.office, due_on=row.due_on)


async def send_anonymously(context: Context, *, letter: AnonymousLetter, person: UUID) -> AnonymousSent:
    """Send a letter that nothing leads back from. `person` is asked for their school here, and goes no further.

    No line of the audit log, no event and no idempotency key is written in this moment: each would carry a time or a
    name that stands beside the writer's session. The letter itself is the record; the morning's job tells of it, and
    the office sees it among what waits for it at once.

    Raises:
        ProblemError: As `send`.
    """
    kind = await _kind_of(context, person, letter.school)
    receipt = receipts.made_for(letter, seals=context.seals)
    _, public = boxes.pair_of(receipts.secret_of(receipt))
    writer = _Writer(kind=kind, public=public, receipt=receipts.hash_of(receipt, seals=context.seals))
    row = await _put(context, letter, writer)
    if row is None:  # sent before, and the answer was lost on its way
        found = sa.select(Letter.office, Letter.due_on).where(Letter.receipt_hash == writer.receipt)
        row = (await context.session.execute(found)).one()
    return AnonymousSent(receipt=receipt, holder=row.office, due_on=row.due_on)


async def _kind_of(context: Context, person: UUID, school: UUID) -> Literal["student", "adult"]:
    today = today_in(context.district, context.now)
    child = sa.select(Guardianship.student_id).where(
        Guardianship.guardian_id == person, Guardianship.contact_allowed, holds(Guardianship, today)
    )
    own = sa.and_(Membership.person_id == person, Membership.role.in_(("student", *STAFF)))
    childs = sa.and_(Membership.person_id.in_(child), Membership.role == "student")
    found = sa.select(sa.func.bool_or(sa.and_(Membership.person_id == person, Membership.role == "student"))).where(
        Membership.org_id == school, holds(Membership, today), sa.or_(own, childs)
    )
    student = (await context.session.execute(found)).scalar_one()
    if student is None:
        raise ProblemError("not-found", Text(zh="你不属于这所学校", en="you do not belong to this school"))
    return "student" if student else "adult"


async def _put(context: Context, letter: NewLetter, writer: _Writer) -> AnyRow | None:
    settings = await settings_at(context, [letter.school])
    harm = asks_for_help(letter.words, listed=context.settings.harm_words)
    if harm and not letter.acknowledged:
        raise must_be_acknowledged()
    office = _Office("district" if letter.about_principal else "school", settings.letter_days)
    today, id_ = today_in(context.district, context.now), uuid4()
    private = writer.private and context.seals.seal(writer.private, Letter.writer_private, id_)
    row = insert(Letter).values(
        id=id_,
        school_id=letter.school,
        office=office.name,
        writer=writer.kind,
        person_id=writer.person,
        writer_public=writer.public,
        writer_private=private,
        receipt_hash=writer.receipt,
        then_district=letter.then_district and not letter.about_principal,
        harm=harm,
        sent_on=today,
        due_on=today + timedelta(days=office.days),
        announced=writer.receipt is None,
    )
    fresh = row.on_conflict_do_nothing(index_elements=[Letter.receipt_hash]).returning(*Letter.__table__.columns)
    made = (await context.session.execute(fresh)).first()
    if made is not None:
        await add(context, made, words=letter.words, by_office=False, author=None, keep_time=writer.receipt is None)
        if harm:
            await open_draft(context, letter=made, exact=writer.receipt is None)
    return made


async def readers_of(context: Context, letter: AnyRow) -> dict[str, bytes]:
    """The public keys a letter's messages are sealed for: its office, its writer, and the district if it may follow."""
    offices: list[UUID | None] = [letter.school_id if letter.office == "school" else None]
    if letter.then_district:
        offices.append(None)
    return {**await public_keys(context, offices), boxes.WRITER: letter.writer_public}


async def add(
    context: Context, letter: AnyRow, *, words: str, by_office: bool, author: UUID | None, keep_time: bool
) -> int:
    """Append a message to a thread whose row the caller has made or locked; returns its number."""
    number: int = letter.messages + 1
    at = context.now if keep_time else midnight_of(context.district, today_in(context.district, context.now))
    body = boxes.sealed(words, to=await readers_of(context, letter), context=context_of(letter.id, number))
    values = {"letter_id": letter.id, "number": number, "by_office": by_office, "author_id": author, "at": at}
    await context.session.execute(sa.insert(Message).values(**values, body=body))
    await context.session.execute(sa.update(Letter).where(Letter.id == letter.id).values(messages=number))
    return number


def context_of(letter: UUID, number: int) -> str:
    return f"letter:{letter}:{number}"


async def held_by(session: AsyncSession, letter: UUID, *conditions: sa.ColumnElement[bool]) -> AnyRow:
    """A letter, locked: its thread grows one message at a time.

    Raises:
        ProblemError: `not-found`.
    """
    found = sa.select(Letter.__table__).where(Letter.id == letter, *conditions).with_for_update()
    row = (await session.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    return row


def is_overdue(letter: AnyRow, today: date) -> bool:
    """Whether nobody has answered in time."""
    waiting: bool = letter.state in ("received", "seen")
    return waiting and letter.due_on < today
