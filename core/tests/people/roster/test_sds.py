import datetime as dt
from collections.abc import Callable
from pathlib import Path

from gongyu.people.roster import Roster, read
from gongyu.people.roster.canonical import Guardianship, Person, Source

Tell = Callable[[Roster], list[tuple[str, str, str, int, str, str, int]]]
Make = Callable[[dict[str, str]], Path]
PASSWORD = ("notice", "password_ignored", "users.csv", 1, "password", "", 0)


def test_sample_of_microsoft_is_read(samples: Path, tell: Tell) -> None:
    roster = read(samples / "microsoft-sds" / "sds-v2.1")
    assert tell(roster) == [
        PASSWORD,
        ("notice", "file_unused", "courses.csv", 0, "", "", 0),
        ("notice", "file_unused", "userFlags.csv", 0, "", "", 0),
    ]
    assert (roster.dialect, roster.mode, roster.held) == ("sds-2.1", "bulk", frozenset())
    assert [(org.name, org.type, org.parent) for org in roster.orgs] == [
        ("College of Engineering", "school", ""),
        ("Computer Science Department", "department", "110001"),
        ("School of TwoDotOne", "school", "110004"),
        ("Ministry of TwoDotOne", "national", ""),
    ]
    assert roster.persons[0] == Person(
        source=Source("users.csv", 2), sourced_id="114001", name="Jack Craig", given_name="Jack", family_name="Craig",
        username="jcraig@classrmtest31.org", birth_date=dt.date(2001, 7, 2), sex="male",
    )  # fmt: skip
    assert {membership.role for membership in roster.memberships} == {"student", "teacher"}
    assert {enrolment.school for enrolment in roster.enrolments} == {"110001", "110003"}
    assert roster.guardianships == (
        Guardianship(source=Source("relationships.csv", 2), guardian="114002", student="114001", kind="guardian"),
        Guardianship(source=Source("relationships.csv", 3), guardian="114002", student="114003", kind="relative"),
        Guardianship(source=Source("relationships.csv", 4), guardian="114005", student="114004", kind="guardian"),
    )
    assert "P@ss" not in repr(roster)


def test_words_without_a_counterpart_and_links_that_are_none(folder: Make, tell: Tell) -> None:
    roster = read(
        folder(
            {
                "orgs.csv": "sourcedId,name,type,parentSourcedId\ns1,School,school,\nx1,Lab,researchCenter,s1\n",
                "users.csv": "sourcedId,username,givenName,familyName\np1,a,Ann,Lee\nt1,b,Bob,Ray\nd1,c,Cy,Orr\n",
                "roles.csv": "userSourcedId,orgSourcedId,role\np1,s1,Student\nt1,s1,nurse\nt1,gone,coach\n",
                "relationships.csv": "userSourcedId,relationshipUserSourcedId,relationshipRole\n"
                "p1,d1,doctor\np1,gone,parent\nt1,d1,parent\n",
            }
        )
    )
    assert tell(roster) == [
        ("error", "reference_unknown", "roles.csv", 4, "orgSourcedId", "gone", 1),
        ("warning", "enum_case", "roles.csv", 2, "role", "Student", 0),
        ("warning", "guardian_role", "relationships.csv", 2, "relationshipRole", "d1", 0),
        ("warning", "reference_dropped", "relationships.csv", 3, "relationshipUserSourcedId", "gone", 0),
        ("warning", "guardian_role", "relationships.csv", 4, "relationshipUserSourcedId", "d1", 0),
        ("notice", "role_extended", "orgs.csv", 3, "type", "researchCenter", 0),
        ("notice", "role_extended", "roles.csv", 3, "role", "nurse", 0),
        ("notice", "role_extended", "roles.csv", 4, "role", "coach", 0),
    ]
    assert [org.type for org in roster.orgs] == ["school", "ext:researchCenter"]
    assert roster.guardianships == ()
    assert "guardianship" not in roster.complete


def test_missing_file_is_named(folder: Make, tell: Tell) -> None:
    path = folder({"users.csv": "sourcedId,username,givenName,familyName\np1,a,Ann,Lee\n"})
    assert tell(read(path, dialect="sds-2.1")) == [
        ("error", "file_missing", "", 0, "", "", 0),
        ("error", "file_missing", "", 0, "", "", 0),
        ("warning", "person_without_role", "users.csv", 2, "", "", 0),
    ]
