"""Where no other plugin is installed: own pupils are those of one's homeroom class, and nothing else is missing."""

import sys
from typing import TYPE_CHECKING

import pytest

from gongyu.database.model import new_id
from gongyu.host import Host, load_host
from gongyu_points.demo import play

if TYPE_CHECKING:
    from tests.conftest import Scene, Storefront


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    everything = load_host().plugins.keys() - {"points"}
    for name in everything:
        monkeypatch.setitem(sys.modules, f"gongyu_{name}", None)  # an import of it fails
    alone = load_host(only=["points"])
    assert (list(alone.plugins), "mentor" in everything) == (["points"], True)
    return alone


async def test_points_go_from_the_homeroom_teacher_over_the_counter_to_the_end_of_term(store: "Storefront") -> None:
    scene, (teacher, other, _) = store.scene, store.scene.teachers
    pupil = scene.pupils[0][0]
    term = await scene.open_term()
    award = {"id": str(new_id()), "points": 20, "reason": "tidy", "students": [str(pupil)]}
    assert (await store.ask(other, "POST", "/awards", award)).status_code == 403
    assert (await store.ask(teacher, "POST", "/awards", award)).status_code == 201
    order = (await store.order(pupil, await store.item(price=5))).json()["id"]
    assert (await store.ask(store.clerk, "POST", f"/orders/{order}/collect")).status_code == 201
    assert await store.balance(pupil) == 15
    await scene.close(term, at_term_end="expire")
    assert await store.balance(pupil) == 0
    assert (await scene.audit()).sound


async def test_demonstration_is_played(scene: "Scene") -> None:
    async with scene.work() as session:
        await play(scene.context(session))
    assert (await scene.audit()).sound
