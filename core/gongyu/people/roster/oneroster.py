"""OneRoster CSV 1.1.1 and 1.2.1 (1EdTech, 22 August 2023): columns in the standard's order.

Where the standard has no column, `metadata.*` carries it, as the standard allows: an identity number and of which
document it is, a name that is not made of its parts, boarding, the number in class, care categories, and what a
guardianship is.
"""

from collections.abc import Callable, Collection

from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.draft import Draft
from gongyu.people.roster.guardians import link_guardians
from gongyu.people.roster.labels import ID_TYPE
from gongyu.people.roster.manifest import read_manifest
from gongyu.people.roster.oneroster_rows import (
    AGENT_LISTS,
    build_class,
    build_details,
    build_enrolment,
    build_org,
    build_role,
    build_session,
    build_user_1p1,
    build_user_1p2,
    care_list,
    day_list,
    finish_1p2,
    parallel_list,
)
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import (
    boolean,
    date,
    document_number,
    email,
    enumeration,
    family,
    integer,
    name,
    phone,
    reference,
    sourced_ids,
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
_day = date()

_HEAD = (
    Column("sourcedId", "sourced_id", required=True),
    Column("status", "status", enumeration("active", "tobedeleted", extended=False), strict=True),
    Column("dateLastModified"),
)


_USER_NAMES = (
    Column("username", "username", wanted=True),
    Column("userIds"),
    Column("givenName", "given_name", name, wanted=True),
    Column("familyName", "family_name", family, wanted=True),
    Column("middleName", "middle", name),
    Column("identifier", "identifier", reference, secret=True),
    Column("email", "email", email),
    Column("sms", "sms", phone, secret=True),
    Column("phone", "phone", phone, secret=True),
    Column("agentSourcedIds", "agents", sourced_ids),
    Column("grades", "grades", sourced_ids),
    Column("password", password=True, secret=True),
)
_USER_EXTENSIONS = (
    Column("metadata.name", "full_name", name),
    Column("metadata.idType", "id_type", ID_TYPE),
    Column("metadata.idNumber", "id_number", document_number, secret=True),
    Column("metadata.boarding", "boarding", boolean),
    *(Column(header, field, parallel_list) for field, header in AGENT_LISTS.items()),
)

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
    build_org, kinds=("org",), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_SESSIONS = FileFormat(
    "academicSessions.csv",
    (
        *_HEAD,
        Column("title", "title", required=True),
        Column(
            "type", "type", enumeration("gradingPeriod", "semester", "schoolYear", "term", extended=False),
            required=True,
        ),
        Column("startDate", "start", _day, required=True),
        Column("endDate", "end", _day, required=True),
        Column("parentSourcedId", "parent", reference),
        Column("schoolYear", "school_year", integer, wanted=True),
    ),
    build_session, kinds=("session",), key="sourcedId", ordered=True, extension="metadata.",
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
    build_class, kinds=("class",), key="sourcedId", ordered=True, extension="metadata.",
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
        Column("metadata.careCategories", "care", care_list, secret=True),
        Column("metadata.careValidFrom", "care_from", day_list),
        Column("metadata.careValidTo", "care_to", day_list),
    ),
    build_details, kinds=("care",), key="sourcedId", ordered=True, extension="metadata.",
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
    build_user_1p1, kinds=("person", "membership", "guardianship"), key="sourcedId", ordered=True,
    extension="metadata.",
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
    build_user_1p2, kinds=("person", "guardianship"), key="sourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_ROLES_1P2 = FileFormat(
    "roles.csv",
    (
        *_HEAD,
        Column("userSourcedId", "person", required=True),
        Column("roleType", "role_type", enumeration("primary", "secondary", extended=False), required=True),
        Column("role", "role", enumeration(*ROLES), required=True),
        Column("beginDate", "begin", _day),
        Column("endDate", "end", _day),
        Column("orgSourcedId", "org", reference, required=True),
        Column("userProfileSourcedId"),
    ),
    build_role, kinds=("membership",), key="userSourcedId", ordered=True, extension="metadata.",
)  # fmt: skip
_ENROLMENTS = FileFormat(
    "enrollments.csv",
    (
        *_HEAD,
        Column("classSourcedId", "class_", reference, required=True),
        Column("schoolSourcedId", "school", reference, required=True),
        Column("userSourcedId", "person", required=True),
        Column("role", "role", enumeration("administrator", "proctor", "student", "teacher"), required=True),
        Column("primary", "primary", boolean),
        Column("beginDate", "begin", _day),
        Column("endDate", "end", _day),
        Column("metadata.number", "number"),
    ),
    build_enrolment, kinds=("enrolment",), key="userSourcedId", ordered=True, extension="metadata.",
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
_FILES_1P2 = (
    _ORGS,
    _SESSIONS,
    _CLASSES,
    _DEMOGRAPHICS,
    _USERS_1P2,
    _ROLES_1P2,
    _ENROLMENTS,
    *_UNUSED_1P1,
    *_UNUSED_1P2,
)

_NEITHER = Text(
    zh="没有 manifest.csv，users.csv 中也没有 enabledUser 列。",
    en="there is no manifest.csv, and users.csv has no column enabledUser.",
)


def _version(tables: Tables) -> str | None:
    """What the manifest says, if that is known; else where the roles are: on the user (1.1) or in their own file."""
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


def _detect(version: str) -> Callable[[Tables], Text | None]:
    def detect(tables: Tables) -> Text | None:
        found = _version(tables)
        if found == version:
            return None
        return _NEITHER if found is None else Text(zh=f"文件是 {found} 版。", en=f"the files are of version {found}.")

    return detect


def _prepare(version: str, files: tuple[FileFormat, ...]) -> Callable[[Tables, Draft], Collection[str]]:
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
    finish=link_guardians,
    columns={"membership.person": "sourcedId", "membership.org": "orgSourcedIds"},
)
V1P2 = Dialect(
    name="oneroster-1.2",
    title=Text(zh="OneRoster 1.2", en="OneRoster 1.2"),
    detect=_detect("1.2"),
    files=_FILES_1P2,
    prepare=_prepare("1.2", _FILES_1P2),
    finish=finish_1p2,
)
