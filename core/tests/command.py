"""The `gongyu` command as people run it: a process of its own, what it says, and how it ends."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gongyu.testing import warm

__all__ = ["Command", "Ran"]


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """Run in `folder`, where the files named on the command line are; `shelf` holds packages beside the installed."""

    database_url: str
    folder: Path
    shelf: Path | None = None

    async def start(self, *words: str, language: str = "en", **environment: str) -> Process:
        """As from a shell, for whoever means to do something to it meanwhile."""
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("gongyu"),
            *words,
            cwd=self.folder,
            env=self._environment(language, environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def __call__(self, *words: str, language: str = "en", **environment: str) -> Ran:
        given = self._environment(language, environment)
        done = await asyncio.to_thread(warm.gongyu, words, environment=given, folder=self.folder)
        return Ran(done.returncode, done.stdout, done.stderr)

    async def well(self, *words: str, **environment: str) -> str:
        """What it says, when all goes well."""
        ran = await self(*words, **environment)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def _environment(self, language: str, more: Mapping[str, str]) -> dict[str, str]:
        path = {"PYTHONPATH": str(self.shelf)} if self.shelf else {}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GONGYU_", "PYTHONPATH"))},
            "GONGYU_DATABASE_URL": self.database_url,
            "GONGYU_DATA": str(self.folder / "var"),
            "GONGYU_LANG": language,
            "COLUMNS": "200",
            **path,
            **more,
        }
