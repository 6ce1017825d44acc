"""Files made by others, into a real district, twice."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.people.importing.conftest import Town

FILES = {
    "catalyst-moodle/Test_minimal_data_set.zip": "oneroster-1.1",
    "catalyst-moodle/oneroster_test_data.zip": "oneroster-1.2",
    "roster-hub/en": "oneroster-1.1",
    "roster-hub/ja/oneroster.zip": "oneroster-1.1",
    "microsoft-sds/sds-v2.1": "sds-2.1",
}


@pytest.mark.parametrize("name", FILES)
async def test_real_files_import_and_import_again_as_nothing(town: "Town", samples: Path, name: str) -> None:
    report = await town.load(samples / name)
    assert (report.refused, report.dialect) == (None, FILES[name])
    assert {one.kind: one.added for one in report.changes}["person"] > 0
    plan = await town.plan(samples / name)
    assert list(plan.lines()) == []
