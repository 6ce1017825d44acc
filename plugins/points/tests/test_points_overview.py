"""What points tell together with other plugins: deeds in the growth record, figures of a school."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook
from pypdf import PdfReader

from gongyu.access.audit_search import AuditQuery, search
from gongyu.database.model import new_id
from gongyu.events.outbox import publish
from gongyu.events.worker import drain
from gongyu.people.events import TermOpened
from gongyu.people.models import AcademicSession, Guardianship, Org

from .test_points_http import Site, site

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront

__all__ = ["site"]

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def test_growth_record_shows_deeds_to_whom_a_relation_opens_it_and_to_nobody_by_rank(
    site: Site, scene: "Scene"
) -> None:
    pupil, (homeroom, other, *_) = scene.pupils[0][0], scene.teachers
    parent, stranger = await site.person("guardian", scene.school), await site.person("guardian", scene.school)
    head = await site.person("principal", scene.school)
    async with scene.work() as session:
        bond = {"guardian_id": parent, "student_id": pupil, "kind": "mother", "begins_on": date(2020, 9, 1)}
        await session.execute(sa.insert(Guardianship).values(id=new_id(), **bond))
    await scene.open_term()
    await scene.give(pupil, points=5)
    taken_back = await scene.give(pupil, points=20)
    await scene.undo(taken_back.operation)

    async def read(who: Any) -> tuple[int, Any]:  # noqa: ANN401 - an id
        answer = await site.ask(who, "GET", f"/../people/{pupil}/growth-record")
        return answer.status_code, answer.json()

    seen = {who: await read(who) for who in (pupil, parent, homeroom, other, stranger, head)}
    assert {who: status for who, (status, _) in seen.items()} == {
        pupil: 200,
        parent: 200,
        homeroom: 200,
        other: 404,
        stranger: 401,
        head: 404,
    }
    (told,) = seen[parent][1]["plugins"]
    (section,) = told["sections"]
    facts = [(fact["title"]["zh"], fact["dimension"], fact["by"]) for fact in section["facts"]]
    assert (told["plugin"], facts) == ("points", [("助人为乐", "moral", "王老师")])
    assert {key for fact in section["facts"] for key in fact} == {"on", "title", "text", "dimension", "by"}
    async with scene.platform.database.read(scene.state.district) as connection:
        lines = await search(connection, AuditQuery(action="growth_record.read"), limit=10)
    assert {(line.actor, line.ground) for line in lines} == {
        (f"person:{pupil}", "oneself"),
        (f"person:{parent}", "guardian"),
        (f"person:{homeroom}", "homeroom teacher"),
    }


async def test_indicators_are_of_ones_own_schools(site: Site, scene: "Scene") -> None:
    head = await site.person("principal", scene.school)
    async with scene.work() as session:
        elsewhere = Org(id=new_id(), name="别校", type="school", parent_id=scene.root)
        session.add(elsewhere)
    there = await site.person("principal", elsewhere.id)
    term = await scene.open_term()
    await scene.give(scene.pupils[0][0], points=5)
    await scene.give(scene.pupils[1][0], points=2, teacher=1)
    await scene.spend(scene.pupils[0][0], 3)

    async def read(who: Any, query: str = "") -> Any:  # noqa: ANN401 - as above
        answer = await site.ask(who, "GET", f"/../indicators{query}")
        found = answer.json()
        figures = [(one["name"], one["value"], one["of"]) for one in found.get("indicators", ())]
        return answer.status_code, figures

    mine = [("points.pupils_rewarded", 2, 6), ("points.points_earned", 7, None), ("points.points_spent", 3, None)]
    assert await read(head) == await read(head, f"?school={scene.school}") == (200, mine)
    none = [("points.pupils_rewarded", 0, 0), ("points.points_earned", 0, None), ("points.points_spent", 0, None)]
    assert await read(there) == (200, none)
    assert await read(there, f"?school={scene.school}") == (404, [])
    assert await read(scene.teachers[0]) == (403, [])

    async def equity() -> list[int]:
        found = (await site.ask(head, "GET", f"/classes/{scene.classes[0]}/equity")).json()
        return [pupil["awards"] for pupil in found["pupils"]]

    assert await equity() == [1, 0, 0]
    await scene.close(term)  # until the next one opens, it is still what there is to report
    assert (await read(head), await equity()) == ((200, mine), [1, 0, 0])
    await scene.open_term("2027 年春季学期")
    new = [("points.pupils_rewarded", 0, 6), *none[1:]]
    assert (await read(head), await equity()) == ((200, new), [0, 0, 0])


async def test_books_open_with_the_term_unless_the_last_ones_are_still_open(scene: "Scene") -> None:
    async def opens(title: str) -> None:
        async with scene.work() as session:
            days = {"starts_on": date(2026, 9, 1), "ends_on": date(2027, 1, 31)}
            term = AcademicSession(id=new_id(), title=title, type="term", **days)
            session.add(term)
            await session.flush()
            await publish(session, TermOpened(session=term.id), subject=term.id)
        await drain(scene.platform, scene.state.district.slug)

    await opens("秋季")
    await opens("又一个秋季")
    assert await scene.rows("SELECT title, state FROM {s}.points_term") == [("秋季", "open")]
    assert await scene.rows("SELECT posted FROM {s}.points_account WHERE kind = 'quota'") == [(1000,)] * 3


async def test_statements_and_class_views_can_be_taken_home_by_whom_they_concern(site: Site, scene: "Scene") -> None:
    pupil, other = scene.pupils[0][:2]
    await scene.open_term()
    await scene.give(pupil, points=10)
    await scene.spend(pupil, 4)
    at = f"/students/{pupil}/statement"
    pdf = await site.ask(pupil, "GET", f"{at}.pdf")
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.content)).pages).replace(" ", "")
    assert [said in text for said in ("学生1-0", "武昌学校", "助人为乐", "10", "6")] == [True] * 5
    book = load_workbook(BytesIO((await site.ask(scene.teachers[0], "GET", f"{at}.xlsx")).content))
    rows = [row[1:] for row in book["学生1-0"].iter_rows(values_only=True)]
    assert rows[1:] == [("奖励　助人为乐", 10, None, 10), ("兑换　签字笔", None, 4, 6)]
    view = await site.ask(scene.teachers[0], "GET", f"/classes/{scene.classes[0]}/equity.xlsx")
    (sheet,) = load_workbook(BytesIO(view.content)).worksheets
    assert [row[:2] for row in sheet.iter_rows(min_row=2, values_only=True)] == [
        ("学生1-0", 1),
        ("学生1-1", 0),
        ("学生1-2", 0),
    ]
    refused = [
        (await site.ask(other, "GET", f"{at}.pdf")).status_code,
        (await site.ask(scene.teachers[1], "GET", f"{at}.xlsx")).status_code,
        (await site.ask(scene.teachers[2], "GET", f"/classes/{scene.classes[0]}/equity.xlsx")).status_code,
    ]
    assert refused == [404, 404, 404]


async def test_to_dos_tell_everybody_what_waits_for_them_and_name_nobody(store: "Storefront") -> None:
    scene, (pupil, other, on_duty) = store.scene, store.scene.pupils[0]
    district, today = await store.person("districtAdministrator", scene.root), datetime.now(UTC).date()
    async with scene.work() as session:
        days = {"starts_on": today - timedelta(days=200), "ends_on": today - timedelta(days=20)}
        last = AcademicSession(id=new_id(), title="上学期", type="term", **days)
        session.add(last)
    await scene.open_term(id_=last.id)
    await scene.give(pupil, other, points=20)
    pen, film = await store.item(), await store.item(kind="event", title="午间电影")
    orders = [(await store.order(one, pen)).json() for one in (pupil, other)]
    assert (await store.order(pupil, film)).status_code == 201  # a seat is not to be fetched
    now = datetime.now(UTC)
    duty = {
        "id": str(new_id()),
        "person": str(on_duty),
        "begins_at": str(now),
        "ends_at": str(now + timedelta(hours=1)),
    }
    assert (await store.ask(store.clerk, "POST", f"/shops/{store.shop}/duties", duty)).status_code == 201

    async def waits(who: Any) -> Any:  # noqa: ANN401 - an id
        found = (await store.ask(who, "GET", "/../me/to-dos")).json()
        assert found["missing"] == []
        return [(one["name"], one["title"]["en"], one["due"], one["subject"], one["link"]) for one in found["items"]]

    at = f"points/shops/{store.shop}/orders?state=placed"
    told = ("points.orders_waiting", "2 orders wait to be handed out", orders[0]["collect_by"], str(store.shop), at)
    fetch = ("points.order", "Fetch an order from the shop", orders[0]["collect_by"], orders[0]["id"], "points/orders")
    close = ("points.term_open", "Close the points books of the last term", str(last.ends_on), str(last.id))
    assert await waits(pupil) == [fetch]
    assert await waits(on_duty) == await waits(store.clerk) == [told]
    assert await waits(district) == [(*close, "points/terms")]
    assert await waits(scene.teachers[0]) == []
    assert (await store.ask(store.clerk, "POST", f"/duties/{duty['id']}/end")).status_code == 201
    for order in orders:
        assert (await store.ask(store.clerk, "POST", f"/orders/{order['id']}/collect")).status_code == 201
    await scene.close(last.id)
    assert [await waits(who) for who in (pupil, on_duty, store.clerk, district)] == [[]] * 4
