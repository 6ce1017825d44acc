"""The pytest plugin for plugin authors: a real PostgreSQL, a fresh database for each test, districts by one call.

It is loaded by pytest by itself wherever `gongyu` is installed. Failures of hooks are raised instead of recorded:
a test in which a hook fails silently proves nothing.
"""

import asyncio
import os
import shutil
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gongyu.config import Config
from gongyu.database import embedded
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


@pytest.fixture(scope="session")
def template(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A database with the `gongyu` schema in it, copied for each test: copying a file tree beats running migrations."""
    name = f"gongyu_template_{uuid4().hex[:8]}"
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    config = Config(database_url=url, data=tmp_path_factory.mktemp("template"))

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
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    await _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def host() -> Host:
    """The plugins of this environment; override in a module to test with others."""
    return load_host()


@pytest.fixture
async def platform(database_url: str, host: Host, tmp_path: Path) -> AsyncGenerator[Platform]:
    """A platform on a fresh database."""
    config = Config(database_url=database_url, data=tmp_path)
    async with open_platform(config, host=host, raise_hook_errors=True) as opened:
        yield opened


@pytest.fixture
def make_district(platform: Platform) -> MakeDistrict:
    async def make(slug: str = "ezhou", plugins: str = "", *, name: str = "鄂州市") -> DistrictState:
        text = f'[district]\nslug = "{slug}"\nname = "{name}"\n\n{plugins}'
        tomllib.loads(text)
        await apply_file(platform, read_file(platform, text, file=f"{slug}.toml"), actor="operator:test")
        return platform.state(slug)

    return make
