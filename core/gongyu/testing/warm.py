"""The `gongyu` command in a process of its own that has nothing left to import: it is forked from one that has.

Two seconds of importing for each of some hundred commands were a quarter of the suite. All else is as in a shell: its
words, its environment, its folder, what it says, and how it ends.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from gongyu.cli import main

__all__ = ["gongyu"]


def gongyu(
    words: Sequence[str], *, environment: Mapping[str, str], folder: Path | None = None, seconds: float = 60
) -> CompletedProcess[str]:
    """Run the command to its end.

    Args:
        words: Its arguments.
        environment: All of its environment; packages in its `PYTHONPATH` are found.
        folder: Where it runs; this process's where it is None.
        seconds: How long it may take.

    Raises:
        TimeoutError: It took longer and was ended.
    """
    with tempfile.TemporaryDirectory(prefix="gongyu-") as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        warm = multiprocessing.get_context("forkserver")
        warm.set_forkserver_preload(["gongyu.testing.warm_imports"])
        process = warm.Process(target=_run, args=(list(words), dict(environment), folder or Path.cwd(), out, err))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"gongyu {' '.join(words)} did not end: {err.read_text('utf-8')}")
        return CompletedProcess(words, process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _run(words: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    for stream, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    main(words)
