"""Mid-year: a mentor leaves, students arrive. Whoever has a mentor who stays keeps that mentor."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.explanations import tell
from gongyu_mentor.matching import NOBODY, solve
from gongyu_mentor.models import Assignment, Offer, Pin, Round
from gongyu_mentor.preferences import wrong_choices
from gongyu_mentor.publishing import put_in_force
from gongyu_mentor.refiling import lists_for
from gongyu_mentor.rematch import rematch as frozen_pairs
from gongyu_mentor.rounds import managed, of_students, refuse
from gongyu_mentor.runs import decided, frozen_now, keep_run
from gongyu_mentor.schemas import RematchIn, RunOut
from gongyu_mentor.snapshot import Frozen
from gongyu_mentor.training.gates import require_checked
from gongyu_mentor.verification import require_sound

__all__ = ["Exceptional", "rematch"]


class Exceptional(NamedTuple):
    """Students whose pair changes although their mentor stays, because somebody with the right to it decided so."""

    pins: Mapping[UUID, tuple[UUID, str]] = {}
    """The mentor they get, and the reason to be kept."""
    released: frozenset[UUID] = frozenset()
    """They choose among the free seats."""

    def students(self) -> frozenset[UUID]:
        return self.released.union(self.pins)


_NONE: Final = Exceptional()


async def rematch(
    context: Context,
    round_id: UUID,
    *,
    asked: RematchIn,
    exceptional: Exceptional = _NONE,
    orgs: frozenset[UUID] | None,
    by: UUID | None,
) -> RunOut:
    """Place the displaced, the newcomers and the unassigned over the free seats; in force at once.

    The lottery is the round's own: a new one in mid-year would move a quarter of the school.

    Raises:
        ProblemError: `conflict`: not published, seats are short, a mentor who would get somebody has no valid check;
            `invalid`, naming every wrong name.
    """
    session, now = context.session, context.now
    row = await managed(session, round_id, orgs=orgs, lock=True)
    if row.state != "published":
        raise refuse("先要公布结果，才能调整", "the round must be published first")
    of_students(row)
    # A group with a successor stays together: September's list, over mentors who are full by now, would scatter it.
    inheriting = [Assignment.mentor_id.in_(asked.successors), Assignment.ends_at.is_(None)]
    together = await session.scalars(sa.select(Assignment.student_id).where(*inheriting))
    anew = await lists_for(session, round_id, gone=asked.gone, now=now, preview=asked.preview)
    refiled: dict[UUID, list[UUID]] = {
        **{student: [] for student in together if student not in asked.declined},
        **anew,
        **asked.choices,
    }
    frozen = await frozen_now(context, row, refiled=refiled, continuing=False)
    _check(asked, exceptional, frozen, most=row.list_length)
    at = {name: number for number, name in enumerate(frozen.mentors)}
    student_at = {name: number for number, name in enumerate(frozen.students)}
    again = frozen_pairs(
        frozen.snapshot,
        previous=frozen.present,
        gone={at[name] for name in asked.gone},
        successors={at[leaver]: at[heir] for leaver, heir in asked.successors.items()},
        declined={student_at[name] for name in asked.declined},
        pinned={student_at[name]: at[mentor] for name, (mentor, _) in exceptional.pins.items()},
        released={student_at[name] for name in exceptional.released},
    )
    _check_pins(exceptional, frozen, again.snapshot.kept, student_at, at)
    result = solve(again.snapshot)
    require_sound(again.snapshot, result)
    moved = [
        number
        for number, (old, new) in enumerate(zip(frozen.present, result.final, strict=True))
        if old not in {NOBODY, new}
        and frozen.mentors[old] not in asked.gone
        and frozen.students[number] not in exceptional.students()
    ]
    if moved:  # cannot be: kept pairs are proved above; said again because it is the promise of this page
        raise RuntimeError(f"{len(moved)} pairs whose mentor stays would move")
    if not result.covers_everybody and not asked.preview:
        left = result.final.count(NOBODY)
        raise refuse(
            f"名额不足，{left} 名学生会没有导师；请先增加名额或指定接任导师",
            f"{left} students would have no mentor; add places or name a successor first",
        )
    standing = msgspec.structs.replace(frozen, snapshot=again.snapshot)
    told = tell(again.snapshot, result, inherited=again.inherited, pinned=decided(standing))
    number, written = row.runs + 1, not asked.preview
    made = await keep_run(
        session, row, standing, result, told, kind="rematch", number=number, by=by, now=now, written=written
    )
    if asked.preview:
        return made
    getting = {frozen.mentors[new] for old, new in zip(frozen.present, result.final, strict=True) if new != old}
    await require_checked(context, school=row.school_id, mentors=getting)
    await session.execute(
        sa.update(Round).where(Round.id == round_id).values(runs=Round.runs + 1, version=Round.version + 1)
    )
    if asked.gone:
        left_round = sa.update(Offer).where(Offer.round_id == round_id, Offer.mentor_id.in_(asked.gone))
        await session.execute(left_round.values(left_at=now))
    if exceptional.pins:
        await _sign(session, round_id, exceptional, by=by, now=now)
    began, ended, went_on = await put_in_force(context, standing, result, school=row.school_id, run=made.id)
    details: dict[str, Any] = {"run": str(made.id), "began": began, "ended": ended, "went_on": went_on}
    await audit.record(
        session,
        action="mentor.rematched",
        actor=f"person:{by}" if by else "system",
        subject=f"round:{round_id}",
        details=details | {"gone": [str(name) for name in asked.gone]},
    )
    return made


async def _sign(
    session: AsyncSession, round_id: UUID, exceptional: Exceptional, *, by: UUID | None, now: datetime
) -> None:
    """A pair by decision is kept as one, with its reason and its signer."""
    write = insert(Pin)
    fresh = {name: write.excluded[name] for name in ("mentor_id", "reason", "signed_by", "signed_at")}
    rows = [
        {"round_id": round_id, "student_id": student, "mentor_id": mentor, "reason": reason}
        | {"signed_by": by, "signed_at": now}
        for student, (mentor, reason) in exceptional.pins.items()
    ]
    await session.execute(write.on_conflict_do_update(index_elements=["round_id", "student_id"], set_=fresh), rows)


def _check_pins(
    exceptional: Exceptional,
    frozen: Frozen,
    kept: Sequence[int],
    student_at: Mapping[UUID, int],
    at: Mapping[UUID, int],
) -> None:
    """A decision bends neither the rules nor the number of places."""
    eligible = frozen.snapshot.eligible
    for student, (mentor, _) in exceptional.pins.items():
        number = at[mentor]
        if eligible is not None and number not in eligible[student_at[student]]:
            raise refuse("按规则不能与这位导师结对", "a rule does not allow this pair")
        if kept.count(number) > frozen.snapshot.hard[number]:
            raise refuse("这位导师没有空余名额", "this mentor has no free place")


def _check(asked: RematchIn, exceptional: Exceptional, frozen: Frozen, *, most: int) -> None:
    """Every name must be of this round, every wrong one is told."""
    mentors, students, gone = set(frozen.mentors), set(frozen.students), set(asked.gone)
    no_mentor = Text(zh="本轮没有这位导师", en="no mentor of this round")
    no_student = Text(zh="本轮没有这名学生", en="no student of this round")
    errors = [(f"/gone/{at}", no_mentor) for at, name in enumerate(asked.gone) if name not in mentors]
    for leaver, heir in asked.successors.items():
        if leaver not in gone:
            errors.append((f"/successors/{leaver}", Text(zh="不在离任名单里", en="is not among those who leave")))
        if heir not in mentors or heir in gone:
            errors.append((f"/successors/{leaver}", no_mentor))
    errors += [(f"/declined/{at}", no_student) for at, name in enumerate(asked.declined) if name not in students]
    for student, choices in asked.choices.items():
        if student not in students:
            errors.append((f"/choices/{student}", no_student))
        wrong = wrong_choices(choices, offered=mentors - gone, most=most)
        errors += [(f"/choices/{student}{place.removeprefix('/choices')}", text) for place, text in wrong]
    errors += [("/mentor", no_mentor) for mentor, _ in exceptional.pins.values() if mentor not in mentors]
    if not exceptional.students() <= students:
        raise ProblemError("not-found")
    if errors:
        raise ProblemError("invalid", errors=errors)
