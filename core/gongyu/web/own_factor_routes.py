"""One's own second factor, for anybody who wants one. None of these takes an Idempotency-Key: see `session_routes`."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get, post

from gongyu.access import own_factor
from gongyu.access.own_factor import OwnFactor
from gongyu.plugin import SignedIn
from gongyu.web import Call
from gongyu.web.door import refusing, visit
from gongyu.web.problems import ProblemError
from gongyu.web.session_routes import CodeIn, Password, Proposal

__all__ = ["own_factor_routes"]

_OWN: Final = SignedIn("their own")


class BeginFactor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password; empty for somebody who comes in by another service and has none."""

    password: Password = ""


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Shown this once; each opens once, on the day the telephone is lost."""

    recovery_codes: list[str]


@get("/", permission=_OWN, operation_id="read_own_factor", summary="Whether I have a second factor")
async def read_own_factor(call: Call) -> OwnFactor:
    session, rules = await call.session(), call.state.access
    return await own_factor.read(session, rules=rules, person=call.principal.person, now=call.now)


@post(
    "/proposal",
    permission=_OWN,
    keyless=True,
    operation_id="begin_own_factor",
    responses=refusing(403, 429),
    summary="Begin to set up a second factor of my own",
)
async def begin_own_factor(request: Request[Any, Any, Any], data: BeginFactor) -> Response[Proposal]:
    here = visit(request)
    here.needs_session()
    async with here.attempt("second factor"):
        uri = await own_factor.begin(
            here.call.platform,
            here.district,
            here.visitor,
            passwords=here.door.sign_in.passwords,
            person=here.call.principal.person,
            password=data.password,
            issuer=f"共育 {here.district.name}",
            now=here.now,
        )
    return here.answer(Proposal(uri), status=201)


@post(
    "/confirmation",
    permission=_OWN,
    keyless=True,
    operation_id="confirm_own_factor",
    responses=refusing(403, 429),
    summary="Make it count, once the authenticator app shows the right code",
)
async def confirm_own_factor(request: Request[Any, Any, Any], data: CodeIn) -> Response[RecoveryCodes]:
    """Nobody is signed out by it; from the next sign-in on it is asked for."""
    here = visit(request)
    here.needs_session()
    async with here.attempt("second factor"):
        recovery = await own_factor.confirm(
            here.call.platform,
            here.district,
            here.visitor,
            person=here.call.principal.person,
            code=data.code,
            now=here.now,
        )
    return here.answer(RecoveryCodes(recovery), status=201)


@post(
    "/removal",
    permission=_OWN,
    keyless=True,
    operation_id="remove_own_factor",
    responses=refusing(403, 404, 429),
    summary="Take my second factor away",
    status_code=204,
)
async def remove_own_factor(request: Request[Any, Any, Any], data: CodeIn) -> Response[None]:
    """By a code of the authenticator app, or a recovery code. Where the district asks for one, it ends every session:
    the next sign-in sets up another.
    """
    here = visit(request)
    here.needs_session()
    async with here.attempt("second factor"):
        gone = await own_factor.remove(
            here.call.platform,
            here.district,
            here.rules,
            here.visitor,
            person=here.call.principal.person,
            code=data.code,
            now=here.now,
        )
    if not gone:
        raise ProblemError("not-found")
    return here.answer(None, status=204)


def own_factor_routes() -> Router:
    routes = [read_own_factor, begin_own_factor, confirm_own_factor, remove_own_factor]
    return Router("/me/second-factor", route_handlers=routes, tags=["session"])
