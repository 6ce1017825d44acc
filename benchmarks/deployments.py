"""A throw-away deployment for measuring, and a load generator that is the same for both sides of a ratio."""

import contextlib
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gongyu.database.embedded import start
from gongyu.testing.deployment import Deployment


@contextlib.contextmanager
def database() -> Iterator[tuple[str, Path]]:
    """An embedded database that stays up for the whole measurement, and a folder for what else is needed."""
    folder = Path(tempfile.mkdtemp(prefix="gongyu-bench-"))
    server = start(folder / "database")
    try:
        yield server.url, folder
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def deployment(url: str, folder: Path) -> Deployment:
    """A deployment on that database; several may run side by side, as application machines would."""
    made = Deployment(folder)
    made.environment["GONGYU_DATABASE_URL"] = url
    return made


def requests_per_second(url: str, headers: dict[str, str], *, seconds: int = 4, connections: int = 16) -> float:
    """By wrk (Debian's package): one thread, so that it takes the same share of the machine on both sides."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("this benchmark needs wrk: apt-get install wrk")
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", *given, url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"errors while measuring {url}\n{out}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert found
    return float(found[1])


def interleaved(pairs: int, *sides: Callable[[], float]) -> list[float]:
    """The median of each side, measured in turns so that a busy moment hits all."""
    rounds = [[side() for side in sides] for _ in range(pairs)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]
