"""Guardianships out of `agentSourcedIds`, which has neither type nor direction.

Real files put the link on the pupil, on the parent, on both, or between a pupil and a teacher. It is made only when one
side is a student and the other has a guardian's role, or when the file says what the link is (`metadata.agentKinds`);
everything else is reported.
"""

import datetime as dt
from typing import cast

from gongyu.people.roster.canonical import GUARDIAN_ROLES, Guardianship, GuardianshipKind
from gongyu.people.roster.draft import Draft, Link
from gongyu.text import Text

__all__ = ["MANY", "link_guardians", "report_many"]

MANY = 5
"""From the sixth on, somebody exported emergency contacts (Remind holds such a sync)."""

_PERSON = Text(zh="人员", en="person")


def link_guardians(draft: Draft) -> None:
    made: dict[tuple[str, str], dict[dt.date | None, Guardianship]] = {}
    for link in draft.links:
        if link.person == link.other:
            _report(draft, "guardian_self", link)
            continue
        if any(_unknown(draft, link, person) for person in (link.person, link.other)):
            continue
        sides = _sides(draft, link)
        if sides is None:
            _report(draft, "guardian_role", link)
            continue
        guardian, student = draft.same(sides[0]), draft.same(sides[1])
        found = Guardianship(
            source=link.source,
            guardian=guardian,
            student=student,
            kind=cast("GuardianshipKind", link.kind) if link.kind else _kind(draft.roles.get(guardian, frozenset())),
            legal=link.legal,
            priority=link.priority,
            contact_allowed=link.contact_allowed,
            valid_from=link.valid_from,
            valid_to=link.valid_to,
            ended=link.ended,
        )
        periods = made.setdefault((guardian, student), {})
        first = periods.setdefault(found.valid_from, found)
        if first.ended and not found.ended:
            periods[found.valid_from] = found
    draft.links.clear()
    for periods in made.values():
        if len(periods) > 1:  # said on both sides, and dated on one
            periods.pop(None, None)
        draft.guardianships.extend(periods.values())
    report_many(draft)


def report_many(draft: Draft) -> None:
    counts: dict[str, int] = {}
    for guardianship in draft.guardianships:
        if not guardianship.ended:
            counts[guardianship.student] = counts.get(guardianship.student, 0) + 1
    for key, count in counts.items():
        person = draft.persons.get(key)
        if count > MANY and person is not None:
            draft.findings.add("guardian_many", file=person.source.file, row=person.source.row, count=count)


def _report(draft: Draft, code: str, link: Link) -> None:
    draft.findings.add(code, file=link.source.file, row=link.source.row, column=link.column, value=link.other)


def _unknown(draft: Draft, link: Link, person: str) -> bool:
    """Whether the link has to be given up because this person is not in the files."""
    if person in draft.persons:
        return False
    root = draft.held.get(("person", person))
    if root is not None:
        draft.hold("guardianship", link.person, root)
        draft.hold("guardianship", link.other, root)
        return True
    if draft.delta:
        return False
    at = link.source
    draft.findings.add("reference_dropped", file=at.file, row=at.row, column=link.column, value=person, target=_PERSON)
    return True


def _sides(draft: Draft, link: Link) -> tuple[str, str] | None:
    """(guardian, student), by the roles of both; in a delta a side unknown here may be what it has to be."""
    none: frozenset[str] = frozenset()
    both = ((link.person, link.other), (link.other, link.person))
    for student, guardian in both:
        roles = draft.roles.get(guardian, none)
        if "student" in draft.roles.get(student, none) and (roles & GUARDIAN_ROLES or (draft.delta and not roles)):
            return guardian, student
    for student, guardian in both:
        if draft.delta and student not in draft.roles and draft.roles.get(guardian, none) & GUARDIAN_ROLES:
            return guardian, student
    pupil, other_pupil = ("student" in draft.roles.get(one, none) for one in (link.person, link.other))
    if link.kind and pupil != other_pupil:  # the adult has no school yet, or works there
        return (link.other, link.person) if pupil else (link.person, link.other)
    if link.kind and link.person not in draft.roles:  # of a pupil who has left
        return link.other, link.person
    return None


def _kind(roles: frozenset[str]) -> GuardianshipKind:
    for role in ("parent", "guardian", "relative"):
        if role in roles:
            return cast("GuardianshipKind", role)
    return "unknown"
