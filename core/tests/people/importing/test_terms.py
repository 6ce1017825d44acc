from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gongyu.events.jobs import run_due_jobs
from gongyu.events.models import EventRow
from gongyu.people.models import AcademicSession
from gongyu.people.terms import turn_terms

if TYPE_CHECKING:
    from tests.people.importing.conftest import Town

AUTUMN, SPRING = (date(2025, 9, 1), date(2026, 1, 31)), (date(2026, 2, 1), date(2026, 8, 31))


async def _on(town: "Town", day: date) -> list[tuple[str, str]]:
    """Run the day's work; answers what it told."""
    seen = len(await town.rows(sa.select(EventRow.id)))
    now = datetime(day.year, day.month, day.day, 0, 5, tzinfo=UTC)
    async with town.platform.database.work(town.state.district) as session:
        await turn_terms(town.platform.context("core", town.state, session, now))
    told = await town.rows(
        sa.select(EventRow.type, AcademicSession.title)
        .join(AcademicSession, sa.cast(AcademicSession.id, sa.Text) == EventRow.subject)
        .order_by(EventRow.seq)
    )
    return [(type_.removeprefix("people.term_"), title) for type_, title in told[seen:]]


async def test_each_term_opens_and_closes_once(town: "Town") -> None:
    rows = [
        {"title": "秋", "type": "semester", "starts_on": AUTUMN[0], "ends_on": AUTUMN[1]},
        {"title": "春", "type": "term", "starts_on": SPRING[0], "ends_on": SPRING[1]},
        {"title": "学年", "type": "schoolYear", "starts_on": AUTUMN[0], "ends_on": SPRING[1]},
        {"title": "往年", "type": "term", "starts_on": date(2024, 9, 1), "ends_on": date(2025, 1, 31)},
    ]
    async with town.platform.database.work(town.state.district) as session:
        await session.execute(sa.insert(AcademicSession), rows)
    assert await _on(town, date(2025, 8, 31)) == []
    assert await _on(town, AUTUMN[0]) == [("opened.v1", "秋")]
    assert await _on(town, AUTUMN[0]) == []
    assert await _on(town, AUTUMN[1]) == []
    # The server was down on the first of February.
    assert await _on(town, date(2026, 2, 3)) == [("closed.v1", "秋"), ("opened.v1", "春")]
    assert await _on(town, date(2026, 9, 1)) == [("closed.v1", "春")]


async def test_it_is_a_daily_duty_of_every_district(town: "Town") -> None:
    ran = await run_due_jobs(town.platform, town.state, clock=lambda: datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert (ran.failed, ran.next_at) == (0, datetime(2026, 1, 1, 16, 5, tzinfo=UTC))  # 00:05 in Shanghai
