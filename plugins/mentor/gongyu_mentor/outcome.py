"""What a run came to, in the form it is kept in: numbers, and the ids they stand for.

A million pupils are a thousand of these. As JSON with a document for every pupil they cost more than matching did; as
numbers in MessagePack they cost next to nothing, and one pupil's words are made when that pupil asks.
"""

from bisect import bisect_left
from collections.abc import Sequence
from uuid import UUID

import msgspec

from gongyu_mentor.explanations import Explanation, Told
from gongyu_mentor.matching import NOBODY

__all__ = ["Outcome", "opened", "packed"]

_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_ID = 16


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """Each student's mentor and explanation, by id: nobody's name, key, group or category."""

    students: bytes
    """Their ids one after the other, in order."""
    mentors: list[UUID]
    given: list[int]
    told: Told

    def __len__(self) -> int:
        return len(self.students) // _ID

    def mentors_of(self) -> list[UUID | None]:
        """Whom each student has, in the order of the students' ids."""
        return [None if mentor == NOBODY else self.mentors[mentor] for mentor in self.given]

    def why(self, student: UUID) -> tuple[UUID | None, Explanation] | None:
        """The mentor a student was given, and the reasons; None for who took no part."""
        wanted = student.bytes
        at = bisect_left(range(len(self)), wanted, key=self._id)
        if at == len(self) or self._id(at) != wanted:
            return None
        mentor = self.given[at]
        return None if mentor == NOBODY else self.mentors[mentor], self.told.of(at, mentor=mentor)

    def _id(self, at: int) -> bytes:
        return self.students[at * _ID : (at + 1) * _ID]


def packed(*, students: Sequence[UUID], mentors: Sequence[UUID], given: Sequence[int], told: Told) -> bytes:
    ids = b"".join([student.bytes for student in students])
    return _ENCODER.encode(Outcome(ids, list(mentors), list(given), told))


def opened(kept: bytes) -> Outcome:
    return msgspec.msgpack.decode(kept, type=Outcome)
