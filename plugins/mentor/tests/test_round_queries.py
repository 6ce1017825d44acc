"""Lists cost a fixed number of statements, however long they are."""

import re
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.models import Guardianship
from gongyu_mentor.models import Assignment

from .conftest import SINCE, MakeSite, Site
from .test_round_life import run_and_publish


class _Statements:
    """Everything the database is asked: through SQLAlchemy, or by the driver itself."""

    def __init__(self, site: Site) -> None:
        self.seen: list[str] = []
        self._known: set[int] = set()
        engine = site.platform.database.app.sync_engine
        sa.event.listen(engine, "checkout", self._listen)
        sa.event.listen(engine, "before_cursor_execute", lambda *given: self.seen.append(given[2]))

    def _listen(self, dbapi: Any, *_: object) -> None:  # noqa: ANN401 - the pool's
        driver = dbapi.driver_connection
        if id(driver) not in self._known:
            self._known.add(id(driver))
            driver.add_query_logger(self._note)

    async def _note(self, record: Any) -> None:  # noqa: ANN401 - asyncpg's record
        self.seen.append(record.query)


async def _counted(site: Site, children: int) -> dict[str, int]:
    """How many statements each list takes, asked again; in a district where `children` are appealed for."""
    school = site.school
    async with site.platform.database.work(site.state.district) as session:
        for child in school.students[1:children]:
            session.add(Guardianship(guardian_id=school.guardian, student_id=child, kind="mother", begins_on=SINCE))
    round_id = await site.open_round(choosing=False, soft_cap=6, hard_cap=12)
    await site.file_lists(round_id, choices=2)
    for at, student in enumerate(school.students[:children]):
        pin = {"mentor": str(school.mentors[at % len(school.mentors)]), "reason": "家长申请"}
        await site.done(school.head, "PUT", f"/rounds/{round_id}/pins/{student}", pin)
    for _ in range(children - 1):
        await site.done(school.head, "POST", f"/rounds/{round_id}/runs")
    await run_and_publish(site, round_id)
    for child in school.students[:children]:
        body = {"student": str(child), "reasons": "不合适"}
        await site.done(school.guardian, "POST", f"/rounds/{round_id}/appeals", body)
    pairs = {row.student_id: row.mentor_id for row in await site.rows(sa.select(Assignment))}
    mentor = pairs[school.students[0]]
    window = {"gone": [str(mentor)], "closes_at": "2099-01-01T00:00:00Z"}
    await site.done(school.head, "PUT", f"/rounds/{round_id}/refiling", window)
    asked: list[tuple[UUID, str]] = [
        (school.students[0], "/rounds"),
        (school.students[0], f"/rounds/{round_id}/offers?limit=100"),
        (school.head, f"/rounds/{round_id}/runs"),
        (school.head, f"/rounds/{round_id}/pins"),
        (mentor, f"/rounds/{round_id}/favours/mine"),
        (mentor, "/students"),
        (school.guardian, "/assignments/mine"),
        (school.guardian, "/appeals/mine"),
        (school.head, f"/rounds/{round_id}/appeals"),
        (school.head, f"/rounds/{round_id}/refiling"),
        (school.students[0], f"/rounds/{round_id}/refiling/mine"),
        (school.head, f"/schools/{school.org}"),
        (school.head, f"/schools/{school.org}/students?limit=100"),
        (school.head, f"/schools/{school.org}/assignment.xlsx"),
        (school.head, f"/rounds/{round_id}/classes/{school.class_id}/choices.xlsx"),
    ]
    counts: dict[str, int] = {}
    statements = _Statements(site)
    for who, path in asked:
        turns = []
        for _ in range(3):  # the least of them: that a token was used is written down behind some answer or other
            statements.seen.clear()
            answer = await site.ask(who, "GET", path)
            assert answer.status_code == 200, (path, answer.text)
            turns.append(sum(not one.startswith(("BEGIN", "COMMIT", "ROLLBACK")) for one in statements.seen))
        counts[re.sub("[0-9a-f-]{36}", "ID", path)] = min(turns[1:])
    return counts


async def test_every_list_takes_as_many_statements_for_many_rows_as_for_few(make_site: MakeSite) -> None:
    few = await _counted(await make_site("few", students=6, mentors=3, schools=1), 1)
    many = await _counted(await make_site("many", students=60, mentors=12, schools=1), 5)
    opened = [path for path in few if "appeals" in path]  # each record opened is a line of the audit log of its own
    assert {path: count for path, count in many.items() if path not in opened} == {
        path: count for path, count in few.items() if path not in opened
    }
    assert all(count > 0 for count in few.values())
    assert [path for path in opened if many[path] > few[path] + 4 * 2] == []
