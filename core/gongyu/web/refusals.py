"""Refusals in the audit log, told once a minute: who keeps knocking must be seen, and must not fill the log by it."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from gongyu.access import audit
from gongyu.database.engine import Database
from gongyu.plugin import District

__all__ = ["Refusals"]

_SECONDS: Final = 60.0
_MOST: Final = 4096


class Refusals:
    """One for each process, so a refusal stands at most once a minute and process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def note(
        self,
        district: District,
        *,
        action: str,
        actor: str,
        about: str,
        ground: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a line, unless the same was written within the minute.

        Args:
            district: Where.
            action: What was refused, as the log names it.
            actor: To whom.
            about: What makes it another refusal: a permission, an address.
            ground: Why.
            details: Plain facts.
        """
        key, now = (district.slug, action, actor, about), time.monotonic()
        if now - self._noted.get(key, -_SECONDS) < _SECONDS:
            return
        self._noted.pop(key, None)
        self._noted[key] = now
        while len(self._noted) > _MOST:
            self._noted.popitem(last=False)
        await audit.append(self._database, district, action=action, actor=actor, ground=ground, details=details)
