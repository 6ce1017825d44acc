"""Awards pushed to screens: how soon after the answer, and what the screens cost those who give.

Two workers, 200 open screens of as many pupils, on the same machine as the load. Aimed at: p50 ≤ 150 ms and p99 ≤ 1 s
from the giver's request to the pupil's screen; awards a second with screens open ÷ without ≥ 0.85.
"""

import asyncio
import contextlib
import json
import random
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import uvloop

from benchmarks.deployments import database, deployment
from benchmarks.points import CONNECTIONS, ROUNDS, _http, _prepare
from gongyu.access.tokens import create_token
from gongyu.config import Config
from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.events.outbox import work
from gongyu.platform import open_platform

__all__ = ["run"]

SCREENS, AWARDS, A_SECOND = 200, 400, 20
_BASE = "/api/v1/ezhou/points"


class Screens:
    """Open streams, each with the moments at which its entries came."""

    def __init__(self, url: str, tokens: dict[UUID, str]) -> None:
        self._url, self._tokens = url, tokens
        self.seen: dict[str, float] = {}

    async def _watch(self, client: httpx.AsyncClient, pupil: UUID, ready: asyncio.Semaphore) -> None:
        headers = {"Authorization": f"Bearer {self._tokens[pupil]}"}
        path, first = f"{self._url}{_BASE}/students/{pupil}/live", True
        while True:  # a stream ends after a minute, and the screen comes again
            async with client.stream("GET", path, headers=headers) as answer:
                async for line in answer.aiter_lines():
                    if first and line == "event: open":
                        ready.release()
                        first = False
                    if line.startswith("data: {") and "entry" in line:
                        self.seen.setdefault(json.loads(line[6:])["entry"], time.perf_counter())

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        limits = httpx.Limits(max_connections=SCREENS + 10)
        ready = asyncio.Semaphore(0)
        async with httpx.AsyncClient(timeout=None, limits=limits) as client:  # noqa: S113 - a stream waits
            tasks = [asyncio.create_task(self._watch(client, pupil, ready)) for pupil in self._tokens]
            for _ in tasks:
                await ready.acquire()
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for task in tasks:
                    with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                        await task


async def _delays(url: str, screens: Screens, watched: list[tuple[int, UUID]], tokens: list[str]) -> None:
    sent: dict[str, float] = {}
    async with httpx.AsyncClient(timeout=10) as client, screens.open():
        for _ in range(AWARDS):
            group, pupil = random.choice(watched)  # noqa: S311 - a load
            key = str(new_id())
            body = {"id": key, "points": 2, "reason": "tidy", "students": [str(pupil)]}
            sent[key] = time.perf_counter()
            answer = await client.post(
                f"{url}{_BASE}/awards", json=body, headers={"Authorization": f"Bearer {tokens[group]}"}
            )
            answer.raise_for_status()
            await asyncio.sleep(1 / A_SECOND)
        await asyncio.sleep(2)
    waits = sorted(screens.seen[key] - begun for key, begun in sent.items() if key in screens.seen)
    p50, p99 = statistics.median(waits) * 1000, waits[int(len(waits) * 0.99)] * 1000
    print(
        f"request → screen, {A_SECOND}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms, missed {AWARDS - len(waits)} of {AWARDS}"
    )


async def _all(url: str, folder: Path) -> None:
    async with open_platform(Config(database_url=url, data=folder / "data")) as opened:
        platform = replace(opened, database=Database(url, connections=CONNECTIONS))
        load = await _prepare(platform)
        tokens = await load.tokens()
        watched = [(n % len(load.pupils), load.pupils[n % len(load.pupils)][0]) for n in range(SCREENS)]
        expires = datetime.now(UTC) + timedelta(days=1)
        async with work(platform, load.state) as session:
            own = {
                pupil: await create_token(session, person=pupil, name="s", scopes=["*"], expires_at=expires)
                for _, pupil in watched
            }
        await platform.database.app.dispose()
        made = deployment(url, folder / "data")
        with made.serving(workers=2) as server:
            await _delays(server.url, Screens(server.url, own), watched, tokens)
            ratios = []
            for number in range(2 * ROUNDS):
                rates = {}
                for watched_now in (False, True) if number % 2 else (True, False):  # neither is always the first
                    await load.renew()
                    screens = Screens(server.url, own).open() if watched_now else contextlib.nullcontext()
                    async with screens:
                        side = await asyncio.to_thread(_http, server.url, folder, load, tokens, hot=False)
                    rates[watched_now] = side.rate
                ratios.append(rates[True] / rates[False])
            print(f"awards a second, {SCREENS} screens open ÷ none: ×{statistics.median(ratios):.2f}")
        await platform.database.close()


def run() -> None:
    with database() as (url, folder):
        uvloop.run(_all(url, folder))


if __name__ == "__main__":
    run()
