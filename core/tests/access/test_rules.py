"""The table `[access]` of a district's file, and what is done every night by it."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine, SignInAttempt, WebSession
from gongyu.access.rules import AccessRules, OidcProvider
from gongyu.database.model import new_id
from gongyu.districts.file import render
from gongyu.districts.service import SettingsError, apply_file, current_file, plan_file, read_file
from gongyu.events.worker import drain
from gongyu.platform import Platform

if TYPE_CHECKING:
    from tests.access.conftest import Scene

HEAD = '[district]\nslug = "ezhou"\nname = "鄂州市"\ntimezone = "Asia/Shanghai"\n'
SAID = f"""{HEAD}
[access]
code_days = 30
idle_minutes = 20
second_factor = true

[access.oidc]
client_id = "gongyu"
client_secret = "hush"
issuer = "https://directory.example"
"""


async def test_rules_are_said_in_the_file_and_said_again_as_they_were(scene: "Scene") -> None:
    platform = scene.platform
    wanted = read_file(platform, SAID, file="ezhou.toml")
    lines = {line.path: line.text.en for line in (await apply_file(platform, wanted, actor="operator:test")).lines}
    assert lines == {
        "access.code_days": "written out (what is in force stays)",
        "access.idle_minutes": "30 → 20",
        "access.oidc.client_id": '∅ → "gongyu"',
        "access.oidc.client_secret": '∅ → "***"',
        "access.oidc.issuer": '∅ → "https://directory.example"',
        "access.oidc.scopes": '∅ → ["openid"]',
        "access.second_factor": "false → true",
    }
    assert platform.state("ezhou").access == AccessRules(
        idle_minutes=20,
        second_factor=True,
        oidc=OidcProvider(issuer="https://directory.example", client_id="gongyu", client_secret="hush"),  # noqa: S106 - of nobody
    )
    file = current_file(platform, "ezhou")
    assert file is not None
    assert render(file) == SAID
    assert not await plan_file(platform, read_file(platform, render(file), file="again.toml"))
    assert "hush" not in str([line.details for line in await scene.audited("district.changed")])
    await apply_file(platform, read_file(platform, HEAD, file="ezhou.toml"), actor="operator:test")
    assert platform.state("ezhou").access == AccessRules()


async def test_every_mistake_about_access_is_named_with_its_line(platform: Platform) -> None:
    text = HEAD + (
        '[access]\nidle_minuts = 20\nsession_hours = 0\npassword_policy = "none"\naudit_days = 90\n'
        '[access.oidc]\nissuer = "http://directory.example"\nclient_secret = 5\n'
    )
    with pytest.raises(SettingsError) as refused:
        read_file(platform, text, file="ezhou.toml")
    assert [error.render("en") for error in refused.value.errors] == [
        "ezhou.toml:6: access.idle_minuts: unknown setting `idle_minuts`, did you mean `idle_minutes`?",
        "ezhou.toml:7: access.session_hours: out of range; expected an integer (1 – 720), found 0",
        'ezhou.toml:8: access.password_policy: not one of the choices; expected one of `asvs`, `mlps3`, found "none"',
        "ezhou.toml:9: access.audit_days: out of range; expected an integer (180 – 36500), found 90",
        "ezhou.toml:10: access.oidc.client_id: setting `client_id` is missing; expected text (length ≥ 1)",
        (
            "ezhou.toml:11: access.oidc.issuer: wrong format; "
            'expected an address that begins with https://, found "http://directory.example"'
        ),
        "ezhou.toml:12: access.oidc.client_secret: wrong type; expected text, found ***",
    ]


async def test_every_night_what_is_past_its_time_goes(scene: "Scene") -> None:
    now, old = datetime.now(UTC), datetime(2020, 1, 1, tzinfo=UTC)
    attempt = {"name": b"n", "address": b"a"}
    session = {"person_id": scene.people.admin, "method": "password", "idle_seconds": 1}
    await scene.execute(
        *(sa.insert(SignInAttempt).values(id=new_id(), at=at, **attempt) for at in (old, now)),
        *(
            sa.insert(WebSession).values(id=new_id(), hash=bytes([n]), expires_at=at, **session)
            for n, at in enumerate((old, now))
        ),
    )
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("UPDATE d_ezhou.audit_line SET at = '2020-01-01' WHERE seq = 1"))

    async def left() -> list[int]:
        async with scene.work() as work:
            tables = (SignInAttempt, WebSession, AuditLine)
            return [(await work.execute(sa.select(sa.func.count()).select_from(t))).scalar_one() for t in tables]

    await drain(scene.platform, "ezhou", clock=lambda: now)
    lines = (await left())[2]
    tomorrow = now + timedelta(hours=25)
    assert (await drain(scene.platform, "ezhou", clock=lambda: tomorrow)).failed == 0
    assert await left() == [0, 1, lines]  # one line of the audit log is gone, and one says so
    (pruned,) = await scene.audited("audit.pruned")
    assert (pruned.actor, pruned.details["through"], pruned.details["older_than_days"]) == ("system", 1, 730)
