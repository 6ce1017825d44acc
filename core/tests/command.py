"""The `gongyu` command as people run it: a process of its own, what it says, and how it ends."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
        path = {"PYTHONPATH": str(self.shelf)} if self.shelf else {}
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("gongyu"),
            *words,
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("GONGYU_", "PYTHONPATH"))},
                "GONGYU_DATABASE_URL": self.database_url,
                "GONGYU_DATA": str(self.folder / "var"),
                "GONGYU_LANG": language,
                "COLUMNS": "200",
                **path,
                **environment,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def __call__(self, *words: str, language: str = "en", **environment: str) -> Ran:
        process = await self.start(*words, language=language, **environment)
        out, err = await process.communicate()
        return Ran(process.returncode, out.decode(), err.decode())

    async def well(self, *words: str, **environment: str) -> str:
        """What it says, when all goes well."""
        ran = await self(*words, **environment)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out
