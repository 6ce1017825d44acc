"""Ages, and when somebody left: what most of the rules here hang on."""

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gongyu.people.models import Enrolment, Guardianship, Membership, Person
from gongyu.plugin import District

__all__ = ["ADULT", "OWN_WORD", "birthday", "last_days", "midnight_of", "today_in"]

#: From this birthday a person speaks for themselves about their data (个人信息保护法 31).
OWN_WORD: Final = 14
#: And from this one nobody else does (民法典 17).
ADULT: Final = 18
_BY_THE_CHILD: Final = ("guardian", "parent", "relative")


def birthday(born: date, years: int) -> date:
    """The day on which somebody turns so old; born on a leap day, the first of March where there is none."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def today_in(district: District, now: datetime) -> date:
    return now.astimezone(ZoneInfo(district.timezone)).date()


def midnight_of(district: District, day: date) -> datetime:
    """When a day begins there."""
    return datetime.combine(day, time(), ZoneInfo(district.timezone))


def last_days() -> sa.Subquery:
    """`person_id` and `last_day` of everybody with a relation to the district: NULL while one is still open.

    A guardian is here as long as both the guardianship and the child are, whatever role a roster gives them at the
    school. Whoever has no relation at all is not among the rows. PostgreSQL's LEAST passes over NULL, here an open end.
    """
    periods = sa.union_all(
        sa.select(Membership.person_id, Membership.ends_on).where(Membership.role.not_in(_BY_THE_CHILD)),
        sa.select(Enrolment.person_id, Enrolment.ends_on),
        sa.select(Guardianship.guardian_id, sa.func.least(Guardianship.ends_on, Membership.ends_on)).join(
            Membership, Membership.person_id == Guardianship.student_id
        ),
        sa.select(Guardianship.guardian_id, sa.func.least(Guardianship.ends_on, Enrolment.ends_on)).join(
            Enrolment, Enrolment.person_id == Guardianship.student_id
        ),
    ).subquery("periods")
    person, ends_on = periods.c.person_id, periods.c.ends_on
    last = sa.case((sa.func.bool_or(ends_on.is_(None)), sa.null()), else_=sa.func.max(ends_on))
    last_day = sa.case((Person.ended_on.is_not(None), Person.ended_on), else_=last)
    return (
        sa.select(person, last_day.label("last_day"))
        .join(Person, Person.id == person)
        .group_by(person, Person.ended_on)
        .subquery("last_days")
    )
