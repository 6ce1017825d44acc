"""The live stream, on a real server with two workers: after the commit, to the right screens, none missed."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.testing.deployment import Deployment

if TYPE_CHECKING:
    from gongyu.platform import Platform

    from .conftest import Scene, populate
else:
    from .conftest import populate


class Screen:
    """One open stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.last = ""

    def opened(self) -> "Screen":
        assert next(line for line in self._lines if line.startswith(": ")) == ": open"
        return self

    def event(self) -> tuple[str, Any]:
        kind = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last = value
            elif name == "event":
                kind = value
            elif name == "data" and kind:
                return kind, json.loads(value)
        raise AssertionError("the stream ended")


@contextmanager
def screen(url: str, path: str, token: str, last: str | None = None) -> Iterator[Screen]:
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
    with httpx.stream("GET", url + path, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield Screen(answer).opened()


def test_awards_reach_every_screen_at_once_and_none_is_missed_after_a_reconnect(tmp_path: Path) -> None:
    made = Deployment(tmp_path / "var")
    made.apply("ezhou", "[plugins.points]")
    made.apply("xishui", "[plugins.points]")

    async def prepare(platform: "Platform") -> tuple["Scene", dict[UUID, str]]:
        scene = await populate(platform, platform.state("ezhou"))
        await scene.open_term()
        expires = datetime.now(UTC) + timedelta(days=1)
        async with scene.work() as session:
            people = [scene.teachers[0], *scene.pupils[0]]
            return scene, {
                who: await create_token(session, person=who, name="t", scopes=["*"], expires_at=expires)
                for who in people
            }

    scene, tokens = made.on_platform(prepare)
    teacher, (pupil, other, _) = scene.teachers[0], scene.pupils[0]
    base = "/api/v1/ezhou/points"
    live = f"{base}/students/{pupil}/live"

    def give(url: str, student: UUID, points: int = 5) -> str:
        body = {"id": str(new_id()), "points": points, "reason": "tidy", "students": [str(student)]}
        headers = {"Authorization": f"Bearer {tokens[teacher]}"}
        answer = httpx.post(f"{url}{base}/awards", json=body, headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["operation"])

    with made.serving(workers=2) as server:
        with screen(server.url, live, tokens[pupil]) as mine, screen(server.url, live, tokens[pupil]) as second:
            told: list[tuple[str, Any]] = []
            for points in (5, 2):
                given, when = give(server.url, pupil, points), time.monotonic()
                told = [one.event() for one in (mine, second)]
                assert time.monotonic() - when < 1
                assert [(kind, moved["entry"], moved["points"]) for kind, moved in told] == [
                    ("moved", given, points)
                ] * 2
            assert told[0][1]["balance"] == 7
            last = mine.last
        missed = [give(server.url, pupil, points) for points in (10, 20)]
        give(server.url, other)
        with screen(server.url, live, tokens[pupil], last) as again:
            caught_up: list[str] = []
            while missed[-1] not in caught_up:
                caught_up.append(again.event()[1]["entry"])
            assert [entry for entry in caught_up if entry in missed] == missed
            assert again.last > last
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {tokens[pupil]}"}) as client:
            refused: dict[str, Callable[[], httpx.Response]] = {
                "another pupil's": lambda: client.get(f"{base}/students/{other}/live"),
                "the school's": lambda: client.get(f"{base}/schools/{scene.school}/live"),
                "another district's": lambda: client.get(f"/api/v1/xishui/points/students/{pupil}/live"),
                "no number": lambda: client.get(live, headers={"Last-Event-ID": "1; DROP"}),
            }
            assert {name: ask().status_code for name, ask in refused.items()} == {
                "another pupil's": 404,
                "the school's": 403,
                "another district's": 401,
                "no number": 400,
            }
        with screen(server.url, live, tokens[pupil]):
            pass  # a screen left open must not keep the server from ending
