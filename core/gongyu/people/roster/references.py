"""Checks what records refer to, and carries a fault to all that depend on it.

A row whose org, class or person fell makes no finding of its own: it adds its weight to the finding that made the other
fall, so that the list says what to put right first. In a delta an unknown reference is passed on: the database may
know it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from gongyu.people.roster.canonical import Demographics, Kind, Org, Person, Roster, Source
from gongyu.people.roster.dialect import Dialect
from gongyu.people.roster.draft import Draft
from gongyu.text import Text

__all__ = ["settle"]

_COLUMNS: Mapping[str, str] = {
    "org.parent": "parentSourcedId",
    "session.parent": "parentSourcedId",
    "class.school": "schoolSourcedId",
    "class.terms": "termSourcedIds",
    "membership.person": "userSourcedId",
    "membership.org": "orgSourcedId",
    "enrolment.class": "classSourcedId",
    "enrolment.person": "userSourcedId",
    "enrolment.school": "schoolSourcedId",
    "demographics.person": "sourcedId",
    "person.id_number": "metadata.idNumber",
    "person.username": "username",
}
_TARGETS: Mapping[Kind, Text] = {
    "org": Text(zh="机构", en="org"),
    "session": Text(zh="学期", en="academic session"),
    "class": Text(zh="班级", en="class"),
    "person": Text(zh="人员", en="person"),
}


def settle(draft: Draft, dialect: Dialect) -> Roster:
    """The roster of what stands."""
    _Settling(draft, dialect).all()
    complete: frozenset[Kind] = frozenset()
    if not draft.delta:
        complete = frozenset(draft.covered - draft.lost)
        # Most exports have no guardians or care categories; their silence ends nothing that was entered by hand.
        silent: set[Kind] = {"guardianship"} if not draft.guardianships else set()
        silent |= {"care"} if not draft.care else set()
        complete -= silent
    return Roster(
        dialect=dialect.name,
        mode="delta" if draft.delta else "bulk",
        stable_ids=dialect.stable_ids,
        orgs=tuple(draft.orgs.values()),
        sessions=tuple(draft.sessions.values()),
        classes=tuple(draft.classes.values()),
        persons=tuple(draft.persons.values()),
        memberships=tuple(draft.memberships),
        enrolments=tuple(draft.enrolments),
        guardianships=tuple(draft.guardianships),
        care=tuple(draft.care),
        demographics=tuple(draft.demographics),
        held=frozenset(draft.held),
        complete=complete,
        schools=frozenset(draft.orgs) if dialect.by_school else None,
        roles=dialect.roles,
        findings=draft.findings.close(),
    )


class _Settling:
    def __init__(self, draft: Draft, dialect: Dialect) -> None:
        self._draft = draft
        self._columns = {**_COLUMNS, **dialect.columns}
        self._stores: Mapping[Kind, Collection[str]] = {
            "org": draft.orgs,
            "session": draft.sessions,
            "class": draft.classes,
            "person": draft.persons,
        }

    def all(self) -> None:
        self._orgs()
        self._sessions()
        self._classes()
        self._twins()
        self._memberships()
        self._enrolments()
        self._care()
        self._demographics()

    def _finding(self, code: str, source: Source, reference: str, value: str, **named: Any) -> int:  # noqa: ANN401 - what the catalogue's words ask for
        return self._draft.findings.add(
            code, file=source.file, row=source.row, column=self._columns[reference], value=value, **named
        )

    def _stands(self, kind: Kind, key: str, source: Source, reference: str, own: tuple[Kind, str]) -> bool:
        """Whether the record may refer to it; if not, the record is held, by the fault of what it refers to."""
        if key in self._stores[kind]:
            return True
        root = self._draft.held.get((kind, key))
        if root is not None:
            self._draft.findings.weight(root)
        elif self._draft.delta:
            return True
        else:
            root = self._finding("reference_unknown", source, reference, key, target=_TARGETS[kind])
        self._draft.hold(*own, root)
        return False

    def _known(self, kind: Kind, key: str, source: Source, reference: str) -> bool:
        """The same for a reference the record can do without."""
        if not key or key in self._stores[kind] or self._draft.delta:
            return True
        self._finding("reference_dropped", source, reference, key, target=_TARGETS[kind])
        return False

    def _orgs(self) -> None:
        orgs = self._draft.orgs
        for key, org in orgs.items():
            if not self._known("org", org.parent, org.source, "org.parent"):
                orgs[key] = replace(org, parent="")
        clear: set[str] = set()
        for key in orgs:
            path: list[str] = []
            here = key
            while here in orgs and here not in clear and here not in path:
                path.append(here)
                here = orgs[here].parent
            if here in path:
                self._open_circle(orgs[here])
            clear.update(path)

    def _open_circle(self, org: Org) -> None:
        self._finding("org_cycle", org.source, "org.parent", org.parent)
        self._draft.orgs[org.sourced_id] = replace(org, parent="")

    def _sessions(self) -> None:
        sessions = self._draft.sessions
        for key, session in sessions.items():
            if not self._known("session", session.parent, session.source, "session.parent"):
                sessions[key] = replace(session, parent="")

    def _classes(self) -> None:
        classes = self._draft.classes
        for key, class_ in list(classes.items()):
            if not self._stands("org", class_.school, class_.source, "class.school", ("class", key)):
                del classes[key]
                continue
            terms = tuple(term for term in class_.terms if self._known("session", term, class_.source, "class.terms"))
            if terms != class_.terms:
                classes[key] = replace(class_, terms=terms)

    def _twins(self) -> None:
        """Two people with one number are one person twice, or a slip; people are matched by it, so look at it."""
        numbers: dict[str, Person] = {}
        usernames: dict[str, Person] = {}
        for person in self._draft.persons.values():
            if person.id_number and (first := numbers.setdefault(person.id_number, person)) is not person:
                self._finding(
                    "id_number_duplicate", person.source, "person.id_number", person.id_number,
                    first=first.source.row, secret=True,
                )  # fmt: skip
            if person.username and (first := usernames.setdefault(person.username.casefold(), person)) is not person:
                self._finding(
                    "username_duplicate", person.source, "person.username", person.username, first=first.source.row
                )

    def _memberships(self) -> None:
        kept = []
        for membership in self._draft.memberships:
            own: tuple[Kind, str] = ("membership", membership.person)
            source = membership.source
            if self._stands("person", membership.person, source, "membership.person", own) and self._stands(
                "org", membership.org, source, "membership.org", own
            ):
                kept.append(membership)
        self._draft.memberships = kept

    def _enrolments(self) -> None:
        kept = []
        classes = self._draft.classes
        for enrolment in self._draft.enrolments:
            own: tuple[Kind, str] = ("enrolment", enrolment.person)
            source = enrolment.source
            if not self._stands("class", enrolment.class_, source, "enrolment.class", own):
                continue
            if not self._stands("person", enrolment.person, source, "enrolment.person", own):
                continue
            class_ = classes.get(enrolment.class_)
            if class_ is not None and enrolment.school != class_.school:
                if enrolment.school:
                    self._finding("school_mismatch", source, "enrolment.school", enrolment.school)
                kept.append(replace(enrolment, school=class_.school))
            else:
                kept.append(enrolment)
        self._draft.enrolments = kept

    def _care(self) -> None:
        draft = self._draft
        draft.care = [care for care in draft.care if draft.delta or care.student in draft.persons]

    def _demographics(self) -> None:
        for key, details in self._draft.details.items():
            if self._stands("person", key, details.source, "demographics.person", ("care", key)):
                self._draft.demographics.append(
                    Demographics(
                        source=details.source,
                        person=key,
                        birth_date=details.birth_date,
                        sex=details.sex,
                        ended=details.ended,
                    )
                )
        self._draft.details.clear()
