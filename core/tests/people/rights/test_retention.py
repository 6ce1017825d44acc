"""What was kept long enough ends, on the day and not before (`retention_categories`); the test moves the clock."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.checks import checks
from gongyu.database.engine import quoted
from gongyu.districts.file import render
from gongyu.districts.service import SettingsError, apply_file, current_file, read_file
from gongyu.events.jobs import run_due_jobs
from gongyu.host.dispatch import HookRefusedError
from gongyu.people.models import CareCategory, Membership, Person
from gongyu.people.rights.consent import say
from gongyu.people.rights.contract import RetentionCategory
from gongyu.people.rights.erasure import NAMELESS
from gongyu.people.rights.models import Consent, RightsRequest
from gongyu.people.rights.requests import ask, decide
from gongyu.people.rights.retention import categories_in, expire
from gongyu.plugin import Context

from .conftest import ENTRY, PHOTOS, WORD, Diary, Family


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
    assert await family.scalar(sa.select(sa.func.count(CareCategory.id))) == 1


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


FILE = '[district]\nslug = "ezhou"\nname = "鄂州市"\ntimezone = "Asia/Shanghai"\n\n{}[plugins.diary]\n'


async def apply(family: Family, said: str) -> dict[str, str]:
    wanted = read_file(family.platform, FILE.format(said), file="ezhou.toml")
    plan = await apply_file(family.platform, wanted, actor="operator:test")
    family.state = family.platform.state("ezhou")
    return {line.path: line.text.en for line in plan.lines}


async def test_district_keeps_longer_than_usual_because_its_file_says_so(family: Family) -> None:
    await ended(family, CareCategory, CareCategory.student_id == family.child, family.today)
    said = "[retention.core]\ncare = 400\n\n"
    assert await apply(family, said) == {"retention.core.care": "365 → 400"}
    file = current_file(family.platform, "ezhou")
    assert file is not None
    assert render(file) == FILE.format(said)
    assert await expired(family, 400) == {}
    assert await expired(family, 401) == {"core.care": 1}
    assert await apply(family, "") == {"retention.core.care": "400 → 365"}
    kept = {category.name: category.keep.days for _, category in categories_in(family.platform, family.state)}
    assert kept["core.care"] == 365


async def test_file_that_keeps_too_short_too_long_or_what_nobody_keeps_is_refused(family: Family) -> None:
    said = '[retention.core]\naccounts = 179\ncare = 2000\nconsents = "3"\npeeple = 1\n[retention.nobody]\nx = 1\n'
    with pytest.raises(SettingsError) as refused:
        await apply(family, said)
    errors = [(error.line, error.path, error.code, error.expected.en) for error in refused.value.errors]
    assert errors[:4] == [
        (7, "retention.core.accounts", "range", "an integer (180 – 365)"),
        (8, "retention.core.care", "range", "an integer (90 – 1096)"),
        (9, "retention.core.consents", "type", "an integer (1096 – 3653)"),
        (
            10,
            "retention.core.peeple",
            "unknown",
            "one of `accounts`, `approvals`, `care`, `consents`, `imports`, `people`, `requests`",
        ),
    ]
    assert [(path, code) for _, path, code, _ in errors[4:]] == [("retention.nobody", "unknown")]
    assert family.platform.state("ezhou").retention == {}


async def test_what_a_plugin_that_is_off_holds_ends_too_and_keeps_nobodys_name(family: Family, diary: Diary) -> None:
    async def forget(context: Context, _: date) -> int:
        gone = await context.session.execute(sa.delete(ENTRY))
        return gone.rowcount  # type: ignore[attr-defined,no-any-return]  # of a DELETE

    kept = RetentionCategory("diary.entries", WORD, WORD, WORD, keep=timedelta(days=9), expire=forget)
    diary.categories.append(kept)
    wanted = read_file(family.platform, FILE.format("") + "enabled = false\n", file="ezhou.toml")
    await apply_file(family.platform, wanted, actor="operator:test")
    family.state = family.platform.state("ezhou")
    assert family.state.enabled == ()
    await ended(family, Membership, Membership.person_id == family.child, family.today)
    assert await expired(family, 10) == {"diary.entries": 1}
    assert (await expired(family, 1097))["core.people"] == 4
    assert family.child in [person for person, _ in diary.asked]
    assert await family.scalar(sa.select(Person.name).where(Person.id == family.child)) == NAMELESS


async def test_doctor_says_which_category_cannot_run_because_its_package_is_gone(family: Family) -> None:
    schema = quoted(family.state.district.schema)
    async with family.platform.database.owner.begin() as connection:
        await connection.execute(sa.text(f"CREATE TABLE {schema}.alembic_ghost (version_num text PRIMARY KEY)"))
    found = [check async for check in checks(family.platform) if "retention" in check.area]
    assert [(check.area, check.state) for check in found] == [("ezhou retention ghost", "error")]
    assert "ghost.*" in found[0].found.en
