"""What a roster would change in a district: additions, changes and ends, and whether so many may go without a word."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, field

from gongyu.people.roster.canonical import KINDS, Kind, Roster
from gongyu.people.roster.findings import Finding
from gongyu.text import Text

__all__ = ["KIND_NAMES", "SECRET", "Change", "End", "Line", "Plan", "RemovalLimit", "Tally"]

KIND_NAMES: Final[Mapping[Kind, Text]] = {
    "org": Text(zh="机构", en="organisations"),
    "session": Text(zh="学期", en="academic sessions"),
    "class": Text(zh="班级", en="classes"),
    "person": Text(zh="人员", en="people"),
    "membership": Text(zh="任职", en="memberships"),
    "enrolment": Text(zh="在班", en="enrolments"),
    "guardianship": Text(zh="监护关系", en="guardianships"),
    "care": Text(zh="关爱类别", en="care categories"),
}
SECRET: Final = "***"  # noqa: S105 - what stands in place of one
"""Stands for a number of somebody's or a care category in a plan, old or new."""


class Change(Struct, frozen=True, gc=False):
    """A row that becomes different. `fields` is for people (old, new), `values` for the database."""

    id: UUID
    label: str
    fields: dict[str, tuple[Any, Any]]
    values: dict[str, Any]


class End(Struct, frozen=True, gc=False):
    """A row that ends; nothing is deleted."""

    id: UUID
    label: str


class Line(Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of the plan, as `--json` shows it."""

    action: str
    kind: Kind
    label: str
    id: UUID | None = None
    file: str = ""
    row: int = 0
    fields: Mapping[str, tuple[Any, Any]] = {}


class Tally(Struct, frozen=True):
    """How many of a kind."""

    kind: Kind
    added: int
    changed: int
    ended: int


class RemovalLimit(Struct, frozen=True):
    """What a source that lost half its file must not do unseen (a changed key, a broken export)."""

    share: float = 0.10
    least: int = 20

    def exceeded(self, *, removed: int, current: int) -> bool:
        return removed >= self.least and removed > self.share * current


class Plan(Struct):
    """Made by `compare.make_plan`, carried out by `apply.carry_out`.

    Attributes:
        ids: Of each kind that others refer to: the roster's id → the row's, new rows included.
        added: Records of the roster to be made.
        guardians: Guardianships that begin (True) or stop: guardian, student.
        touched: People whose memberships or enrolments change; `lost` those of them who lose one.
        removed: Ends without a successor, of the kinds that stand for people.
        private: What the source wrote where it put somebody's number; see `masking`.
        current: How many of these kinds rosters had brought and are on.
    """

    roster: Roster
    today: date
    root: UUID
    ids: dict[Kind, dict[str, UUID]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    added: dict[Kind, list[Any]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    changed: dict[Kind, list[Change]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    ended: dict[Kind, list[End]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    findings: tuple[Finding, ...] = ()
    guardians: list[tuple[bool, UUID, UUID]] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)
    lost: set[UUID] = field(default_factory=set)
    removed: dict[Kind, int] = field(default_factory=dict)
    current: dict[Kind, int] = field(default_factory=dict)
    private: dict[str, dict[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(tally.added or tally.changed or tally.ended for tally in self.tallies)

    @property
    def tallies(self) -> list[Tally]:
        return [Tally(kind, len(self.added[kind]), len(self.changed[kind]), len(self.ended[kind])) for kind in KINDS]

    @property
    def removals(self) -> int:
        """The number that confirms a large removal."""
        return sum(self.removed.values())

    def needs_confirmation(self, limit: RemovalLimit) -> bool:
        return any(
            limit.exceeded(removed=removed, current=self.current.get(kind, 0)) for kind, removed in self.removed.items()
        )

    def lines(self) -> Iterator[Line]:
        for kind in KINDS:
            for record in self.added[kind]:
                yield Line("add", kind, _label(kind, record), file=record.source.file, row=record.source.row)
            for change in self.changed[kind]:
                yield Line("change", kind, change.label, change.id, fields=change.fields)
            for end in self.ended[kind]:
                yield Line("end", kind, end.label, end.id)


def _label(kind: Kind, record: Any) -> str:  # noqa: ANN401 - a record of that kind
    match kind:
        case "org" | "person":
            return f"{record.name} ({record.sourced_id})"
        case "session" | "class":
            return f"{record.title} ({record.sourced_id})"
        case "membership":
            return f"{record.person} {record.role} @ {record.org}"
        case "enrolment":
            return f"{record.person} {record.role} @ {record.class_}"
        case "guardianship":
            return f"{record.guardian} {record.kind} → {record.student}"
        case _:
            return f"{record.student} {SECRET}"
