"""Nobody forgets a request: those who answer are told a week before its time is over, and once it is."""

import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.checks import checks
from gongyu.events.jobs import run_due_jobs
from gongyu.events.models import EventRow
from gongyu.people.rights.reminders import remind
from gongyu.people.rights.requests import ask, decide

from .conftest import Family


async def asked(family: Family) -> UUID:
    async with family.work() as session:
        return await ask(
            session,
            keys=family.platform.keys,
            kind="correction",
            person=family.child,
            wish="名字写错了",
            by=family.mother,
            asked_as="guardian",
            actor="t",
            now=family.now,
        )


async def told(family: Family, days: int) -> list[dict[str, Any]]:
    """What is announced by the job some days later."""
    async with family.work() as session:
        found = sa.select(EventRow.data).where(EventRow.type == "people.rights_request_due.v1")
        before = (await session.execute(found)).scalars().all()
        await remind(family.platform.context("core", family.state, session, family.now + timedelta(days=days)))
        return [dict(data) for data in (await session.execute(found)).scalars() if data not in before]


async def test_each_request_is_told_of_once_before_its_time_is_over_and_once_after(family: Family) -> None:
    request = await asked(family)
    due = {"request": str(request), "due_on": str(family.today + timedelta(days=30))}
    assert [await told(family, days) for days in (0, 22, 23, 24, 30, 31, 32)] == [
        [],
        [],
        [due | {"overdue": False}],
        [],
        [],
        [due | {"overdue": True}],
        [],
    ]
    lines = sa.select(AuditLine.subject, AuditLine.details).where(AuditLine.action == "request.overdue")
    async with family.work() as session:
        rows = [tuple(row) for row in await session.execute(lines)]
    assert rows == [(f"person:{family.child}", {"request": str(request), "due_on": due["due_on"]})]
    assert "名字写错了" not in json.dumps(rows, ensure_ascii=False)


async def test_answered_request_reminds_nobody_and_the_server_that_was_down_catches_up(family: Family) -> None:
    answered, _ = await asked(family), await asked(family)
    async with family.work() as session:
        await decide(
            family.platform,
            family.state,
            session,
            request=answered,
            accept=False,
            reason="与户口簿一致",
            orgs=None,
            actor="t",
            now=family.now,
        )
    await run_due_jobs(family.platform, family.state, clock=lambda: family.now)  # the first run sets the times
    await run_due_jobs(family.platform, family.state, clock=lambda: family.now + timedelta(days=40))
    found = sa.select(sa.func.count()).where(EventRow.type == "people.rights_request_due.v1")
    assert await family.scalar(found) == 1


async def test_doctor_says_how_many_are_waiting(family: Family) -> None:
    async def said() -> tuple[str, str]:
        found = [check async for check in checks(family.platform) if check.area == "ezhou requests"]
        return found[0].state, found[0].found.en

    request = await asked(family)
    seen = [await said()]
    for day in (family.today + timedelta(days=7), family.today - timedelta(days=1)):
        await due(family, request, day)
        seen.append(await said())
    assert seen == [
        ("ok", "0 due within a week, 0 late"),
        ("warning", "1 due within a week, 0 late"),
        ("error", "0 due within a week, 1 late"),
    ]


async def due(family: Family, request: UUID, day: date) -> None:
    async with family.work() as session:
        moved = sa.text("UPDATE d_ezhou.rights_request SET due_on = :day WHERE id = :id")
        await session.execute(moved, {"day": day, "id": request})
