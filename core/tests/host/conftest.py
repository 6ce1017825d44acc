from collections.abc import Iterator
from pathlib import Path

import pytest

from .shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    yield from Shelf(tmp_path / "shelf").on_path()
