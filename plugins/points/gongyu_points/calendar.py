"""The district's date: a day's cap and a window for taking back follow the clock on the school's wall."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from gongyu.plugin import Context, District
from gongyu.web import Call

__all__ = ["local", "today_of"]


def today_of(at: Context | Call) -> date:
    """The date where and when this work is done."""
    return local(at.now, at.district).date()


def local(moment: datetime, district: District) -> datetime:
    """A moment by the district's clock."""
    return moment.astimezone(ZoneInfo(district.timezone))
