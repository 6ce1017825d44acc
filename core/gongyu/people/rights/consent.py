"""Consent: whether something may be done with a person's data on a day, and who said so.

Under 14 a guardian speaks, from the 14th birthday the person (个人信息保护法 31; 未成年人保护法 72). What guardians
said before that day stands until the person speaks, flagged for renewal, and ends with the 18th birthday. A guardian is
one on that day: not barred from contact, and not known to be none in law; of one whose guardianship ended neither the
yes nor the no counts. Among several guardians one no is enough: nobody's yes outweighs another parent's withdrawal.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.relations import holds
from gongyu.people.models import Demographics, Enrolment, Guardianship, Membership, Person
from gongyu.people.rights.contract import Purpose
from gongyu.people.rights.models import Consent
from gongyu.people.rights.periods import ADULT, OWN_WORD, birthday, midnight_of, today_in
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "Channel",
    "ConsentRefusedError",
    "NewTextError",
    "Said",
    "Standing",
    "Verdict",
    "Word",
    "may_process",
    "say",
    "standings",
]

Word = Literal["given", "refused", "withdrawn"]
Capacity = Literal["self", "guardian"]
Channel = Literal["online", "paper"]
State = Literal["duty", "never_asked", "given", "new_text", "refused", "withdrawn"]


class ConsentRefusedError(Exception):
    """This word does not count; nothing was written down."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class NewTextError(ConsentRefusedError):
    """The text they have read is not the present one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether data may be processed for a purpose, and why.

    Attributes:
        renew: The person has turned 14 and goes by what a guardian said; they are to be asked themselves.
    """

    allowed: bool
    ground: Text
    renew: bool = False


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One word, as it was written down."""

    purpose: str
    version: int
    word: Word
    capacity: Capacity
    said_by: UUID | None
    channel: Channel
    at: datetime


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand with one purpose.

    Attributes:
        speaks: Whose word counts now.
        history: Every word, oldest first.
    """

    purpose: Purpose
    state: State
    allowed: bool
    ground: Text
    renew: bool
    speaks: Capacity
    history: Sequence[Said]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the rules need to know of a person on a day."""

    speaks: Capacity
    adult: bool
    guardians: Collection[UUID]


_GROUNDS: Final[Mapping[State, Text]] = {
    "duty": Text(zh="学校的法定职责：{duty}", en="a duty of the school by law: {duty}"),
    "never_asked": Text(zh="还没有征得{who}的同意", en="{who} has not been asked"),
    "given": Text(zh="{who}已同意第 {version} 版", en="{who} consented to version {version}"),
    "new_text": Text(zh="告知内容有了新的版本，须重新征得{who}的同意", en="the text is new; {who} must be asked again"),
    "refused": Text(zh="{who}未同意", en="{who} refused"),
    "withdrawn": Text(zh="{who}已撤回同意", en="{who} withdrew the consent"),
}
_WHO: Final[Mapping[Capacity, Text]] = {
    "self": Text(zh="本人", en="the person"),
    "guardian": Text(zh="监护人", en="a guardian"),
}


async def may_process(session: AsyncSession, *, person: UUID, purpose: Purpose, on: date) -> Verdict:
    """Whether a person's data may be processed for a purpose on a day. Ask right before processing.

    Args:
        session: The district's.
        person: Whose data.
        purpose: For what; a yes to another purpose is none to this one.
        on: The day, in the district's time zone.
    """
    subject = await _subject(session, person, on)
    if subject is None:
        return Verdict(allowed=False, ground=Text(zh="没有这个人", en="there is no such person"))
    words = await _words(session, person, on)
    found = _standing(subject, purpose, words.get(purpose.name, ()))
    return Verdict(found.allowed, found.ground, found.renew)


async def standings(
    session: AsyncSession, *, person: UUID, purposes: Iterable[Purpose], on: date
) -> list[Standing] | None:
    """How things stand with each purpose; None for nobody."""
    subject = await _subject(session, person, on)
    if subject is None:
        return None
    words = await _words(session, person, on)
    return [_standing(subject, purpose, words.get(purpose.name, ())) for purpose in purposes]


async def say(
    session: AsyncSession,
    *,
    person: UUID,
    purpose: Purpose,
    version: int,
    word: Word,
    by: UUID,
    channel: Channel = "online",
    actor: str,
    now: datetime,
) -> Said:
    """Write down a yes, a no or a withdrawal; each is one step, and what was said before stays.

    Args:
        session: The district's.
        person: Whose data.
        purpose: For what.
        version: Of the text they have before them; a yes to another than the present one is refused.
        word: What they say.
        by: Who says it: the person, or a guardian.
        channel: `paper` when somebody else enters what was signed.
        actor: Who enters it.
        now: When.

    Raises:
        ConsentRefusedError: It is not theirs to say.
        NewTextError: Not to this text.
    """
    on = today_in(session.info["district"], now)
    # Two words about one person take turns, so that a guardian's yes cannot slip in beside the person's own word.
    await session.execute(sa.select(Person.id).where(Person.id == person).with_for_update())
    subject = await _subject(session, person, on)
    if subject is None:
        raise ConsentRefusedError(Text(zh="没有这个人", en="there is no such person"))
    if purpose.duty is not None:
        raise ConsentRefusedError(
            Text(zh="这是学校的法定职责，无须同意", en="this is a duty by law and takes no consent")
        )
    if word == "given" and version != purpose.version:
        raise NewTextError(
            Text(
                zh="告知内容现为第 {now} 版，请重新阅读", en="the text is now version {now}; read it and say it again"
            ).format(now=purpose.version)
        )
    earlier = (await _words(session, person, on)).get(purpose.name, ())
    said = Said(
        purpose=purpose.name,
        version=version,
        word=word,
        capacity=_capacity(subject, person, by, word, earlier),
        said_by=by,
        channel=channel,
        at=now,
    )
    await session.execute(sa.insert(Consent).values(person_id=person, **msgspec.structs.asdict(said)))
    details = {"purpose": said.purpose, "version": version, "capacity": said.capacity, "channel": channel}
    await audit.record(session, action=f"consent.{word}", actor=actor, subject=f"person:{person}", details=details)
    return said


def _capacity(subject: _Subject, person: UUID, by: UUID, word: Word, earlier: Sequence[Said]) -> Capacity:
    if by == person:
        if subject.speaks == "self":
            return "self"
        raise ConsentRefusedError(Text(zh="未满十四周岁，由监护人决定", en="under 14 this is for a guardian to say"))
    if by not in subject.guardians:
        raise ConsentRefusedError(Text(zh="不是其现任监护人", en="not a guardian of theirs today"))
    if subject.speaks == "guardian":
        return "guardian"
    own = any(said.capacity == "self" for said in earlier)
    if subject.adult or own or word == "given":
        raise ConsentRefusedError(
            Text(zh="已满十四周岁，由本人决定", en="from the 14th birthday this is for the person to say")
        )
    return "guardian"  # they may still take back what guardians gave


def _standing(subject: _Subject, purpose: Purpose, history: Sequence[Said]) -> Standing:
    own = [said for said in history if said.capacity == "self"]
    who, renew = subject.speaks, False
    state: State = "never_asked"
    if purpose.duty is not None:
        state = "duty"
    elif own and subject.speaks == "self":
        state = _state(own[-1], purpose)
    elif not subject.adult:
        state = _of_guardians(subject, purpose, history)
        if state != "never_asked":
            who, renew = "guardian", subject.speaks == "self" and state == "given"
    ground = _GROUNDS[state].format(who=_WHO[who], version=purpose.version, duty=purpose.duty or "")
    if renew:
        ground = Text(
            zh=f"{ground.zh}；已满十四周岁，应由本人重新决定",
            en=f"{ground.en}; the person is 14 now and is to be asked",
        )
    return Standing(
        purpose=purpose,
        state=state,
        allowed=state in ("duty", "given"),
        ground=ground,
        renew=renew,
        speaks=subject.speaks,
        history=history,
    )


def _of_guardians(subject: _Subject, purpose: Purpose, history: Sequence[Said]) -> State:
    latest = {
        said.said_by: _state(said, purpose)
        for said in history
        if said.capacity == "guardian" and said.said_by in subject.guardians
    }
    weighed: tuple[State, ...] = ("withdrawn", "refused", "given", "new_text")
    return next((state for state in weighed if state in latest.values()), "never_asked")


def _state(said: Said, purpose: Purpose) -> State:
    if said.word == "given":
        return "given" if said.version == purpose.version else "new_text"
    return said.word


async def _subject(session: AsyncSession, person: UUID, on: date) -> _Subject | None:
    pupil = sa.or_(
        sa.exists().where(Membership.person_id == Person.id, Membership.role == "student"),
        sa.exists().where(Enrolment.person_id == Person.id, Enrolment.role == "student"),
    )
    found = (
        sa.select(Demographics.birth_date, pupil.label("pupil"))
        .select_from(Person)
        .outerjoin(Demographics, Demographics.person_id == Person.id)
        .where(Person.id == person, Person.erased_at.is_(None))
    )
    row = (await session.execute(found)).one_or_none()
    if row is None:
        return None
    born: date | None = row.birth_date
    # A pupil whose age nobody knows is taken for a child: the guardian speaks.
    child = on < birthday(born, OWN_WORD) if born else row.pupil
    adult = on >= birthday(born, ADULT) if born else not row.pupil
    guardians = sa.select(Guardianship.guardian_id).where(
        Guardianship.student_id == person,
        Guardianship.contact_allowed,
        Guardianship.is_legal.is_not(sa.false()),
        holds(Guardianship, on),
    )
    return _Subject(
        speaks="guardian" if child else "self",
        adult=adult,
        guardians=frozenset((await session.execute(guardians)).scalars()),
    )


async def _words(session: AsyncSession, person: UUID, on: date) -> dict[str, list[Said]]:
    """All that was said about a person up to the end of a day, by purpose, oldest first."""
    district: District = session.info["district"]
    columns = [getattr(Consent, field) for field in Said.__struct_fields__]
    rows = sa.select(*columns).where(
        Consent.person_id == person, Consent.at < midnight_of(district, on + timedelta(days=1))
    )
    found: dict[str, list[Said]] = {}
    for row in (await session.execute(rows.order_by(Consent.at, Consent.id))).mappings():
        found.setdefault(row["purpose"], []).append(Said(**row))
    return found
