"""The staff of a school: several roles in one hand, one person at two schools, somebody on leave, somebody gone."""

import datetime as dt
from collections.abc import Iterator

from gongyu.people.generate.chance import Chance
from gongyu.people.generate.households import home_address
from gongyu.people.generate.model import Adult, Membership, SchoolPlan, Staff
from gongyu.people.generate.names import given_name, surname
from gongyu.people.generate.numbers import Numbers

__all__ = ["AWAY", "HEADS", "district_office", "school_staff"]

HEADS = 3
"""Principal, deputy and counselor: they stand first."""
AWAY = 2
"""One on leave and one gone: they stand last."""
_SHARE = 0.08  # of the pupils: an ordinary ratio, from the crowded town to the small village school


class _Hiring:
    def __init__(self, chance: Chance, numbers: Numbers, district: str, slug: str, year_begins: dt.date) -> None:
        self._chance = chance
        self._numbers = numbers
        self._district = district
        self._slug = slug
        self._year = year_begins

    def adult(self, sex: str = "", age: int = 0) -> Adult:
        chance = self._chance
        sex = sex or ("female" if chance.happens(0.7) else "male")
        days = (age or chance.between(24, 58)) * 365 + chance.below(365)
        born = dt.date.fromordinal(self._year.toordinal() - days)
        id_ = self._numbers.id_of("t")
        return Adult(
            id=id_,
            family_name=surname(chance),
            given_name=given_name(chance, sex, "parent"),
            id_number=self._numbers.identity(born, sex),
            phone=self._numbers.phone(),
            address=home_address(chance, self._district),
            email=f"{id_.rpartition('-')[2]}@{self._slug}.example",  # RFC 2606: never anybody's domain
        )

    def since(self, years: int = 15) -> dt.date:
        return self._year.replace(year=self._year.year - self._chance.between(1, years))


def school_staff(
    plan: SchoolPlan,
    *,
    classes: int,
    before: SchoolPlan | None,
    chance: Chance,
    numbers: Numbers,
    district: str,
    slug: str,
    today: dt.date,
    year_begins: dt.date,
) -> Iterator[Staff]:
    """`before`: the school from which somebody came this summer, and which shares the counselor."""
    hire = _Hiring(chance, numbers, district, slug, year_begins)

    def role(name: str, *, org: str = plan.code, primary: bool = True) -> Membership:
        return Membership(role=name, org=org, primary=primary, begins_on=hire.since())

    yield Staff(person=hire.adult(age=50), memberships=(role("principal"), role("teacher", primary=False)))
    yield Staff(person=hire.adult(age=44), memberships=(role("siteAdministrator"), role("teacher", primary=False)))
    shared = (role("counselor", org=before.code, primary=False),) if before else ()
    yield Staff(person=hire.adult(sex="female"), memberships=(role("counselor"), *shared))

    year_before_ends = year_begins - dt.timedelta(days=1)
    came = Membership(role="teacher", org=plan.code, begins_on=year_begins)
    if before:
        gone = Membership(
            role="teacher", org=before.code, primary=False, begins_on=hire.since(), ends_on=year_before_ends
        )
        moved: tuple[Membership, ...] = (came, gone)
    else:
        moved = (came,)
    # Old enough for a child at school: she is also the mother of one (see `schools.py`).
    yield Staff(person=hire.adult(sex="female", age=42), memberships=moved)
    for _ in range(max(classes, round(plan.pupils * _SHARE) - HEADS, 1) - 1):
        yield Staff(person=hire.adult(), memberships=(role("teacher"),))

    leaves, returns = today - dt.timedelta(days=30), today + dt.timedelta(days=120)
    yield Staff(
        person=hire.adult(sex="female", age=30),
        memberships=(
            Membership(role="teacher", org=plan.code, begins_on=returns),
            Membership(role="teacher", org=plan.code, primary=False, begins_on=hire.since(6), ends_on=leaves),
        ),
    )
    ended = Membership(role="teacher", org=plan.code, begins_on=hire.since(), ends_on=year_before_ends)
    yield Staff(person=hire.adult(), memberships=(ended,), active=False)


def district_office(
    *, first_school: str, chance: Chance, numbers: Numbers, district: str, slug: str, year_begins: dt.date
) -> tuple[Staff, ...]:
    hire = _Hiring(chance, numbers, district, slug, year_begins)

    def role(name: str, *, org: str = slug, primary: bool = True) -> Membership:
        return Membership(role=name, org=org, primary=primary, begins_on=hire.since())

    return (
        Staff(person=hire.adult(age=52), memberships=(role("districtAdministrator"),)),
        Staff(
            person=hire.adult(age=35),
            memberships=(role("systemAdministrator"), role("siteAdministrator", org=first_school, primary=False)),
        ),
    )
