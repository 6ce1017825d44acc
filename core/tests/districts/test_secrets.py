"""Secrets among a district's settings: used, compared and applied again, and readable nowhere in the database."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from gongyu.access.keys import KeysError
from gongyu.access.rotation import reseal
from gongyu.config import Config
from gongyu.database import migrations
from gongyu.database.engine import DatabaseUnfitError
from gongyu.districts.file import render
from gongyu.districts.service import apply_file, current_file, plan_file, read_file
from gongyu.platform import Platform, open_platform

from ..command import Command  # noqa: TID252 - test folders are no packages and have no absolute names
from ..dump import dump, readable  # noqa: TID252 - as above
from ..host.shelf import Shelf  # noqa: TID252 - as above

TOKEN, SCHOOL_TOKEN, CLIENT_SECRET = "hush-token-71a", "hush-school-93b", "hush-client-5f2"
SECRETS = (TOKEN, SCHOOL_TOKEN, CLIENT_SECRET)
FILE = f"""\
[district]
slug = "ezhou"
name = "鄂州市"
timezone = "Asia/Shanghai"

[access.oidc]
client_id = "gongyu"
client_secret = "{CLIENT_SECRET}"
issuer = "https://id.example.org"

[plugins.vault]
address = "sms.example.org"
token = "{TOKEN}"

[schools."一中".vault]
token = "{SCHOOL_TOKEN}"
"""
PAGE = """\
from typing import Annotated

from gongyu.districts.settings import PER_SCHOOL, SECRET

class VaultSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str = ""
    token: Annotated[str, SECRET, PER_SCHOOL] = ""

@hookimpl
def settings_type():
    return VaultSettings
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf")
    shelf.install("vault", PAGE)
    yield from shelf.on_path()


@pytest.fixture
async def platform(shelf: Shelf, database_url: str, tmp_path: Path) -> AsyncGenerator[Platform]:
    config = Config(database_url=database_url, data=tmp_path / "var")
    async with open_platform(config, host=shelf.load(), raise_hook_errors=True) as opened:
        await apply_file(opened, read_file(opened, FILE, file="ezhou.toml"), actor="operator:test")
        yield opened


async def shown(platform: Platform) -> list[str]:
    """Which of the secrets a dump of everything shows."""
    dumped = await dump(platform.database, "gongyu", "d_ezhou")
    assert "鄂州市" in dumped
    return [secret for secret in SECRETS if readable(dumped, secret)]


def used(platform: Platform) -> tuple[str, str, str]:
    state = platform.state("ezhou")
    assert state.access.oidc is not None
    return state.settings["vault"].token, state.schools["vault"]["一中"].token, state.access.oidc.client_secret


async def test_secrets_of_settings_are_used_and_compared_and_stand_nowhere(platform: Platform, shelf: Shelf) -> None:
    assert (used(platform), await shown(platform)) == (SECRETS, [])
    async with open_platform(platform.config, host=shelf.load()) as another:
        assert used(another) == SECRETS
        current = current_file(another, "ezhou")
        assert current is not None
        assert render(current) == FILE
        assert not await plan_file(another, read_file(another, FILE, file="ezhou.toml"))
        changed = FILE.replace(TOKEN, "another-token")
        plan = await plan_file(another, read_file(another, changed, file="ezhou.toml"))
        assert [(line.path, line.text.en) for line in plan.lines] == [("plugins.vault.token", '"***" → "***"')]


async def test_missing_package_keeps_its_secret_sealed(platform: Platform) -> None:
    async with open_platform(platform.config, host=Shelf(Path(platform.config.data, "empty")).load()) as without:
        current = current_file(without, "ezhou")
        assert current is not None
        renamed = read_file(without, render(current).replace("鄂州市", "鄂州"), file="ezhou.toml")
        await apply_file(without, renamed, actor="operator:test")
    await platform.registry.load()
    dumped = await dump(platform.database, "gongyu", "d_ezhou")
    assert (used(platform), [one for one in SECRETS if readable(dumped, one)]) == (SECRETS, [])


async def test_screen_shows_no_secret(platform: Platform, shelf: Shelf, database_url: str, tmp_path: Path) -> None:
    said = await Command(database_url, tmp_path, shelf.folder).well("district", "show", "ezhou")
    assert "address=sms.example.org" in said
    assert [secret for secret in SECRETS if secret in said] == []
    assert platform.state("ezhou").enabled == ("vault",)


async def test_rotation_seals_the_registry_anew(platform: Platform) -> None:
    platform.keys.rotate("ezhou")
    district = platform.state("ezhou").district
    done = [await reseal(platform, district, actor="operator:test") for _ in range(2)]
    assert done == [3, 0]  # rules of access, settings, schools
    old = b"a256gcm.1.".hex()
    assert old not in await dump(platform.database, "gongyu", "d_ezhou")
    await platform.registry.load()
    assert used(platform) == SECRETS


async def test_keys_of_another_deployment_are_refused_by_name(platform: Platform, shelf: Shelf, tmp_path: Path) -> None:
    config = msgspec.structs.replace(platform.config, data=tmp_path / "elsewhere")
    with pytest.raises(KeysError, match="do not open the settings of district ezhou"):
        async with open_platform(config, host=shelf.load()):
            pass


async def test_upgrade_seals_what_stood_readable(platform: Platform, shelf: Shelf) -> None:
    history = migrations.registry_history()

    async def migrate(target: str, keys: object = None) -> None:
        await migrations.upgrade_schema(platform.database, "gongyu", 0, [history], target=target, keys=keys)

    with pytest.raises(DatabaseUnfitError, match="needs the keys"):
        await migrate("registry_0001")
    await migrate("registry_0001", platform.keys)
    assert await shown(platform) == list(SECRETS)
    with pytest.raises(DatabaseUnfitError, match="needs the keys"):
        await migrate("heads")
    assert await shown(platform) == list(SECRETS)  # as it was
    async with open_platform(platform.config, host=shelf.load()) as upgraded:  # as every command does
        assert (used(upgraded), await shown(upgraded)) == (SECRETS, [])
        async with upgraded.database.registry() as connection:
            columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'gongyu'"
            assert "plain" not in (await connection.execute(sa.text(columns))).scalars().all()
