"""Guardianships out of `agentSourcedIds`, which has neither type nor direction.

Real files put the link on the pupil, on the parent, on both, or between a pupil and a teacher. It is made only when one side is
a student and the other has a guardian's role; everything else is reported.
"""

from typing import cast

from msgspec.structs import replace

from gongyu.people.roster.canonical import GUARDIAN_ROLES, Guardianship, GuardianshipKind
from gongyu.people.roster.draft import Draft, Link
from gongyu.text import Text

__all__ = ["MANY", "link_guardians", "report_many"]

MANY = 5
"""From the sixth on, somebody exported emergency contacts (Remind holds such a sync)."""

_PERSON = Text(zh="人员", en="person")


def link_guardians(draft: Draft) -> None:
    made: dict[tuple[str, str], Guardianship] = {}
    for link in draft.links:
        if link.person == link.other:
            _report(draft, "guardian_self", link)
            continue
        if link.other not in draft.persons and _unknown(draft, link):
            continue
        sides = _sides(draft, link)
        if sides is None:
            _report(draft, "guardian_role", link)
            continue
        guardian, student = sides
        found = Guardianship(
            source=link.source,
            guardian=guardian,
            student=student,
            kind=cast("GuardianshipKind", link.kind) if link.kind else _kind(draft.roles.get(guardian, set())),
            legal=link.legal,
            priority=link.priority,
            contact_allowed=link.contact_allowed,
            valid_from=link.valid_from,
            valid_to=link.valid_to,
            ended=link.ended,
        )
        first = made.setdefault((guardian, student), found)
        if first is not found and first.ended and not found.ended:
            made[guardian, student] = found
    draft.links.clear()
    draft.guardianships.extend(made.values())
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


def _report(draft: Draft, code: str, link: Link, **named: Text) -> None:
    draft.findings.add(
        code, file=link.source.file, row=link.source.row, column=link.column, value=link.other, **named
    )


def _unknown(draft: Draft, link: Link) -> bool:
    """Whether a link to somebody who is not in the files has to be given up."""
    root = draft.held.get(("person", link.other))
    if root is not None:
        draft.hold("guardianship", link.person, root)
        draft.hold("guardianship", link.other, root)
        return True
    if draft.delta:
        return False
    _report(draft, "reference_dropped", link, target=_PERSON)
    return True


def _sides(draft: Draft, link: Link) -> tuple[str, str] | None:
    """(guardian, student), by the roles of both; one side unknown (delta) takes its role from the other."""
    own, other = draft.roles.get(link.person, set()), draft.roles.get(link.other, set())
    if "student" in own and (other & GUARDIAN_ROLES or not other):
        return (link.other, link.person) if other or link.other not in draft.persons or draft.delta else None
    if own & GUARDIAN_ROLES and ("student" in other or (not other and draft.delta)):
        return link.person, link.other
    if not own and draft.delta and other:
        turned = _sides(draft, replace(link, person=link.other, other=link.person))
        return turned
    return None


def _kind(roles: set[str]) -> GuardianshipKind:
    for role in ("parent", "guardian", "relative"):
        if role in roles:
            return cast("GuardianshipKind", role)
    return "unknown"
