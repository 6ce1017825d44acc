"""OneRoster CSV 1.1.1 and 1.2.1 (1EdTech, 22 August 2023): columns in the standard's order.

Where the standard has no column, `metadata.*` carries it, as the standard allows: an identity number, care categories, and what
a guardianship is. The latter are lists of the same length as `agentSourcedIds`, in the same order.
"""

from collections.abc import Collection
from typing import Any

from gongyu.people.roster.canonical import AcademicSession, Class_, Enrolment, Membership, Org, Person, Source
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.draft import Details, Draft, Link, Row
from gongyu.people.roster.guardians import link_guardians
from gongyu.people.roster.manifest import read_manifest
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import (
    Note,
    Unreadable,
    boolean,
    date,
    email,
    enumeration,
    integer,
    join_name,
    name,
    phone,
    reference,
    resident_number,
    sourced_ids,
    text,
)
from gongyu.text import Text

__all__ = ["ROLES", "V1P1", "V1P2"]

ROLES = (
    "aide",
    "counselor",
    "districtAdministrator",
    "guardian",
    "parent",
    "principal",
    "proctor",
    "relative",
    "siteAdministrator",
    "student",
    "systemAdministrator",
    "teacher",
)
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
)

_kind = enumeration(*_KINDS, extended=False)
_day = date()


def _parallel(value: str, note: Note) -> tuple[str, ...] | None:
    """A list that keeps its empty places."""
    found = text(value, note)
    return tuple(part.strip() for part in found.split(",")) if found else None


def _care(value: str, note: Note) -> tuple[tuple[str, str], ...] | None:
    """`left_behind:single,orphan:no`."""
    found = text(value, note)
    if found is None:
        return None
    pairs = [part.strip().partition(":") for part in found.split(",")]
    if not all(category.isidentifier() and state.isidentifier() for category, _, state in pairs):
        raise Unreadable("enum_unknown", expected="category:value,…")
    return tuple((category, state) for category, _, state in pairs)


_ID = Column("sourcedId", "sourced_id", reference, required=True)
_HEAD = (
    _ID,
    Column("status", "status", enumeration("active", "tobedeleted", extended=False), strict=True),
    Column("dateLastModified"),
)


def _ended(row: Row) -> bool:
    status = row.values.pop("status", None)
    if row.draft.delta:
        if status is None:
            row.draft.once("status_missing", row.source, "status")
    elif status is not None:
        row.draft.once("status_in_bulk", row.source, "status")
    return status == "tobedeleted"


def _period(row: Row, begin: str, end: str, column: str) -> bool:
    """Whether it does not end before it begins."""
    first, last = row.values.get(begin), row.values.get(end)
    if first is None or last is None or first <= last:
        return True
    row.hold(row.finding("period_reversed", column, last.isoformat()))
    return False


def _org(row: Row) -> None:
    row.draft.keep_org(Org(source=row.source, ended=_ended(row), **row.values))


def _session(row: Row) -> None:
    if _period(row, "start", "end", "endDate"):
        row.draft.keep_session(AcademicSession(source=row.source, ended=_ended(row), **row.values))


def _class(row: Row) -> None:
    row.draft.keep_class(Class_(source=row.source, ended=_ended(row), **row.values))


def _details(row: Row) -> None:
    person = row.values.pop("sourced_id")
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
    extra = {key: values.pop(key, None) for key in _AGENT_LISTS}
    details = draft.details.pop(values["sourced_id"], None)
    if details is not None and not details.ended:
        values["birth_date"], values["sex"] = details.birth_date, details.sex
        draft.add_care(values["sourced_id"], details.care, details.source)
    person = Person(source=row.source, ended=ended, name=join_name(family, given, middle), **values)
    if not draft.keep_person(person):
        return None
    if agents:
        _links(row, person, agents, extra)
    return person


def _user_1p1(row: Row) -> None:
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


def _user_1p2(row: Row) -> None:
    _user(row)


_AGENT_LISTS = ("agent_kinds", "agent_legal", "agent_priority", "agent_contact", "agent_from", "agent_to")


def _links(row: Row, person: Person, agents: tuple[str, ...], extra: dict[str, tuple[str, ...] | None]) -> None:
    columns = dict(zip(_AGENT_LISTS, _AGENT_COLUMNS, strict=True))
    for key, values in extra.items():
        if values is not None and len(values) != len(agents):
            row.finding("guardian_list", columns[key].name)
            extra[key] = None

    def at(key: str, place: int, convert: Any) -> Any:  # noqa: ANN401 - a converter and what it makes
        values = extra[key]
        if values is None or not values[place]:
            return None
        try:
            return convert(values[place], lambda code, **named: row.finding(code, columns[key].name, values[place], **named))
        except Unreadable as fault:
            row.finding(fault.code, columns[key].name, values[place], **fault.named)
            return None

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
                contact_allowed=at("agent_contact", place, boolean),
                valid_from=at("agent_from", place, _day),
                valid_to=at("agent_to", place, _day),
            )
        )


def _role(row: Row) -> None:
    if not _period(row, "begin", "end", "endDate"):
        return
    values = row.values
    primary = values.pop("role_type") == "primary"
    membership = Membership(source=row.source, ended=_ended(row), primary=primary, **values)
    row.draft.keep_membership(membership)
    row.draft.add_role(membership.person, membership.role)


def _enrolment(row: Row) -> None:
    if _period(row, "begin", "end", "endDate"):
        row.draft.keep_enrolment(Enrolment(source=row.source, ended=_ended(row), **row.values))


def _finish_1p1(draft: Draft) -> None:
    link_guardians(draft)


def _finish_1p2(draft: Draft) -> None:
    """A user of 1.2 has exactly one primary role (the most frequent warning of importers); a delta need not repeat it."""
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


_AGENT_COLUMNS = (
    Column("metadata.agentKinds", "agent_kinds", _parallel),
    Column("metadata.agentLegal", "agent_legal", _parallel),
    Column("metadata.agentPriority", "agent_priority", _parallel),
    Column("metadata.agentContactAllowed", "agent_contact", _parallel),
    Column("metadata.agentValidFrom", "agent_from", _parallel),
    Column("metadata.agentValidTo", "agent_to", _parallel),
)
_USER_NAMES = (
    Column("username", "username", wanted=True),
    Column("userIds"),
    Column("givenName", "given_name", name, wanted=True),
    Column("familyName", "family_name", name, wanted=True),
    Column("middleName", "middle", name),
    Column("identifier", "identifier", reference),
    Column("email", "email", email),
    Column("sms", "sms", phone, secret=True),
    Column("phone", "phone", phone, secret=True),
    Column("agentSourcedIds", "agents", sourced_ids),
    Column("grades", "grades", sourced_ids),
    Column("password", password=True, secret=True),
)
_USER_EXTENSIONS = (Column("metadata.idNumber", "id_number", resident_number, secret=True), *_AGENT_COLUMNS)

_ORGS = FileFormat(
    "orgs.csv",
    (
        *_HEAD,
        Column("name", "name", required=True),
        Column(
            "type", "type", enumeration("department", "school", "district", "local", "state", "national"), required=True
        ),
        Column("identifier", "identifier"),
        Column("parentSourcedId", "parent", reference),
    ),
    _org, kinds=("org",), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_SESSIONS = FileFormat(
    "academicSessions.csv",
    (
        *_HEAD,
        Column("title", "title", required=True),
        Column(
            "type", "type", enumeration("gradingPeriod", "semester", "schoolYear", "term", extended=False), required=True
        ),
        Column("startDate", "start", _day, required=True),
        Column("endDate", "end", _day, required=True),
        Column("parentSourcedId", "parent", reference),
        Column("schoolYear", "school_year", integer, wanted=True),
    ),
    _session, kinds=("session",), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_CLASSES = FileFormat(
    "classes.csv",
    (
        *_HEAD,
        Column("title", "title", required=True),
        Column("grades", "grades", sourced_ids),
        Column("courseSourcedId"),
        Column("classCode", "code"),
        Column("classType", "type", enumeration("homeroom", "scheduled", extended=False), required=True),
        Column("location"),
        Column("schoolSourcedId", "school", reference, required=True),
        Column("termSourcedIds", "terms", sourced_ids, wanted=True),
        Column("subjects"),
        Column("subjectCodes"),
        Column("periods"),
    ),
    _class, kinds=("class",), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_DEMOGRAPHICS = FileFormat(
    "demographics.csv",
    (
        *_HEAD,
        Column("birthDate", "birth_date", _day, secret=True),
        Column("sex", "sex", enumeration("male", "female", "unspecified", "other", extended=False)),
        *(
            Column(flag)
            for flag in (
                "americanIndianOrAlaskaNative",
                "asian",
                "blackOrAfricanAmerican",
                "nativeHawaiianOrOtherPacificIslander",
                "white",
                "demographicRaceTwoOrMoreRaces",
                "hispanicOrLatinoEthnicity",
                "countryOfBirthCode",
                "stateOfBirthAbbreviation",
                "cityOfBirth",
                "publicSchoolResidenceStatus",
            )
        ),
        Column("metadata.careCategories", "care", _care, secret=True),
    ),
    _details, kinds=("care",), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_USERS_1P1 = FileFormat(
    "users.csv",
    (
        *_HEAD,
        Column("enabledUser", "enabled", boolean, wanted=True),
        Column("orgSourcedIds", "orgs", sourced_ids, wanted=True),
        Column("role", "role", enumeration("administrator", *ROLES), required=True),
        *_USER_NAMES,
        *_USER_EXTENSIONS,
    ),
    _user_1p1, kinds=("person", "membership", "guardianship"), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_USERS_1P2 = FileFormat(
    "users.csv",
    (
        *_HEAD,
        Column("enabledUser", "enabled", boolean, wanted=True),
        *_USER_NAMES,
        Column("userMasterIdentifier"),
        Column("preferredGivenName"),
        Column("preferredMiddleName"),
        Column("preferredFamilyName"),
        Column("primaryOrgSourcedId"),
        Column("pronouns"),
        *_USER_EXTENSIONS,
    ),
    _user_1p2, kinds=("person", "guardianship"), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_ROLES_1P2 = FileFormat(
    "roles.csv",
    (
        *_HEAD,
        Column("userSourcedId", "person", reference, required=True),
        Column("roleType", "role_type", enumeration("primary", "secondary", extended=False), required=True),
        Column("role", "role", enumeration(*ROLES), required=True),
        Column("beginDate", "begin", _day),
        Column("endDate", "end", _day),
        Column("orgSourcedId", "org", reference, required=True),
        Column("userProfileSourcedId"),
    ),
    _role, kinds=("membership",), key="userSourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_ENROLMENTS = FileFormat(
    "enrollments.csv",
    (
        *_HEAD,
        Column("classSourcedId", "class_", reference, required=True),
        Column("schoolSourcedId", "school", reference, required=True),
        Column("userSourcedId", "person", reference, required=True),
        Column("role", "role", enumeration("administrator", "proctor", "student", "teacher"), required=True),
        Column("primary", "primary", boolean),
        Column("beginDate", "begin", _day),
        Column("endDate", "end", _day),
    ),
    _enrolment, kinds=("enrolment",), key="userSourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_UNUSED_1P1 = tuple(
    FileFormat(f"{file}.csv")
    for file in ("courses", "categories", "lineItems", "results", "resources", "classResources", "courseResources")
)
_UNUSED_1P2 = tuple(
    FileFormat(f"{file}.csv")
    for file in (
        "userProfiles",
        "userResources",
        "scoreScales",
        "lineItemScoreScales",
        "resultScoreScales",
        "lineItemLearningObjectiveIds",
        "resultLearningObjectiveIds",
    )
)
_FILES_1P1 = (_ORGS, _SESSIONS, _CLASSES, _DEMOGRAPHICS, _USERS_1P1, _ENROLMENTS, *_UNUSED_1P1)
_FILES_1P2 = (_ORGS, _SESSIONS, _CLASSES, _DEMOGRAPHICS, _USERS_1P2, _ROLES_1P2, _ENROLMENTS, *_UNUSED_1P1, *_UNUSED_1P2)

_NEITHER = Text(
    zh="没有 manifest.csv，users.csv 中也没有 enabledUser 列。",
    en="there is no manifest.csv, and users.csv has no column enabledUser.",
)


def _version(tables: Tables) -> str | None:
    """What the manifest says, if it says something known; else where the roles are: on the user (1.1) or in their own file."""
    if tables.named("manifest.csv"):
        member = tables.named("manifest.csv")[0]
        said = {cells[0].strip(): cells[1].strip() for head in tables.heads(member) for cells in head if len(cells) > 1}
        if said.get("oneroster.version") in ("1.1", "1.2"):
            return said["oneroster.version"]
        return "1.2" if tables.named("roles.csv") else "1.1"
    header = tables.header("users.csv")
    if "enabledUser" not in header:
        return None
    return "1.1" if "role" in header else "1.2"


def _detect(version: str) -> Any:  # noqa: ANN401 - a `detect`
    def detect(tables: Tables) -> Text | None:
        found = _version(tables)
        if found == version:
            return None
        return _NEITHER if found is None else Text(zh=f"文件是 {found} 版。", en=f"the files are of version {found}.")

    return detect


def _prepare(version: str, files: tuple[FileFormat, ...]) -> Any:  # noqa: ANN401 - a `prepare`
    names = tuple(format_.name.removesuffix(".csv") for format_ in files)

    def prepare(tables: Tables, draft: Draft) -> Collection[str]:
        return read_manifest(tables, draft, version=version, names=names)

    return prepare


V1P1 = Dialect(
    name="oneroster-1.1",
    title=Text(zh="OneRoster 1.1", en="OneRoster 1.1"),
    detect=_detect("1.1"),
    files=_FILES_1P1,
    prepare=_prepare("1.1", _FILES_1P1),
    finish=_finish_1p1,
    columns={"membership.person": "sourcedId", "membership.org": "orgSourcedIds"},
)
V1P2 = Dialect(
    name="oneroster-1.2",
    title=Text(zh="OneRoster 1.2", en="OneRoster 1.2"),
    detect=_detect("1.2"),
    files=_FILES_1P2,
    prepare=_prepare("1.2", _FILES_1P2),
    finish=_finish_1p2,
)
