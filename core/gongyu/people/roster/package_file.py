"""Writing a OneRoster 1.2 CSV package (1EdTech, 22 August 2023), bulk: columns in the standard's order.

What the standard has no column for stands in `metadata.*`, under the names that `oneroster.py` reads back.
"""

import csv
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

__all__ = ["COLUMNS", "FILES", "PackageFile", "manifest"]

FILES: Final = (
    "academicSessions", "categories", "classes", "classResources", "courses", "courseResources", "demographics",
    "enrollments", "lineItemLearningObjectiveIds", "lineItems", "lineItemScoreScales", "orgs", "resources",
    "resultLearningObjectiveIds", "results", "resultScoreScales", "roles", "scoreScales", "userProfiles",
    "userResources", "users",
)  # fmt: skip
COLUMNS: Final = {
    "orgs": "name type identifier parentSourcedId",
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
    "courses": "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects "
    "subjectCodes periods",
    "users": "enabledUser username userIds givenName familyName middleName identifier email sms phone agentSourcedIds "
    "grades password userMasterIdentifier preferredGivenName preferredMiddleName preferredFamilyName "
    "primaryOrgSourcedId pronouns metadata.name metadata.idType metadata.idNumber metadata.boarding "
    "metadata.agentKinds metadata.agentLegal metadata.agentPriority "
    "metadata.agentContactAllowed metadata.agentValidFrom metadata.agentValidTo",
    "roles": "userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
    "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate metadata.number",
    "demographics": "birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican "
    "nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity "
    "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus metadata.careCategories "
    "metadata.careValidFrom metadata.careValidTo",
}
_BULK: Final = ("", "")  # status and dateLastModified are blank in a bulk set


def manifest(present: Collection[str], *, system: str) -> str:
    entries = {
        "manifest.version": "1.0",
        "oneroster.version": "1.2",
        # A file without rows is not permitted; it is declared absent.
        **{f"file.{name}": "bulk" if name in present else "absent" for name in FILES},
        "source.systemName": "Gongyu",
        "source.systemCode": system,
    }
    return "".join(f"{key},{value}\r\n" for key, value in {"propertyName": "value", **entries}.items())


class PackageFile:
    """One of the files, written row by row; all are open at once, which the entries of a zip cannot be."""

    def __init__(self, path: Path, columns: str) -> None:
        self._path = path
        self._columns = ("sourcedId", "status", "dateLastModified", *columns.split())
        self.rows = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(self._columns)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def add(self, key: str, *cells: str) -> None:
        self.rows += 1
        self._writer.writerow((key, *_BULK, *cells))
