"""Talks for those who may read them: by staff who look after the child, by the pupil, by guardians."""

from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from gongyu.access.sealing import Seals
from gongyu.database.reading import Prepared
from gongyu.people.models import Person
from gongyu.web import Call, Paged, ProblemError
from gongyu_mentor.talks import readers
from gongyu_mentor.talks.levels import LEVELS
from gongyu_mentor.talks.models import Promise, PromiseEnd, Talk
from gongyu_mentor.talks.schemas import PromiseOut, TalkOut, VersionOut

__all__ = ["FAMILY_TALKS", "STAFF_TALKS", "promise_out", "talk_out", "versions"]

_talk, _student, _author = aliased(Talk), aliased(Person), aliased(Person)
_OF: Final = sa.bindparam("student", type_=sa.Uuid())
_QUERY: Final = (
    sa.select(
        _talk.talk_id,
        _talk.id,
        _talk.number,
        _talk.student_id,
        _student.name.label("student_name"),
        _talk.author_id,
        _author.name.label("author_name"),
        _talk.kind,
        _talk.moment,
        _talk.happened_at,
        _talk.level,
        _talk.note,
        _talk.withdrawn,
        Promise.id.label("promise_id"),
        Promise.text.label("promise_text"),
        Promise.due_on,
        PromiseEnd.outcome,
        PromiseEnd.word,
    )
    .join(_student, _student.id == _talk.student_id)
    .outerjoin(_author, _author.id == _talk.author_id)
    .outerjoin(Promise, Promise.talk_id == _talk.talk_id)
    .outerjoin(PromiseEnd, PromiseEnd.promise_id == Promise.id)
    .where(readers.is_newest(_talk), sa.or_(_OF.is_(None), _talk.student_id == _OF))
)
_KEY: Final = [_talk.happened_at, _talk.id]


def _as_read(row: asyncpg.Record) -> asyncpg.Record:
    return row


#: Talks as rows, for `talk_out`, with the relation they are open by.
STAFF_TALKS: Final = Paged(
    _QUERY.add_columns(readers.staff_ground(_talk).label("ground")).where(readers.staff_reads(_talk)),
    key=_KEY,
    row=_as_read,
)
FAMILY_TALKS: Final = Paged(
    _QUERY.add_columns(readers.family_ground(_talk).label("ground")).where(readers.family_reads(_talk)),
    key=_KEY,
    row=_as_read,
)


def talk_out(row: Any, seals: Seals) -> TalkOut:  # noqa: ANN401 - a row of the queries above
    return TalkOut(
        id=row["talk_id"],
        version=row["id"],
        number=row["number"],
        student=row["student_id"],
        student_name=row["student_name"],
        author=row["author_id"],
        author_name=row["author_name"],
        kind=row["kind"],
        moment=row["moment"],
        happened_at=row["happened_at"],
        level=row["level"],
        readers=LEVELS[row["level"]].readers,
        note=None if row["note"] is None else seals.open(row["note"], Talk.note, row["id"]),
        withdrawn=row["withdrawn"],
        promise=promise_out(row, seals) if row["promise_id"] is not None and not row["withdrawn"] else None,
    )


def promise_out(row: Any, seals: Seals) -> PromiseOut:  # noqa: ANN401 - as above
    id_ = row["promise_id"]
    return PromiseOut(
        id=id_,
        text=seals.open(row["promise_text"], Promise.text, id_),
        due=row["due_on"],
        outcome=row["outcome"],
        word=None if row["word"] is None else seals.open(row["word"], PromiseEnd.word, id_),
    )


_TALK: Final = sa.bindparam("talk", type_=sa.Uuid())


def _versions(*, family: bool) -> Prepared:
    """Whoever may read the talk as it is now reads those versions that their own level opens to them: what was written
    for the mentor alone does not become the parents' by a later version that is.
    """
    reads, ground = (
        (readers.family_reads, readers.family_ground) if family else (readers.staff_reads, readers.staff_ground)
    )
    version, newest = aliased(Talk), aliased(Talk)
    columns = sa.inspect(version).selectable.c
    return Prepared(
        sa.select(*columns, ground(newest).label("ground"))
        .join(newest, newest.talk_id == version.talk_id)
        .where(version.talk_id == _TALK, readers.is_newest(newest), reads(newest), reads(version))
        .order_by(version.number)
    )


_STAFF_VERSIONS: Final = _versions(family=False)
_FAMILY_VERSIONS: Final = _versions(family=True)


async def versions(call: Call, talk: UUID, *, family: bool, values: dict[str, Any]) -> list[VersionOut]:
    """All that was ever written of one talk, oldest first, and that it was read.

    Args:
        call: Who asks.
        talk: Which.
        family: As the pupil or a guardian, instead of as staff.
        values: `me` and `today`.

    Raises:
        ProblemError: `not-found`, also where there is one that is not for the asker.
    """
    query = _FAMILY_VERSIONS if family else _STAFF_VERSIONS
    rows = await query.fetch(await call.db(), call.district.schema, {**values, "talk": talk})
    if not rows:
        raise ProblemError("not-found")
    student, ground = rows[0]["student_id"], rows[0]["ground"]
    call.opened_record(f"person:{student}", ground=ground, action="mentor.talk.read", talk=str(talk))
    return [_version(row, call.seals) for row in rows]


def _version(row: Any, seals: Seals) -> VersionOut:  # noqa: ANN401 - as above
    return VersionOut(
        id=row["id"],
        replaces=row["replaces"],
        number=row["number"],
        kind=row["kind"],
        moment=row["moment"],
        happened_at=row["happened_at"],
        level=row["level"],
        note=None if row["note"] is None else seals.open(row["note"], Talk.note, row["id"]),
        withdrawn=row["withdrawn"],
        written_at=row["written_at"],
    )
