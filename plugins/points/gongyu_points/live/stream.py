"""What one screen is sent: first what it missed, then what comes in."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Collection
from typing import Final
from uuid import UUID

import msgspec
from litestar.response import ServerSentEventMessage

from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu_points.live.hub import Hub
from gongyu_points.live.moves import Lagging, Moved, moves_after, newest

__all__ = ["stream"]

#: A stream ends after about this long, and the screen comes again: who it is, and whose purses it may show, is asked
#: anew at the door each time. So an account disabled meanwhile sees nothing after this long at the latest.
_OPEN_SECONDS: Final = 60
_PING_SECONDS: Final = 15
_RETRY_MS: Final = 500


async def stream(
    hub: Hub, platform: Platform, district: District, *, students: Collection[UUID], last: int | None
) -> AsyncGenerator[ServerSentEventMessage]:
    """Server-sent events: `open` once, `moved` with an entry each, `reload` where a screen should read its purses anew.

    Args:
        hub: Of this process.
        platform: For what was missed.
        district: Whose books.
        students: Whose purses.
        last: `Last-Event-ID`; None for a screen that will read its purses after `open`, and is told what comes since.
    """
    until = time.monotonic() + _OPEN_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - so that not all come again at once
    async with hub.watching(district, students) as watch:
        top = await newest(platform, district)
        try:
            before = await moves_after(platform, district, students=students, last=last)
        except Lagging:
            before = []
            yield _reload()
        # With a number, so that who is cut off before the first entry comes back for it. Who comes back has one, and
        # keeps it until what was missed is told.
        yield ServerSentEventMessage(
            data="{}", event="open", id=None if last is not None else str(top), retry=_RETRY_MS
        )
        seen = {moved.entry for moved in before}
        if last is not None:
            for moved in before:
                yield _told(moved)
        while (left := until - time.monotonic()) > 0:
            try:
                moved_or_lag = await asyncio.wait_for(watch.waiting.get(), min(left, _PING_SECONDS))
            except TimeoutError:
                yield ServerSentEventMessage(data=None, comment="still here")
                continue
            if moved_or_lag is None:
                yield _reload()
            elif moved_or_lag.entry not in seen:
                seen.add(moved_or_lag.entry)
                yield _told(moved_or_lag)


def _told(moved: Moved) -> ServerSentEventMessage:
    return ServerSentEventMessage(data=msgspec.json.encode(moved), event="moved", id=moved.seq)


def _reload() -> ServerSentEventMessage:
    return ServerSentEventMessage(data="{}", event="reload")
