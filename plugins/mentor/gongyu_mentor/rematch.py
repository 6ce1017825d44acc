"""Mid-year: a mentor leaves, students arrive. Pairs whose mentor stays do not move.

A plain new run would move two others for every student displaced, and a new lottery a quarter of the school; forbidding
it costs the displaced some of their old choices, hence a successor first and a fresh list over mentors with free seats.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from gongyu_mentor.matching import CONTINUING, INELIGIBLE, NOBODY, Snapshot, pack

__all__ = ["Rematch", "rematch"]


class Rematch(msgspec.Struct, frozen=True, kw_only=True):
    """The market to solve, and per student the successor added to their list (else NOBODY), for the explanation."""

    snapshot: Snapshot
    inherited: list[int]


def rematch(
    snapshot: Snapshot,
    *,
    previous: Sequence[int],
    gone: AbstractSet[int],
    successors: Mapping[int, int] | None = None,
    declined: AbstractSet[int] = frozenset(),
    pinned: Mapping[int, int] | None = None,
    released: AbstractSet[int] = frozenset(),
) -> Rematch:
    """Freeze what stays; leave the displaced, the newcomers and the unassigned to a run over the free seats.

    `snapshot` holds the lists as filed again and the same lottery. `successors` maps a leaver to who takes over: that
    capacity grows by the leaver's seats up to the hard one, and the leaver's students (unless among `declined`) get the
    successor as last choice with the top class, so that the group stays together. `pinned` and `released` are those few
    whose pair somebody decided to change: they get that mentor, or choose among the free seats as the displaced do.
    """
    kept = [NOBODY if mentor in gone or student in released else mentor for student, mentor in enumerate(previous)]
    for student, mentor in (pinned or {}).items():
        kept[student] = mentor
    soft, hard = list(snapshot.soft), list(snapshot.hard)
    preferences = [list(choices) for choices in snapshot.preferences]
    keys = [list(precedence) for precedence in snapshot.keys]
    inherited = [NOBODY] * len(kept)
    for leaver, successor in sorted((successors or {}).items()):
        soft[successor] = max(soft[successor], min(hard[successor], soft[successor] + soft[leaver]))
        for student, mentor in enumerate(previous):
            if mentor != leaver or student in declined:
                continue
            if snapshot.eligible is not None and successor not in snapshot.eligible[student]:
                continue
            top = pack(cls=CONTINUING, band=0, lottery=snapshot.lottery[student])
            if successor not in preferences[student]:
                preferences[student].append(successor)
                keys[student].append(top)
                inherited[student] = successor
            elif keys[student][at := preferences[student].index(successor)] != INELIGIBLE:
                keys[student][at] = top
    for mentor in gone:
        soft[mentor] = hard[mentor] = 0
    changed = msgspec.structs.replace(snapshot, preferences=preferences, keys=keys, soft=soft, hard=hard, kept=kept)
    return Rematch(snapshot=changed, inherited=inherited)
