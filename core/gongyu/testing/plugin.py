"""The pytest plugin for plugin authors: a real PostgreSQL, a fresh database for each test, districts by one call.

It is loaded by pytest by itself wherever `gongyu` is installed. Failures of hooks are raised instead of recorded:
a test in which a hook fails silently proves nothing.
"""

import asyncio
import os
import shutil
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Hashable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gongyu.access.keys import KeyRing
from gongyu.config import Config
from gongyu.database import embedded
from gongyu.database.data_folder import claim
from gongyu.districts.registry import DistrictState
from gongyu.districts.service import apply_file, read_file
from gongyu.host import Host, load_host
from gongyu.platform import Platform, open_platform

__all__ = ["MakeDistrict"]

#: `await make_district("ezhou", '[plugins.points]')`: a district with these plugins on.
MakeDistrict = Callable[..., Awaitable[DistrictState]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("gongyu").addoption(
        "--gongyu-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="the plugin that gongyu.testing.conformance looks at (repeatable; all installed ones by default)",
    )


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server_url() -> Generator[str]:
    """A PostgreSQL for the whole run: `GONGYU_TEST_DATABASE_URL`, or the embedded one in a folder that is removed."""
    if url := os.environ.get("GONGYU_TEST_DATABASE_URL"):
        yield Config.from_environment({"GONGYU_DATABASE_URL": url}).database_url or url
        return
    folder = Path(tempfile.mkdtemp(prefix="gongyu-test-"))
    server = embedded.start(folder / "data")
    try:
        # Nobody pulls the plug of this machine meanwhile; of a killed PostgreSQL the kernel keeps all that it wrote.
        asyncio.run(_administer(server.url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
        yield server.url
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _administer(server: str, *statements: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))
    await engine.dispose()


def _named(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key ring for all tests, since they share what was sealed with it."""
    config = Config(data=tmp_path_factory.mktemp("keys"))
    KeyRing.load(config, {})
    return config.data / "keys.json"


@pytest.fixture(scope="session")
def template(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A database with the `gongyu` schema in it, copied for each test: copying a file tree beats running migrations."""
    name = f"gongyu_template_{uuid4().hex[:8]}"
    config = Config(database_url=_named(server_url, name), data=tmp_path_factory.mktemp("template"))

    async def build() -> None:
        await _administer(server_url, f"CREATE DATABASE {name}")
        async with open_platform(config, host=load_host(entry_points=[])):
            pass

    asyncio.run(build())
    yield name
    asyncio.run(_administer(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncGenerator[str]:
    """An empty deployment of one's own: the address of a fresh database."""
    name = f"gongyu_test_{uuid4().hex[:12]}"
    await _administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(server_url, name)
    await _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def host() -> Host:
    """The plugins of this environment; override in a module to test with others."""
    return load_host()


@pytest.fixture
async def platform(database_url: str, host: Host, tmp_path: Path, keys_file: Path) -> AsyncGenerator[Platform]:
    """A platform on a fresh database."""
    claim(tmp_path)
    shutil.copy(keys_file, tmp_path)
    config = Config(database_url=database_url, data=tmp_path)
    async with open_platform(config, host=host, raise_hook_errors=True) as opened:
        yield opened


class _Ready:
    """Databases with one district in them, to be copied: migrating one for each test was a third of the suite."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._asked: set[Hashable] = set()
        self.made: dict[Hashable, str] = {}

    async def put(self, platform: Platform, text: str) -> bool:
        """Put a copy in the place of the platform's database, if one is there."""
        if (ready := self.made.get(_what(platform, text))) is None:
            return False
        mine = make_url(platform.database.url).database
        await platform.database.close()
        copied = f"CREATE DATABASE {mine} TEMPLATE {ready}"
        await _administer(self.server, f"DROP DATABASE {mine} WITH (FORCE)", copied)
        await platform.registry.load()
        return True

    async def keep(self, platform: Platform, text: str) -> None:
        """What is made for a second time is copied from the third on."""
        what = _what(platform, text)
        if what not in self._asked:
            self._asked.add(what)
            return
        await platform.database.close()
        name = self.made[what] = f"gongyu_ready_{uuid4().hex[:12]}"
        mine = make_url(platform.database.url).database
        await _administer(self.server, f"CREATE DATABASE {name} TEMPLATE {mine}")


def _what(platform: Platform, text: str) -> Hashable:
    """What a district comes out as depends on its file, the plugins, and the keys it is sealed with."""
    keys = platform.config.data / "keys.json"
    return text, platform.host, keys.read_bytes() if keys.exists() else b""


@pytest.fixture(scope="session")
def ready_districts(server_url: str) -> Generator[_Ready]:
    ready = _Ready(server_url)
    yield ready
    asyncio.run(_administer(server_url, *(f"DROP DATABASE {name} WITH (FORCE)" for name in ready.made.values())))


@pytest.fixture
def make_district(platform: Platform, ready_districts: _Ready) -> MakeDistrict:
    fresh = True

    async def make(slug: str = "ezhou", plugins: str = "", *, name: str = "鄂州市") -> DistrictState:
        text = f'[district]\nslug = "{slug}"\nname = "{name}"\n\n{plugins}'
        tomllib.loads(text)
        nonlocal fresh
        fresh, alone = False, fresh and not platform.signals.connected.is_set()  # who listens is connected
        if not alone or not await ready_districts.put(platform, text):
            await apply_file(platform, read_file(platform, text, file=f"{slug}.toml"), actor="operator:test")
            if alone:
                await ready_districts.keep(platform, text)
        return platform.state(slug)

    return make
