"""The staff of a school: several roles in one hand, one person at two schools, somebody on leave, somebody gone."""

import datetime as dt
from collections.abc import Iterator

from gongyu.people.generate.households import home_address
from gongyu.people.generate.model import Adult, Membership, SchoolPlan, Staff
from gongyu.people.generate.names import given_name, surname
from gongyu.people.generate.world import World

__all__ = ["AWAY", "HEADS", "district_office", "school_staff"]

HEADS = 3
"""Principal, deputy and counselor: they stand first."""
AWAY = 2
"""One on leave and one gone: they stand last."""
_SHARE = 0.08  # of the pupils: an ordinary ratio, from the crowded town to the small village school


def school_staff(world: World, plan: SchoolPlan, *, classes: int, before: SchoolPlan | None) -> Iterator[Staff]:
    """`before`: the school from which somebody came this summer, and which shares the counselor."""

    def role(name: str, *, org: str = plan.code, primary: bool = True) -> Membership:
        return Membership(role=name, org=org, primary=primary, begins_on=_since(world))

    yield Staff(person=_adult(world, age=50), memberships=(role("principal"), role("teacher", primary=False)))
    yield Staff(person=_adult(world, age=44), memberships=(role("siteAdministrator"), role("teacher", primary=False)))
    shared = (role("counselor", org=before.code, primary=False),) if before else ()
    yield Staff(person=_adult(world, sex="female"), memberships=(role("counselor"), *shared))

    year_before_ends = world.year_begins - dt.timedelta(days=1)
    came = Membership(role="teacher", org=plan.code, begins_on=world.year_begins)
    moved = (came, _ended(world, before, year_before_ends, primary=False)) if before else (came,)
    # Old enough for a child at school: she is also the mother of one (see `schools.py`).
    yield Staff(person=_adult(world, sex="female", age=42), memberships=moved)
    for _ in range(max(classes, round(plan.pupils * _SHARE) - HEADS, 1) - 1):
        yield Staff(person=_adult(world), memberships=(role("teacher"),))

    leaves, returns = world.today - dt.timedelta(days=30), world.today + dt.timedelta(days=120)
    back = Membership(role="teacher", org=plan.code, begins_on=returns)
    on_leave = (back, _ended(world, plan, leaves, primary=False))
    yield Staff(person=_adult(world, sex="female", age=30), memberships=on_leave)
    yield Staff(person=_adult(world), memberships=(_ended(world, plan, year_before_ends),), active=False)


def district_office(world: World, *, first_school: str) -> tuple[Staff, ...]:
    def role(name: str, *, org: str = world.slug, primary: bool = True) -> Membership:
        return Membership(role=name, org=org, primary=primary, begins_on=_since(world))

    at_a_school_too = (role("systemAdministrator"), role("siteAdministrator", org=first_school, primary=False))
    return (
        Staff(person=_adult(world, age=52), memberships=(role("districtAdministrator"),)),
        Staff(person=_adult(world, age=35), memberships=at_a_school_too),
    )


def _adult(world: World, *, sex: str = "", age: int = 0) -> Adult:
    chance = world.chance
    sex = sex or ("female" if chance.happens(0.7) else "male")
    days = (age or chance.between(24, 58)) * 365 + chance.below(365)
    born = dt.date.fromordinal(world.year_begins.toordinal() - days)
    id_ = world.numbers.id_of("t")
    return Adult(
        id=id_,
        family_name=surname(chance),
        given_name=given_name(chance, sex, "parent"),
        id_number=world.numbers.identity(born, sex),
        phone=world.numbers.phone(),
        address=home_address(world),
        email=f"{id_.rpartition('-')[2]}@{world.slug}.example",  # RFC 2606: never anybody's domain
    )


def _since(world: World) -> dt.date:
    return world.years_ago(world.chance.between(1, 12))


def _ended(world: World, plan: SchoolPlan, ends_on: dt.date, *, primary: bool = True) -> Membership:
    return Membership(role="teacher", org=plan.code, primary=primary, begins_on=_since(world), ends_on=ends_on)
