"""The district's date: a day's cap and a window for taking back follow the clock on the school's wall."""

from datetime import date
from zoneinfo import ZoneInfo

from gongyu.plugin import Context

__all__ = ["today_of"]


def today_of(context: Context) -> date:
    return context.now.astimezone(ZoneInfo(context.district.timezone)).date()
