"""The periods that rules speak of, as they run today in a district."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.people.models import AcademicSession
from gongyu_mentor.talks.schemas import Period

__all__ = ["Calendar", "Span", "calendar_of"]

_AUGUST, _SEPTEMBER, _JANUARY, _FEBRUARY, _SUNDAY_AWAY = 8, 9, 1, 2, 6
_TERMS: Final = ("term", "semester")


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day."""

    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Calendar:
    """Today, with the term and the school year it lies in; `term` is None in the holidays."""

    today: date
    term: Span | None
    year: Span

    def span(self, period: Period) -> Span | None:
        """The period that runs now. Outside terms only what is owed by the year is owed: holidays are holidays."""
        if period == "year":
            return self.year
        if self.term is None or period == "term":
            return self.term
        begins, ends = _month(self.today) if period == "month" else _week(self.today)
        return Span(begins, min(ends, self.term.ends))


def _week(day: date) -> tuple[date, date]:
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=_SUNDAY_AWAY)


def _month(day: date) -> tuple[date, date]:
    begins = day.replace(day=1)
    return begins, (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1)


async def calendar_of(source: AsyncConnection | AsyncSession, today: date) -> Calendar:
    """From the terms the roster brought; where it brought none, from the usual school year."""
    known = sa.select(AcademicSession.type, AcademicSession.starts_on, AcademicSession.ends_on).where(
        AcademicSession.type.in_([*_TERMS, "schoolYear"])
    )
    rows = (await source.execute(known.order_by(AcademicSession.starts_on))).all()
    now = [row for row in rows if row.starts_on <= today <= row.ends_on]
    terms = [Span(row.starts_on, row.ends_on) for row in now if row.type in _TERMS]
    years = [Span(row.starts_on, row.ends_on) for row in now if row.type == "schoolYear"]
    term = terms[-1] if terms else None
    if not any(row.type in _TERMS for row in rows):
        term = _usual_term(today)
    return Calendar(today, term, years[-1] if years else _usual_year(today))


def _usual_year(day: date) -> Span:
    """From September to August."""
    first = day.year if day.month >= _SEPTEMBER else day.year - 1
    return Span(date(first, _SEPTEMBER, 1), date(first + 1, _AUGUST, 31))


def _usual_term(day: date) -> Span:
    year = _usual_year(day)
    spring = date(year.ends.year, _FEBRUARY, 1)
    if day < spring:
        return Span(year.begins, date(year.ends.year, _JANUARY, 31))
    return Span(spring, year.ends)
