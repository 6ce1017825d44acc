"""The demonstration, the capability for other plugins, one's own data, and the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from gongyu.database.model import new_id
from gongyu.testing.deployment import Deployment
from gongyu.web import ProblemError
from gongyu_points.demo import play
from gongyu_points.giving import award_for_plugin
from gongyu_points.personal import copy_of, erase
from gongyu_points.schemas import NewBudget
from gongyu_points.terms import grant_budget

if TYPE_CHECKING:
    from tests.conftest import Scene


async def test_demonstration_ends_with_the_auditors_zero(scene: "Scene") -> None:
    async with scene.work() as session:
        lines = await play(scene.context(session))
    figures = {line.title.en: line.figure for line in lines}
    assert [title for title, figure in figures.items() if not figure] == ["the auditor found wrong"]
    assert (figures["quotas granted"], figures["awards"], figures["reversals"]) == (3, 14, 2)
    assert (await scene.audit()).sound


async def test_rule_of_another_plugin_rewards_once_and_within_its_budget(scene: "Scene") -> None:
    await scene.open_term()
    budget, key, pupils = new_id(), new_id(), scene.pupils[0][:2]
    async with scene.work() as session:
        new = NewBudget(budget, "读书会", 20, scene.teachers[2], scene.school)
        await grant_budget(scene.context(session), new=new, by=scene.teachers[1])
    for _ in range(2):
        async with scene.work() as session:
            context = scene.platform.context("reading_club", scene.state, session)
            reward = {"budget": budget, "students": pupils, "points": 5, "reason": "reading", "ground": "r"}
            given = await context.capabilities["points.award"](context, key=key, **reward)
        assert ([one.balance for one in given.students], given.left) == ([5, 5], 10)
    with pytest.raises(ProblemError) as refused:
        async with scene.work() as session:
            await award_for_plugin(
                scene.context(session),
                key=new_id(),
                budget=budget,
                students=[new_id()],
                points=3,
                reason="?",
                ground="",
            )
    assert [pointer for pointer, _ in refused.value.errors] == ["/points", "/reason", "/students"]
    assert (await scene.books())["budget"] == 10


async def test_copy_holds_ones_own_entries_and_erasure_keeps_the_books(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    await scene.give(pupil, points=10)
    await scene.spend(pupil, 4)
    async with scene.work() as session:
        mine = await copy_of(scene.context(session), person=pupil)
        teachers = await copy_of(scene.context(session), person=scene.teachers[0])
        erased = await erase(scene.context(session), person=pupil)
    assert [(row["kind"], row["points"]) for row in mine[0].rows] == [("奖励 award", 10), ("兑换 spent", -4)]
    assert [(row["kind"], row["reason"]) for row in teachers[1].rows] == [("奖励 award", "助人为乐 Helps others")]
    assert str(pupil) not in repr(teachers)
    assert (erased[0].rows, erased[0].kept is not None) == (2, True)
    assert (await scene.audit()).sound


def test_term_and_audit_from_the_terminal(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "var")
    deployment.apply("ezhou", "[plugins.points]")
    assert "0 quotas granted" in deployment.gongyu("points", "term", "open", "ezhou", "--title", "秋季").stdout
    again = deployment.gongyu("points", "term", "open", "ezhou", "--title", "春季", check=False)
    assert (again.returncode, "has not been closed yet" in again.stderr) == (2, True)
    assert "0 accounts settled" in deployment.gongyu("points", "term", "close", "ezhou", "--yes").stdout
    found = msgspec.json.decode(deployment.gongyu("points", "audit", "ezhou", "--json").stdout)
    assert (found["sound"], {line["broken"] for line in found["invariants"]}) == (True, {0})
