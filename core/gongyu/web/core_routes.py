"""The core's own routes in a district: what is on, who am I, how is it running, webhooks."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import Router, get

from gongyu.access.rights import verdict
from gongyu.checks import PluginFailure, plugin_failures
from gongyu.events.admin import Line, backlogs
from gongyu.events.jobs import JobLine, list_jobs
from gongyu.plugin import Public, SignedIn
from gongyu.web import Call
from gongyu.web.access_routes import access_routes
from gongyu.web.overview_routes import overview_routes
from gongyu.web.rights_routes import rights_routes
from gongyu.web.roster_routes import roster_routes
from gongyu.web.webhook_routes import webhook_routes

__all__ = ["core_routes"]


class DistrictOut(msgspec.Struct, frozen=True):
    """A district to those outside: its name and what it offers."""

    slug: str
    name: str
    timezone: str
    plugins: list[str]


class MembershipOut(msgspec.Struct, frozen=True):
    """A role held today."""

    role: str
    org: UUID


class MeOut(msgspec.Struct, frozen=True):
    """The signed-in person, with the permissions their roles and token give them."""

    person: UUID
    name: str
    memberships: list[MembershipOut]
    permissions: list[str]


class HealthOut(msgspec.Struct, frozen=True):
    """How a district is running: plugins on, plugins on but missing, failures, events that wait, jobs."""

    enabled: list[str]
    missing: list[str]
    failures: list[PluginFailure]
    events: list[Line]
    jobs: list[JobLine]


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
    permission=SignedIn("everybody may know who they are", any_token=True),
    operation_id="read_me",
    summary="Who am I, and what may I do?",
    sync_to_thread=False,
)
def read_me(call: Call) -> MeOut:
    person = call.principal
    memberships = [MembershipOut(membership.role, membership.org) for membership in person.memberships]
    return MeOut(person.person, person.name, memberships, _permissions_of(call))


def _permissions_of(call: Call) -> list[str]:
    return [
        name
        for name, permission in call.platform.host.permissions.items()
        if name.partition(".")[0] in (*call.state.enabled, "district") and verdict(call.principal, permission).allowed
    ]


@get(
    "/health",
    permission="district.health.read",
    operation_id="read_health",
    summary="How the district is running: failures of plugins, waiting events, scheduled work",
)
async def read_health(call: Call) -> HealthOut:
    connection = await call.db()
    return HealthOut(
        list(call.state.enabled),
        call.state.missing,
        await plugin_failures(connection),
        await backlogs(connection),
        await list_jobs(connection, call.platform, call.state),
    )


def core_routes() -> Sequence[Router]:
    path = "/api/v1/{district:str}"
    return [
        Router(path, route_handlers=[read_district, read_me, read_health], tags=["district"]),
        Router(
            path,
            route_handlers=[webhook_routes(), rights_routes(), roster_routes(), overview_routes(), *access_routes()],
        ),
    ]
