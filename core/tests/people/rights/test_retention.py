"""What was kept long enough ends, on the day and not before (`retention_categories`); the test moves the clock."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.events.jobs import run_due_jobs
from gongyu.host.dispatch import HookRefusedError
from gongyu.people.models import CareCategory, Membership, Person
from gongyu.people.rights.consent import say
from gongyu.people.rights.erasure import NAMELESS
from gongyu.people.rights.models import Consent, RightsRequest
from gongyu.people.rights.requests import ask, decide
from gongyu.people.rights.retention import categories_in, expire
from gongyu.plugin import Context

from .conftest import ENTRY, PHOTOS, Diary, Family


async def ended(family: Family, table: type[Any], column: sa.ColumnElement[bool], day: date) -> None:
    async with family.work() as session:
        await session.execute(sa.update(table).where(column).values(ends_on=day))


async def expired(family: Family, days: int) -> dict[str, int]:
    found = await expire(family.platform, family.state, now=family.now + timedelta(days=days))
    return {line.category: line.rows for line in found if line.rows}


async def test_care_category_goes_a_year_after_it_ended(family: Family) -> None:
    await ended(family, CareCategory, CareCategory.student_id == family.child, family.today)
    assert await expired(family, 365) == {}
    assert await expired(family, 366) == {"core.care": 1}
    assert await expired(family, 366) == {}


async def test_who_left_loses_the_account_then_the_name_and_then_the_proofs(family: Family, diary: Diary) -> None:
    token = {"child": await family.token("child"), "mother": await family.token("mother")}
    assert len(token) == 2
    async with family.work() as session:
        await say(
            session,
            person=family.child,
            purpose=PHOTOS,
            version=1,
            word="given",
            by=family.mother,
            actor="t",
            now=family.now,
        )
        asked = await ask(
            session,
            keys=family.platform.keys,
            kind="correction",
            person=family.child,
            wish="…",
            by=None,
            asked_as="operator",
            actor="t",
            now=family.now,
        )
        await decide(
            family.platform,
            family.state,
            session,
            request=asked,
            accept=False,
            reason="与学籍一致",
            orgs=None,
            actor="t",
            now=family.now,
        )
    await ended(family, Membership, Membership.person_id == family.child, family.today)
    await ended(family, CareCategory, CareCategory.student_id == family.child, family.today)
    # The child's relations end today; its mother's with it, since a guardian is here as long as the child is.
    assert await expired(family, 180) == {}
    assert await expired(family, 181) == {"core.accounts": 2}
    kept = await expired(family, 1096)
    assert kept == {"core.care": 1}
    # The child, mother, father and grandmother; the others have another child here.
    assert await expired(family, 1097) == {"core.people": 4, "core.requests": 1}
    assert [person for person, _ in diary.asked if person == family.child] == [family.child]
    assert await family.scalar(sa.select(Person.name).where(Person.id == family.child)) == NAMELESS
    assert await family.scalar(sa.select(Person.name).where(Person.id == family.stranger)) == "stranger"
    assert await family.scalar(sa.select(sa.func.count()).select_from(ENTRY)) == 0
    assert await family.scalar(sa.select(sa.func.count(Consent.id))) == 1
    assert await family.scalar(sa.select(sa.func.count(RightsRequest.id))) == 0
    assert (await expired(family, 1097 + 1096)).get("core.consents") is None
    assert (await expired(family, 1097 + 1097))["core.consents"] == 1


async def test_one_that_fails_keeps_nobody_elses_data_alive(family: Family, diary: Diary) -> None:
    async def fail(_: Context, person: UUID) -> None:
        if person == family.child:
            raise ValueError("stuck")

    diary.erasing = fail
    await ended(family, Membership, Membership.person_id == family.child, family.today)
    with pytest.raises(HookRefusedError, match="diary"):
        await expired(family, 1097)
    names = sa.select(Person.name).where(Person.id.in_([family.child, family.mother])).order_by(Person.name)
    async with family.work() as session:
        assert list((await session.execute(names)).scalars()) == ["child", NAMELESS]
    assert await family.scalar(sa.select(CareCategory.value)) == "double"


async def test_daily_job_does_it(family: Family) -> None:
    await ended(family, CareCategory, CareCategory.student_id == family.child, family.today)

    async def at(days: int) -> int:
        return (await run_due_jobs(family.platform, family.state, clock=lambda: family.now + timedelta(days=days))).done

    assert await at(0) == 0  # first seen: due tomorrow
    assert await at(364) >= 1
    assert await family.scalar(sa.select(sa.func.count(CareCategory.id))) == 1
    assert await at(370) >= 1
    assert await family.scalar(sa.select(sa.func.count(CareCategory.id))) == 0


async def test_every_category_says_why_and_by_which_law(family: Family) -> None:
    for plugin, category in categories_in(family.platform, family.state):
        assert category.name.startswith(f"{plugin}.")
        words = (category.title, category.purpose, category.basis)
        assert all(text.zh and text.en for text in words)
        assert category.keep > timedelta()
