"""Asking for an approval, and giving it: see `gongyu.access.approvals`."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath
from msgspec import Meta

from gongyu.access import approvals
from gongyu.access.approvals import Asked
from gongyu.access.rights import verdict
from gongyu.plugin import SignedIn
from gongyu.text import Text
from gongyu.web import Call
from gongyu.web.door import refusing
from gongyu.web.problems import ProblemError

__all__ = ["approval_routes"]

_OWN: Final = SignedIn("whoever has a permission may ask to use it")
_DECIDE: Final = "district.approval.decide"


class NewApproval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one wants to do, why, and until when."""

    permission: Annotated[str, Meta(max_length=200, examples=["district.audit.export"])]
    reason: Annotated[str, Meta(min_length=2, max_length=2000, examples=["年度合规审计取证"])]
    until: Annotated[datetime, Meta(tz=True, examples=["2027-01-31T00:00:00Z"])]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Yes or no."""

    grant: bool


@get("/mine", permission=_OWN, operation_id="list_own_approvals", summary="What I asked to be approved")
async def list_own(call: Call) -> list[Asked]:
    return await approvals.list_asked(await call.session(), seals=call.seals, by=call.principal.person)


@post(
    "/",
    permission=_OWN,
    operation_id="ask_approval",
    responses=refusing(403),
    summary="Ask for the approval a permission needs",
)
async def ask(call: Call, data: NewApproval) -> Asked:
    wanted = call.platform.host.permissions.get(data.permission)
    errors: list[tuple[str, Text]] = []
    if wanted is None or not wanted.approval:
        errors.append(("/permission", Text(zh="没有需要审批的这项权限", en="no permission of this name needs one")))
    if not call.now < data.until <= call.now + approvals.LONGEST:
        days = Text(zh="须在此刻之后、{n} 天之内", en="it must lie ahead, within {n} days")
        errors.append(("/until", days.format(n=approvals.LONGEST.days)))
    if errors or wanted is None:
        raise ProblemError("invalid", errors=errors)
    given = verdict(call.principal, wanted)
    if not given.allowed:
        raise ProblemError("forbidden", given.ground)
    return await approvals.ask(
        await call.session(),
        seals=call.seals,
        permission=wanted.name,
        person=call.principal.person,
        reason=data.reason,
        until=data.until,
        now=call.now,
    )


@get("/", permission=_DECIDE, operation_id="list_approvals", summary="What people of mine ask to be approved")
async def list_open(call: Call) -> list[Asked]:
    return await approvals.list_asked(await call.session(), seals=call.seals, orgs=call.orgs, open_only=True)


@post(
    "/{approval:uuid}/decision",
    permission=_DECIDE,
    operation_id="decide_approval",
    responses=refusing(404),
    summary="Approve or refuse; nobody decides their own",
)
async def decide(call: Call, approval: FromPath[UUID], data: Answer) -> Asked:
    decided = await approvals.decide(
        await call.session(),
        seals=call.seals,
        approval=approval,
        grant=data.grant,
        by=call.principal.person,
        orgs=call.orgs,
        ground=call.verdict.ground.en if call.verdict else "",
        now=call.now,
    )
    if decided is None:
        raise ProblemError("not-found")
    call.already_recorded()
    return decided


def approval_routes() -> Router:
    return Router("/approvals", route_handlers=[list_own, ask, list_open, decide], tags=["approvals"])
