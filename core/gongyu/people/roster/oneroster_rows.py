"""What the rows of OneRoster's files become."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from gongyu.people.roster.canonical import (
    AcademicSession,
    CareCategory,
    Class_,
    Enrolment,
    Membership,
    Org,
    Person,
    Source,
)
from gongyu.people.roster.draft import Details, Draft, Link, Row
from gongyu.people.roster.guardians import link_guardians
from gongyu.people.roster.values import (
    Convert,
    Note,
    Unreadable,
    boolean,
    date,
    enumeration,
    integer,
    join_name,
    text,
)

__all__ = [
    "AGENT_LISTS",
    "build_class",
    "build_details",
    "build_enrolment",
    "build_org",
    "build_role",
    "build_session",
    "build_user_1p1",
    "build_user_1p2",
    "care_list",
    "day_list",
    "finish_1p2",
    "parallel_list",
]

_ABOVE_SCHOOL = frozenset({"district", "local", "state", "national"})
_KINDS = (
    "father",
    "mother",
    "parent",
    "grandfather",
    "grandmother",
    "maternal_grandfather",
    "maternal_grandmother",
    "sibling",
    "relative",
    "guardian",
    "other",
    "unknown",
)

_kind = enumeration(*_KINDS, extended=False)
_day = date()


def parallel_list(value: str, note: Note) -> tuple[str, ...] | None:
    """A list that keeps its empty places."""
    found = text(value, note)
    return tuple(part.strip() for part in found.split(",")) if found else None


#: Not the same as no care: what cannot be read ends nothing.
_UNREAD_CARE: Final[tuple[tuple[str, str], ...]] = (("", ""),)


def care_list(value: str, note: Note) -> tuple[tuple[str, str], ...] | None:
    """`left_behind:single,orphan:no`."""
    found = text(value, note)
    if found is None:
        return None
    pairs = [part.strip().partition(":") for part in found.split(",")]
    if not all(category.isidentifier() and state.isidentifier() for category, _, state in pairs):
        note("enum_unknown", expected="category:value,…")
        return _UNREAD_CARE
    return tuple((category, state) for category, _, state in pairs)


def day_list(value: str, note: Note) -> tuple[dt.date | None, ...] | None:
    """Days beside another list; where it has none, the place stays empty."""
    parts = parallel_list(value, note)
    return None if parts is None else tuple(_day(part, note) if part else None for part in parts)


def _ended(row: Row) -> bool:
    status = row.values.pop("status", None)
    if row.draft.statuses is True and status is None:
        row.draft.once("status_missing", row.source, "status")
    if row.draft.statuses is False and status is not None:
        row.draft.once("status_in_bulk", row.source, "status")
    return bool(status == "tobedeleted")


def build_org(row: Row) -> None:
    row.draft.keep_org(Org(source=row.source, ended=_ended(row), **row.values))


def build_session(row: Row) -> None:
    if row.in_order("start", "end", "endDate"):
        row.draft.keep_session(AcademicSession(source=row.source, ended=_ended(row), **row.values))


def build_class(row: Row) -> None:
    row.draft.keep_class(Class_(source=row.source, ended=_ended(row), **row.values))


def build_details(row: Row) -> None:
    person = row.values.pop("sourced_id")
    if row.values.get("care") == _UNREAD_CARE:
        del row.values["care"]
        row.draft.hold("care", person, row.finding("care_held", "metadata.careCategories"))
    for field, column in (("care_from", "metadata.careValidFrom"), ("care_to", "metadata.careValidTo")):
        if field in row.values and len(row.values[field]) != len(row.values.get("care", ())):
            del row.values[field]
            row.finding("care_list", column)
    row.draft.details[person] = Details(source=row.source, ended=_ended(row), **row.values)


def _user(row: Row) -> Person | None:
    values, draft = row.values, row.draft
    ended = _ended(row)
    family, given, middle = (values.get("family_name", ""), values.get("given_name", ""), values.pop("middle", ""))
    if not family and not given and not ended:
        row.hold(row.finding("value_missing", "givenName"))
        return None
    mobile = values.pop("sms", None)
    if mobile and "phone" not in values:
        values["phone"] = mobile
    agents = values.pop("agents", ())
    extra = {key: values.pop(key, None) for key in AGENT_LISTS}
    details = draft.details.pop(values["sourced_id"], None)
    if details is not None and not details.ended:
        values["birth_date"], values["sex"] = details.birth_date, details.sex
        draft.care += _care(values["sourced_id"], details)
    if "id_number" in values:
        values["id_number"] = row.sound_number(values["id_number"], values.get("id_type"), "metadata.idNumber")
    name = values.pop("full_name", "") or join_name(family, given, middle)
    person = Person(source=row.source, ended=ended, name=name, **values)
    if not draft.keep_person(person):
        return None
    if agents:
        _links(row, person, agents, extra)
    return person


def _care(student: str, told: Details) -> list[CareCategory]:
    none = (None,) * len(told.care)
    return [
        CareCategory(
            source=told.source, student=student, category=category, value=value, valid_from=begin, valid_to=end
        )
        for (category, value), begin, end in zip(told.care, told.care_from or none, told.care_to or none, strict=True)
    ]


def build_user_1p1(row: Row) -> None:
    role, orgs = row.values.pop("role"), row.values.pop("orgs", ())
    person = _user(row)
    if person is None:
        return
    for place, org in enumerate(orgs):
        found = row.draft.orgs.get(org)
        above = role == "administrator" and found is not None and found.type in _ABOVE_SCHOOL
        held = "districtAdministrator" if above else "siteAdministrator" if role == "administrator" else role
        row.draft.keep_membership(
            Membership(
                source=row.source, person=person.sourced_id, org=org, role=held, primary=place == 0, ended=person.ended
            )
        )
    row.draft.add_role(person.sourced_id, role)


def build_user_1p2(row: Row) -> None:
    _user(row)


AGENT_LISTS: Mapping[str, str] = {
    "agent_kinds": "metadata.agentKinds",
    "agent_legal": "metadata.agentLegal",
    "agent_priority": "metadata.agentPriority",
    "agent_contact": "metadata.agentContactAllowed",
    "agent_from": "metadata.agentValidFrom",
    "agent_to": "metadata.agentValidTo",
}
"""What a guardianship is, as lists of the same length as `agentSourcedIds`, in the same order: field and column."""


def _links(row: Row, person: Person, agents: tuple[str, ...], extra: dict[str, tuple[str, ...] | None]) -> None:
    """A guardianship for each agent. What cannot be read is left out, but for the one thing that protects a child: a
    word about contact that nobody understands is a no, until somebody has looked at it.
    """
    astray = {key for key, values in extra.items() if values is not None and len(values) != len(agents)}
    for key in sorted(astray):
        row.finding("guardian_list", AGENT_LISTS[key])

    def at(key: str, place: int, convert: Convert, *, unreadable: object = None) -> Any:  # noqa: ANN401 - what the converter makes
        values = extra[key]
        if key in astray:
            return unreadable
        if values is None or not values[place]:
            return None

        def note(code: str, /, **named: Any) -> None:  # noqa: ANN401 - as for every note
            row.finding(code, AGENT_LISTS[key], values[place], **named)

        try:
            return convert(values[place], note)
        except Unreadable as fault:
            row.finding(fault.code, AGENT_LISTS[key], values[place], **fault.named)
            return unreadable

    for place, other in enumerate(agents):
        row.draft.links.append(
            Link(
                source=row.source,
                column="agentSourcedIds",
                person=person.sourced_id,
                other=other,
                ended=person.ended,
                kind=at("agent_kinds", place, _kind) or "",
                legal=at("agent_legal", place, boolean),
                priority=at("agent_priority", place, integer),
                contact_allowed=at("agent_contact", place, boolean, unreadable=False),
                valid_from=at("agent_from", place, _day),
                valid_to=at("agent_to", place, _day),
            )
        )


def build_role(row: Row) -> None:
    if not row.in_order("begin", "end", "endDate"):
        return
    values = row.values
    values["person"] = row.draft.same(values["person"])
    primary = values.pop("role_type") == "primary"
    membership = Membership(source=row.source, ended=_ended(row), primary=primary, **values)
    row.draft.keep_membership(membership)
    row.draft.add_role(membership.person, membership.role)


def build_enrolment(row: Row) -> None:
    if row.in_order("begin", "end", "endDate"):
        row.values["person"] = row.draft.same(row.values["person"])
        row.draft.keep_enrolment(Enrolment(source=row.source, ended=_ended(row), **row.values))


def finish_1p2(draft: Draft) -> None:
    """A user of 1.2 has exactly one primary role, as importers most often complain; a delta need not repeat it."""
    if not draft.delta:
        primary: dict[str, int] = {}
        for membership in draft.memberships:
            primary[membership.person] = primary.get(membership.person, 0) + membership.primary
        for key, person in draft.persons.items():
            source: Source = person.source
            if key not in primary:
                if key not in draft.roles and ("membership", key) not in draft.held:
                    draft.findings.add("person_without_role", file=source.file, row=source.row)
            elif primary[key] == 0:
                draft.findings.add("role_primary_missing", file=source.file, row=source.row)
            elif primary[key] > 1:
                draft.findings.add("role_primary_many", file=source.file, row=source.row, count=primary[key])
    link_guardians(draft)
