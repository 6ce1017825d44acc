"""The core's own routes in a district: what is on, who am I, how is it running, webhooks."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import Router, get

from gongyu.access.rights import verdict
from gongyu.plugin import Public, SignedIn
from gongyu.web.call import Call

__all__ = ["core_routes"]


class DistrictOut(msgspec.Struct, frozen=True):
    """A district to those outside: its name and what it offers."""

    slug: str
    name: str
    timezone: str
    plugins: list[str]


class MembershipOut(msgspec.Struct, frozen=True):
    role: str
    org: UUID


class MeOut(msgspec.Struct, frozen=True):
    """The signed-in person, with the permissions their roles and token give them."""

    person: UUID
    name: str
    memberships: list[MembershipOut]
    permissions: list[str]


@get(
    "/",
    permission=Public("a client must know what a district offers before it can sign in"),
    operation_id="read_district",
    summary="What a district is called and which plugins it uses",
    sync_to_thread=False,
)
def read_district(call: Call) -> DistrictOut:
    district = call.district
    return DistrictOut(district.slug, district.name, district.timezone, list(call.state.enabled))


@get(
    "/me",
    permission=SignedIn("everybody may know who they are"),
    operation_id="read_me",
    summary="Who am I, and what may I do?",
    sync_to_thread=False,
)
def read_me(call: Call) -> MeOut:
    person = call.principal
    return MeOut(
        person.person,
        person.name,
        [MembershipOut(membership.role, membership.org) for membership in person.memberships],
        _permissions_of(call),
    )


def _permissions_of(call: Call) -> list[str]:
    return [
        name
        for name, permission in call.platform.host.permissions.items()
        if name.partition(".")[0] in (*call.state.enabled, "district") and verdict(call.principal, permission).allowed
    ]


def core_routes() -> Sequence[Router]:
    return [Router("/api/v1/{district:str}", route_handlers=[read_district, read_me], tags=["district"])]
