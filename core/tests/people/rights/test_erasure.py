"""Erased whole or not at all (hook `person_erased`), and what stays is said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.accounts import create_account
from gongyu.access.audit import verify
from gongyu.access.authenticate import Authenticator
from gongyu.access.models import Account, ApiToken
from gongyu.access.passwords import Passwords
from gongyu.access.rules import AccessRules
from gongyu.database.engine import quoted
from gongyu.host.dispatch import HookRefusedError
from gongyu.people.models import CareCategory, Demographics, Guardianship, Membership, Person
from gongyu.people.private import open_private, seal_private
from gongyu.people.rights.contract import Erased
from gongyu.people.rights.copy import NobodyError
from gongyu.people.rights.erasure import NAMELESS, NotWholeError, erase
from gongyu.plugin import Context

from .conftest import ENTRY, Diary, Family, nothing


async def leave(family: Family) -> None:
    async with family.work() as session:
        gone = sa.update(Membership).where(Membership.person_id == family.child)
        await session.execute(gone.values(ends_on=family.today - timedelta(days=1)))


async def run(family: Family, session: AsyncSession, person: UUID | None = None) -> list[Erased]:
    return await erase(
        family.platform, family.state, session, person=person or family.child, actor="operator:t", now=family.now
    )


async def rows(family: Family) -> str:
    """All that the database holds, in one text."""
    schema = quoted(family.state.district.schema)
    found: dict[str, Any] = {}
    async with family.platform.database.owner.connect() as connection:
        names = await connection.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :s ORDER BY 1"), {"s": "d_ezhou"}
        )
        for name in names.scalars().all():
            table = await connection.execute(sa.text(f"SELECT * FROM {schema}.{quoted(name)} ORDER BY 1"))  # noqa: S608 - names from the catalogue
            found[name] = [dict(row) for row in table.mappings()]
    return json.dumps(found, default=str, ensure_ascii=False)


def told(lines: list[Erased]) -> dict[str, tuple[int, bool]]:
    return {line.what.en: (line.rows, line.kept is not None) for line in lines}


async def test_pupil_who_is_here_keeps_what_the_register_demands(family: Family, diary: Diary) -> None:
    token = await family.token("child")
    authenticator = Authenticator(family.platform)
    assert await authenticator.principal(family.state, f"Bearer {token}", None) is not None
    async with family.work() as session:
        passwords = Passwords()
        account = {"person": family.child, "username": "child", "password": "correct horse battery", "by": "operator:t"}
        await create_account(session, passwords=passwords, rules=AccessRules(), now=family.now, **account)  # type: ignore[arg-type]  # plain words
    async with family.work() as session:
        lines = await run(family, session)
    assert told(lines) == {
        "diary": (1, False),
        "account and sign-in": (2, False),
        "e-mail address": (1, False),
        "care categories": (1, True),
        "name, identity number and how to reach them": (1, True),
        "facts of birth": (1, True),
        "roles, classes and guardianships": (6, True),
    }
    assert diary.asked == [(family.child, True)]
    assert await authenticator.principal(family.state, f"Bearer {token}", None) is None
    await authenticator.close()
    person = sa.select(Person.name).where(Person.email.is_(None), Person.erased_at.is_(None), Person.id == family.child)
    assert await family.scalar(person) == "child"
    assert await family.scalar(sa.select(sa.func.count()).select_from(Account)) == 0


async def test_pupil_who_left_is_nameless_and_nothing_else_broke(family: Family, diary: Diary) -> None:
    await leave(family)
    async with family.work() as session:
        lines = await run(family, session)
    assert told(lines) == {
        "diary": (1, False),
        "facts of birth": (1, False),
        "care categories": (1, False),
        "guardianships": (5, False),
        "name, identity number and contact details": (1, False),
    }
    assert diary.asked == [(family.child, False)]
    person = await family.scalar(sa.select(Person).where(Person.id == family.child))
    kept = {column.key for column in Person.__table__.columns if getattr(person, column.key) is not None}
    assert kept == {"id", "name", "from_roster", "ended_on", "erased_at", "updated_at"}
    assert (person.name, person.ended_on) == (NAMELESS, family.today)
    left = await rows(family)
    assert [
        word for word in ("今天很开心", "13800000000", "child@example.org", "child.2012", "left_behind") if word in left
    ] == []
    counts = [
        await family.scalar(sa.select(sa.func.count()).select_from(table).where(column == family.child))
        for table, column in (
            (Membership, Membership.person_id),
            (Demographics, Demographics.person_id),
            (CareCategory, CareCategory.student_id),
            (Guardianship, Guardianship.student_id),
        )
    ]
    assert counts == [1, 0, 0, 0]
    assert await family.audited("child") == ["person.erased"]
    async with family.platform.database.read(family.state.district) as connection:
        assert (await verify(connection)).broken_at is None
    with pytest.raises(NobodyError):
        async with family.work() as session:
            await run(family, session)


async def test_plugin_that_fails_refuses_the_whole(family: Family, diary: Diary) -> None:
    async def fail(context: Context, _: UUID) -> None:
        await context.session.execute(sa.text("SELECT 1 / 0"))

    diary.erasing = fail
    await leave(family)
    before = await rows(family)
    with pytest.raises(HookRefusedError, match="diary"):
        async with family.work() as session:
            await run(family, session)
    diary.erasing = nothing
    session = family.platform.database.session(family.state.district)
    async with session, session.begin() as rehearsal:
        assert told(await run(family, session))["diary"] == (1, False)
        await rehearsal.rollback()
    assert _without_failures(await rows(family)) == _without_failures(before)


def _without_failures(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return {name: table for name, table in found.items() if name != "plugin_failure"}


@pytest.mark.parametrize("when", ["in the plugin", "before the commit"])
async def test_killed_in_the_middle_leaves_everything(family: Family, diary: Diary, when: str) -> None:
    async def killed(session: AsyncSession) -> None:
        pid = (await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
        async with family.platform.database.owner.connect() as connection:
            await connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    async def die(context: Context, _: UUID) -> None:
        await killed(context.session)
        await context.session.execute(sa.text("SELECT 1"))

    if when == "in the plugin":
        diary.erasing = die
    await leave(family)
    before = await rows(family)

    async def erased_and_killed() -> None:
        async with family.work() as session:
            await run(family, session)
            await killed(session)

    with pytest.raises((HookRefusedError, sa.exc.DBAPIError)):
        await erased_and_killed()
    assert await rows(family) == before


@pytest.mark.parametrize("plugin", ["ghost", "diary"])
async def test_data_nobody_can_erase_refuses_and_is_named(family: Family, plugin: str) -> None:
    if plugin == "diary":
        family.platform.host.manager.unregister(name="diary")  # on, with tables, and without the hook
    else:
        schema = quoted(family.state.district.schema)
        async with family.platform.database.owner.begin() as connection:
            await connection.execute(sa.text(f"CREATE TABLE {schema}.alembic_ghost (version_num text PRIMARY KEY)"))
    with pytest.raises(NotWholeError) as refused:
        async with family.work() as session:
            await run(family, session)
    assert refused.value.plugins == [plugin]
    assert await family.scalar(sa.select(ENTRY.c.text)) == "今天很开心"


async def test_guardian_of_a_pupil_stays_reachable_until_the_pupil_left(family: Family) -> None:
    async with family.work() as session:
        assert told(await run(family, session, family.mother))["name, identity number and how to reach them"] == (
            1,
            True,
        )
    await leave(family)
    async with family.work() as session:
        assert "guardianships" in told(await run(family, session, family.mother))
    assert await family.scalar(sa.select(Person.name).where(Person.id == family.mother)) == NAMELESS
    assert await family.scalar(sa.select(sa.func.count()).select_from(ApiToken)) == 0
    assert datetime.now(UTC) >= family.now


async def test_an_address_that_held_a_number_is_forgotten_too(family: Family) -> None:
    seals = family.platform.seals(family.state.district)
    private = {"email": "13971234567@example.cn", "username": "13971234567"}
    async with family.work() as session:
        kept = seal_private(seals, family.child, private)
        await session.execute(sa.update(Person).where(Person.id == family.child).values(source_private=kept))
    async with family.work() as session:
        assert told(await run(family, session))["e-mail address"] == (1, False)
        held = sa.select(Person.source_private).where(Person.id == family.child)
        sealed = (await session.execute(held)).scalar_one()
    assert open_private(seals, family.child, sealed) == {"username": "13971234567"}
