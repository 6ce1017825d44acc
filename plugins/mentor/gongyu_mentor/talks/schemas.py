"""Talks, promises and what is owed, on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gongyu.plugin import Text

__all__ = [
    "Amendment",
    "Board",
    "Child",
    "Kind",
    "Level",
    "LevelOut",
    "Mentee",
    "Moment",
    "NewPromise",
    "NewTalk",
    "Owed",
    "Period",
    "PromiseEndIn",
    "PromiseOut",
    "Rule",
    "RuleCount",
    "Rules",
    "RulesIn",
    "Sent",
    "SentTalk",
    "TalkOut",
    "VersionOut",
]

Kind = Literal["weekly", "key_moment", "home_visit", "message"]
Moment = Literal["term_start", "graduation", "before_exam", "after_exam", "serious_change"]
Level = Literal["mentor", "school", "guardians"]
Period = Literal["week", "month", "term", "year"]
Note = Annotated[str, Meta(min_length=1, max_length=4000, examples=["说起了新班级，想加入围棋社"])]
Promised = Annotated[str, Meta(min_length=1, max_length=400, examples=["下周一起去看围棋社"])]
When = Annotated[datetime, Meta(tz=True)]


class NewPromise(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was agreed for next time."""

    text: Promised
    due: date | None = None


class NewTalk(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A talk with one child or several. `id` is made by the sender: sent twice, it is one talk.

    Attributes:
        happened_at: Now, where it is left out; a draft written offline carries its own.
        level: Who can read it; `GET /talks/levels` says who that is. Where it is left out, the fewest.
        note: A sentence, or none. With several children each gets it, in a record of their own.
    """

    id: UUID
    students: Annotated[list[UUID], Meta(min_length=1, max_length=60)]
    kind: Kind = "weekly"
    moment: Moment | None = None
    happened_at: When | None = None
    level: Level = "mentor"
    note: Note | None = None
    promise: NewPromise | None = None


class SentTalk(Struct, frozen=True):
    id: UUID
    student: UUID


class Sent(Struct, frozen=True):
    """What became of a sending: one talk for each child. The same again gets the same answer."""

    id: UUID
    talks: list[SentTalk]


class Amendment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The talk as it should have been written down; what was there stays readable.

    Attributes:
        id: The new version's, made by the sender.
        replaces: The version last read; if it is not the newest any more, nothing is written.
        withdrawn: It was logged by mistake: it counts no more.
    """

    id: UUID
    replaces: UUID
    happened_at: When
    kind: Kind = "weekly"
    moment: Moment | None = None
    level: Level = "mentor"
    note: Note | None = None
    withdrawn: bool = False


class PromiseOut(Struct, frozen=True, kw_only=True):
    id: UUID
    text: str
    due: date | None
    outcome: Literal["kept", "dropped"] | None = None
    word: str | None = None


class PromiseEndIn(Struct, frozen=True, forbid_unknown_fields=True):
    outcome: Literal["kept", "dropped"]
    word: Promised | None = None


class TalkOut(Struct, frozen=True, kw_only=True):
    """A talk as its newest version has it. `readers` says who else can read it."""

    id: UUID
    version: UUID
    number: int
    student: UUID
    student_name: str
    author: UUID | None
    author_name: str | None
    kind: Kind
    moment: Moment | None
    happened_at: datetime
    level: Level
    readers: Text
    note: str | None
    withdrawn: bool
    promise: PromiseOut | None


class VersionOut(Struct, frozen=True, kw_only=True):
    id: UUID
    replaces: UUID | None
    number: int
    kind: Kind
    moment: Moment | None
    happened_at: datetime
    level: Level
    note: str | None
    withdrawn: bool
    written_at: datetime


class LevelOut(Struct, frozen=True):
    """A level of confidentiality, and who can read what is written under it."""

    level: Level
    title: Text
    readers: Text


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many of these kinds of talk are owed to each child in each period.

    Attributes:
        key: Names it on the board.
        kinds: Any of them counts: who was visited at home was talked to.
        grades: Of these grades; empty is all.
        source: Where it is laid down.
    """

    key: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z", examples=["weekly_talk"])]
    title: Annotated[str, Meta(min_length=1, max_length=60, examples=["每周谈心"])]
    kinds: Annotated[list[Kind], Meta(min_length=1, max_length=4)]
    minimum: Annotated[int, Meta(ge=1, le=30)] = 1
    period: Period
    grades: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=20)] = []
    source: Annotated[str, Meta(max_length=200)] = ""


class RulesIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole set; an empty one goes back to the district's. `version` as last read, 0 where there was none."""

    version: Annotated[int, Meta(ge=0)]
    rules: Annotated[list[Rule], Meta(max_length=20)]


class Rules(Struct, frozen=True, kw_only=True):
    """The set in force; `own` tells whether it is this school's own."""

    version: int
    own: bool
    rules: list[Rule]


class Owed(Struct, frozen=True, kw_only=True):
    """What one child still has to get by one rule, and until when; `last`: when they last had it."""

    rule: str
    done: int
    minimum: int
    due: date
    last: datetime | None


class Child(Struct, frozen=True, kw_only=True):
    """A child who was not reached; without a mentor, nobody is there who would."""

    student: UUID
    name: str
    class_title: str | None
    grade: str | None
    mentor: UUID | None
    mentor_name: str | None
    owed: list[Owed]


class RuleCount(Struct, frozen=True, kw_only=True):
    """How many children a rule has reached in the period that runs now, of how many."""

    rule: str
    title: str
    begins: date
    due: date
    reached: int
    of: int


class Board(Struct, frozen=True, kw_only=True):
    """Children, not teachers: a rule that rests (in the holidays) is not on it."""

    today: date
    rules: list[RuleCount]
    items: list[Child]
    next: str | None = None


class Mentee(Struct, frozen=True, kw_only=True):
    """A child of mine before the next talk: when the last one was, what was promised, what is owed."""

    student: UUID
    name: str
    class_title: str | None
    last_talk: datetime | None
    promises: list[PromiseOut]
    owed: list[Owed]
