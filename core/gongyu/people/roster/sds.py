"""Microsoft School Data Sync 2.1 CSV: OneRoster's shapes in its own words, and `relationships.csv`, which that lacks.

Columns and values: learn.microsoft.com/schooldatasync, "SDS V2.1 CSV file format" and "Default list of values".
"""

from collections.abc import Mapping

from gongyu.people.roster.canonical import AcademicSession, Class_, Enrolment, Membership, Org, Person
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.draft import Details, Draft, Link, Row
from gongyu.people.roster.guardians import link_guardians
from gongyu.people.roster.oneroster import ROLES
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import (
    Convert,
    Note,
    boolean,
    date,
    email,
    enumeration,
    family,
    integer,
    join_name,
    name,
    phone,
    reference,
    sourced_ids,
    text,
)
from gongyu.text import Text

__all__ = ["V2P1"]

_ORG_TYPES: Mapping[str, str] = {
    "ministryOfEducation": "national",
    "departmentOfEducation": "state",
    "province": "state",
    "region": "state",
    "localAuthority": "local",
    "municipality": "local",
    "division": "department",
    "university": "school",
    "college": "school",
    "campus": "school",
    "adultEducation": "school",
}
_STAFF_ROLES: Mapping[str, str] = {
    "professor": "teacher",
    "lecturer": "teacher",
    "instructor": "teacher",
    "adjunct": "teacher",
    "faculty": "teacher",
    "substitute": "teacher",
    "adviser": "counselor",
    "advisor": "counselor",
    "administrator": "siteAdministrator",
    "itAdmin": "systemAdministrator",
    "teacherAssistant": "aide",
    "assistant": "aide",
    "paraprofessional": "aide",
}
_GUARDIANS = ("parent", "guardian", "relative")


def _word(*values: str, also: Mapping[str, str]) -> Convert:
    """SDS has more words than the standard; those without a counterpart go through the standard's own door, `ext:`."""
    known = enumeration(*values, also=also)
    spelt = {value.casefold() for value in (*values, *also)}

    def convert(value: str, note: Note) -> str | None:
        found = text(value, note)
        if found is None or found.casefold() in spelt or not (found.isascii() and found.isalnum()):
            return None if found is None else str(known(found, note))
        note("role_extended", expected=f"ext:{found}")
        return reference(f"ext:{found}", note)

    return convert


_day = date()
_ENROLMENT_ROLE = _word("administrator", "proctor", "student", "teacher", also=_STAFF_ROLES)


def _org(row: Row) -> None:
    row.draft.keep_org(Org(source=row.source, **row.values))


def _session(row: Row) -> None:
    if row.in_order("start", "end", "endDate"):
        row.draft.keep_session(AcademicSession(source=row.source, **row.values))


def _class(row: Row) -> None:
    row.draft.keep_class(Class_(source=row.source, **row.values))


def _user(row: Row) -> None:
    values = row.values
    family, given = values.get("family_name", ""), values.get("given_name", "")
    if not family and not given:
        row.hold(row.finding("value_missing", "givenName"))
        return
    mobile = values.pop("sms", None)
    if mobile and "phone" not in values:
        values["phone"] = mobile
    details = row.draft.details.pop(values["sourced_id"], None)
    if details is not None:
        values["birth_date"], values["sex"] = details.birth_date, details.sex
    row.draft.keep_person(Person(source=row.source, name=join_name(family, given), **values))


def _role(row: Row) -> None:
    if not row.in_order("begin", "end", "roleEndDate"):
        return
    row.values["person"] = row.draft.same(row.values["person"])
    membership = Membership(source=row.source, **row.values)
    row.draft.keep_membership(membership)
    row.draft.add_role(membership.person, membership.role)


def _details(row: Row) -> None:
    person = row.values.pop("person")
    row.draft.details[person] = Details(source=row.source, **row.values)


def _enrolment(row: Row) -> None:
    row.values["person"] = row.draft.same(row.values["person"])
    row.draft.keep_enrolment(Enrolment(source=row.source, school="", **row.values))


def _relationship(row: Row) -> None:
    """The first user is the student, the second what the role says; a doctor or an aide is no guardian."""
    student, other, role = row.values["student"], row.values["other"], row.values["role"]
    if role not in _GUARDIANS:
        row.finding("guardian_role", "relationshipRole", other)
        return
    if "student" not in row.draft.roles.get(other, ()):
        row.draft.add_role(other, role)
    row.draft.links.append(
        Link(source=row.source, column="relationshipUserSourcedId", person=student, other=other, kind=role)
    )


def _finish(draft: Draft) -> None:
    for key, person in draft.persons.items():
        if key not in draft.roles and ("membership", key) not in draft.held:
            draft.findings.add("person_without_role", file=person.source.file, row=person.source.row)
    link_guardians(draft)


_ID = Column("sourcedId", "sourced_id", required=True)
_FILES = (
    FileFormat(
        "orgs.csv",
        (
            _ID,
            Column("name", "name", required=True),
            Column(
                "type", "type",
                _word("department", "school", "district", "local", "state", "national", also=_ORG_TYPES), required=True,
            ),
            Column("parentSourcedId", "parent", reference),
        ),
        _org, kinds=("org",), key="sourcedId", required=True,
    ),
    FileFormat(
        "academicSessions.csv",
        (
            _ID,
            Column("title", "title", required=True),
            Column(
                "type", "type", enumeration("gradingPeriod", "semester", "schoolYear", "term", extended=False),
                required=True,
            ),
            Column("schoolYear", "school_year", integer),
            Column("startDate", "start", _day, required=True),
            Column("endDate", "end", _day, required=True),
        ),
        _session, kinds=("session",), key="sourcedId",
    ),
    FileFormat(
        "classes.csv",
        (
            _ID,
            Column("orgSourcedId", "school", reference, required=True),
            Column("title", "title", required=True),
            Column("code", "code"),
            Column("sessionSourcedIds", "terms", sourced_ids),
            Column("courseSourcedId"),
        ),
        _class, kinds=("class",), key="sourcedId",
    ),
    FileFormat(
        "demographics.csv",
        (
            Column("userSourcedId", "person", required=True),
            Column("sex", "sex", enumeration("male", "female", "unspecified", "other", extended=False)),
            Column("birthDate", "birth_date", _day, secret=True),
            Column("birthCity"),
            Column("birthState"),
            Column("birthCountry"),
            Column("ethnicityCodes"),
            Column("raceCodes"),
        ),
        _details, key="userSourcedId",
    ),
    FileFormat(
        "users.csv",
        (
            _ID,
            Column("username", "username", wanted=True),
            Column("givenName", "given_name", name, wanted=True),
            Column("familyName", "family_name", family, wanted=True),
            Column("password", password=True, secret=True),
            Column("activeDirectoryMatchId"),
            Column("email", "email", email),
            Column("phone", "phone", phone, secret=True),
            Column("sms", "sms", phone, secret=True),
        ),
        _user, kinds=("person",), key="sourcedId", required=True,
    ),
    FileFormat(
        "roles.csv",
        (
            Column("userSourcedId", "person", required=True),
            Column("orgSourcedId", "org", reference, required=True),
            Column("role", "role", _word(*ROLES, also=_STAFF_ROLES), required=True),
            Column("sessionSourcedId"),
            Column("grade"),
            Column("isPrimary", "primary", boolean),
            Column("roleStartDate", "begin", _day),
            Column("roleEndDate", "end", _day),
        ),
        _role, kinds=("membership",), key="userSourcedId", required=True,
    ),
    FileFormat(
        "enrollments.csv",
        (
            Column("classSourcedId", "class_", reference, required=True),
            Column("userSourcedId", "person", required=True),
            Column("role", "role", _ENROLMENT_ROLE, required=True),
        ),
        _enrolment, kinds=("enrolment",), key="userSourcedId",
    ),
    FileFormat(
        "relationships.csv",
        (
            Column("userSourcedId", "student", reference, required=True),
            Column("relationshipUserSourcedId", "other", reference, required=True),
            Column("relationshipRole", "role", reference, required=True),
        ),
        _relationship, kinds=("guardianship",), key="userSourcedId",
    ),
    FileFormat("courses.csv"),
    FileFormat("userFlags.csv"),
)  # fmt: skip


def _detect(tables: Tables) -> Text | None:
    if tables.named("manifest.csv"):
        return Text(zh="有 manifest.csv，应是 OneRoster。", en="it has a manifest.csv, as OneRoster does.")
    missing = [name for name in ("orgs.csv", "users.csv", "roles.csv") if not tables.named(name)]
    if missing:
        names = ", ".join(missing)
        return Text(zh=f"缺少 {names}。", en=f"{names} is missing.")
    if "enabledUser" in tables.header("users.csv"):
        return Text(
            zh="users.csv 有 enabledUser 列，应是 OneRoster。", en="users.csv has enabledUser, as OneRoster does."
        )
    return None


V2P1 = Dialect(
    name="sds-2.1",
    title=Text(zh="Microsoft SDS 2.1", en="Microsoft SDS 2.1"),
    detect=_detect,
    files=_FILES,
    finish=_finish,
    columns={
        "class.school": "orgSourcedId",
        "class.terms": "sessionSourcedIds",
        "demographics.person": "userSourcedId",
    },
)
