"""Trial runs: the engine on a frozen snapshot, proved, and kept unchangeable. And what-if, which keeps nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.database.model import new_id
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor.explanations import Explanation, Told, reason, refusal_reason, tell
from gongyu_mentor.figures import Figures, figures
from gongyu_mentor.matching import NOBODY, Result, solve
from gongyu_mentor.models import AnyRow, Round, Run
from gongyu_mentor.outcome import packed
from gongyu_mentor.rounds import managed, open_seed, refuse, stage
from gongyu_mentor.schemas import Competing, Moved, Refused, RunFigures, RunOut, WhatIfEdit, WhatIfOut, Why
from gongyu_mentor.snapshot import Frozen, fingerprint, freeze
from gongyu_mentor.verification import require_sound
from gongyu_mentor.whatif import Edit, edited

__all__ = [
    "decided",
    "figures_out",
    "frozen_now",
    "keep_run",
    "list_runs",
    "read_run",
    "run_out",
    "try_out",
    "what_if",
    "why_out",
]


async def try_out(context: Context, round_id: UUID, *, orgs: frozenset[UUID] | None, by: UUID | None) -> RunOut:
    """Run the engine once. The first run closes the choosing for good and waits for every list still on its way in."""
    session, now = context.session, context.now
    await managed(session, round_id, orgs=orgs)
    # Lists are taken by the database's clock: a process whose clock is ahead does not close before it.
    over = sa.func.least(sa.literal(now, sa.DateTime(timezone=True)), sa.func.statement_timestamp())
    close = (
        sa.update(Round)
        .where(
            Round.id == round_id,
            sa.or_(Round.state == "closed", sa.and_(Round.state == "choosing", Round.closes_at <= over)),
        )
        .values(state="closed", runs=Round.runs + 1, version=Round.version + 1)
        .returning(*Round.__table__.columns)
    )
    row = (await session.execute(close)).first()
    if row is None:
        raise await _not_closed(session, round_id, now)
    frozen = await frozen_now(context, row)
    result = solve(frozen.snapshot)
    require_sound(frozen.snapshot, result)
    told = tell(frozen.snapshot, result, pinned=decided(frozen))
    made = await keep_run(session, row, frozen, result, told, kind="trial", number=row.runs, by=by, now=now)
    details = {"run": str(made.id), "number": made.number, "snapshot_hash": made.snapshot_hash}
    await audit.record(
        session,
        action="mentor.run_made",
        actor=f"person:{by}" if by else "system",
        subject=f"round:{round_id}",
        ground="mentor.round.manage; care categories were read for the reserves",
        details=details,
    )
    return made


async def frozen_now(
    context: Context,
    row: AnyRow,
    *,
    refiled: Mapping[UUID, Sequence[UUID]] | None = None,
    continuing: bool = True,
) -> Frozen:
    """The round's market as it is in this unit of work, with the lottery that was announced."""
    keys, today = context.seals.keys, today_in(context.district, context.now)
    seed = open_seed(row, district=context.district, keys=keys)
    return await freeze(context.session, row, seed=seed, keys=keys, today=today, refiled=refiled, continuing=continuing)


async def _not_closed(session: AsyncSession, round_id: UUID, now: datetime) -> ProblemError:
    row = await managed(session, round_id, orgs=None)
    match stage(row, now):
        case "draft":
            return refuse("这一轮还没有公布", "this round is not announced yet")
        case "announced" | "choosing":
            return refuse("填报还没有截止，不能试算", "choosing is not over; a run must wait")
        case _:
            return refuse("结果已经公布", "the assignment is published already")


async def keep_run(
    session: AsyncSession,
    row: AnyRow,
    frozen: Frozen,
    result: Result,
    told: Told,
    *,
    kind: str,
    number: int,
    by: UUID | None,
    now: datetime,
    written: bool = True,
) -> RunOut:
    """Write a run down, once; the application's role cannot change it. A preview is only worked out."""
    made = {
        "id": new_id(),
        "round_id": row.id,
        "number": number,
        "kind": kind,
        "snapshot_hash": fingerprint(frozen, salt=row.salt),
        "seed_hash": row.seed_hash,
        "figures": _figures(figures(frozen.snapshot, result), frozen) | {"shortage": _shortage(frozen, result)},
        "outcome": packed(students=frozen.students, mentors=frozen.mentors, given=result.final, told=told),
        "made_by": by,
        "made_at": now,
    }
    if written:
        await session.execute(sa.insert(Run), made)
    return _of(made)


def decided(frozen: Frozen) -> set[int]:
    """Students whose pair stands by decision: kept, and not the one they have."""
    both = zip(frozen.snapshot.kept, frozen.present, strict=True)
    return {student for student, (kept, present) in enumerate(both) if kept not in {NOBODY, present}}


def _shortage(frozen: Frozen, result: Result) -> list[list[Any]]:
    """Who competes for which seats, by id."""
    return [
        [
            [str(frozen.students[one]) for one in short.students],
            [str(frozen.mentors[m]) for m in short.mentors],
            short.seats,
        ]
        for short in (*result.shortages, *result.exceptions)
    ]


def _figures(numbers: Figures, frozen: Frozen) -> dict[str, Any]:
    everybody = numbers.everybody
    return {
        "students": everybody.students,
        "matched": everybody.matched,
        "kept": everybody.kept,
        "completed": everybody.completed,
        "ranks": everybody.rank_distribution,
        "mentors": numbers.mentors,
        "seats": numbers.seats,
        "lifted": numbers.lifted,
        "least": min(numbers.loads, default=0),
        "most": max(numbers.loads, default=0),
        "loads": {str(name): load for name, load in zip(frozen.mentors, numbers.loads, strict=True)},
    }


def figures_out(kept: Mapping[str, Any]) -> RunFigures:
    return RunFigures(**{name: value for name, value in kept.items() if name not in {"loads", "shortage"}})


def run_out(row: AnyRow) -> RunOut:
    return _of(row._asdict())


def _of(row: Mapping[str, Any]) -> RunOut:
    kept = row["figures"]
    return RunOut(
        id=row["id"],
        number=row["number"],
        kind=row["kind"],
        snapshot_hash=row["snapshot_hash"],
        seed_hash=row["seed_hash"],
        figures=figures_out(kept),
        loads=kept["loads"],
        shortage=[
            Competing([UUID(one) for one in students], [UUID(one) for one in mentors], seats)
            for students, mentors, seats in kept["shortage"]
        ],
        publishable=kept["matched"] == kept["students"],
        made_at=row["made_at"],
    )


async def read_run(connection: AsyncConnection | AsyncSession, *, round_id: UUID, run: UUID) -> AnyRow:
    found = sa.select(*Run.__table__.columns).where(Run.id == run, Run.round_id == round_id)
    row = (await connection.execute(found)).first()
    if row is None:
        raise ProblemError("not-found")
    return row


async def list_runs(connection: AsyncConnection, *, round_id: UUID) -> list[RunOut]:
    """The runs of a round, first to last; there are few."""
    columns = [column for column in Run.__table__.columns if column.name != "outcome"]
    found = sa.select(*columns).where(Run.round_id == round_id).order_by(Run.number)
    return [run_out(row) for row in await connection.execute(found)]


def why_out(told: Explanation, mentors: Sequence[UUID], language: Language) -> Why:
    """A kept explanation in the reader's language."""
    refused = [Refused(mentors[no.mentor], no.code, refusal_reason(no).pick(language)) for no in told.refusals]
    return Why(told.code, reason(told).pick(language), refused)


async def what_if(
    context: Context, round_id: UUID, *, orgs: frozenset[UUID] | None, edits: Sequence[WhatIfEdit]
) -> WhatIfOut:
    """Other numbers, the same lists and lottery. Reads only; the caller's transaction has nothing to commit."""
    row = await managed(context.session, round_id, orgs=orgs)
    if stage(row, context.now) not in {"closed", "trial"}:
        raise refuse("填报截止之后、公布之前才能推演", "it can be tried between the deadline and the publication")
    frozen = await frozen_now(context, row)
    at = {name: number for number, name in enumerate(frozen.mentors)}
    unknown = [
        (f"/edits/{number}/mentor", Text(zh="本轮没有这位导师", en="no mentor of this round"))
        for number, edit in enumerate(edits)
        if edit.mentor not in at
    ]
    if unknown:
        raise ProblemError("invalid", errors=unknown)
    changed = edited(frozen.snapshot, [Edit(mentor=at[e.mentor], field=e.field, value=e.value) for e in edits])
    before, after = solve(frozen.snapshot), solve(changed)
    require_sound(changed, after)
    named = [None if number == NOBODY else frozen.mentors[number] for number in range(len(frozen.mentors))]

    def who(mentor: int) -> UUID | None:
        return None if mentor == NOBODY else named[mentor]

    moved = [
        Moved(student, who(old), who(new))
        for student, old, new in zip(frozen.students, before.final, after.final, strict=True)
        if old != new
    ]
    loads = Counter(after.final)
    return WhatIfOut(
        figures_out(_figures(figures(frozen.snapshot, before), frozen)),
        figures_out(_figures(figures(changed, after), frozen)),
        moved,
        {str(name): loads[number] for number, name in enumerate(frozen.mentors)},
    )
