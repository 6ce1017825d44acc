"""Who gets in with an API token, and who no longer does. The hostile cases first."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access import authenticate
from gongyu.access.authenticate import changed
from gongyu.access.models import Account, ApiToken, AuditLine
from gongyu.access.tokens import LONGEST, TokenError, create_token, list_tokens, revoke_token
from gongyu.people.models import Guardianship, Membership, Org, Person

if TYPE_CHECKING:
    from tests.access.conftest import Scene

DAY = timedelta(days=1)
listening = pytest.mark.usefixtures("signals")
REVOKE_ALL = sa.update(ApiToken).values(revoked_at=sa.func.now())


async def test_token_of_another_district_is_refused_without_a_query(scene: "Scene", neighbour: "Scene") -> None:
    text = await neighbour.token(neighbour.people.admin)
    with scene.counted() as statements:
        assert await scene.who(text) is None
        assert not statements
        assert await scene.who(text.replace("gy_huangshi_", "gy_ezhou_")) is None  # nor with this one's name on it
    assert await neighbour.who(text) is not None


async def test_malformed_credentials_are_nobody_without_a_query(scene: "Scene") -> None:
    text = await scene.token(scene.people.admin)
    with scene.counted() as statements:
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
            assert await scene.authenticator.principal(scene.state, header, None) is None
        assert await scene.authenticator.principal(scene.state, None, text) is None  # a token is no cookie
        assert await scene.authenticator.principal(scene.state, None, None) is None
    assert not statements


@listening
async def test_expired_and_revoked_tokens_are_refused_also_when_remembered(scene: "Scene") -> None:
    first, second = [await scene.token(scene.people.teacher) for _ in range(2)]
    async with scene.work() as session:
        newer, older = await list_tokens(session, person=scene.people.teacher)
        ends = scene.clock.now + timedelta(seconds=10)
        await session.execute(sa.update(ApiToken).where(ApiToken.id == older.id).values(expires_at=ends))
    assert await scene.who(first) is not None
    assert await scene.who(second) is not None
    scene.clock.forward(seconds=10)  # well within the time things are remembered
    assert await scene.who(first) is None
    assert await scene.who(second) is not None
    async with scene.work() as session:
        assert await revoke_token(session, token=newer.id)
        assert not await revoke_token(session, token=newer.id)
    await changed(scene.platform, "ezhou")
    assert await scene.who(second) is None


@listening
@pytest.mark.parametrize("how", ["account disabled", "person ended", "every membership ended"])
async def test_person_who_may_not_come_in_any_more_is_nobody_at_once(scene: "Scene", how: str) -> None:
    teacher = scene.people.teacher
    text, bystander = await scene.token(teacher), await scene.token(scene.people.admin)
    await scene.execute(sa.insert(Account).values(person_id=teacher, username="shi"))
    assert await scene.who(text) is not None
    ended = scene.clock.now.date() - 2 * DAY
    await scene.execute(
        {
            "account disabled": sa.update(Account).values(state="disabled"),
            "person ended": sa.update(Person).where(Person.id == teacher).values(ended_on=ended),
            "every membership ended": sa.update(Membership)
            .where(Membership.person_id == teacher)
            .values(ends_on=ended),
        }[how]
    )
    await changed(scene.platform, "ezhou")
    assert await scene.who(text) is None
    assert await scene.who(bystander) is not None


@listening
async def test_change_made_by_another_process_arrives_by_signal(scene: "Scene") -> None:
    text = await scene.token(scene.people.teacher)
    assert await scene.who(text) is not None
    await scene.execute(REVOKE_ALL)
    await scene.platform.signals.send(authenticate.TOPIC, "ezhou")
    async with asyncio.timeout(2):
        while await scene.who(text) is not None:  # noqa: ASYNC110 - what is waited for is the answer itself
            await asyncio.sleep(0.01)


@listening
async def test_change_during_a_load_is_not_undone_by_it(scene: "Scene", monkeypatch: pytest.MonkeyPatch) -> None:
    text = await scene.token(scene.people.teacher)
    load = scene.authenticator._load

    async def load_while_revoked(*arguments: Any) -> object:  # noqa: ANN401 - passed on as they came
        loaded = await load(*arguments)
        await scene.execute(REVOKE_ALL)
        await changed(scene.platform, "ezhou")
        return loaded

    with monkeypatch.context() as patched:
        patched.setattr(scene.authenticator, "_load", load_while_revoked)
        await scene.who(text)
    assert await scene.who(text) is None


async def test_nothing_is_remembered_without_signals(scene: "Scene") -> None:
    text = await scene.token(scene.people.teacher)
    assert await scene.who(text) is not None
    await scene.execute(REVOKE_ALL)
    assert await scene.who(text) is None
    text = await scene.token(scene.people.teacher)
    assert await scene.who(text) is not None
    await scene.execute(REVOKE_ALL)
    scene.platform.signals.connected.set()  # nor is what was seen while deaf believed afterwards
    assert await scene.who(text) is None


@listening
async def test_remembered_person_costs_no_query_for_half_a_minute(scene: "Scene") -> None:
    text = await scene.token(scene.people.principal)
    with scene.counted() as statements:
        found = [await scene.who(text) for _ in range(3)]
        await scene.authenticator.close()
        assert len(statements) == 2  # the person, and the note that the token was used
        assert found[0] is found[1] is found[2] is not None
        scene.clock.forward(seconds=31)
        assert await scene.who(text) == found[0]
        await scene.authenticator.close()
        assert len(statements) == 3  # used within the same minute: noted already
        scene.clock.forward(seconds=31)
        await scene.who(text)
        await scene.authenticator.close()
        assert len(statements) == 5
    async with scene.work() as session:
        (listed,) = await list_tokens(session, person=scene.people.principal)
    assert listed.last_used_at == scene.clock.now


@listening
async def test_what_is_remembered_stays_bounded(scene: "Scene", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "_MOST", 2)
    for _ in range(4):
        assert await scene.who(await scene.token(scene.people.teacher)) is not None
    assert len(scene.authenticator._remembered) == 2


async def test_principal_holds_todays_memberships_with_the_orgs_below(scene: "Scene") -> None:
    people = scene.people
    await scene.membership(people.teacher, "principal", people.first_school)
    await scene.membership(people.teacher, "counselor", people.first_school, ends_on=scene.long_ago)
    # A roster can hold a ring: it must end, and be no way up.
    await scene.execute(sa.update(Org).where(Org.id == people.first_school).values(parent_id=people.first_grade))
    found = await scene.who(await scene.token(people.teacher, "points.*", "mentor.talk.read"))
    assert found is not None
    assert found.via.startswith("token:")
    assert (found.person, found.name, set(found.scopes or ())) == (
        people.teacher,
        "师老师",
        {"points.*", "mentor.talk.read"},
    )
    assert {m.role: (m.org, set(m.orgs), m.everywhere) for m in found.memberships} == {
        "teacher": (people.second_school, {people.second_school}, False),
        "principal": (people.first_school, {people.first_school, people.first_grade}, False),
    }
    admin = await scene.who(await scene.token(people.admin))
    assert admin is not None
    assert (admin.scopes, [m.everywhere for m in admin.memberships]) == (None, [True])


@listening
async def test_membership_counts_to_the_end_of_its_last_day_in_the_districts_zone(scene: "Scene") -> None:
    text = await scene.token(scene.people.teacher)
    local = (scene.clock.now + timedelta(hours=8)).date()
    midnight = datetime(local.year, local.month, local.day, 16, tzinfo=UTC)  # of the district's day, in 鄂州
    scene.clock.now = midnight - timedelta(seconds=10)
    ends = sa.update(Membership).where(Membership.person_id == scene.people.teacher).values(ends_on=local)
    await scene.execute(ends)
    assert await scene.who(text) is not None
    scene.clock.forward(seconds=11)
    assert await scene.who(text) is None


async def test_guardian_without_membership_comes_in_while_the_guardianship_lasts(scene: "Scene") -> None:
    mother = await scene.person("母亲")
    text = await scene.token(mother)
    assert await scene.who(text) is None
    bond = {"guardian_id": mother, "student_id": scene.people.student, "kind": "mother", "begins_on": scene.long_ago}
    await scene.execute(sa.insert(Guardianship).values(bond))
    found = await scene.who(text)
    assert found is not None
    assert found.memberships == ()
    await scene.execute(sa.update(Guardianship).values(ends_on=scene.long_ago))
    assert await scene.who(text) is None


@pytest.mark.parametrize(
    "change",
    [
        {"person": UUID(int=1)},
        {"name": " "},
        {"name": "a\0"},
        {"scopes": []},
        {"scopes": ["points.*", "Points.award"]},
        {"scopes": ["po*"]},
        {"scopes": ["*.read"]},
        {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"expires_at": datetime.now(UTC) + LONGEST + DAY},
        {"expires_at": datetime.now() + DAY},  # noqa: DTZ005 - that is what is refused
    ],
    ids=range(10),
)
async def test_token_that_should_not_be_is_not_made(scene: "Scene", change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "person": scene.people.admin,
        "name": "报表",
        "scopes": ["points.*"],
        "expires_at": datetime.now(UTC) + DAY,
    }
    with pytest.raises(TokenError):
        async with scene.work() as session:
            await create_token(session, **(good | change))
    async with scene.work() as session:
        assert await list_tokens(session) == []


async def test_token_is_shown_once_and_its_making_is_audited(scene: "Scene") -> None:
    text = await scene.token(scene.people.admin, "points.*")
    async with scene.work() as session:
        (listed,) = await list_tokens(session, person=scene.people.admin)
        made = sa.select(AuditLine.subject, AuditLine.details).where(AuditLine.action == "token.created")
        line = (await session.execute(made)).one()
        stored = (await session.execute(sa.select(ApiToken.__table__))).one()
    assert (listed.name, listed.scopes, listed.last_used_at) == ("报表", ("points.*",), None)
    assert line.subject == f"person:{scene.people.admin}"
    assert text.rpartition("_")[2] not in f"{listed}{line.details}{stored}"
