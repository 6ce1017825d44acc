"""Taking numbers out of where they must not stand, before anything is compared or written (`people.private`)."""

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from msgspec.structs import replace

from gongyu.access.sealing import Seals
from gongyu.people.private import PRIVATE_FIELDS, holds_number, stored_id
from gongyu.people.roster.canonical import Kind, Record, Roster

__all__ = ["Private", "masked"]

#: By the person's id as it is stored: what the source wrote, by field.
Private = dict[str, dict[str, str]]

_ABOUT_PEOPLE: Final[frozenset[Kind]] = frozenset(
    {"person", "membership", "enrolment", "guardianship", "care"}
)  # records held under a person's id
R = TypeVar("R", bound=Record)


def masked(roster: Roster, *, seals: Seals) -> tuple[Roster, Private]:
    """The roster under ids that may be read by anybody, and what the source wrote in their place.

    Nearly every roster comes back as it is: its ids are no numbers of people.
    """
    private: Private = {}
    for person in roster.persons:
        said = {field: text for field in PRIVATE_FIELDS if holds_number(text := getattr(person, field))}
        if not roster.stable_ids:  # such an id is made up and never stored
            said.pop("sourced_id", None)
        if said:
            private[stored_id(seals, person.sourced_id)] = said

    def changed(records: tuple[R, ...], people: Collection[str], *own: str) -> tuple[R, ...]:
        fields = (*people, *own) if named else own
        return tuple(_renamed(record, fields, seals) for record in records) if fields else records

    # In a whole roster who is referred to also stands in it; a delta speaks of people it does not describe.
    named = roster.mode == "delta" or any(holds_number(person.sourced_id) for person in roster.persons)
    return replace(
        roster,
        persons=tuple(_without(person, seals) for person in roster.persons),
        memberships=changed(roster.memberships, ["person"], "sourced_id"),
        enrolments=changed(roster.enrolments, ["person"], "sourced_id", "number"),
        guardianships=changed(roster.guardianships, ["guardian", "student"]),
        care=changed(roster.care, ["student"]),
        demographics=changed(roster.demographics, ["person"]),
        held=frozenset((kind, stored_id(seals, key) if kind in _ABOUT_PEOPLE else key) for kind, key in roster.held),
    ), private


def _renamed(record: R, fields: Iterable[str], seals: Seals) -> R:
    new = {field: stored_id(seals, old) for field in fields if holds_number(old := getattr(record, field))}
    return replace(record, **new) if new else record


def _without(person: R, seals: Seals) -> R:
    """The user name and the address are sealed apart; here they are as if not said."""
    named = _renamed(person, ("sourced_id",), seals)
    gone = {field: "" for field in ("username", "email") if holds_number(getattr(person, field))}
    return replace(named, **gone) if gone else named
