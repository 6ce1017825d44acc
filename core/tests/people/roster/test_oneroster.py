import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from gongyu.people.roster import Roster, read
from gongyu.people.roster.canonical import (
    AcademicSession,
    CareCategory,
    Class_,
    Enrolment,
    Guardianship,
    Membership,
    Org,
    Person,
    Source,
)

Tell = Callable[[Roster], list[tuple[str, str, str, int, str, str, int]]]
Make = Callable[[dict[str, str]], Path]
HEAD = "sourcedId,status,dateLastModified"
ORGS = f"{HEAD},name,type,identifier,parentSourcedId\n"
USERS = f"{HEAD},enabledUser,username,givenName,familyName,agentSourcedIds,password\n"
ROLES = f"{HEAD},userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n"
ENROLMENTS = f"{HEAD},classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
PASSWORD = ("notice", "password_ignored", "users.csv", 1, "password", "", 0)


def test_sound_set_becomes_the_canonical_roster(oneroster: Make, tell: Tell) -> None:
    roster = read(oneroster({}))
    assert tell(roster) == [PASSWORD]
    assert (roster.dialect, roster.mode, roster.stable_ids) == ("oneroster-1.2", "bulk", True)
    assert roster.complete == {"org", "session", "class", "person", "membership", "enrolment", "guardianship"}
    assert roster.orgs == (
        Org(source=Source("orgs.csv", 2), sourced_id="d", name="鄂城区", type="district"),
        Org(
            source=Source("orgs.csv", 3),
            sourced_id="s1",
            name="第一小学",
            type="school",
            identifier="2142001636",
            parent="d",
        ),
    )
    assert roster.sessions == (
        AcademicSession(
            source=Source("academicSessions.csv", 2), sourced_id="t1", title="上学期", type="term",
            start=dt.date(2025, 9, 1), end=dt.date(2026, 1, 20), school_year=2026,
        ),
    )  # fmt: skip
    assert roster.classes == (
        Class_(
            source=Source("classes.csv", 2), sourced_id="c1", title="三年级1班", school="s1", type="homeroom",
            grades=("3",), terms=("t1",),
        ),
    )  # fmt: skip
    assert roster.persons == (
        Person(
            source=Source("users.csv", 2), sourced_id="p1", name="王小明", given_name="小明", family_name="王",
            username="xiaoming", grades=("3",),
        ),
        Person(
            source=Source("users.csv", 3), sourced_id="g1", name="王大明", given_name="大明", family_name="王",
            username="daming",
        ),
    )  # fmt: skip
    assert roster.memberships == (
        Membership(
            source=Source("roles.csv", 2), sourced_id="r1", person="p1", org="s1", role="student",
            begin=dt.date(2025, 9, 1), primary=True,
        ),
        Membership(source=Source("roles.csv", 3), sourced_id="r2", person="g1", org="s1", role="parent", primary=True),
    )  # fmt: skip
    assert roster.enrolments == (
        Enrolment(
            source=Source("enrollments.csv", 2), sourced_id="e1", person="p1", class_="c1", school="s1", role="student",
            primary=True,
        ),
    )  # fmt: skip
    assert roster.guardianships == (
        Guardianship(source=Source("users.csv", 2), guardian="g1", student="p1", kind="parent"),
    )


def test_bad_org_is_weighed_by_all_that_falls_with_it(oneroster: Make, tell: Tell) -> None:
    roster = read(oneroster({"orgs.csv": ORGS + "d,,,鄂城区,district,,\ns1,,,第一小学,kindergarten,,d\n"}))
    # The org's own row, one class, two memberships, one enrolment.
    assert tell(roster) == [("error", "enum_unknown", "orgs.csv", 3, "type", "kindergarten", 5), PASSWORD]
    assert (roster.classes, roster.memberships, roster.enrolments) == ((), (), ())
    assert len(roster.persons) == 2
    # What is held is not missing: nothing of it may be ended.
    assert roster.held == {
        ("org", "s1"), ("class", "c1"), ("membership", "p1"), ("membership", "g1"), ("enrolment", "p1"),
    }  # fmt: skip


def test_bad_rows_are_quarantined_and_good_ones_go_on(oneroster: Make, tell: Tell) -> None:
    users = (
        f"{HEAD},enabledUser,username,givenName,familyName,email,phone,agentSourcedIds,password\n"
        "p1,,,true,xiaoming,小明,王,,,g1,hunter2hunter2\n"
        "p2,,,true,hong,小红,李\n"
        ",,,true,nobody,无,名,,,,\n"
        "p1,,,true,twin,小明,王,,,,\n"
        'p4,,,true,"张三,,,,\n'
        "p5,,,maybe,,,,not-an-address,1.39E+10,,\n"
        "p6,,,true,lan,小\ufffd兰,赵,,,,\n"
        "p7,,,true,liu,刘\0,刘,,,,\n"
        "g1,,,true,daming,大明,王,,１３９00001111,,\n"
    )
    roster = read(oneroster({"users.csv": users}))
    assert tell(roster) == [
        ("error", "ragged", "users.csv", 3, "", "", 1),
        ("error", "value_missing", "users.csv", 4, "sourcedId", "", 1),
        ("error", "duplicate_id", "users.csv", 5, "sourcedId", "p1", 1),
        ("error", "csv_broken", "users.csv", 6, "", "", 1),
        ("error", "number_scientific", "users.csv", 7, "phone", "1.3***10", 1),
        ("error", "character_damaged", "users.csv", 8, "", "", 1),
        ("error", "character_null", "users.csv", 9, "", "", 1),
        ("warning", "boolean_unknown", "users.csv", 7, "enabledUser", "maybe", 0),
        ("warning", "value_wanted", "users.csv", 7, "username", "", 0),
        ("warning", "value_wanted", "users.csv", 7, "givenName", "", 0),
        ("warning", "value_wanted", "users.csv", 7, "familyName", "", 0),
        ("warning", "email_invalid", "users.csv", 7, "email", "not-an-address", 0),
        PASSWORD,
        ("notice", "full_width", "users.csv", 10, "phone", "１３９***11", 0),
    ]
    assert [(person.sourced_id, person.phone) for person in roster.persons] == [("p1", ""), ("g1", "13900001111")]
    assert {key for kind, key in roster.held if kind == "person"} == {"p2", "p5", "p6", "p7"}
    assert "person" not in roster.complete  # rows without an id fell: nobody may be ended by this file
    assert "hunter2" not in repr(roster)


def test_unknown_references_are_found_in_bulk_and_passed_on_in_a_delta(oneroster: Make, tell: Tell) -> None:
    enrolments = ENROLMENTS + "e1,,,c9,s1,p1,student,,,\ne2,,,c1,s9,p1,student,,,\ne3,,,c1,s1,p9,student,,,\n"
    roster = read(oneroster({"enrollments.csv": enrolments}))
    assert tell(roster) == [
        ("error", "reference_unknown", "enrollments.csv", 2, "classSourcedId", "c9", 1),
        ("error", "reference_unknown", "enrollments.csv", 4, "userSourcedId", "p9", 1),
        ("warning", "school_mismatch", "enrollments.csv", 3, "schoolSourcedId", "s9", 0),
        PASSWORD,
    ]
    assert [(enrolment.sourced_id, enrolment.school) for enrolment in roster.enrolments] == [("e2", "s1")]


def test_delta_passes_on_what_only_the_database_knows(folder: Make, tell: Tell) -> None:
    manifest = (
        "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.users,delta\nfile.roles,delta\n"
        "file.enrollments,delta\nfile.demographics,delta\n"
    )
    stamp = "2025-10-02T00:00:00.000Z"
    roster = read(
        folder(
            {
                "manifest.csv": manifest,
                "users.csv": USERS
                + f"p1,active,{stamp},true,xiaoming,小明,王,g9,\np2,tobedeleted,{stamp},true,h,红,李,,\n",
                "roles.csv": ROLES + f"r1,active,{stamp},p1,primary,student,,,s9,\n",
                "enrollments.csv": ENROLMENTS + f"e1,tobedeleted,{stamp},c9,s9,p1,student,,,\n",
                "demographics.csv": f"{HEAD},birthDate,sex\n"
                f"p1,active,{stamp},2016-05-01,male\np8,active,{stamp},,female\n",
            }
        )
    )
    assert tell(roster) == [PASSWORD]
    assert (roster.mode, roster.complete) == ("delta", frozenset())
    assert [(p.sourced_id, p.ended, p.birth_date) for p in roster.persons] == [
        ("p1", False, dt.date(2016, 5, 1)),
        ("p2", True, None),
    ]
    assert [(e.class_, e.ended) for e in roster.enrolments] == [("c9", True)]
    assert [(g.guardian, g.student, g.kind) for g in roster.guardianships] == [("g9", "p1", "unknown")]
    assert [(d.person, d.sex) for d in roster.demographics] == [("p8", "female")]


def test_guardians_are_linked_from_either_side_and_only_between_student_and_guardian(
    oneroster: Make, tell: Tell
) -> None:
    people = {"p1": "g1,t1,p2,p1", "p2": "", "g1": "p1", "g2": "p2", "t1": "p1", "g3": "x9"}
    users = USERS + "".join(f'{key},,,true,{key},名,姓,"{agents}",\n' for key, agents in people.items())
    kinds = {"p": "student", "g": "parent", "t": "teacher"}
    roles = ROLES + "".join(f"r{key},,,{key},primary,{kinds[key[0]]},,,s1,\n" for key in people)
    roster = read(oneroster({"users.csv": users, "roles.csv": roles}))
    assert tell(roster) == [
        ("warning", "guardian_role", "users.csv", 2, "agentSourcedIds", "t1", 0),
        ("warning", "guardian_role", "users.csv", 2, "agentSourcedIds", "p2", 0),
        ("warning", "guardian_self", "users.csv", 2, "agentSourcedIds", "p1", 0),
        ("warning", "guardian_role", "users.csv", 6, "agentSourcedIds", "p1", 0),
        ("warning", "reference_dropped", "users.csv", 7, "agentSourcedIds", "x9", 0),
        PASSWORD,
    ]
    assert [(g.guardian, g.student, g.kind) for g in roster.guardianships] == [
        ("g1", "p1", "parent"),
        ("g2", "p2", "parent"),
    ]


def test_extension_columns_say_what_a_guardianship_is(oneroster: Make, tell: Tell) -> None:
    agents = ",".join(f"metadata.agent{name}" for name in ("Kinds", "Legal", "Priority", "ContactAllowed", "ValidFrom"))
    users = (
        f"{HEAD},enabledUser,username,givenName,familyName,agentSourcedIds,metadata.idNumber,{agents}\n"
        'p1,,,true,p1,小明,王,"g1,g2",11010519491231002X,"mother,grandfather","true,","1,2","true,false",",2025-01-01"\n'
        "g1,,,true,g1,芳,李,,,,,,,\ng2,,,true,g2,国,王,,,,,,,\n"
    )
    roles = ROLES + "r1,,,p1,primary,student,,,s1,\nr2,,,g1,primary,parent,,,s1,\nr3,,,g2,primary,relative,,,s1,\n"
    demographics = (
        f'{HEAD},birthDate,sex,metadata.careCategories\np1,,,1949-12-31,male,"left_behind:single,orphan:no"\n'
    )
    manifest = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n" + "".join(
        f"file.{name},bulk\n"
        for name in ["orgs", "academicSessions", "classes", "users", "roles", "enrollments", "demographics"]
    )
    roster = read(
        oneroster({"manifest.csv": manifest, "users.csv": users, "roles.csv": roles, "demographics.csv": demographics})
    )
    assert tell(roster) == []
    source = Source("users.csv", 2)
    assert roster.guardianships == (
        Guardianship(
            source=source, guardian="g1", student="p1", kind="mother", legal=True, priority=1, contact_allowed=True
        ),
        Guardianship(
            source=source, guardian="g2", student="p1", kind="grandfather", priority=2, contact_allowed=False,
            valid_from=dt.date(2025, 1, 1),
        ),
    )  # fmt: skip
    assert roster.persons[0].id_number == "11010519491231002X"
    assert roster.care == (
        CareCategory(source=Source("demographics.csv", 2), student="p1", category="left_behind", value="single"),
        CareCategory(source=Source("demographics.csv", 2), student="p1", category="orphan", value="no"),
    )
    assert "care" in roster.complete


def test_what_the_standard_has_no_column_for_is_read_and_checked(oneroster: Make, tell: Tell) -> None:
    """Only an identity card's number has a check digit; a link that says what it is needs no guardian's role."""
    users = (
        f"{HEAD},enabledUser,username,givenName,familyName,agentSourcedIds,metadata.name,metadata.idType,"
        "metadata.idNumber,metadata.boarding,metadata.agentKinds,metadata.agentValidFrom,metadata.agentValidTo\n"
        'p1,,,true,p1,Lee Ann,Orr,"t1,t1",Ann Orr,A,e1234567,true,"mother,unknown",'
        '"2024-09-01,2026-02-01","2026-01-31,"\n'
        "p2,,,true,p2,名,姓,t1,,1,110105194912310021,,,,\n"
        "p3,,,true,p3,名,姓,t1,,护照,110105194912310021,no,father,,\n"
        "t1,,,true,t1,老师,张,p1,,Q,11010519491231002X,,,,\n"
    )
    kinds = {"p1": "student", "p2": "student", "t1": "teacher"}  # the third pupil has left
    roles = ROLES + "".join(f"r{key},,,{key},primary,{kinds[key]},,,s1,\n" for key in kinds)
    enrolments = (ENROLMENTS[:-1] + ",metadata.number\n") + "e1,,,c1,s1,p1,student,true,,,07\n"
    demographics = (
        f"{HEAD},birthDate,sex,metadata.careCategories,metadata.careValidFrom,metadata.careValidTo\n"
        'p1,,,2018-01-01,male,"left_behind:single,aid:yes",",2024-03-01","2027-01-01"\n'
        "p2,,,2018-01-02,male,orphan:yes,gestern,\n"
    )
    manifest = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n" + "".join(
        f"file.{name},bulk\n"
        for name in ["orgs", "academicSessions", "classes", "users", "roles", "enrollments", "demographics"]
    )
    roster = read(
        oneroster(
            {
                "manifest.csv": manifest, "users.csv": users, "roles.csv": roles, "enrollments.csv": enrolments,
                "demographics.csv": demographics,
            }
        )
    )  # fmt: skip
    assert [told[:-1] for told in tell(roster)] == [
        ("warning", "care_list", "demographics.csv", 2, "metadata.careValidTo", ""),
        ("warning", "date_unknown", "demographics.csv", 3, "metadata.careValidFrom", "gestern"),
        ("warning", "id_number_check", "users.csv", 3, "metadata.idNumber", "110***21"),
        ("warning", "boolean_unknown", "users.csv", 4, "metadata.boarding", "no"),
        ("warning", "label_unknown", "users.csv", 5, "metadata.idType", "Q"),
        ("warning", "person_without_role", "users.csv", 4, "", ""),
        ("warning", "guardian_role", "users.csv", 3, "agentSourcedIds", "t1"),
        ("warning", "guardian_role", "users.csv", 5, "agentSourcedIds", "p1"),
    ]
    assert [(p.name, p.given_name, p.id_type, p.id_number, p.boarding) for p in roster.persons] == [
        ("Ann Orr", "Lee Ann", "A", "E1234567", True),
        ("姓名", "名", "1", "", None),
        ("姓名", "名", "A", "110105194912310021", None),
        ("张老师", "老师", "", "11010519491231002X", None),
    ]
    assert [(g.guardian, g.student, g.kind, g.valid_from, g.valid_to) for g in roster.guardianships] == [
        ("t1", "p1", "mother", dt.date(2024, 9, 1), dt.date(2026, 1, 31)),
        ("t1", "p1", "unknown", dt.date(2026, 2, 1), None),
        ("t1", "p3", "father", None, None),
    ]
    assert [(c.student, c.category, c.valid_from, c.valid_to) for c in roster.care] == [
        ("p1", "left_behind", None, None), ("p1", "aid", dt.date(2024, 3, 1), None), ("p2", "orphan", None, None),
    ]  # fmt: skip
    assert [enrolment.number for enrolment in roster.enrolments] == ["07"]


def test_six_guardians_are_a_warning(oneroster: Make, tell: Tell) -> None:
    adults = [f"g{number}" for number in range(6)]
    users = (
        USERS + f'p1,,,true,p1,小明,王,"{",".join(adults)}",\n' + "".join(f"{g},,,true,{g},大,王,,\n" for g in adults)
    )
    roles = ROLES + "r,,,p1,primary,student,,,s1,\n" + "".join(f"r{g},,,{g},primary,parent,,,s1,\n" for g in adults)
    roster = read(oneroster({"users.csv": users, "roles.csv": roles}))
    assert tell(roster) == [("warning", "guardian_many", "users.csv", 2, "", "", 0), PASSWORD]


def test_headers_are_read_by_name_and_their_faults_named(oneroster: Make, tell: Tell) -> None:
    roster = read(
        oneroster(
            {
                "orgs.csv": "Name,sourcedid,type,parentSourceId,metadata.own,whatever\n"
                "鄂城区,d,district,,,\n第一小学,s1,school,,,\n",
                "academicSessions.csv": f"{HEAD},title,title,type,startDate,endDate,schoolYear\n"
                "t1,,,a,b,term,2025-01-01,,\n",
                "enrollments.csv": "sourcedId,userSourcedId,role\ne1,p1,student\ne2,p1,student\n",
            }
        )
    )
    assert tell(roster) == [
        ("error", "column_missing", "enrollments.csv", 1, "schoolSourcedId", "", 2),
        ("error", "header_duplicate", "academicSessions.csv", 1, "title", "title", 1),
        ("error", "column_missing", "enrollments.csv", 1, "classSourcedId", "", 0),
        ("warning", "header_case", "orgs.csv", 1, "Name", "", 0),
        ("warning", "header_case", "orgs.csv", 1, "sourcedid", "", 0),
        ("warning", "header_misspelt", "orgs.csv", 1, "", "parentSourceId", 0),
        ("warning", "header_unknown", "orgs.csv", 1, "", "whatever", 0),
        ("warning", "reference_dropped", "classes.csv", 2, "termSourcedIds", "t1", 0),
        ("notice", "header_order", "orgs.csv", 1, "", "", 0),
        PASSWORD,
    ]
    misspelt = next(finding for finding in roster.findings if finding.code == "header_misspelt")
    assert (
        misspelt.text.en == "The column “parentSourceId” is not known and was ignored; should it be “parentSourcedId”?"
    )
    assert {"session", "enrolment"}.isdisjoint(roster.complete)


@pytest.mark.parametrize(
    ("written", "read_as", "finding"),
    [
        ("2025-09-01", dt.date(2025, 9, 1), None),
        ("20250901", dt.date(2025, 9, 1), ("notice", "date_compact")),
        ("2025/9/1", dt.date(2025, 9, 1), ("notice", "date_slashed")),
        ("45901", dt.date(2025, 9, 1), ("notice", "date_serial")),
        ("2025-09-01T00:00:00.000Z", dt.date(2025, 9, 1), ("notice", "date_time")),
        ("1/09/2025", None, ("warning", "date_ambiguous")),
        ("2025-02-30", None, ("warning", "date_unknown")),
        ("soon", None, ("warning", "date_unknown")),
    ],
)
def test_date_in_any_format_has_its_finding(
    oneroster: Make, tell: Tell, written: str, read_as: dt.date | None, finding: tuple[str, str] | None
) -> None:
    roles = ROLES + f"r1,,,p1,primary,student,{written},,s1,\nr2,,,g1,primary,parent,,,s1,\n"
    roster = read(oneroster({"roles.csv": roles}))
    assert roster.memberships[0].begin == read_as
    wanted = [(*finding, "roles.csv", 2, "beginDate", written, 0)] if finding else []
    assert [told for told in tell(roster) if told != PASSWORD] == wanted


def test_manifest_that_contradicts_the_files_is_reported_and_ends_nothing(oneroster: Make, tell: Tell) -> None:
    manifest = (
        "propertyName,value\nmanifest.version,2.0\noneroster.version,1.2\nfile.orgs,bulk\nfile.orgs,bulk\n"
        "file.academicSessions,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.roles,\nfile.enrollments,absent\n"
        "file.demographics,bulk\nfiel.results,absent\n"
    )
    roster = read(oneroster({"manifest.csv": manifest}))
    assert tell(roster) == [
        ("error", "file_missing", "manifest.csv", 11, "file.demographics", "", 1),
        ("error", "manifest_absent", "enrollments.csv", 0, "", "", 0),
        ("warning", "manifest_key", "manifest.csv", 5, "", "file.orgs", 0),
        ("warning", "manifest_key", "manifest.csv", 12, "", "fiel.results", 0),
        ("warning", "manifest_value", "manifest.csv", 2, "manifest.version", "2.0", 0),
        ("warning", "manifest_value", "manifest.csv", 9, "file.roles", "", 0),
        ("warning", "manifest_mixed", "manifest.csv", 0, "", "", 0),
        ("notice", "password_ignored", "users.csv", 1, "password", "", 0),
    ]
    assert (roster.mode, roster.complete, roster.enrolments) == ("delta", frozenset(), ())


def test_set_without_manifest_or_rows_ends_nothing(oneroster: Make, tell: Tell) -> None:
    path = oneroster({"users.csv": USERS, "roles.csv": ROLES, "enrollments.csv": ENROLMENTS})
    roster = read(path)
    assert tell(roster) == [
        ("warning", "file_empty", "users.csv", 0, "", "", 0),
        ("warning", "file_empty", "roles.csv", 0, "", "", 0),
        ("warning", "file_empty", "enrollments.csv", 0, "", "", 0),
        PASSWORD,
    ]
    assert roster.complete == {"org", "session", "class"}
    (path / "manifest.csv").unlink()
    roster = read(path)
    assert tell(roster)[0] == ("warning", "manifest_missing", "roster", 0, "", "", 0)
    assert (roster.dialect, roster.mode, roster.complete) == ("oneroster-1.2", "delta", frozenset())


def test_primary_roles_and_people_without_any_are_reported(oneroster: Make, tell: Tell) -> None:
    users = USERS + "".join(f"{key},,,true,{key},名,姓,,\n" for key in ("p1", "p2", "p3"))
    roles = ROLES + "r1,,,p1,secondary,teacher,,,s1,\nr2,,,p2,primary,teacher,,,s1,\nr3,,,p2,primary,ext:mentor,,,d,\n"
    roster = read(oneroster({"users.csv": users, "roles.csv": roles}))
    assert [told for told in tell(roster) if told != PASSWORD] == [
        ("warning", "role_primary_missing", "users.csv", 2, "", "", 0),
        ("warning", "role_primary_many", "users.csv", 3, "", "", 0),
        ("warning", "person_without_role", "users.csv", 4, "", "", 0),
    ]
    assert [membership.role for membership in roster.memberships] == ["teacher", "teacher", "ext:mentor"]


def test_circle_of_orgs_is_opened(oneroster: Make, tell: Tell) -> None:
    roster = read(oneroster({"orgs.csv": ORGS + "d,,,区,district,,s1\ns1,,,校,school,,d\ns2,,,校,school,,gone\n"}))
    assert [told for told in tell(roster) if told != PASSWORD] == [
        ("warning", "reference_dropped", "orgs.csv", 4, "parentSourcedId", "gone", 0),
        ("warning", "org_cycle", "orgs.csv", 2, "parentSourcedId", "s1", 0),
    ]
    assert [(org.sourced_id, org.parent) for org in roster.orgs] == [("d", ""), ("s1", "d"), ("s2", "")]


def test_the_same_fault_in_every_row_is_shown_a_thousand_times_and_then_counted(oneroster: Make) -> None:
    enrolments = ENROLMENTS + "".join(f"e{n},,,gone{n},s1,p1,student,,,\n" for n in range(1500))
    roster = read(oneroster({"enrollments.csv": enrolments}))
    errors = [finding for finding in roster.findings if finding.severity == "error"]
    assert (len(errors), sum(finding.blocks for finding in errors)) == (1001, 1500)
    assert (errors[0].blocks, errors[0].text.en) == (500, "There are 500 more of this kind, not listed one by one.")


def test_samples_of_others_are_read(samples: Path, tell: Tell) -> None:
    figures = {}
    found = {}
    for name in (
        "catalyst-moodle/Test_minimal_data_set.zip",
        "catalyst-moodle/oneroster_test_data.zip",
        "roster-hub/en",
        "roster-hub/ja/oneroster.zip",
    ):
        roster = read(samples / name)
        figures[name] = (
            roster.dialect, roster.mode, len(roster.orgs), len(roster.sessions), len(roster.classes),
            len(roster.persons),
            len(roster.memberships), len(roster.enrolments), len(roster.held),
        )  # fmt: skip
        found[name] = tell(roster)
    assert figures == {
        "catalyst-moodle/Test_minimal_data_set.zip": ("oneroster-1.1", "bulk", 1, 5, 2, 6, 6, 6, 0),
        "catalyst-moodle/oneroster_test_data.zip": ("oneroster-1.2", "delta", 1, 1, 1, 1, 1, 1, 0),
        "roster-hub/en": ("oneroster-1.1", "bulk", 1, 4, 5, 20, 20, 30, 0),
        "roster-hub/ja/oneroster.zip": ("oneroster-1.1", "bulk", 1, 4, 5, 20, 20, 30, 0),
    }
    hub = [
        ("warning", "manifest_key", "manifest.csv", 10, "", "fiel.demographics", 0),
        PASSWORD,
        ("notice", "file_unused", "courses.csv", 0, "", "", 0),
    ]
    assert found == {
        "catalyst-moodle/Test_minimal_data_set.zip": [
            ("warning", "enum_case", "classes.csv", 2, "classType", "Scheduled", 0),
            PASSWORD,
        ],
        "catalyst-moodle/oneroster_test_data.zip": [
            PASSWORD,
            ("notice", "file_unused", "courses.csv", 0, "", "", 0),
            ("notice", "file_unused", "userProfiles.csv", 0, "", "", 0),
        ],
        "roster-hub/en": [*hub, ("notice", "file_unknown", "oneroster.zip", 0, "", "", 0)],
        "roster-hub/ja/oneroster.zip": hub,
    }
