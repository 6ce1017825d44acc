"""Packages that are installed only here: a folder on the path with real `.dist-info` folders, as pip leaves them."""

import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from gongyu.host import Host, load_host

__all__ = ["CARD", "Shelf"]

#: What every page begins with; importing it leaves a trace, so that a test can tell that nobody did.
HEAD = """\
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa
from litestar import get, post

from gongyu.plugin import *
"""
CARD = 'INFO = PluginInfo(name="{name}", title=Text(zh="试", en="Trial"), contract="{contract}", requires={requires!r})'
TRACE = 'Path(__file__).with_name("imported").touch()'


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def install(
        self,
        name: str,
        body: str = "",
        *,
        card: str = CARD,
        contract: str = ">=1.0,<2",
        requires: Sequence[str] = (),
        packages: Sequence[str] = (),
        distribution: str = "",
        version: str = "1.2",
    ) -> Path:
        """Put a package on the shelf; `card` may be spoiled, `packages` are the Python packages it depends on."""
        distribution = distribution or f"trial-{name.replace('_', '-')}"
        package = distribution.replace("-", "_")
        home = self.folder / package
        home.mkdir(exist_ok=True)
        (home / "__init__.py").touch()
        written = card.format(name=name, contract=contract, requires=tuple(requires))
        (home / "plugin.py").write_text(f"{HEAD}\n\n{TRACE}\n\n{written}\n\n{body}", "utf-8")
        about = self.folder / f"{package}-{version}.dist-info"
        about.mkdir(exist_ok=True)
        needs = "".join(f"Requires-Dist: {line}\n" for line in packages)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{needs}")
        (about / "entry_points.txt").write_text(f"[gongyu.plugins]\n{name} = {package}.plugin\n")
        return home

    def entry_points(self) -> list[metadata.EntryPoint]:
        """What is on the shelf and nothing else of this environment."""
        found = metadata.distributions(path=[str(self.folder)])
        return [point for one in found for point in one.entry_points if point.group == "gongyu.plugins"]

    def load(self, **options: Any) -> Host:  # noqa: ANN401 - those of load_host
        return load_host(entry_points=self.entry_points(), **options)

    def imported(self) -> set[str]:
        """Whose page was run."""
        return {trace.parent.name for trace in self.folder.glob("*/imported")}

    def on_path(self) -> Iterator["Shelf"]:
        """While this runs, the shelf is on the path; afterwards no trace of its modules is left."""
        sys.path.insert(0, str(self.folder))
        before = set(sys.modules)
        try:
            yield self
        finally:
            sys.path.remove(str(self.folder))
            for name in set(sys.modules) - before:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder)):
                    del sys.modules[name]
