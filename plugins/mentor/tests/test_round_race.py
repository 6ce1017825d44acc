"""Everybody at once, the closing second, two admins, and a process killed in the middle."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.database.engine import Database
from gongyu.events.models import EventRow
from gongyu.people.rights.periods import today_in
from gongyu.web import ProblemError
from gongyu_mentor import preferences, runs
from gongyu_mentor.models import Assignment, Preference, Round
from gongyu_mentor.schemas import Choices, RunOut

from .conftest import MakeSite, Site

_KILLED = Path(__file__).with_name("killed.py")


async def test_two_hundred_pupils_submit_at_once_and_none_is_lost(make_site: MakeSite) -> None:
    site: Site = await make_site(students=200, mentors=20, schools=1)
    round_id = await site.open_round()
    mentors = site.school.mentors
    lists = {s: [mentors[(at + step) % 20] for step in range(5)] for at, s in enumerate(site.school.students)}

    async def file(student: UUID) -> int:
        path, body = f"/rounds/{round_id}/preferences/mine", {"choices": [str(one) for one in lists[student]]}
        while True:  # a full pool answers 503 and "try again", which is no acknowledgement
            answer = await site.ask(student, "PUT", path, body)
            if answer.status_code != 503:
                return answer.status_code
            await asyncio.sleep(0.2)

    assert Counter(await asyncio.gather(*map(file, lists))) == {200: 200}
    rows = await site.rows(sa.select(Preference.student_id, Preference.choices, Preference.version))
    assert {row.student_id: (list(row.choices), row.version) for row in rows} == {s: (c, 1) for s, c in lists.items()}


async def test_two_thousand_pupils_submit_over_sixty_four_connections_and_none_is_lost(
    make_site: MakeSite, record_property: Callable[[str, object], None]
) -> None:
    site: Site = await make_site(students=2000, mentors=40, schools=1)
    round_id, district, school = UUID(await site.open_round()), site.state.district, site.school
    today = today_in(district, datetime.now(UTC))
    turns = asyncio.Semaphore(64)

    async def file(at: int, student: UUID) -> None:
        asked = Choices(choices=[school.mentors[(at + step) % 40] for step in range(8)])
        async with turns, many.work(district) as session:
            now = datetime.now(UTC)
            await preferences.file_own(session, round_id=round_id, student=student, asked=asked, now=now, today=today)

    async with Database(site.platform.database.url, connections=64) as many:
        started = perf_counter()
        await asyncio.gather(*(file(at, student) for at, student in enumerate(school.students)))
        record_property("seconds for 2,000 lists", round(perf_counter() - started, 1))
    rows = await site.rows(sa.select(Preference.student_id, Preference.version, Preference.choices))
    assert {row.student_id: row.version for row in rows} == dict.fromkeys(school.students, 1)
    assert Counter(mentor for row in rows for mentor in row.choices) == dict.fromkeys(school.mentors, 400)


async def _closes_in(site: Site, round_id: UUID, seconds: float) -> datetime:
    """The deadline is so far away by the database's clock."""
    moved = f"""UPDATE "{site.state.district.schema}".mentor_round SET closes_at =
        clock_timestamp() + make_interval(secs => :seconds) WHERE id = :id RETURNING closes_at"""  # noqa: S608 - our own schema
    async with site.platform.database.owner.begin() as connection:
        moment: datetime = (await connection.execute(sa.text(moved), {"seconds": seconds, "id": round_id})).scalar_one()
    return moment


@pytest.mark.parametrize("slow_clock", [timedelta(0), timedelta(hours=1)])
async def test_the_closing_second_is_the_databases_whatever_the_clock_of_the_process(
    site: Site, slow_clock: timedelta
) -> None:
    round_id = UUID(await site.open_round())
    district, school = site.state.district, site.school
    today = today_in(district, datetime.now(UTC))
    asked = Choices(choices=school.mentors[:3])
    closes = await _closes_in(site, round_id, 0.4)
    taken, refused = set[UUID](), set[UUID]()
    for student in school.students:
        try:
            async with site.platform.database.work(district) as session:
                now = datetime.now(UTC) - slow_clock
                await preferences.file_own(
                    session, round_id=round_id, student=student, asked=asked, now=now, today=today
                )
            taken.add(student)
        except ProblemError:
            refused.add(student)
        await asyncio.sleep(0.02)
    filed = {row.student_id: row.filed_at for row in await site.rows(sa.select(Preference))}
    assert (set(filed), len(taken) + len(refused)) == (taken, len(school.students))
    assert (bool(taken), bool(refused)) == (True, True)
    assert max(filed.values()) < closes


async def test_the_first_run_waits_for_lists_on_their_way_and_admits_none_after(site: Site) -> None:
    round_id = UUID(await site.open_round())
    district, school = site.state.district, site.school
    today = today_in(district, datetime.now(UTC))
    asked = Choices(choices=school.mentors[:3])
    closes = await _closes_in(site, round_id, 0.5)

    async def file(student: UUID, *, pause: float = 0) -> None:
        async with site.platform.database.work(district) as session:
            await preferences.file_own(
                session, round_id=round_id, student=student, asked=asked, now=datetime.now(UTC), today=today
            )
            await asyncio.sleep(pause)  # acknowledged only after its commit

    async def run(now: datetime) -> RunOut:
        async with site.platform.database.work(district) as session:
            context = site.platform.context("mentor", site.state, session, now)
            return await runs.try_out(context, round_id, orgs=None, by=None)

    async def first_run() -> RunOut:
        with pytest.raises(ProblemError, match="conflict"):  # a process whose clock is an hour ahead
            await run(closes + timedelta(hours=1))
        await asyncio.sleep(0.8)
        return await run(closes)

    _, made = await asyncio.gather(file(school.students[0], pause=1.5), first_run())
    assert made.figures.ranks == {"1": 1}
    await _closes_in(site, round_id, 60)
    with pytest.raises(ProblemError, match="conflict"):  # in time, but behind the run: told, not lost
        await file(school.students[2])
    assert len(await site.rows(sa.select(Preference.student_id))) == 1


async def test_two_admins_publish_at_once_and_one_is_told(site: Site) -> None:
    round_id = await site.open_round(choosing=False)
    await site.file_lists(round_id)
    head = site.school.head
    tried = [await site.done(head, "POST", f"/rounds/{round_id}/runs") for _ in range(2)]
    assert tried[0]["snapshot_hash"] == tried[1]["snapshot_hash"]
    answers = await asyncio.gather(
        *(site.ask(head, "POST", f"/rounds/{round_id}/publish", {"run": run["id"]}) for run in tried)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (lost,) = (answer.json() for answer in answers if answer.status_code == 409)
    assert (lost["type"], lost["detail"]) == ("/problems/conflict", "this round is published already")
    assert len(await site.rows(sa.select(Assignment.id))) == len(site.school.students)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_kill_during_publication_leaves_all_or_nothing(site: Site, tmp_path: Path, moment: str) -> None:
    round_id = await site.open_round(choosing=False)
    await site.file_lists(round_id)
    run = await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")
    environment = {
        **os.environ,
        "GONGYU_DATA": str(tmp_path),
        "GONGYU_DATABASE_URL": site.platform.database.url,
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(_KILLED), site.state.district.slug, round_id, run["id"], moment]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220, S603 - our own script
        assert process.stdout is not None
        assert (await asyncio.to_thread(process.stdout.readline)).strip() == moment
        process.send_signal(signal.SIGKILL)
    made = await site.rows(sa.select(Assignment.id))
    told = await site.rows(sa.select(EventRow.id).where(EventRow.type == "mentor.assigned.v1"))
    (state,) = await site.rows(sa.select(Round.state))
    everybody = len(site.school.students)
    expected = (0, 0, "closed") if moment == "before" else (everybody, everybody, "published")
    assert (len(made), len(told), state.state) == expected
    again = await site.ask(site.school.head, "POST", f"/rounds/{round_id}/publish", {"run": run["id"]})
    assert again.status_code == (200 if moment == "before" else 409)
    assert len(await site.rows(sa.select(Assignment.id))) == everybody
