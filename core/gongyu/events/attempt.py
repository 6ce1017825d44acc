"""The one way in which a plugin's work behind the scenes is done: claim the row, do it, mark the row, in one commit.

What is killed in the middle has not happened and is due as before; what is committed is marked and does not happen
again. Deliveries and jobs differ only in what is claimed, done and marked.

The whole transaction belongs to the one piece of work, so it needs no SAVEPOINT: a failure undoes all of it, whatever
it did to the transaction or the connection, and is marked in a second one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.districts.registry import DistrictState
from gongyu.events.outbox import work
from gongyu.host.dispatch import HookRefusedError
from gongyu.host.isolation import limited
from gongyu.platform import Platform

__all__ = ["Outcome", "attempt"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row that was claimed."""

    claimed: sa.Row[Any]
    failure: Exception | None
    marks: Mapping[str, Any]


async def attempt(
    platform: Platform,
    state: DistrictState,
    *,
    name: tuple[str, str],
    table: sa.Table,
    this: sa.ColumnElement[bool],
    claim: sa.Select[Any],
    act: Callable[[AsyncSession, sa.Row[Any]], Awaitable[None]],
    mark: Callable[[sa.Row[Any], Exception | None], Mapping[str, Any]],
    seconds: float,
) -> Outcome | None:
    """Do it once.

    Args:
        platform: Where.
        state: The district.
        name: Plugin and what of it, for the error where failures are raised.
        table: The rows' table; it counts its `attempts`.
        this: The row, as long as it is still to be done.
        claim: Selects the row, if it may be taken now, FOR UPDATE SKIP LOCKED, with its `attempts`.
        act: The plugin's part, with a time limit.
        mark: The new values of the row, after success or failure.
        seconds: The time limit.

    Returns:
        None when the row is not to be had.

    Raises:
        HookRefusedError: The plugin's part failed, where failures are raised (in tests); nothing is marked.
    """
    claimed: sa.Row[Any] | None = None
    try:
        async with work(platform, state) as session:
            claimed = (await session.execute(claim)).one_or_none()
            if claimed is None:
                return None
            async with limited(session, seconds):
                await act(session, claimed)
                await session.flush()
            marks = mark(claimed, None)
            await session.execute(sa.update(table).where(this).values(marks))
    except Exception as failure:
        if claimed is None:
            raise
        if platform.dispatcher.raises:
            raise HookRefusedError(*name, failure) from failure
        marks = mark(claimed, failure)
        async with platform.database.work(state.district) as session:
            unchanged = table.c.attempts == claimed.attempts
            await session.execute(sa.update(table).where(this, unchanged).values(marks))
        return Outcome(claimed, failure, marks)
    return Outcome(claimed, None, marks)
