"""What is taken home: it adds up for its own period, in the reader's language, and no odd character or day stops it."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook
from pypdf import PdfReader

from gongyu.database.model import new_id
from gongyu.people.models import Membership, Org, Person
from gongyu_points.personal import copy_of

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def _note(store: "Storefront", pupil: UUID, note: str) -> None:
    new = {"id": str(new_id()), "points": 5, "reason": "helps_others", "students": [str(pupil)], "note": note}
    assert (await store.ask(store.scene.teachers[0], "POST", "/awards", new)).status_code == 201


async def _paper(store: "Storefront", pupil: UUID, query: str = "", **headers: str) -> str:
    answer = await store.ask(pupil, "GET", f"/students/{pupil}/statement.pdf{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages).replace(" ", "")


async def _rename(scene: "Scene", person: UUID, name: str) -> None:
    async with scene.work() as session:
        await session.execute(sa.update(Person).where(Person.id == person).values(name=name))


async def _long_ago(scene: "Scene", kind: str, days: int) -> None:
    """Entries of that kind happened before."""
    schema = scene.state.district.schema
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        ago = f"UPDATE {schema}.points_entry SET at = at - make_interval(days => :days) WHERE kind = :kind"  # noqa: S608 - ours
        await connection.execute(sa.text(ago), {"days": days, "kind": kind})


async def test_an_odd_note_is_printed_by_its_code_points_and_an_odd_name_is_refused_in_words(
    store: "Storefront",
) -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await _note(store, pupil, "真棒\U0001f600\x1b")
    assert "奖励助人为乐真棒[U+1F600][U+001B]" in (await _paper(store, pupil)).replace("\u3000", "")
    await _rename(scene, pupil, "李𪚥")
    path, english = f"/students/{pupil}/statement.pdf", {"Accept-Language": "en"}
    zh, en = [await store.ask(pupil, "GET", path, headers=headers) for headers in ({}, english)]
    assert (zh.status_code, zh.json()["type"]) == (en.status_code, en.json()["type"]) == (409, "/problems/conflict")
    assert "𪚥（U+2A6A5），见“李𪚥”（/name）" in zh.json()["detail"]
    assert "𪚥 (U+2A6A5) in “李𪚥” (/name)" in en.json()["detail"]


async def test_a_sheet_takes_a_name_with_marks_that_excel_does_not(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await _rename(scene, pupil, "'张/三:[转学]*?\\" + "甲" * 40)
    answer = await store.ask(pupil, "GET", f"/students/{pupil}/statement.xlsx")
    assert load_workbook(BytesIO(answer.content)).sheetnames == ["_张_三__转学____" + "甲" * 19]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("until=9999-12-31", ["until"]),
        ("until=0001-01-01", ["until"]),
        ("since=0001-01-01", ["since"]),
        ("since=0001-01-01&until=9999-12-31", ["since", "until"]),
    ],
)
async def test_days_that_no_clock_reaches_are_refused_by_name(
    store: "Storefront", query: str, wrong: list[str]
) -> None:
    pupil = store.scene.pupils[0][0]
    for form in ("pdf", "xlsx"):
        answer = await store.ask(pupil, "GET", f"/students/{pupil}/statement.{form}?{query}")
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, wrong)
        assert "1900-01-01" in answer.json()["errors"][0]["detail"]
    assert "没有积分变动" in await _paper(store, pupil, "?since=1900-01-01&until=2999-12-31")


async def test_a_past_period_ends_with_the_balance_of_its_last_day(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=20)
    await scene.spend(pupil, 3)
    await _long_ago(scene, "award", 40)
    await _long_ago(scene, "redeem", 30)
    await scene.give(pupil, points=5)
    today = datetime.now(UTC).date()

    async def balance(since: int, until: int) -> str:
        """The one in the head of the paper, over days counted from today."""
        first, last = (today - timedelta(days=days) for days in (since, until))
        text = await _paper(store, pupil, f"?since={first}&until={last}")
        return text.partition("余额balance")[2].partition("日期")[0].partition("这段")[0].strip()

    spans = ((60, 50), (60, 35), (60, 20), (28, 20), (20, -1))
    assert [await balance(*span) for span in spans] == ["0", "20", "17", "17", "22"]


async def test_papers_and_copies_speak_the_language_of_who_reads_them(store: "Storefront") -> None:
    scene, pupil = store.scene, store.scene.pupils[0][0]
    await scene.open_term()
    await scene.give(pupil, points=10)
    await scene.spend(pupil, 4)

    async def lines(language: str) -> list[Any]:
        at = f"/students/{pupil}/statement.xlsx"
        answer = await store.ask(pupil, "GET", at, headers={"Accept-Language": language})
        (sheet,) = load_workbook(BytesIO(answer.content)).worksheets
        return [row[1] for row in sheet.iter_rows(min_row=2, values_only=True)]

    assert await lines("zh-CN") == ["奖励　助人为乐", "兑换　签字笔"]
    assert await lines("en") == ["award　Helps others", "spent　签字笔"]
    assert "awardHelpsothers" in (await _paper(store, pupil, **{"Accept-Language": "en"})).replace("\u3000", "")
    async with scene.work() as session:
        of_pupil, of_teacher = [
            {part.name: part.rows for part in await copy_of(scene.context(session), person=person)}
            for person in (pupil, scene.teachers[0])
        ]
    told = [(row["kind"], row["points"], row["reason"]) for row in of_pupil["points"]]
    assert told == [("奖励 award", 10, "助人为乐 Helps others"), ("兑换 spent", -4, "")]
    assert [(row["kind"], row["reason"]) for row in of_teacher["points_given"]] == [told[0][::2]]


async def test_quotas_budgets_and_shops_have_statements_for_their_holder_and_for_the_office_of_their_school(
    store: "Storefront",
) -> None:
    scene, (pupil, *_), (teacher, other, _) = store.scene, store.scene.pupils[0], store.scene.teachers
    async with scene.work() as session:
        elsewhere = Org(id=new_id(), name="别校", type="school", parent_id=scene.root)
        session.add(elsewhere)
    head, stranger = await store.person("principal", scene.school), await store.person("principal", elsewhere.id)
    district = await store.person("districtAdministrator", scene.root)
    async with scene.work() as session:  # whose child goes to school there
        session.add(Membership(person_id=teacher, org_id=elsewhere.id, role="guardian", begins_on=date(2020, 9, 1)))
    last = await scene.open_term("上学期")
    await _note(store, pupil, "进步了")
    await scene.close(last)
    await _term_was(scene, last, days=90)
    term = await scene.open_term("本学期")
    assert (await store.ask(pupil, "GET", "/quota")).status_code == 403
    budget = {"id": str(new_id()), "title": "运动会", "points": 50, "holder": str(other), "org": str(scene.school)}
    assert (await store.ask(district, "POST", "/budgets", budget)).status_code == 201
    new = {"id": str(new_id()), "points": 20, "reason": "exercise", "students": [str(scene.pupils[1][0])]}
    assert (await store.ask(other, "POST", "/awards", {**new, "budget": budget["id"]})).status_code == 201
    await scene.give(pupil, points=5)
    await scene.spend(pupil, 3)
    pen = await store.item()
    await scene.give(pupil, points=5)
    order = (await store.order(pupil, pen)).json()["id"]
    assert (await store.ask(store.clerk, "POST", f"/orders/{order}/collect")).status_code == 201

    async def read(who: UUID, owner: object, query: str = "") -> Any:  # noqa: ANN401 - lines, or why not
        answer = await store.ask(who, "GET", f"/accounts/{owner}/statement{query}")
        if answer.status_code != 200:
            return answer.status_code
        return [(line["kind"], line["points"], line["balance"], line["note"]) for line in answer.json()["items"]]

    before = [("expire", -995, 0, ""), ("award", -5, 995, "进步了"), ("grant", 1000, 1000, "")]
    unsaid = [(*line[:3], "") for line in before]
    assert await read(teacher, teacher, f"?term={last}") == before
    assert [await read(who, teacher, f"?term={last}") for who in (head, district)] == [unsaid] * 2
    now = [("award", -5, 990, ""), ("award", -5, 995, ""), ("grant", 1000, 1000, "")]
    for query in ("", f"?term={term}"):
        assert [await read(who, teacher, query) for who in (teacher, head, district)] == [now] * 3
    given = [("award", -20, 30, ""), ("grant", 50, 50, "")]
    assert [await read(who, budget["id"]) for who in (other, head, district)] == [given] * 3
    assert [await read(who, store.shop) for who in (store.clerk, head)] == [[("capture", 5, 5, "")]] * 2
    assert await read(head, scene.school) == [("redeem", 3, 3, "")]
    refused = [
        *[await read(stranger, owner) for owner in (teacher, budget["id"], store.shop, scene.school)],
        *[await read(who, teacher) for who in (other, pupil)],
        *[await read(teacher, owner) for owner in (budget["id"], store.shop)],
        *[await read(district, owner) for owner in (pupil, new_id())],
        await read(head, teacher, f"?term={new_id()}"),
    ]
    assert refused == [404] * len(refused)
    async with scene.work() as session:  # who left is no longer theirs, but what they gave then is
        left = {"ends_on": datetime.now(UTC).date() - timedelta(days=30)}
        await session.execute(sa.update(Membership).where(Membership.person_id == teacher).values(left))
    assert [await read(head, teacher, f"?term={one}") for one in (last, term)] == [unsaid, 404]


async def _term_was(scene: "Scene", term: UUID, *, days: int) -> None:
    """The term was over so long ago."""
    times = "opened_at = opened_at - make_interval(days => :days), closed_at = closed_at - make_interval(days => :days)"
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        sql = f"UPDATE {scene.state.district.schema}.points_term SET {times} WHERE id = :term"  # noqa: S608 - ours
        await connection.execute(sa.text(sql), {"days": days, "term": term})


async def test_what_stands_in_the_clear_says_that_it_names_nobody(store: "Storefront") -> None:
    schemas = (await store.ask(store.clerk, "GET", "/../../../../openapi.json")).json()["components"]["schemas"]
    fields = (("NewMove", "reason"), ("NewCount", "reason"), ("NewBudget", "title"))
    said = [schemas[schema]["properties"][field]["description"] for schema, field in fields]
    assert ["不写任何人的姓名" in one and "ames nobody" in one for one in said] == [True] * 3
