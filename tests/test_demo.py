"""The demonstration as people run it: played whole, nothing failed, and what it shows adds up."""

from pathlib import Path

import msgspec
import pytest

from gongyu.demo import DEMO_DISTRICTS, DemoDistrict
from gongyu.testing.deployment import Deployment

pytestmark = pytest.mark.timeout(400)


class _Played(msgspec.Struct):
    seconds: float
    districts: list[DemoDistrict]


def test_demonstration_plays_every_plugin_and_the_auditor_finds_nothing(deployment: Deployment, tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    said = deployment.gongyu("demo", "--no-serve", "--json", str(target), seconds=300).stdout
    played = msgspec.json.decode(target.read_bytes(), type=_Played).districts
    assert [(one.slug, dict(one.failures)) for one in played] == [(slug, {}) for slug in DEMO_DISTRICTS]
    whole, half = played
    assert set(half.plugins) < set(whole.plugins)
    for one in played:
        assert {"core", *one.plugins} == {figure.plugin for figure in one.figures}
        assert all(sign_in.token in said for sign_in in one.sign_ins)
    points = {figure.title.en: figure.figure for figure in whole.figures if figure.plugin == "points"}
    assert points.pop("the auditor found wrong") == 0
    assert [title for title, figure in points.items() if not isinstance(figure, int) or figure <= 0] == []
    assert "the first sheet of vouchers as PDF, bytes" in points
    again = deployment.gongyu("demo", "--no-serve", "--json", str(target)).stdout
    assert "left as it is" in again
    assert [one.figures for one in msgspec.json.decode(target.read_bytes(), type=_Played).districts] == [[], []]
