"""Districts: making one, upgrading two hundred, and what a worker's memory does with their number.

Goals: a district with everything enabled under 2 s; a no-op `db upgrade` of 200 districts under 5 s; a worker's memory
with 200 districts against 2: under 10 MB more; `gongyu --version` under 0.3 s; a server ready within 2 s.
"""

import statistics
import time

import httpx
import psutil

from benchmarks.deployments import database, deployment
from gongyu.districts.service import apply_file, read_file
from gongyu.platform import Platform
from gongyu.testing.deployment import Deployment


def run() -> None:
    with database() as (url, folder):
        place = deployment(url, folder / "var")
        version = statistics.median(_timed(place, "--version") for _ in range(5))
        print(f"   gongyu --version: {version:.2f} s   (goal < 0.3 s)")
        place.apply("d0", "")
        plugins = [f"[plugins.{name}]\n" for name in place.on_platform(_plugins)]
        file = folder / "d1.toml"
        file.write_text('[district]\nslug = "d1"\nname = "d1"\n' + "".join(plugins), encoding="utf-8")
        made = _timed(place, "district", "apply", str(file))
        print(f"   a district with {len(plugins)} plugins, by the command: {made:.2f} s   (goal < 2 s)")
        seconds, two = _served(place, ["d1"])
        print(f"   server ready: {seconds:.2f} s   (goal < 2 s)")
        started = time.perf_counter()
        place.on_platform(lambda platform: _many(platform, "".join(plugins)))
        print(f"   198 more districts: {(time.perf_counter() - started) / 198:.3f} s each")
        print(f"   no-op db upgrade of 200: {_timed(place, 'db', 'upgrade'):.2f} s   (goal < 5 s)")
        seconds, many = _served(place, [f"d{n}" for n in range(200)])
        print(f"   server ready with 200 districts: {seconds:.2f} s")
        print(f"   memory of a worker, 200 districts against 2: {(many - two) / 2**20:+.1f} MB   (goal < 10 MB)")


def _timed(place: Deployment, *arguments: str) -> float:
    started = time.perf_counter()
    place.gongyu(*arguments)
    return time.perf_counter() - started


async def _plugins(platform: Platform) -> list[str]:
    return list(platform.host.plugins)


async def _many(platform: Platform, plugins: str) -> None:
    for number in range(2, 200):
        text = f'[district]\nslug = "d{number}"\nname = "d{number}"\n{plugins}'
        await apply_file(platform, read_file(platform, text, file="bench"), actor="operator:bench")


def _served(place: Deployment, slugs: list[str]) -> tuple[float, int]:
    """How long until ready, and the worker's own memory after 2,000 requests spread over the districts."""
    started = time.perf_counter()
    with place.serving() as server, httpx.Client() as client:
        seconds = time.perf_counter() - started
        for number in range(2000):
            client.get(f"{server.url}/api/v1/{slugs[number % len(slugs)]}/")
        time.sleep(3)  # the first sweep over the districts belongs to it
        worker = max(psutil.Process(server.process.pid).children(), key=lambda process: process.memory_info().rss)
        return seconds, worker.memory_info().rss
