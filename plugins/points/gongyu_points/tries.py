"""Codes that people type are tried, and guessing them is slowed down: vouchers, and what a buyer shows at the till."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from gongyu.access import attempts
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.web import ProblemError

__all__ = ["begin_try"]

_LIMITS: Final = attempts.Limits(pair=10, name=30)


async def begin_try(
    platform: Platform,
    district: District,
    *,
    kind: Literal["points.voucher", "points.till_code"],
    person: UUID,
    address: str,
    now: datetime,
) -> attempts.Attempt:
    """Count a try of one person at one address before it is made; it stays a failed one unless what it is for commits.

    Before the unit of work begins: a request that holds one connection and waits for another stops the pool.

    Raises:
        ProblemError: `rate-limited`; nothing is tried then.
    """
    try:
        return await attempts.begin(
            platform.database,
            district,
            keys=platform.keys,
            kind=kind,
            name=str(person),
            address=address,
            now=now,
            limits=_LIMITS,
        )
    except attempts.TooManyAttemptsError as error:
        headers = {"retry-after": str(max(1, round(error.retry_after.total_seconds())))}
        raise ProblemError("rate-limited", headers=headers) from error
