"""No process outlives the one that started it: a killed command leaves nothing behind that serves, writes or waits."""

import multiprocessing
import threading
from collections.abc import Callable

__all__ = ["end_with_parent"]


def end_with_parent(end: Callable[[], None]) -> None:
    """Call `end` when the parent is gone; in a process that was started by itself there is nothing to watch."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        end()

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
