"""When a job is due next: a pure function of the clock on the district's wall.

A schedule is wall-clock time, so a day of 23 or 25 hours still has exactly one run: in the hour that is skipped, at the
moment that hour would have been (PEP 495, fold 0), in the hour that comes twice, the first time.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gongyu.plugin import Job

__all__ = ["next_run"]


def next_run(job: Job, *, after: datetime, timezone: str, term_starts: Iterable[date] = ()) -> datetime | None:
    """The first moment later than `after`, or None: no later term is known.

    Args:
        job: Its `every`, `at` and `weekday`.
        after: Any moment with a zone.
        timezone: The district's, an IANA name.
        term_starts: First days of the district's terms; only for `term_start`.
    """
    zone = ZoneInfo(timezone)
    days: Iterable[date]
    if job.every == "term_start":
        days = sorted(term_starts)
    else:
        # From two days back, because a skipped day (Samoa, 2011) moves its run past midnight.
        first = after.astimezone(zone).date() - timedelta(days=2)
        days = (first + timedelta(days=n) for n in range(10))
        if job.every == "weekly":
            days = (day for day in days if day.weekday() == job.weekday)
    moments = (datetime.combine(day, job.at, tzinfo=zone).astimezone(UTC) for day in days)
    return next((moment for moment in moments if moment > after), None)
