"""A run becomes the assignment: everything in one transaction, proved once more on what stands in the database now."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.events.outbox import publish_all
from gongyu.plugin import Context, Event
from gongyu_mentor import class_rounds
from gongyu_mentor.events import MentorAssigned, MentorEnded
from gongyu_mentor.matching import NOBODY, Result, solve
from gongyu_mentor.models import AnyRow, Assignment, Load, Round
from gongyu_mentor.outcome import opened
from gongyu_mentor.rounds import managed, open_seed, refuse
from gongyu_mentor.runs import frozen_now, read_run
from gongyu_mentor.snapshot import Frozen, fingerprint
from gongyu_mentor.training.gates import require_checked
from gongyu_mentor.verification import require_sound

__all__ = ["publish", "put_in_force"]


async def publish(
    context: Context, round_id: UUID, *, run: UUID, orgs: frozenset[UUID] | None, by: UUID | None
) -> AnyRow:
    """Publish a run, reveal the seed, open the appeals.

    The engine runs again here: the same snapshot and seed give the same bytes, so what is published is what was looked
    at, and it is proved on the database as it is at this moment. Whoever comes second finds the round published.

    Raises:
        ProblemError: `conflict`: published already, inputs changed since the run, somebody without a mentor, a mentor
            without the check that the school asks for.
        BrokenAssignmentError: The result fails its proof; nothing is published.
    """
    session, now = context.session, context.now
    row = await managed(session, round_id, orgs=orgs, lock=True)
    kept = await read_run(session, round_id=round_id, run=run)
    if row.state == "published":
        raise refuse("这一轮已经公布", "this round is published already")
    if row.state != "closed" or kept.kind != "trial":
        raise refuse("先要试算，才能公布", "a trial run comes first")
    frozen = await frozen_now(context, row)
    if fingerprint(frozen, salt=row.salt) != kept.snapshot_hash:
        raise refuse(
            "试算之后名额、学生或指定结对有变化，请重新试算再公布",
            "seats, students or pinned pairs have changed since this run; run it again and publish that",
        )
    result = solve(frozen.snapshot)
    require_sound(frozen.snapshot, result)
    if not result.covers_everybody:
        left = result.final.count(NOBODY)
        raise refuse(f"还有 {left} 名学生没有导师，不能公布", f"{left} students have no mentor; it cannot be published")
    # Everybody of the new year, those who go on with a pupil too: the law asks for the check every year.
    assigned = {frozen.mentors[mentor] for mentor in result.final}
    await require_checked(context, school=row.school_id, mentors=assigned)
    # Its explanations follow from the same snapshot, whose hash has just been compared.
    if [frozen.mentors[mentor] for mentor in result.final] != opened(kept.outcome).mentors_of():
        raise RuntimeError(f"run {run} cannot be repeated; nothing is published")
    publication = {
        "state": "published",
        "run_id": run,
        "published_by": by,
        "published_at": now,
        "appeals_until": now + timedelta(days=row.appeal_days),
        "seed": open_seed(row, district=context.district, keys=context.seals.keys),
        "seed_sealed": None,
        "version": Round.version + 1,
    }
    await session.execute(sa.update(Round).where(Round.id == round_id).values(publication))
    begin = put_in_force if row.kind == "students" else class_rounds.put_in_force
    began, ended, went_on = await begin(context, frozen, result, school=row.school_id, run=run)
    details = {"run": str(run), "began": began, "ended": ended, "went_on": went_on}
    await audit.record(
        session,
        action="mentor.round_published",
        actor=f"person:{by}" if by else "system",
        subject=f"round:{round_id}",
        details=details,
    )
    return await managed(session, round_id, orgs=None)


async def put_in_force(
    context: Context, frozen: Frozen, result: Result, *, school: UUID, run: UUID
) -> tuple[int, int, int]:
    """End the pairs that end, begin those that begin, leave alone those that go on; tell of each. Three statements,
    however many students: the triggers that count the places run once for each.

    Returns:
        How many began, ended, went on.
    """
    session, now = context.session, context.now
    changed = [
        (student, frozen.mentors[mentor])
        for student, mentor, present in zip(frozen.students, result.final, frozen.present, strict=True)
        if mentor not in {NOBODY, present}
    ]
    over = [
        student
        for student, mentor, present in zip(frozen.students, result.final, frozen.present, strict=True)
        if present not in {NOBODY, mentor}
    ]
    events: list[tuple[Event, UUID]] = []
    if over:
        end = (
            sa.update(Assignment)
            .where(
                Assignment.student_id == sa.any_(sa.literal(over, ARRAY(sa.Uuid()))),
                Assignment.school_id == school,
                Assignment.ends_at.is_(None),
            )
            .values(ends_at=now, end_reason="replaced")
            .returning(Assignment.id, Assignment.student_id, Assignment.mentor_id)
        )
        events += [(MentorEnded(assignment=a, student=s, mentor=m), s) for a, s, m in await session.execute(end)]
    ended = len(events)
    await _places(session, frozen, result, school=school)
    ids = [new_id() for _ in changed]
    if changed:
        columns = [("id", ids), ("student_id", [s for s, _ in changed]), ("mentor_id", [m for _, m in changed])]
        pairs = _unnested(columns)
        fixed = [sa.literal(school, sa.Uuid()), sa.literal(run, sa.Uuid()), sa.literal(now, sa.DateTime(timezone=True))]
        names = ["id", "student_id", "mentor_id", "school_id", "run_id", "begins_at"]
        await session.execute(sa.insert(Assignment).from_select(names, sa.select(*pairs.c, *fixed)))
        events += [
            (MentorAssigned(assignment=id_, student=student, mentor=mentor), student)
            for id_, (student, mentor) in zip(ids, changed, strict=True)
        ]
    await publish_all(session, events)
    return len(changed), ended, len(frozen.students) - len(changed)


async def _places(session: AsyncSession, frozen: Frozen, result: Result, *, school: UUID) -> None:
    """How many each mentor may have from now on; the database refuses one more."""
    kept = [0] * len(frozen.mentors)
    for mentor in frozen.snapshot.kept:
        if mentor != NOBODY:
            kept[mentor] += 1
    places = [
        max(capacity, standing) + elsewhere
        for capacity, standing, elsewhere in zip(result.capacities, kept, frozen.outside, strict=True)
    ]
    rows = _unnested([("mentor_id", frozen.mentors)], [("places", places)])
    write = insert(Load).from_select(
        ["school_id", "mentor_id", "places"], sa.select(sa.literal(school, sa.Uuid()), *rows.c)
    )
    await session.execute(
        write.on_conflict_do_update(index_elements=["school_id", "mentor_id"], set_={"places": write.excluded.places})
    )


def _unnested(
    ids: Sequence[tuple[str, Sequence[UUID]]], numbers: Sequence[tuple[str, Sequence[int]]] = ()
) -> sa.Subquery:
    """Columns of values as rows: one statement and one parameter each, as fast as COPY and a plain INSERT."""
    arrays = [sa.literal(list(values), ARRAY(sa.Uuid())) for _, values in ids]
    arrays += [sa.literal(list(values), ARRAY(sa.BigInteger())) for _, values in numbers]
    columns = [sa.column(name, sa.Uuid()) for name, _ in ids] + [
        sa.column(name, sa.BigInteger()) for name, _ in numbers
    ]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    return sa.select(*[rows.c[column.name] for column in columns]).subquery()
