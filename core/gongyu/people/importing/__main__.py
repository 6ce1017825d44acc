"""One import in a process of its own: `background.py` starts it, with an order on its standard input."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import msgspec

from gongyu.config import Config
from gongyu.host import load_host
from gongyu.people.importing.background import REFUSED, Order
from gongyu.people.importing.service import run_import
from gongyu.platform import open_platform


def _end_with_the_server() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


async def _work(order: Order) -> int:
    # Plugins hear of it from the outbox, in the server; none is needed here.
    async with open_platform(Config.from_environment(), host=load_host(entry_points=[])) as platform:
        report = await run_import(
            platform,
            order.slug,
            Path(order.path),
            id_=order.id,
            actor=order.actor,
            dialect=order.dialect,
            confirm_removals=order.confirm_removals,
            apply=order.apply,
        )
    return 0 if report.refused is None else REFUSED


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    code = asyncio.run(_work(given))
    sys.stdout.flush()
    os._exit(code)  # the thread above still reads
