"""Publishes a round and stops at a moment, to be killed there: `killed.py DISTRICT ROUND RUN before|after`."""

import asyncio
import sys
from typing import Any
from uuid import UUID

from gongyu.access import audit
from gongyu.config import Config
from gongyu.host import load_host
from gongyu.platform import open_platform
from gongyu_mentor.publishing import publish


async def main(slug: str, round_id: str, run: str, moment: str) -> None:
    written = audit.record

    async def stop_after(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        """The last thing a publication does before its commit."""
        await written(*arguments, **named)
        if moment == "before":
            await stop()

    async def stop() -> None:
        sys.stdout.write(f"{moment}\n")
        sys.stdout.flush()
        await asyncio.sleep(60)

    audit.record = stop_after
    async with open_platform(Config.from_environment(), host=load_host(only=["mentor"])) as platform:
        state = platform.state(slug)
        async with platform.database.work(state.district) as session:
            context = platform.context("mentor", state, session)
            await publish(context, UUID(round_id), run=UUID(run), orgs=None, by=None)
        await stop()


asyncio.run(main(*sys.argv[1:]))
