from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongyu.events.recurrence import next_run
from gongyu.plugin import Context, Job, Text

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu")
moments = st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone
times = st.times().map(lambda t: t.replace(microsecond=0))


async def nothing(_: Context) -> None: ...


def job(every: str, at: time = time(3, 0), weekday: int = 0) -> Job:
    return Job("j", Text(zh="", en=""), nothing, every, at, weekday)  # type: ignore[arg-type]  # one of the three


@given(after=moments, zone=st.sampled_from(ZONES), at=times)
def test_daily_job_runs_once_on_every_day_of_the_calendar_on_the_wall(after: datetime, zone: str, at: time) -> None:
    runs = []
    for _ in range(5):
        run = next_run(job("daily", at), after=after, timezone=zone)
        assert run is not None
        assert run > after
        assert run - after <= timedelta(hours=50)  # two days, where one was skipped whole
        after = run
        runs.append(run.astimezone(ZoneInfo(zone)))
    days = [run.date() for run in runs]
    assert days == sorted(set(days))
    for run in runs:
        as_said = datetime.combine(run.date(), at, tzinfo=run.tzinfo)
        exists = as_said.astimezone(UTC).astimezone(run.tzinfo).time() == at
        assert run.time() == at or not exists


@given(after=moments, zone=st.sampled_from(ZONES), at=times, weekday=st.integers(0, 6))
def test_weekly_job_runs_on_its_weekday_within_a_week(after: datetime, zone: str, at: time, weekday: int) -> None:
    run = next_run(job("weekly", at, weekday), after=after, timezone=zone)
    assert run is not None
    assert timedelta() < run - after <= timedelta(days=7, hours=26)
    nominal = {run.astimezone(ZoneInfo(zone)).date() - timedelta(days=shift) for shift in (0, 1)}  # a gap moves it on
    assert weekday in {day.weekday() for day in nominal}


@given(after=moments, starts=st.lists(st.dates(date(2010, 1, 1), date(2040, 1, 1)), max_size=6))
def test_term_job_runs_at_the_next_first_day_known(after: datetime, starts: list[date]) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    run = next_run(job("term_start"), after=after, timezone="Asia/Shanghai", term_starts=starts)
    later = [m for m in (datetime.combine(day, time(3, 0), tzinfo=zone) for day in starts) if m > after]
    assert run == min(later, default=None)


@pytest.mark.parametrize(
    ("after", "at", "run"),
    [
        ("2026-03-29T00:00+01:00", time(2, 30), "2026-03-29T01:30Z"),  # 02:30 does not exist: the moment it would be
        ("2026-10-25T00:00+02:00", time(2, 30), "2026-10-25T00:30Z"),  # 02:30 comes twice: the first
        ("2026-10-25T02:30+02:00", time(2, 30), "2026-10-26T01:30Z"),  # and not the second
    ],
)
def test_daily_job_where_the_clock_is_changed(after: str, at: time, run: str) -> None:
    found = next_run(job("daily", at), after=datetime.fromisoformat(after), timezone="Europe/Berlin")
    assert found == datetime.fromisoformat(run)
