"""Imports started over the API: each in a process of its own, so that a district's roster costs the server neither its
event loop nor its memory.

The process lives no longer than the server that started it: it holds the other end of a pipe. Killed with it, it leaves
the district as it was before, or with the whole roster in it, and the import can be started again from the upload.
"""

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import structlog

from gongyu.people.importing.tracking import Tracker
from gongyu.platform import Platform

__all__ = ["REFUSED", "Imports", "Order", "clear_old_uploads", "upload_folder", "uploaded_file"]

log = structlog.get_logger("gongyu.roster")

_KEPT: Final = 24 * 3600
_PATIENCE: Final = 10.0
REFUSED: Final = 3
"""The process's exit code when the import came to its end and changed nothing."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is to do."""

    slug: str
    id: UUID
    path: str
    actor: str
    dialect: str | None = None
    apply: bool = False
    confirm_removals: int | None = None


def upload_folder(platform: Platform, id_: UUID) -> Path:
    return platform.config.data / "uploads" / str(id_)


def uploaded_file(platform: Platform, id_: UUID) -> Path | None:
    """The upload, if it is still there and on this machine."""
    folder = upload_folder(platform, id_)
    return next(iter(folder.iterdir()), None) if folder.is_dir() else None


def clear_old_uploads(platform: Platform) -> None:
    """A roster nobody applied within a day does not lie about for longer."""
    folder = platform.config.data / "uploads"
    for old in folder.iterdir() if folder.is_dir() else ():
        if time.time() - old.stat().st_mtime > _KEPT:
            shutil.rmtree(old, ignore_errors=True)


class Imports:
    """Those of one server process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, platform: Platform, order: Order) -> None:
        """Begin; the request need not wait."""
        task = asyncio.create_task(_run(platform, order), name=f"roster import {order.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _run(platform: Platform, order: Order) -> None:
    environment = {
        **os.environ,
        "GONGYU_DATABASE_URL": platform.database.url,
        "GONGYU_DATA": str(platform.config.data),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongyu.people.importing", stdin=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
        if await process.wait() == 0 and order.apply:
            await asyncio.to_thread(shutil.rmtree, upload_folder(platform, order.id), ignore_errors=True)
    except OSError as error:
        log.warning("roster import ended early", id=str(order.id), error=type(error).__name__)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), _PATIENCE)
        if process.returncode not in (0, REFUSED):
            district = platform.state(order.slug).district
            await Tracker(platform.database, district, order.id, None).fallen()
