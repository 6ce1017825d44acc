"""The time, passed on instead of asked for, so that a test can move it."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "backoff", "spread", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def spread(seconds: float) -> timedelta:
    """About so long: what failed together must not come back together."""
    return timedelta(seconds=seconds * random.uniform(0.85, 1.15))  # noqa: S311 - spreads load, guards nothing


def backoff(attempts: int, *, first: float, most: float) -> timedelta:
    """How long to wait after so many failed attempts: four times longer each time, up to a limit."""
    return spread(min(first * 4 ** min(attempts - 1, 20), most))
