"""The live stream: after the commit, to the right screens, none missed; on a real server with two workers too."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.testing.deployment import Deployment
from gongyu_points.giving import award
from gongyu_points.live import hub as looking
from gongyu_points.live.hub import Hub
from gongyu_points.live.stream import stream
from gongyu_points.live.unread import ENDLESS, Range, left_of
from gongyu_points.schemas import NewAward

if TYPE_CHECKING:
    from gongyu.platform import Platform

    from .conftest import Scene, Storefront, populate
else:
    from .conftest import populate


class Screen:
    """One open stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.last = ""

    def opened(self) -> "Screen":
        assert self.event() == ("open", {})
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


class Watching:
    """One screen of this process: what it is told, and where it would go on."""

    def __init__(self, scene: "Scene", *students: UUID, last: int | None = None) -> None:
        self.last = last
        about = (scene.platform.kept(Hub), scene.platform, scene.state.district)
        self._told = stream(*about, students=students, last=last)
        self._coming = asyncio.ensure_future(anext(self._told))

    async def next(self) -> tuple[str | None, Any]:
        async with asyncio.timeout(5):
            said = await self._coming
        self._coming = asyncio.ensure_future(anext(self._told))
        self.last = self.last if said.id is None else int(said.id)
        data = said.data or "{}"
        assert isinstance(data, str | bytes)
        return said.event, json.loads(data)

    async def silent(self, seconds: float) -> bool:
        await asyncio.wait([self._coming], timeout=seconds)
        return not self._coming.done()

    async def close(self) -> None:
        self._coming.cancel()
        await asyncio.wait([self._coming])
        await self._told.aclose()


async def test_screen_that_was_cut_off_before_its_first_entry_is_told_it(scene: "Scene") -> None:
    pupil = scene.pupils[0][0]
    idle = Watching(scene, pupil)  # the books are empty: even then it has a place to go on from
    assert await idle.next() == ("open", {})
    await idle.close()
    await scene.open_term()
    first = await scene.give(pupil)
    again = Watching(scene, pupil, last=idle.last)
    assert [await again.next() for _ in range(2)][1][1]["entry"] == str(first.operation)
    await again.close()
    afresh = Watching(scene, pupil)
    assert await afresh.next() == ("open", {})
    await afresh.close()
    second = await scene.give(pupil, points=2)
    once_more = Watching(scene, pupil, last=afresh.last)
    told = {(await once_more.next())[1].get("entry") for _ in range(3)}
    assert told == {None, str(first.operation), str(second.operation)}  # again what is recent, and nothing is left out
    await once_more.close()


async def test_nothing_is_shown_before_its_commit_and_a_late_commit_is_shown(
    scene: "Scene", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lower number is committed when the higher has long been shown; another is given up and leaves a gap."""
    monkeypatch.setattr(looking, "_LOOK_SECONDS", 0.3)
    await scene.open_term()
    (early, late, _), others = scene.pupils
    screen = Watching(scene, early, late, *others)
    await screen.next()
    async with scene.work() as session:
        asked = NewAward(id=new_id(), points=5, reason="tidy", students=(early,))
        giver = scene.principal(scene.teachers[0])
        first = await award(scene.context(session), new=asked, giver=giver, orgs=frozenset({scene.school}))
        assert await screen.silent(0.5)
        async with scene.work() as abandoned:
            asked = NewAward(id=new_id(), points=2, reason="tidy", students=(others[0],))
            giver = scene.principal(scene.teachers[1])
            await award(scene.context(abandoned), new=asked, giver=giver, orgs=frozenset({scene.school}))
            await abandoned.rollback()
        other = await scene.give(others[0], teacher=1)
        assert (await screen.next())[1]["entry"] == str(other.operation)
        assert await screen.silent(0.5)
    assert (await screen.next())[1]["entry"] == str(first.operation)
    assert await screen.silent(0.5)
    await screen.close()


@given(st.lists(st.integers(0, 6), max_size=30))
def test_each_number_is_read_once_however_late_it_is_committed(delays: list[int]) -> None:
    """Number n is committed so many looks after it was drawn; 6: never."""
    patience, read, unread = 6, list[int](), [Range(1, ENDLESS, 0)]
    committed = [(number + delay, number) for number, delay in enumerate(delays, 1) if delay < patience]
    for now in range(len(delays) + patience + 1):
        seen = [number for when, number in sorted(committed, key=lambda one: one[1]) if when <= now]
        found = [number for number in seen if any(low <= number <= high for low, high, _ in unread)]
        unread = left_of(unread, found, now=now, patience=patience)
        read += found
    assert sorted(read) == sorted(number for _, number in committed)
    assert left_of(unread, [], now=now + patience, patience=patience) == [unread[-1]]  # what never came is given up


async def test_what_leaves_no_event_wakes_the_screens_too(store: "Storefront", monkeypatch: pytest.MonkeyPatch) -> None:
    """Points on hold, given back, and expired."""
    monkeypatch.setattr(looking, "_LOOK_SECONDS", 60)
    scene, pupil = store.scene, store.scene.pupils[0][0]
    term = await scene.open_term()
    await scene.give(pupil, points=20)
    pen = await store.item(price=5)
    await scene.platform.signals.start()
    screen = Watching(scene, pupil, last=None)
    try:
        assert await screen.next() == ("open", {})
        order = (await store.order(pupil, pen)).json()["id"]
        told = [(await screen.next())[1]]
        assert (await store.ask(pupil, "POST", f"/orders/{order}/cancel")).status_code == 201
        told.append((await screen.next())[1])
        await scene.close(term, at_term_end="expire")
        told.append((await screen.next())[1])
    finally:
        await screen.close()
        await scene.platform.signals.stop()
    moved = [(one["kind"], one["points"], one["balance"]) for one in told]
    assert moved == [("hold", -5, 15), ("release", 5, 20), ("expire", -20, 0)]
