"""Running a plugin's code inside the core's unit of work so that its error, broken SQL or slowness stays its own."""

import asyncio
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.database.errors import meaning_of

__all__ = ["isolated", "limited", "said"]

#: Where an error passes through without being at home there.
_LIBRARIES: Final = {"asyncio", "asyncpg", "contextlib.py", "httpcore", "sqlalchemy", "msgspec"}


@asynccontextmanager
async def limited(session: AsyncSession, seconds: float) -> AsyncGenerator[None]:
    """A time limit around the block, until the transaction ends for the server's part of it."""
    # The server gives up on a slow statement first: a client-side cancellation would cost the whole connection, and
    # with it the unit of work that this is to protect.
    await session.execute(sa.text(f"SET LOCAL statement_timeout = '{int(seconds * 900)}ms'"))
    async with asyncio.timeout(seconds):
        yield


@asynccontextmanager
async def isolated(session: AsyncSession, seconds: float) -> AsyncGenerator[None]:
    """A SAVEPOINT with a time limit around the block; an error in it undoes the block and nothing else."""
    async with session.begin_nested():
        async with limited(session, seconds):
            yield
        await session.execute(sa.text("SET LOCAL statement_timeout TO DEFAULT"))


def said(error: BaseException) -> str:
    """What went wrong and where, in one line for logs and the health page.

    Without the message: Python's and PostgreSQL's quote the very values they stumbled over, and these may be a pupil's
    (promise 4). Kind and place are enough to find the line; in tests the error itself is raised.
    """
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = PurePath(frame.filename)
        if not _LIBRARIES & set(path.parts) and not frame.filename.startswith("<"):
            place = f" at {'/'.join(path.parts[-2:])}:{frame.lineno} ({frame.name})"
            break
    return f"{_kind(error)}{place}"


def _kind(error: BaseException) -> str:
    if not isinstance(error, sa.exc.DBAPIError):
        return type(error).__name__
    cause = error.orig.__cause__ or error.orig if error.orig else error
    fault = meaning_of(error)
    return " ".join(filter(None, (type(cause).__name__, getattr(error.orig, "sqlstate", None), fault.constraint)))
