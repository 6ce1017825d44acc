"""Talks are written down by the child's present mentor, amended by a new version, and never overwritten."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from gongyu.events.outbox import publish_all
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.models import Assignment
from gongyu_mentor.talks.events import TalkLogged
from gongyu_mentor.talks.models import Promise, Talk, TalkFile
from gongyu_mentor.talks.readers import is_newest
from gongyu_mentor.talks.schemas import Amendment, NewTalk, Sent, SentTalk
from gongyu_mentor.talks.sending import is_first
from gongyu_mentor.training.gates import require_ready

__all__ = ["amend", "log_talk", "talk_ids"]

#: Older than a school year, a talk belongs to nobody's weeks any more; such a time is a broken clock.
_OLDEST: Final = timedelta(days=366)


def talk_ids(sent: UUID, students: Sequence[UUID]) -> list[SentTalk]:
    """One talk for each child: of one child under the id sent, of several each under its own, always the same."""
    if len(students) == 1:
        return [SentTalk(sent, students[0])]
    return [SentTalk(uuid5(sent, student.hex), student) for student in students]


async def log_talk(context: Context, *, new: NewTalk, by: UUID) -> Sent:
    """Write a talk down, once, however often it is sent.

    Raises:
        ProblemError: `invalid`; `forbidden` about a child who is not the sender's now, or before the mentor has done
            what the school asks for; `conflict` if the id stands for something else.
    """
    made = Sent(new.id, talk_ids(new.id, new.students))
    if len(set(new.students)) < len(new.students):
        _refuse("/students", Text(zh="同一名学生出现两次", en="a pupil is there twice"))
    _check(context.now, new.kind, new.moment, new.happened_at)
    if not await is_first(context, new.id, by=by, content=new, about="talk"):
        return made
    schools = await _schools(context, by=by, students=new.students)
    await require_ready(context, mentor=by, schools=set(schools.values()))
    session, seals = context.session, context.seals
    files = [{"student_id": student} for student in new.students]
    await session.execute(insert(TalkFile).on_conflict_do_nothing(index_elements=["student_id"]), files)
    talks = [
        {
            "id": talk.id,
            "talk_id": talk.id,
            "number": 1,
            "student_id": talk.student,
            "author_id": by,
            "school_id": schools[talk.student],
            "kind": new.kind,
            "moment": new.moment,
            "happened_at": new.happened_at or context.now,
            "level": new.level,
            "note": None if new.note is None else seals.seal(new.note, Talk.note, talk.id),
            "written_at": context.now,
        }
        for talk in made.talks
    ]
    await session.execute(sa.insert(Talk), talks)
    if new.promise is not None:
        promised = new.promise
        promises = [
            {
                "id": talk.id,
                "talk_id": talk.id,
                "student_id": talk.student,
                "text": seals.seal(promised.text, Promise.text, talk.id),
                "due_on": promised.due,
                "made_at": context.now,
            }
            for talk in made.talks
        ]
        await session.execute(sa.insert(Promise), promises)
    await publish_all(session, [(TalkLogged(talk=talk.id, student=talk.student), talk.student) for talk in made.talks])
    return made


async def amend(context: Context, *, talk: UUID, change: Amendment, by: UUID) -> UUID:
    """Add a version that names the one it replaces; of two at once, one is told to look again.

    Raises:
        ProblemError: `not-found` unless it is the sender's own talk with a child who is theirs now;
            `precondition-failed` if the version is not the newest any more.
    """
    _check(context.now, change.kind, change.moment, change.happened_at)
    if change.withdrawn and change.note is not None:
        _refuse("/note", Text(zh="撤回的记录不写内容", en="what is withdrawn says nothing"))
    if not await is_first(context, change.id, by=by, content=change, about=f"talk {talk}"):
        return change.id
    newest = aliased(Talk)
    mine = (
        sa.select(newest.id, newest.number, newest.student_id, newest.school_id)
        .join(Assignment, Assignment.student_id == newest.student_id)
        .where(newest.talk_id == talk, newest.author_id == by, is_newest(newest))
        .where(Assignment.mentor_id == by, Assignment.school_id == newest.school_id, Assignment.ends_at.is_(None))
        .with_for_update(read=True, of=Assignment)
    )
    found = (await context.session.execute(mine)).first()
    if found is None:
        raise ProblemError("not-found")
    outdated = ProblemError(
        "precondition-failed",
        Text(zh="这条记录已有更新的版本，请先查看", en="there is a newer version of this talk; look at it first"),
        errors=[("/replaces", Text(zh=f"最新版本是 {found.id}", en=f"the newest version is {found.id}"))],
    )
    if found.id != change.replaces:
        raise outdated
    version = {
        "id": change.id,
        "talk_id": talk,
        "number": found.number + 1,
        "replaces": found.id,
        "student_id": found.student_id,
        "author_id": by,
        "school_id": found.school_id,
        "kind": change.kind,
        "moment": change.moment,
        "happened_at": change.happened_at,
        "level": change.level,
        "note": None if change.note is None else context.seals.seal(change.note, Talk.note, change.id),
        "withdrawn": change.withdrawn,
        "written_at": context.now,
    }
    added = insert(Talk).values(version).on_conflict_do_nothing(constraint="uq_mentor_talk_replaces")
    if (await context.session.execute(added.returning(Talk.id))).first() is None:
        raise outdated
    return change.id


async def _schools(context: Context, *, by: UUID, students: Collection[UUID]) -> dict[UUID, UUID]:
    """The school of each child, who must be the sender's at this moment. The pairs are held until the commit: a
    rematch that ends one comes before the talk or after it.
    """
    pairs = (
        sa.select(Assignment.student_id, Assignment.school_id)
        .where(Assignment.mentor_id == by, Assignment.student_id.in_(students), Assignment.ends_at.is_(None))
        .order_by(Assignment.student_id)
        .with_for_update(read=True)
    )
    found = {row.student_id: row.school_id for row in await context.session.execute(pairs)}
    if missing := [at for at, student in enumerate(students) if student not in found]:
        text = Text(zh="不是您现在的学生", en="not a pupil of yours now")
        raise ProblemError("forbidden", text, errors=[(f"/students/{at}", text) for at in missing])
    return found


def _check(now: datetime, kind: str, moment: str | None, happened_at: datetime | None) -> None:
    if (kind == "key_moment") != (moment is not None):
        _refuse(
            "/moment",
            Text(zh="重要节点谈话要选节点，其他谈话不选", en="a talk at a key moment names it, any other talk none"),
        )
    if happened_at is not None and happened_at > now:
        _refuse("/happened_at", Text(zh="不能晚于现在", en="it lies in the future"))
    if happened_at is not None and happened_at < now - _OLDEST:
        _refuse("/happened_at", Text(zh="早于一年前，请检查设备的时间", en="more than a year ago; check the clock"))


def _refuse(pointer: str, text: Text) -> None:
    raise ProblemError("invalid", errors=[(pointer, text)])
