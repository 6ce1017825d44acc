from pathlib import Path

import pytest

from gongyu.testing.deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path / "var")
