"""Everybody at once, the closing second, two admins, and a process killed in the middle."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.events.models import EventRow
from gongyu.web import ProblemError
from gongyu_mentor import preferences, runs
from gongyu_mentor.models import Assignment, Preference, Round
from gongyu_mentor.rounds import district_day
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


async def test_a_list_of_the_closing_second_is_in_the_run_or_refused(site: Site) -> None:
    """Lists on their way in when the first run starts: the run waits for them; those behind it are refused."""
    round_id = UUID(await site.open_round())
    (row,) = await site.rows(sa.select(Round.closes_at))
    district, school = site.state.district, site.school
    today = district_day(district, datetime.now(UTC))
    inside, outside = row.closes_at - timedelta(milliseconds=1), row.closes_at
    asked = Choices(choices=school.mentors[:3])
    started = asyncio.Event()

    async def file(student: UUID, now: datetime) -> None:
        async with site.platform.database.work(district) as session:
            await preferences.file_own(session, round_id=round_id, student=student, asked=asked, now=now, today=today)

    with pytest.raises(ProblemError, match="conflict"):  # the second itself is too late
        await file(school.students[1], outside)

    async def slow() -> None:
        async with site.platform.database.work(district) as session:
            await preferences.file_own(
                session, round_id=round_id, student=school.students[0], asked=asked, now=inside, today=today
            )
            started.set()
            await asyncio.sleep(0.5)  # acknowledged only after its commit

    async def first_run() -> RunOut:
        await started.wait()
        async with site.platform.database.work(district) as session:
            return await runs.try_out(
                session, round_id, orgs=None, by=None, now=row.closes_at, today=today, keys=site.platform.keys
            )

    _, made = await asyncio.gather(slow(), first_run())
    assert made.figures.ranks == {"1": 1}
    with pytest.raises(ProblemError, match="conflict"):  # in time, but behind the run: told, not lost
        await file(school.students[2], inside)
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
