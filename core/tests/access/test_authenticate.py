"""Who gets in with an API token, and who no longer does. The hostile cases first."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from conftest import LONG_AGO, Clock, People, add_membership, add_person, populate

from gongyu.access import authenticate
from gongyu.access.authenticate import Authenticator, changed
from gongyu.access.models import Account, ApiToken, AuditLine
from gongyu.access.tokens import LONGEST, TokenError, create_token, list_tokens, revoke_token
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Guardianship, Membership, Org, Person
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict

SOON = timedelta(days=1)


async def token_of(platform: Platform, state: DistrictState, person: UUID, *scopes: str) -> str:
    async with platform.database.work(state.district) as session:
        return await create_token(
            session, person=person, name="报表", scopes=scopes or ("*",), expires_at=datetime.now(UTC) + SOON
        )


@contextmanager
def counted(platform: Platform) -> Generator[list[str]]:
    """The statements that go to the database meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = platform.database.app.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


async def test_token_of_another_district_is_refused_without_a_query(
    platform: Platform, make_district: MakeDistrict, ezhou: DistrictState, people: People, authenticator: Authenticator
) -> None:
    huangshi = await make_district("huangshi", name="黄石市")
    async with platform.database.work(huangshi.district) as session:
        other = await populate(session)
    text = await token_of(platform, huangshi, other.admin)
    with counted(platform) as statements:
        assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None
    assert statements == []
    renamed = text.replace("gy_huangshi_", "gy_ezhou_")  # nor with the name of this one on it
    assert await authenticator.principal(ezhou, f"Bearer {renamed}", None) is None


async def test_malformed_credentials_are_nobody_without_a_query(
    platform: Platform, ezhou: DistrictState, people: People, authenticator: Authenticator
) -> None:
    text = await token_of(platform, ezhou, people.admin)
    with counted(platform) as statements:
        for header in (
            "",
            "Bearer",
            "Bearer ",
            text,
            f"Basic {text}",
            f"Bearer {text}x",
            f"Bearer {text[:-1]}",
            f"Bearer {text[:-1]}é",
            f"Bearer {text[:-1]}\x00",
            f"Bearer {text.replace('gy_', 'gs_')}",
            "Bearer " + "a" * 100_000,
        ):
            assert await authenticator.principal(ezhou, header, None) is None
        assert await authenticator.principal(ezhou, None, text) is None  # a token is no cookie
        assert await authenticator.principal(ezhou, None, None) is None
    assert statements == []


async def test_expired_and_revoked_tokens_are_refused_also_when_remembered(
    platform: Platform,
    ezhou: DistrictState,
    people: People,
    signals: None,
    authenticator: Authenticator,
    clock: Clock,
) -> None:
    short, revoked = [await token_of(platform, ezhou, people.teacher) for _ in range(2)]
    ends = clock.now + timedelta(seconds=10)
    async with platform.database.work(ezhou.district) as session:
        tokens = await list_tokens(session, person=people.teacher)
        await session.execute(sa.update(ApiToken).where(ApiToken.id == tokens[1].id).values(expires_at=ends))
    for text in (short, revoked):
        assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    clock.forward(timedelta(seconds=10))  # well within the time things are remembered
    assert await authenticator.principal(ezhou, f"Bearer {short}", None) is None
    assert await authenticator.principal(ezhou, f"Bearer {revoked}", None) is not None
    async with platform.database.work(ezhou.district) as session:
        assert await revoke_token(session, token=tokens[0].id)
        assert not await revoke_token(session, token=tokens[1].id) or True
        assert not await revoke_token(session, token=tokens[0].id)
    await changed(platform, "ezhou")
    assert await authenticator.principal(ezhou, f"Bearer {revoked}", None) is None


@pytest.mark.parametrize("how", ["account disabled", "person ended", "every membership ended"])
async def test_person_who_may_not_come_in_any_more_is_nobody_at_once(
    platform: Platform, ezhou: DistrictState, people: People, signals: None, authenticator: Authenticator, how: str
) -> None:
    text = await token_of(platform, ezhou, people.teacher)
    bystander = await token_of(platform, ezhou, people.admin)
    yesterday = date.today() - timedelta(days=2)  # noqa: DTZ011 - two days ago in any zone
    async with platform.database.work(ezhou.district) as session:
        await session.execute(sa.insert(Account).values(person_id=people.teacher, username="shi"))
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    async with platform.database.work(ezhou.district) as session:
        await session.execute(
            {
                "account disabled": sa.update(Account).values(state="disabled"),
                "person ended": sa.update(Person).where(Person.id == people.teacher).values(ended_on=yesterday),
                "every membership ended": sa.update(Membership)
                .where(Membership.person_id == people.teacher)
                .values(ends_on=yesterday),
            }[how]
        )
    await changed(platform, "ezhou")
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None
    assert await authenticator.principal(ezhou, f"Bearer {bystander}", None) is not None


async def test_change_made_by_another_process_arrives_by_signal(
    platform: Platform, ezhou: DistrictState, people: People, signals: None, authenticator: Authenticator
) -> None:
    text = await token_of(platform, ezhou, people.teacher)
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    async with platform.database.work(ezhou.district) as session:
        await session.execute(sa.update(ApiToken).values(revoked_at=sa.func.now()))
    await platform.signals.send(authenticate.TOPIC, "ezhou")
    async with asyncio.timeout(2):
        while await authenticator.principal(ezhou, f"Bearer {text}", None) is not None:
            await asyncio.sleep(0.01)


async def test_change_during_a_load_is_not_undone_by_it(
    platform: Platform,
    ezhou: DistrictState,
    people: People,
    signals: None,
    authenticator: Authenticator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = await token_of(platform, ezhou, people.teacher)
    load = authenticator._load

    async def load_while_revoked(*arguments: object) -> object:
        loaded = await load(*arguments)  # type: ignore[arg-type]  # passed on as they came
        async with platform.database.work(ezhou.district) as session:
            await session.execute(sa.update(ApiToken).values(revoked_at=sa.func.now()))
        await changed(platform, "ezhou")
        return loaded

    with monkeypatch.context() as patched:
        patched.setattr(authenticator, "_load", load_while_revoked)
        await authenticator.principal(ezhou, f"Bearer {text}", None)
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None


async def test_nothing_is_remembered_without_signals(
    platform: Platform, ezhou: DistrictState, people: People, authenticator: Authenticator
) -> None:
    text = await token_of(platform, ezhou, people.teacher)
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    async with platform.database.work(ezhou.district) as session:
        await session.execute(sa.update(ApiToken).values(revoked_at=sa.func.now()))
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None


async def test_remembered_person_costs_no_query_for_half_a_minute(
    platform: Platform,
    ezhou: DistrictState,
    people: People,
    signals: None,
    authenticator: Authenticator,
    clock: Clock,
) -> None:
    text = await token_of(platform, ezhou, people.principal)
    with counted(platform) as statements:
        found = [await authenticator.principal(ezhou, f"bearer {text}", None) for _ in range(3)]
        await authenticator.close()
        assert len(statements) == 2  # the person, and the note that the token was used
        assert found[0] is found[1] is found[2]
        clock.forward(timedelta(seconds=31))
        assert await authenticator.principal(ezhou, f"Bearer {text}", None) == found[0]
        await authenticator.close()
        assert len(statements) == 3  # used within the same minute: noted already
        clock.forward(timedelta(seconds=31))
        await authenticator.principal(ezhou, f"Bearer {text}", None)
        await authenticator.close()
        assert len(statements) == 5
    async with platform.database.work(ezhou.district) as session:
        (listed,) = await list_tokens(session, person=people.principal)
    assert listed.last_used_at == clock.now


async def test_what_is_remembered_stays_bounded(
    platform: Platform,
    ezhou: DistrictState,
    people: People,
    signals: None,
    authenticator: Authenticator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authenticate, "_MOST", 2)
    for _ in range(4):
        text = await token_of(platform, ezhou, people.teacher)
        assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    assert len(authenticator._remembered) == 2


async def test_principal_holds_todays_memberships_with_the_orgs_below(
    platform: Platform, ezhou: DistrictState, people: People, authenticator: Authenticator
) -> None:
    async with platform.database.work(ezhou.district) as session:
        await add_membership(session, people.teacher, "principal", people.first_school)
        await add_membership(session, people.teacher, "counselor", people.first_school, ends_on=LONG_AGO)
        ring = [
            people.first_school,
            people.first_grade,
        ]  # a roster can hold a ring: it must end, and reach nothing else
        await session.execute(sa.update(Org).where(Org.id == ring[0]).values(parent_id=ring[1]))
    text = await token_of(platform, ezhou, people.teacher, "points.*", "mentor.talk.read")
    found = await authenticator.principal(ezhou, f"Bearer {text}", None)
    assert found is not None
    assert (found.person, found.name, found.scopes) == (
        people.teacher,
        "师老师",
        frozenset({"points.*", "mentor.talk.read"}),
    )
    assert found.via.startswith("token:")
    assert [(m.role, m.org, m.orgs, m.everywhere) for m in found.memberships] == [
        ("teacher", people.second_school, {people.second_school}, False),
        ("principal", people.first_school, {people.first_school, people.first_grade}, False),
    ]
    text = await token_of(platform, ezhou, people.admin)
    admin = await authenticator.principal(ezhou, f"Bearer {text}", None)
    assert admin is not None
    assert admin.scopes is None
    assert [m.everywhere for m in admin.memberships] == [True]


async def test_membership_counts_to_the_end_of_its_last_day_in_the_districts_zone(
    platform: Platform, ezhou: DistrictState, people: People, signals: None, authenticator: Authenticator, clock: Clock
) -> None:
    clock.now = datetime(2026, 9, 1, 15, 59, 50, tzinfo=UTC)  # 23:59:50 in 鄂州
    async with platform.database.work(ezhou.district) as session:
        await session.execute(
            sa.update(Membership).where(Membership.person_id == people.teacher).values(ends_on=date(2026, 9, 1))
        )
    text = await token_of(platform, ezhou, people.teacher)
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is not None
    clock.forward(timedelta(seconds=11))
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None


async def test_guardian_without_membership_comes_in_while_the_guardianship_lasts(
    platform: Platform, ezhou: DistrictState, people: People, authenticator: Authenticator
) -> None:
    async with platform.database.work(ezhou.district) as session:
        mother = await add_person(session, "母亲")
        await session.execute(
            sa.insert(Guardianship).values(
                guardian_id=mother, student_id=people.student, kind="mother", begins_on=LONG_AGO
            )
        )
    text = await token_of(platform, ezhou, mother)
    found = await authenticator.principal(ezhou, f"Bearer {text}", None)
    assert found is not None
    assert found.memberships == ()
    async with platform.database.work(ezhou.district) as session:
        await session.execute(sa.update(Guardianship).values(ends_on=LONG_AGO))
    assert await authenticator.principal(ezhou, f"Bearer {text}", None) is None


async def test_token_that_should_not_be_is_not_made(platform: Platform, ezhou: DistrictState, people: People) -> None:
    good = {"person": people.admin, "name": "报表", "scopes": ["points.*"], "expires_at": datetime.now(UTC) + SOON}
    bad = [
        {"person": UUID(int=1)},
        {"name": " "},
        {"scopes": []},
        {"scopes": ["points.*", "Points.award"]},
        {"scopes": ["po*"]},
        {"scopes": ["*.read"]},
        {"expires_at": datetime.now(UTC) - SOON},
        {"expires_at": datetime.now(UTC) + LONGEST + SOON},
        {"expires_at": (datetime.now(UTC) + SOON).replace(tzinfo=None)},
    ]
    for change in bad:
        with pytest.raises(TokenError):
            async with platform.database.work(ezhou.district) as session:
                await create_token(session, **(good | change))  # type: ignore[arg-type]  # the cases differ in one
    async with platform.database.work(ezhou.district) as session:
        assert await list_tokens(session) == []


async def test_token_is_shown_once_and_its_making_is_audited(
    platform: Platform, ezhou: DistrictState, people: People
) -> None:
    text = await token_of(platform, ezhou, people.admin, "points.*")
    async with platform.database.work(ezhou.district) as session:
        row = (await session.execute(sa.select(ApiToken))).scalar_one()
        (listed,) = await list_tokens(session, person=people.admin)
        line = (await session.execute(sa.select(AuditLine).where(AuditLine.action == "token.created"))).scalar_one()
    assert (listed.name, listed.scopes, listed.last_used_at) == ("报表", ("points.*",), None)
    secret = text.rpartition("_")[2]
    assert secret not in f"{listed}{line.details}"
    assert secret.encode() not in row.hash
