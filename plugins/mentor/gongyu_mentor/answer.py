"""The answer of `gongyu mentor match`: one deterministic object made of the instance, the options and the seed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from gongyu_mentor.explanations import explain, reason, refusal_reason
from gongyu_mentor.figures import Coverage, Figures, figures
from gongyu_mentor.instance import Instance
from gongyu_mentor.lottery import commitment
from gongyu_mentor.market import Market, fingerprint, market
from gongyu_mentor.matching import NOBODY, Snapshot, solve
from gongyu_mentor.rematch import rematch
from gongyu_mentor.shortage import Shortage
from gongyu_mentor.verification import require_sound
from gongyu_mentor.whatif import Edit, compare, edited

__all__ = ["Scenario", "answer_bytes", "make_answer"]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A what-if: how it was written, and its edits as mentor id, field and value."""

    text: str
    edits: list[tuple[str, str, int]]


def make_answer(
    instance: Instance,
    *,
    seed: str,
    complete: bool = False,
    explained: bool = False,
    previous: Mapping[str, str | None] | None = None,
    gone: Collection[str] = (),
    scenarios: Sequence[Scenario] = (),
) -> dict[str, Any]:
    """Match, prove the result and describe it. A result that fails its proof is never described: the error goes up."""
    named = market(instance, seed=seed)
    snapshot = named.snapshot
    if previous is not None:
        snapshot = _frozen(named, previous=previous, gone=gone)
    result = solve(snapshot, complete=complete)
    require_sound(snapshot, result, complete=complete)

    answer: dict[str, Any] = {
        "assignment": {
            student: _name(named, mentor) for student, mentor in zip(named.students, result.final, strict=True)
        }
    }
    if explained:
        answer["explanations"] = {
            student: {
                "code": told.code,
                "text": msgspec.to_builtins(reason(told)),
                "refused": [
                    {
                        "mentor": named.mentors[refusal.mentor],
                        "code": refusal.code,
                        **({"position": refusal.position._asdict()} if refusal.position else {}),
                        "text": msgspec.to_builtins(refusal_reason(refusal)),
                    }
                    for refusal in told.refusals
                ],
            }
            for student, told in zip(named.students, explain(snapshot, result), strict=True)
        }
    answer["figures"] = {
        **_figures(figures(snapshot, result)),
        "snapshot_hash": fingerprint(instance, previous=previous, gone=gone),
        "seed_hash": commitment(seed),
    }
    if result.shortages:
        answer["shortage"] = [_shortage(named, shortage) for shortage in result.shortages]
    if result.exceptions:
        answer["unplaced"] = [_shortage(named, shortage) for shortage in result.exceptions]
    if scenarios:
        answer["what_if"] = [_scenario(named, snapshot, scenario, complete=complete) for scenario in scenarios]
    return answer


def answer_bytes(answer: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(answer), indent=1) + b"\n"


def _frozen(named: Market, *, previous: Mapping[str, str | None], gone: Collection[str]) -> Snapshot:
    mentor_at = {name: index for index, name in enumerate(named.mentors)}
    before = [
        NOBODY if (mentor := previous.get(name)) is None else mentor_at.get(mentor, NOBODY) for name in named.students
    ]
    leavers = {mentor_at[name] for name in gone if name in mentor_at}
    return rematch(named.snapshot, previous=before, gone=leavers).snapshot


def _name(named: Market, mentor: int) -> str | None:
    return None if mentor == NOBODY else named.mentors[mentor]


def _coverage(covered: Coverage) -> dict[str, Any]:
    return {
        "students": covered.students,
        "matched": covered.matched,
        "unmatched": covered.unmatched,
        "rank_distribution": covered.rank_distribution,
        "completed": covered.completed,
        "kept": covered.kept,
    }


def _figures(numbers: Figures) -> dict[str, Any]:
    return {
        **_coverage(numbers.everybody),
        "mentors": numbers.mentors,
        "seats": numbers.seats,
        "loads": {"min": min(numbers.loads, default=0), "max": max(numbers.loads, default=0)},
        "proposals": numbers.proposals,
    }


def _shortage(named: Market, shortage: Shortage) -> dict[str, Any]:
    return {
        "students": [named.students[student] for student in shortage.students],
        "mentors": [named.mentors[mentor] for mentor in shortage.mentors],
        "seats": shortage.seats,
        "missing": shortage.missing,
    }


def _scenario(named: Market, snapshot: Snapshot, scenario: Scenario, *, complete: bool) -> dict[str, Any]:
    """Before and after, on the same lottery. The figures of the group are for the administrator who asks."""
    edits = [
        Edit(mentor=named.mentors.index(name), field="reserve" if field == "reserve" else "capacity", value=value)
        for name, field, value in scenario.edits
    ]
    changed = edited(snapshot, edits)
    before, after = solve(snapshot, complete=complete), solve(changed, complete=complete)
    require_sound(changed, after, complete=complete)
    difference = compare(before=(snapshot, before), after=(changed, after))
    sides = {"before": difference.before, "after": difference.after}
    return {
        "edits": scenario.text,
        "moves": {
            named.students[move.student]: {"from": _name(named, move.before), "to": _name(named, move.after)}
            for move in difference.moves
        },
        **{
            label: {
                "figures": _figures(side.figures),
                "group": _coverage(side.group),
                "loads": dict(zip(named.mentors, side.figures.loads, strict=True)),
            }
            for label, side in sides.items()
        },
    }
