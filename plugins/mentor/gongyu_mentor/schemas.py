"""Rounds, choices and assignments on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

__all__ = [
    "AssignmentOut",
    "Choices",
    "ChoicesOut",
    "FavoursIn",
    "FavoursOut",
    "FewerDecision",
    "FewerWish",
    "LotteryOut",
    "NewRound",
    "OfferIn",
    "OfferOut",
    "PaperOut",
    "PaperRow",
    "PinIn",
    "PinOut",
    "Profile",
    "PublishIn",
    "RematchIn",
    "RoundChange",
    "RoundOut",
    "RunOut",
    "SchoolView",
    "Stage",
    "StudentLine",
    "WhatIfEdit",
    "WhatIfIn",
    "WhatIfOut",
    "Why",
]

Stage = Literal["draft", "announced", "choosing", "closed", "trial", "appeals", "final"]
Cap = Annotated[int, Meta(ge=0, le=50)]
Word = Annotated[str, Meta(min_length=1, max_length=40)]
Words = Annotated[list[Word], Meta(max_length=20)]
Reason = Annotated[str, Meta(min_length=2, max_length=500)]


class NewRound(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A round to prepare. What is left out comes from the settings. All teachers of the school are invited; to a round
    of classes nobody is, and whom the school then invites it says to be a party member.
    """

    school: UUID
    term: UUID | None = None
    title: Annotated[str, Meta(min_length=1, max_length=100, examples=["2026年秋季导师双选"])]
    kind: Literal["students", "classes"] = "students"
    grades: Words = []
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    soft_cap: Annotated[int, Meta(ge=1, le=50)] | None = None
    hard_cap: Annotated[int, Meta(ge=1, le=50)] | None = None
    list_length: Annotated[int, Meta(ge=1, le=20)] | None = None


class RoundChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may change: the title, and the times as long as nobody has looked at a run; `version` as last read."""

    version: int
    title: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None


class RoundOut(Struct, frozen=True, kw_only=True):
    """A round. `seed_hash` is published before the choosing, `seed` with the assignment: see the lottery's route."""

    id: UUID
    school: UUID
    term: UUID | None
    title: str
    kind: Literal["students", "classes"]
    stage: Stage
    grades: list[str]
    opens_at: datetime | None
    closes_at: datetime | None
    soft_cap: int
    hard_cap: int
    list_length: int
    favour_percent: int
    seed_hash: str | None
    published_at: datetime | None
    appeals_until: datetime | None
    version: int


class LotteryOut(Struct, frozen=True, kw_only=True):
    """How anybody can check the draw: SHA-256(seed) is `seed_hash`, and a student's number is
    HMAC-SHA256(seed, "round|student"), smallest first.
    """

    round: UUID
    seed_hash: str | None
    seed: str | None


class OfferIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mentor in a round, as the school sets it; `reserve` null is worked out from the share of the group."""

    mentor: UUID
    soft_cap: Cap
    hard_cap: Cap
    reserve: Cap | None = None
    grades: Words = []
    sex: Literal["male", "female"] | None = None
    party_member: bool = False


class FewerWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A mentor who can take fewer students, and why; the school decides."""

    seats: Cap
    reason: Reason


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a mentor shows the students."""

    subjects: Words = []
    talents: Words = []
    introduction: Annotated[str, Meta(max_length=1000)] = ""
    fewer: FewerWish | None = None


class FewerDecision(Struct, frozen=True, forbid_unknown_fields=True):
    """The school's answer to the wish for fewer students."""

    granted: bool


class OfferOut(Struct, frozen=True, kw_only=True):
    """A mentor to choose from. `demand` counts the lists the mentor stands on so far; `photo` is null without one, and
    another text for another photo.
    """

    mentor: UUID
    name: str
    places: int
    demand: int
    subjects: list[str]
    talents: list[str]
    introduction: str
    grades: list[str]
    photo: str | None


class Choices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A student's mentors, best first. `keep`: rather go on with the present mentor, if that one wants to as well.
    With `version`, only if nothing was filed since it was read.
    """

    choices: Annotated[list[UUID], Meta(max_length=20)]
    keep: bool = False
    version: int | None = None


class ChoicesOut(Struct, frozen=True, kw_only=True):
    """What stands on file; `version` 0 is nothing yet."""

    choices: list[UUID]
    keep: bool
    source: Literal["own", "paper"]
    filed_at: datetime | None
    version: int


class FavoursIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mentor's few stars, and those of the present students they would go on with."""

    students: Annotated[list[UUID], Meta(max_length=50)]
    keep: Annotated[list[UUID], Meta(max_length=50)] = []


class Applicant(Struct, frozen=True):
    """Somebody who lists this mentor. At which place is not told: it would reward flattery and punish taste."""

    student: UUID
    name: str
    starred: bool


class FavoursOut(Struct, frozen=True, kw_only=True):
    """Who applied to this mentor, and how many may be starred."""

    applicants: list[Applicant]
    most: int
    keep: list[UUID]


class PinIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A pair made by decision; who signs it is who asks."""

    mentor: UUID
    reason: Reason


class PinOut(Struct, frozen=True):
    """A pair made by decision."""

    student: UUID
    mentor: UUID
    reason: str
    signed_by: UUID | None
    signed_at: datetime


class PaperRow(Struct, frozen=True):
    """A row that was not taken, by its address, and why."""

    pointer: str
    detail: str


class PaperOut(Struct, frozen=True):
    """How many lists were taken in, and the rows that give way to a pupil's own list."""

    taken: int
    own: list[PaperRow]


class Competing(Struct, frozen=True):
    """These students may go to these mentors only, who together have fewer seats than the students are many."""

    students: list[UUID]
    mentors: list[UUID]
    seats: int


class RunFigures(Struct, frozen=True, kw_only=True):
    """A run in numbers. `ranks` counts who got their first, second, … choice."""

    students: int
    matched: int
    kept: int
    completed: int
    ranks: dict[str, int]
    mentors: int
    seats: int
    lifted: int
    least: int
    most: int


class Refused(Struct, frozen=True):
    """Why not a mentor listed higher. A place in the queue is told only where it is long enough to hide in."""

    mentor: UUID
    code: str
    text: str


class Why(Struct, frozen=True):
    """Why this mentor, and why none listed higher."""

    code: str
    text: str
    refused: list[Refused]


class RunOut(Struct, frozen=True, kw_only=True):
    """A trial run or a rematch. `publishable` says whether everybody has a mentor in it."""

    id: UUID
    number: int
    kind: Literal["trial", "rematch"]
    snapshot_hash: str
    seed_hash: str
    figures: RunFigures
    loads: dict[str, int]
    shortage: list[Competing]
    publishable: bool
    made_at: datetime


class PublishIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Which run is to become the assignment."""

    run: UUID


class WhatIfEdit(Struct, frozen=True, forbid_unknown_fields=True):
    """Another number for one mentor."""

    mentor: UUID
    field: Literal["capacity", "soft", "hard", "reserve"]
    value: Cap


class WhatIfIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers to try together."""

    edits: Annotated[list[WhatIfEdit], Meta(max_length=500)]


class Moved(Struct, frozen=True):
    """A student who would have another mentor."""

    student: UUID
    before: UUID | None
    after: UUID | None


class WhatIfOut(Struct, frozen=True):
    """Before and after, on the same lottery. For administrators only: it would tell students what others listed."""

    before: RunFigures
    after: RunFigures
    moved: list[Moved]
    loads: dict[str, int]


class RematchIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who leaves, who takes over, and the new lists of those concerned. Everybody else keeps their mentor.

    `preview` works it out and writes nothing.
    """

    gone: Annotated[list[UUID], Meta(max_length=200)]
    successors: dict[UUID, UUID] = {}
    declined: Annotated[list[UUID], Meta(max_length=1000)] = []
    choices: dict[UUID, list[UUID]] = {}
    preview: bool = False


class AssignmentOut(Struct, frozen=True, kw_only=True):
    """A student and their mentor, and why this one."""

    id: UUID
    student: UUID
    student_name: str
    mentor: UUID
    mentor_name: str
    since: datetime
    why: Why | None = None


class StudentLine(Struct, frozen=True):
    """A student in the school's view; no mentor is what must be looked at first."""

    student: UUID
    name: str
    class_title: str | None
    mentor: UUID | None
    mentor_name: str | None


class MentorLoad(Struct, frozen=True):
    """How many students a mentor has; `here` is false for one who works at the school no more."""

    mentor: UUID
    name: str
    students: int
    here: bool


class SchoolView(Struct, frozen=True, kw_only=True):
    """Coverage and loads of a school today, and how far down their lists students had to go in the last round."""

    students: int
    with_mentor: int
    loads: list[MentorLoad]
    ranks: dict[str, int]
    opted_down: int
