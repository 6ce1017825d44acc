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

_LIMITED: Final = "gongyu.limited"
#: Where an error passes through without being at home there.
_LIBRARIES: Final = {"asyncio", "asyncpg", "contextlib.py", "httpcore", "sqlalchemy", "msgspec"}


@asynccontextmanager
async def limited(session: AsyncSession, seconds: float) -> AsyncGenerator[None]:
    """A time limit around the block, until the transaction ends for the server's part of it."""
    connection = (await session.connection()).sync_connection
    assert connection is not None  # noqa: S101 - for the type: it has just been opened
    _keep_when_cancelled(connection.engine)
    # The server gives up on a single slow statement first, also when nobody is left here to cancel it.
    await session.execute(sa.text(f"SET LOCAL statement_timeout = '{int(seconds * 900)}ms'"))
    info = connection.info  # that of the driver's connection, also when the block closes or loses it
    info[_LIMITED] = True
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        info.pop(_LIMITED, None)


@asynccontextmanager
async def isolated(session: AsyncSession, seconds: float) -> AsyncGenerator[None]:
    """A SAVEPOINT with a time limit around the block; an error in it undoes the block and nothing else."""
    async with session.begin_nested():
        async with limited(session, seconds):
            yield
        await session.execute(sa.text("SET LOCAL statement_timeout TO DEFAULT"))


def _keep_when_cancelled(engine: sa.Engine) -> None:
    if not sa.event.contains(engine, "handle_error", _still_connected):
        sa.event.listen(engine, "handle_error", _still_connected)


def _still_connected(context: sa.engine.ExceptionContext) -> None:
    """A statement cut off by the time limit must not cost the connection, and with it the unit of work.

    SQLAlchemy throws the connection away because most drivers cannot tell what became of the statement. asyncpg can: it
    cancels it on the server and waits for that. Only inside the limit, where BEGIN is certainly behind us.
    """
    if isinstance(context.original_exception, asyncio.CancelledError) and context.connection is not None:
        context.is_disconnect = context.is_disconnect and _LIMITED not in context.connection.info


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
