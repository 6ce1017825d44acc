"""The PostgreSQL that comes as a wheel, so that a fresh machine needs only Python.

Only the wheel's programs are used. Its own life cycle keeps pids in files, and a pid is given out again; a postmaster
that was killed and not yet reaped counts as alive for it and for PostgreSQL alike; and it opens the folders above the
data to everybody. Here the kernel says who is there:

* `users.lock` is held (shared) by every process that uses the database; who gets it exclusively was the last;
* `start.lock` lets one process at a time start or stop;
* `postgresql.lock` is inherited by every process of PostgreSQL (see `cluster`).
"""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from gongyu.database.cluster import FAREWELL, PATIENCE, Cluster
from gongyu.database.data_folder import DataFolderError, alone, claim, open_file, serve_lock, try_lock, usable

__all__ = ["DataFolderError", "Embedded", "serve_lock", "start"]

TURN = PATIENCE + FAREWELL  # seconds: whoever is before us may have to recover, or to wait for an orderly stop


class Embedded:
    """One user's hold on the embedded database; the last user to `close` stops it.

    It belongs to the process that made it: in a forked child `close` does nothing, and the parent's hold goes on.
    """

    def __init__(self, data: Path) -> None:
        self._folder = claim(data)
        self._cluster = Cluster(self._folder)
        self._process = os.getpid()
        self._closed = False
        with contextlib.ExitStack() as entering:
            entering.enter_context(usable(self._folder))
            self._users = entering.enter_context(open_file(self._folder / "users.lock"))
            with alone(self._folder, patience=TURN):
                try_lock(self._users, fcntl.LOCK_SH)  # free to share: exclusively it is held under start.lock only
                self._cluster.bring_up()
            self._held = entering.pop_all()

    @property
    def url(self) -> str:
        """For SQLAlchemy; over a Unix socket in a folder that only we can enter, so there is no password to lose."""
        return f"postgresql+asyncpg://gongyu@/gongyu?host={quote(str(self._cluster.socket), safe='/')}"

    @property
    def bin(self) -> Path:
        """Where `pg_dump`, `psql` and the others lie."""
        return self._cluster.bin

    def ensure(self) -> bool:
        """Start the database again if it died; True if it had. Cheap when it runs: may be asked every second."""
        if self._cluster.alive():
            return False
        with alone(self._folder, patience=TURN):
            return self._cluster.bring_up()

    def close(self) -> None:
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        # Turning a shared lock into an exclusive one lets go of it in between (flock(2)): nobody starts meanwhile.
        with self._held, alone(self._folder, patience=TURN):
            if try_lock(self._users):
                self._cluster.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(data: Path) -> Embedded:
    """Join the database of the data folder; make and start it if need be."""
    return Embedded(data)
