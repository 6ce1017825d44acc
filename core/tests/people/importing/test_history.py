"""Transfers, leaving, coming back: periods end and begin, and nothing is deleted."""

import datetime as dt
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gongyu.people.models import ClassGroup, Person

if TYPE_CHECKING:
    from tests.people.importing.conftest import Some, Town, Write


async def test_transfer_ends_one_period_and_begins_another(
    town: "Town", write: "Write", instead: "Some", today: dt.date, yesterday: dt.date
) -> None:
    await town.load(write())
    moved = write(
        roles=instead("roles", ("r1", "p1", "primary", "student", "", "", "s2")),
        enrollments=instead("enrollments", ("e1", "c3", "s2", "p1", "student", "true", "", "")),
    )
    assert await town.tell_since(moved) == [("transferred", "p1")]
    assert await town.enrolments("p1") == [("一年级1班", today, None), ("三年级1班", today, yesterday)]
    assert await town.memberships("p1") == [
        ("student", "第一小学", dt.date(2025, 9, 1), yesterday), ("student", "第二小学", today, None),
    ]  # fmt: skip
    assert not await town.plan(moved)


async def test_change_of_class_is_a_transfer_and_no_removal(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write())
    moved = write(enrollments=instead("enrollments", ("e1", "c2", "s1", "p1", "student", "true", "", "")))
    assert (await town.plan(moved)).removals == 0
    assert await town.tell_since(moved) == [("transferred", "p1")]


async def test_corrected_date_and_second_course_are_no_event(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write())
    put_right = write(
        classes=instead("classes", ("c9", "数学", "3", "y", "", "scheduled", "s1", "t1")),
        roles=instead("roles", ("r1", "p1", "primary", "student", "2025-08-25", "", "s1")),
        enrollments=instead("enrollments", ("e9", "c9", "s1", "p1", "student", "false", "", "")),
    )
    assert await town.tell_since(put_right) == []
    assert (await town.memberships("p1"))[0][2] == dt.date(2025, 8, 25)


async def test_pupil_who_is_gone_left_and_comes_back(
    town: "Town", write: "Write", without: "Some", today: dt.date, yesterday: dt.date
) -> None:
    first = write()
    await town.load(first)
    gone = write(
        users=without("users", "p1"), roles=without("roles", "r1"), enrollments=without("enrollments", "e1"),
        demographics=[("p2", "2019-01-01", "female", "")],
    )  # fmt: skip
    told = await town.tell_since(gone)
    assert told == [("left", "p1"), ("guardian_unlinked", "p1"), ("guardian_unlinked", "p1")]
    assert await town.rows(sa.select(Person.ended_on).where(Person.sourced_id == "p1")) == [(yesterday,)]
    assert await town.memberships("p1") == [("student", "第一小学", dt.date(2025, 9, 1), yesterday)]
    assert not await town.plan(gone)
    told = await town.tell_since(first)
    assert told == [("enrolled", "p1"), ("guardian_linked", "p1"), ("guardian_linked", "p1")]
    assert await town.rows(sa.select(Person.ended_on).where(Person.sourced_id == "p1")) == [(None,)]
    assert await town.memberships("p1") == [("student", "第一小学", dt.date(2025, 9, 1), None)]
    assert await town.guardians("p1") == [("g1", "father", today, None), ("g2", "mother", today, None)]
    assert not await town.plan(first)


async def test_teacher_who_is_gone_left_but_one_who_keeps_a_post_did_not(
    town: "Town", write: "Write", without: "Some", instead: "Some"
) -> None:
    two_posts = [*instead("roles"), ("r6", "t1", "secondary", "counselor", "", "", "s2")]
    await town.load(write(roles=two_posts))
    assert await town.tell_since(write()) == []
    last = write(users=without("users", "t1"), roles=without("roles", "r5"), enrollments=without("enrollments", "e3"))
    assert await town.tell_since(last) == [("staff_left", "t1")]


async def test_guardian_who_is_unlinked_keeps_the_other_child(
    town: "Town", write: "Write", instead: "Some", today: dt.date, yesterday: dt.date
) -> None:
    await town.load(write())
    [pupil] = [list(row) for row in instead("users") if row[0] == "p1"]
    pupil[8], pupil[10] = "g2", "mother"
    apart = write(users=instead("users", pupil))
    assert await town.tell_since(apart) == [("guardian_unlinked", "p1")]
    assert await town.guardians("p1") == [("g1", "father", today, yesterday), ("g2", "mother", today, None)]
    assert await town.guardians("p2") == [("g1", "father", today, None)]


async def test_vague_word_does_not_replace_the_kind_of_a_guardian(
    town: "Town", write: "Write", instead: "Some"
) -> None:
    await town.load(write())
    [pupil] = [list(row) for row in instead("users") if row[0] == "p1"]
    pupil[10] = ""
    assert not await town.plan(write(users=instead("users", pupil)))


async def test_delta_ends_what_it_names_and_nothing_else(town: "Town", write: "Write", yesterday: dt.date) -> None:
    await town.load(write())
    rows = [("tobedeleted", ("t1", "true", "t1", "老师", "张", "", "", "", "", "", ""))]
    assert await town.tell_since(write("delta", users=rows)) == [("staff_left", "t1")]
    assert await town.memberships("t1") == [("teacher", "第一小学", dt.date(2020, 9, 1), yesterday)]
    assert (await town.enrolments("t1"))[0][2] == yesterday
    ended = sa.select(Person.sourced_id).where(Person.ended_on.is_not(None))
    assert await town.rows(ended) == [("t1",)]


async def test_delta_moves_an_enrolment_by_its_id(
    town: "Town", write: "Write", today: dt.date, yesterday: dt.date
) -> None:
    await town.load(write())
    rows = [("active", ("e1", "c2", "s1", "p1", "student", "true", "", ""))]
    assert await town.tell_since(write("delta", enrollments=rows)) == [("transferred", "p1")]
    assert await town.enrolments("p1") == [("三年级1班", today, yesterday), ("三年级2班", today, None)]


async def test_delta_that_names_nobody_known_is_told_so(town: "Town", write: "Write") -> None:
    await town.load(write())
    rows = [("active", ("e8", "c2", "s1", "nobody", "student", "true", "", ""))]
    report = await town.load(write("delta", enrollments=rows))
    found = [(one.code, one.file, one.row, one.value, one.blocks) for one in report.findings]
    assert found == [("unknown_here", "enrollments.csv", 2, "nobody", 1)]


async def test_care_category_changes_by_a_new_period_and_no_is_not_kept(
    town: "Town", write: "Write", today: dt.date, yesterday: dt.date
) -> None:
    await town.load(write())
    await town.load(write(demographics=[("p1", "2018-01-01", "male", "left_behind:double,orphan:no")]))
    single = ("left_behind", "single", today, yesterday)
    assert await town.care() == [("left_behind", "double", today, None), single]
    await town.load(write(demographics=[("p1", "2018-01-01", "male", "left_behind:none")]))
    assert await town.care() == [("left_behind", "double", today, yesterday), single]


async def test_class_of_last_year_is_ended_with_its_periods(
    town: "Town", write: "Write", without: "Some", yesterday: dt.date
) -> None:
    await town.load(write())
    new_year = write(
        classes=[*without("classes", "c1"), ("c4", "四年级1班", "4", "x", "", "homeroom", "s1", "t1")],
        enrollments=[
            ("e7", "c4", "s1", "p1", "student", "true", "", ""), ("e8", "c4", "s1", "t1", "teacher", "true", "", ""),
            ("e2", "c3", "s2", "p2", "student", "true", "", ""),
        ],
    )  # fmt: skip
    assert await town.tell_since(new_year) == [("transferred", "p1")]
    assert await town.rows(sa.select(ClassGroup.ended_on).where(ClassGroup.sourced_id == "c1")) == [(yesterday,)]
    assert [end for _, _, end in await town.enrolments("p1")] == [yesterday, None]
