"""A process of its own that runs the worker until it is killed: `python -m core.tests.events.stranded URL FOLDER 5`.

Its `ear` writes down, then says so on standard output, then takes its time before the commit.
"""

import asyncio
import sys
from pathlib import Path

from gongyu.config import Config
from gongyu.platform import open_platform
from gongyu.plugin import Context, Occurrence

from .conftest import Actors, at_work, write_down


async def main(url: str, folder: Path, seconds: float) -> None:
    async def linger(context: Context, occurrence: Occurrence) -> None:
        await write_down(context, occurrence)
        sys.stdout.write("reacting\n")
        sys.stdout.flush()
        await asyncio.sleep(seconds)

    config = Config(database_url=url, data=folder)
    async with open_platform(config, host=Actors(ear=linger).host()) as platform, at_work(platform):
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
