"""Running a plugin's code inside the core's unit of work so that its error, broken SQL or slowness stays its own."""

import asyncio
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["isolated", "said"]


@asynccontextmanager
async def isolated(session: AsyncSession, seconds: float) -> AsyncGenerator[None]:
    """A SAVEPOINT with a time limit around the block; an error in it undoes the block and nothing else."""
    async with session.begin_nested():
        # The server gives up on a slow statement first: a client-side cancellation would cost the whole connection,
        # and with it the unit of work that this is to protect.
        await session.execute(sa.text(f"SET LOCAL statement_timeout = '{int(seconds * 900)}ms'"))
        async with asyncio.timeout(seconds):
            yield
        await session.execute(sa.text("SET LOCAL statement_timeout TO DEFAULT"))


def said(error: BaseException) -> str:
    """The error in one line, for a health page.

    Of a database error only its first line: what follows shows the statement's values, and these may be a pupil's
    data (promise 4).
    """
    if isinstance(error, sa.exc.StatementError):
        return f"{type(error).__name__}: {error.orig}".partition("\n")[0][:500]
    text = "".join(traceback.format_exception_only(error)).strip()
    return (text.partition("\n")[0] if isinstance(error, sa.exc.SQLAlchemyError) else text)[:500]
