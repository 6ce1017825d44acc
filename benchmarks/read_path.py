"""An authenticated, gated list of 20 rows, as a ratio to a bare Litestar handler with the same SQL through asyncpg.

Goal: at least 40 %. Method: uvicorn with one worker on both sides, the same database and rows, wrk with 16
connections, medians of 5 interleaved runs. Then with a plugin installed but off, and with 50 more plugins installed
and off (goals: nothing measurable, < 5 %), as ratios to the first.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.deployments import database, deployment, interleaved, requests_per_second
from gongyu.platform import Platform

BARE = """
import contextlib, os
from datetime import datetime
from uuid import UUID
import asyncpg, msgspec
from litestar import Litestar, Request, get

class Notice(msgspec.Struct):
    id: UUID
    org: UUID
    title: str
    body: str
    posted_at: datetime

class Page(msgspec.Struct):
    items: list[Notice]
    next: str | None = None

SQL = ("SELECT id, org_id, title, body, posted_at FROM d_ezhou.bulletin_notice "
       "ORDER BY posted_at, id LIMIT $1")

@contextlib.asynccontextmanager
async def pool(app):
    async with asyncpg.create_pool(os.environ["BARE_URL"], min_size=20, max_size=20) as made:
        app.state.pool = made
        yield

@get("/notices")
async def notices(request: Request) -> Page:
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(SQL, 21)
    return Page([Notice(*row) for row in rows[:20]])

def app():
    return Litestar([notices], lifespan=[pool], openapi_config=None, logging_config=None)
"""

PLUGIN = """
from gongyu.plugin import PluginInfo, Text, SignedIn, hookimpl
from litestar import get
INFO = PluginInfo(name="{name}", title=Text(zh="{name}", en="{name}"), contract=">=1.0,<2")

@get("/thing", permission=SignedIn("a measurement"), operation_id="{name}_thing", sync_to_thread=False)
def thing() -> str:
    return "thing"

@hookimpl
def routes():
    return [thing]
"""


def run() -> None:
    with database() as (url, folder):
        place = deployment(url, folder / "a")
        place.apply("ezhou", "[plugins.bulletin]\n[plugins.kindness]\n")
        headers = {"Authorization": f"Bearer {place.token('ezhou')}"}
        place.on_platform(_fill)
        crowded = deployment(url, folder / "b")
        crowded.environment["PYTHONPATH"] = str(_fifty(folder / "fifty"))
        path = "/api/v1/ezhou/bulletin/notices?limit=20"
        with _bare(url, folder) as bare, place.serving() as ours, crowded.serving() as crowd:
            limit, gated, many = interleaved(
                5,
                lambda: requests_per_second(bare, {}),
                lambda: requests_per_second(ours.url + path, headers),
                lambda: requests_per_second(crowd.url + path, headers),
            )
            place.gongyu("district", "disable", "ezhou", "kindness")
            off = interleaved(3, lambda: requests_per_second(ours.url + path, headers))[0]
        print(f"   bare handler {limit:,.0f}/s, ours {gated:,.0f}/s: ratio {gated / limit:.2f}   (goal >= 0.40)")
        print(f"   50 more plugins installed: ratio {many / gated:.2f}   (goal > 0.95)")
        print(f"   a plugin off instead of on: ratio {off / gated:.2f}   (goal: nothing measurable)")


async def _fill(platform: Platform) -> None:
    async with platform.database.work(platform.state("ezhou").district) as session:
        await session.execute(
            sa.text(
                "INSERT INTO d_ezhou.bulletin_notice (id, org_id, title, body) "
                "SELECT gen_random_uuid(), org.id, 'notice ' || n, repeat('内容', 20) "
                "FROM d_ezhou.org, generate_series(1, 1000) n WHERE org.parent_id IS NULL"
            )
        )


@contextlib.contextmanager
def _bare(url: str, folder: Path) -> Iterator[str]:
    (folder / "bare.py").write_text(BARE, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [sys.executable, "-m", "uvicorn", "--factory", "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--no-proxy-headers", "--port", str(port)]
    environment = os.environ | {"BARE_URL": plain, "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [*command, "bare:app"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}/notices"
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(address).is_success:
                    break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _fifty(folder: Path) -> Path:
    """Fifty installed packages, each a plugin with a route."""
    for number in range(50):
        name = f"extra{number:02d}"
        package, record = folder / f"gongyu_{name}", folder / f"gongyu_{name}-1.0.dist-info"
        package.mkdir(parents=True)
        record.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(PLUGIN.format(name=name), encoding="utf-8")
        (record / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: gongyu-{name}\nVersion: 1.0\n", encoding="utf-8"
        )
        (record / "entry_points.txt").write_text(f"[gongyu.plugins]\n{name} = gongyu_{name}.plugin\n", encoding="utf-8")
    return folder
