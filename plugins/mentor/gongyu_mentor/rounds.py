"""A round's life: prepared, announced with its lottery sealed, open between two moments, then closed for good."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.access.keys import KeyRing
from gongyu.database.reading import within_orgs
from gongyu.districts.settings import merge_school
from gongyu.people.models import AcademicSession, Org
from gongyu.plugin import District, Text
from gongyu.web import Paged, ProblemError
from gongyu_mentor import lottery, people
from gongyu_mentor.models import AnyRow, Appeal, Offer, Round
from gongyu_mentor.schemas import NewRound, RoundChange, RoundOut, Stage
from gongyu_mentor.settings import MentorSettings

__all__ = [
    "APPEALED",
    "DRAFTS",
    "ROUNDS",
    "SEED",
    "announce",
    "change",
    "create",
    "managed",
    "of_students",
    "open_seed",
    "out",
    "read",
    "refuse",
    "remove",
    "stage",
]

#: What the sealed seed is, for the seal.
SEED: Final = b"mentor.round.seed:"
_COLUMNS: Final = list(Round.__table__.columns)


class _Row:
    """A driver's record read by attribute, as rows of SQLAlchemy are."""

    __slots__ = ("_record",)

    def __init__(self, record: asyncpg.Record) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a column's value
        return self._record[name]


def stage(row: AnyRow | _Row, now: datetime) -> Stage:
    """What the round is at: choosing opens and closes by the clock, and so do appeals; nobody has to be awake."""
    if row.state == "choosing":
        return "announced" if now < row.opens_at else "choosing" if now < row.closes_at else "closed"
    if row.state == "closed":
        return "trial"
    if row.state == "published":
        return "appeals" if now < row.appeals_until or row.appealed else "final"
    return "draft"


def out(row: AnyRow | _Row, now: datetime) -> RoundOut:
    return RoundOut(
        id=row.id,
        school=row.school_id,
        term=row.term_id,
        title=row.title,
        kind=row.kind,
        stage=stage(row, now),
        grades=list(row.grades),
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        soft_cap=row.soft_cap,
        hard_cap=row.hard_cap,
        list_length=row.list_length,
        favour_percent=row.favour_percent,
        seed_hash=row.seed_hash,
        published_at=row.published_at,
        appeals_until=row.appeals_until,
        version=row.version,
    )


#: Whether an appeal is left to be decided.
APPEALED: Final = (
    sa.exists().where(Appeal.round_id == Round.id, Appeal.state == sa.literal_column("'filed'")).label("appealed")
)
#: Rounds as `out` needs them: seeds and salts are not even read.
_SHOWN = sa.select(*[column for column in _COLUMNS if column.name not in {"salt", "seed_sealed", "seed"}], APPEALED)
#: A `Prepared` query knows its parameters by name, so a fixed value is written into it.
_ANNOUNCED = Round.state != sa.literal_column("'draft'")
#: Of which schools somebody may see rounds of classes: who is in the party is for those who work there.
_STAFF_OF: Final = sa.bindparam("staff", type_=ARRAY(sa.Uuid()))
_FOR_ME: Final = sa.and_(
    within_orgs(Round.school_id),
    _ANNOUNCED,
    sa.or_(Round.kind == sa.literal_column("'students'"), _STAFF_OF.is_(None), Round.school_id == sa.any_(_STAFF_OF)),
)
#: Rounds of some schools; a draft is nobody's business but those who prepare it.
ROUNDS = Paged(_SHOWN.where(_FOR_ME), key=[Round.id], row=_Row)
DRAFTS = Paged(_SHOWN.where(within_orgs(Round.school_id)), key=[Round.id], row=_Row)


async def read(
    connection: AsyncConnection, round_id: UUID, *, orgs: frozenset[UUID] | None, staff: frozenset[UUID] | None
) -> AnyRow:
    """A round that is no draft and of one of these schools; not there and not yours look the same.

    Args:
        connection: The district's.
        round_id: Which.
        orgs: The schools one belongs to; None is all.
        staff: Of these, those whose rounds of classes one sees too.
    """
    found = _SHOWN.where(Round.id == round_id, _FOR_ME)
    row = (await connection.execute(found, people.bound(orgs=orgs, staff=staff))).first()
    if row is None:
        raise ProblemError("not-found")
    return row


async def managed(
    session: AsyncSession | AsyncConnection, round_id: UUID, *, orgs: frozenset[UUID] | None, lock: bool = False
) -> AnyRow:
    """A round of a school one runs. Locked, nobody else changes it or what hangs on it meanwhile."""
    found = sa.select(*_COLUMNS, APPEALED).where(Round.id == round_id, within_orgs(Round.school_id))
    if lock:
        found = found.with_for_update(key_share=True, of=Round)
    row = (await session.execute(found, people.bound(orgs=orgs))).first()
    if row is None:
        raise ProblemError("not-found")
    return row


def of_students(row: AnyRow) -> None:
    """What has no meaning for classes."""
    if row.kind != "students":
        raise refuse("这是班级双选", "this is a round of classes")


def refuse(zh: str, en: str) -> ProblemError:
    return ProblemError("conflict", Text(zh=zh, en=en))


def rules_of(
    settings: MentorSettings, schools: Mapping[str, Mapping[str, Any]], identifier: str | None
) -> MentorSettings:
    """The district's rules with the school's own values in their place."""
    overrides = schools.get(identifier or "", {})
    merged, _ = merge_school(MentorSettings, settings, overrides, path="") if overrides else (settings, [])
    return merged or settings


async def create(
    session: AsyncSession,
    *,
    new: NewRound,
    settings: MentorSettings,
    schools: Mapping[str, Mapping[str, Any]],
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    today: date,
) -> AnyRow:
    """Prepare a round and invite every teacher of the school with the usual number of places."""
    org = (await session.execute(sa.select(Org.type, Org.identifier).where(Org.id == new.school))).first()
    if org is None or (orgs is not None and new.school not in orgs):
        raise ProblemError("invalid", errors=[("/school", Text(zh="不是您管理的学校", en="not a school you run"))])
    rules = rules_of(settings, schools, org.identifier)
    hard = rules.ratio_cap if new.hard_cap is None else new.hard_cap
    soft = min(rules.school_cap, hard) if new.soft_cap is None else new.soft_cap
    if new.kind == "classes":
        soft = hard = 1
    errors = [
        *_wrong_times(new.opens_at, new.closes_at),
        *([("/hard_cap", _at_most(rules.ratio_cap))] if hard > rules.ratio_cap else []),
        *([("/soft_cap", _at_most(hard))] if soft > hard else []),
    ]
    known = sa.select(sa.exists(sa.select(AcademicSession.id).where(AcademicSession.id == new.term)))
    if new.term is not None and not (await session.execute(known)).scalar():
        errors.append(("/term", Text(zh="没有这个学期", en="there is no such term")))
    if errors:
        raise ProblemError("invalid", errors=errors)
    row = Round(
        school_id=new.school,
        term_id=new.term,
        title=new.title,
        kind=new.kind,
        grades=new.grades,
        opens_at=new.opens_at,
        closes_at=new.closes_at,
        soft_cap=soft,
        hard_cap=hard,
        list_length=new.list_length or rules.list_length,
        favour_percent=rules.favour_percent,
        reserve_percent=rules.reserve_percent,
        care_categories=list(rules.care_categories),
        appeal_days=rules.appeal_days,
        answer_days=rules.answer_days,
        salt=secrets.token_bytes(16),
        created_by=by,
    )
    session.add(row)
    await session.flush()
    made = await managed(session, row.id, orgs=None)
    await audit.record(session, action="mentor.round_created", actor=_actor(by), subject=f"round:{row.id}")
    if new.kind == "classes":
        return made
    teachers = people.staff_at(new.school, today=today, roles=("teacher",)).subquery()
    invited = sa.select(
        sa.literal(row.id, sa.Uuid()),
        teachers.c.person_id,
        sa.literal(soft),
        sa.literal(hard),
        sa.literal([], Offer.grades.type),
    )
    await session.execute(
        sa.insert(Offer).from_select(["round_id", "mentor_id", "soft_cap", "hard_cap", "grades"], invited)
    )
    return made


def _at_most(most: int) -> Text:
    return Text(zh=f"最多 {most}", en=f"at most {most}")


def _wrong_times(opens_at: datetime | None, closes_at: datetime | None) -> list[tuple[str, Text]]:
    if opens_at is not None and closes_at is not None and not opens_at < closes_at:
        return [("/closes_at", Text(zh="截止须晚于开始", en="it must close after it opens"))]
    return []


def _actor(by: UUID | None) -> str:
    return f"person:{by}" if by else "system"


async def change(
    session: AsyncSession,
    round_id: UUID,
    *,
    asked: RoundChange,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    now: datetime,
) -> AnyRow:
    """Another title or other times. What has opened stays open from then; what a run has seen stays as it is."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    if row.version != asked.version:
        raise ProblemError("precondition-failed")
    at = stage(row, now)
    times = asked.opens_at is not None or asked.closes_at is not None
    if times and at not in {"draft", "announced", "choosing", "closed"}:
        raise refuse("已经试算，时间不能再改", "a run has been made; the times stand")
    if asked.opens_at is not None and at in {"choosing", "closed"}:
        raise refuse("志愿填报已经开始", "choosing has begun already")
    if asked.closes_at is not None and row.state == "choosing" and asked.closes_at <= now:
        raise ProblemError("invalid", errors=[("/closes_at", Text(zh="截止须在此刻之后", en="it must lie ahead"))])
    opens_at, closes_at = asked.opens_at or row.opens_at, asked.closes_at or row.closes_at
    if errors := _wrong_times(opens_at, closes_at):
        raise ProblemError("invalid", errors=errors)
    values = {"title": asked.title or row.title, "opens_at": opens_at, "closes_at": closes_at}
    await session.execute(sa.update(Round).where(Round.id == round_id).values(**values, version=Round.version + 1))
    details = {"opens_at": str(opens_at), "closes_at": str(closes_at)}
    await audit.record(
        session, action="mentor.round_changed", actor=_actor(by), subject=f"round:{round_id}", details=details
    )
    return await managed(session, round_id, orgs=None)


async def announce(
    session: AsyncSession,
    round_id: UUID,
    *,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
    now: datetime,
    keys: KeyRing,
    seed: str | None = None,
) -> AnyRow:
    """Fix the lottery and show its hash. From here on nobody, the school included, can choose the numbers."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    if row.state != "draft":
        raise refuse("这一轮已经公布", "this round is announced already")
    if row.opens_at is None or row.closes_at is None or row.closes_at <= now:
        missing = Text(zh="需要开始时间和晚于此刻的截止时间", en="it needs a time to open and a time ahead to close")
        raise ProblemError("invalid", errors=[("/closes_at", missing)])
    district: District = session.info["district"]
    seed = seed or lottery.new_seed()
    sealed = keys.encrypt(district.slug, seed.encode(), context=SEED + str(round_id).encode())
    values = {"state": "choosing", "seed_hash": lottery.commitment(seed), "seed_sealed": sealed}
    await session.execute(sa.update(Round).where(Round.id == round_id).values(**values, version=Round.version + 1))
    details = {"seed_hash": values["seed_hash"]}
    await audit.record(
        session, action="mentor.round_announced", actor=_actor(by), subject=f"round:{round_id}", details=details
    )
    return await managed(session, round_id, orgs=None)


def open_seed(row: AnyRow, *, district: District, keys: KeyRing) -> str:
    """The seed, which must be the one that was announced."""
    seed: str | None = row.seed
    if seed is None:
        seed = keys.decrypt(district.slug, row.seed_sealed, context=SEED + str(row.id).encode()).decode()
    if not lottery.opens(seed=seed, published=row.seed_hash):
        raise RuntimeError(f"the seed of round {row.id} is not the one that was announced")
    return seed


async def remove(session: AsyncSession, round_id: UUID, *, orgs: frozenset[UUID] | None) -> None:
    """A draft that nobody has seen may go."""
    row = await managed(session, round_id, orgs=orgs, lock=True)
    if row.state != "draft":
        raise refuse("已公布的轮次不能删除", "an announced round cannot be removed")
    await session.execute(sa.delete(Round).where(Round.id == round_id))
