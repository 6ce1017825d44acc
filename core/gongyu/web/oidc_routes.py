"""Signing in through the district's own service: there, back, and once with a code for whoever is new here."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect
from msgspec import Meta

from gongyu.access.keys import SealBrokenError
from gongyu.access.oidc import Identity, OidcClient
from gongyu.access.sessions import set_cookie
from gongyu.access.sign_in import SignInRefusedError
from gongyu.plugin import Public
from gongyu.text import Text
from gongyu.web.door import NO_STORE, Visit, refusing, visit
from gongyu.web.problems import ProblemError
from gongyu.web.session_routes import SessionOut, state_of

__all__ = ["oidc_routes"]

_DOOR: Final = Public("nobody is signed in before they have signed in")
_CONTEXT: Final = b"oidc.identity"
_SECONDS: Final = 600


class ActivationCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of a slip."""

    code: Annotated[str, Meta(max_length=200, examples=["7K3M-9QRT-2VWX"])]


class _Vouched(msgspec.Struct, frozen=True):
    """Whom the service vouched for and nobody here knows yet; sealed, in a cookie of their browser."""

    identity: Identity
    until: datetime


@get(
    "/",
    permission=_DOOR,
    operation_id="depart_to_oidc",
    responses=refusing(401),
    summary="Sign in through the district's own service: sends the browser there",
    status_code=303,
)
async def depart(request: Request[Any, Any, Any]) -> Redirect:
    here = visit(request)
    async with here.attempt("oidc"):
        departure = await _client(here).depart(redirect_uri=_back(here), now=here.now)
    headers = {**NO_STORE, "set-cookie": _kept(here, departure.cookie)}
    return Redirect(departure.url, status_code=303, headers=headers)


@get(
    "/arrival",
    permission=_DOOR,
    operation_id="arrive_from_oidc",
    responses=refusing(401),
    summary="Where the district's service sends the browser back to",
    status_code=303,
)
async def arrive(request: Request[Any, Any, Any]) -> Redirect:
    """The session's resource says where the sign-in stands; somebody new needs an activation code once."""
    here = visit(request)
    answer = {name: value for name, value in request.query_params.items() if isinstance(value, str)}
    async with here.attempt("oidc"):
        identity = await _client(here).arrive(cookie=_cookie(request, here), answer=answer, now=here.now)
    next_ = f"/api/v1/{here.district.slug}/session"
    try:
        async with here.attempt("oidc"):
            through = await here.door.sign_in.by_identity(
                here.district, here.rules, here.visitor, identity=identity, now=here.now
            )
    except ProblemError as error:
        if not isinstance(error.__cause__, SignInRefusedError):
            raise
        vouched = msgspec.json.encode(_Vouched(identity, here.now + timedelta(seconds=_SECONDS)))
        sealed = here.call.platform.keys.encrypt(here.district.slug, vouched, context=_CONTEXT).hex()
        headers = {**NO_STORE, "set-cookie": _kept(here, sealed)}
        return Redirect(f"{next_}/oidc/newcomer", status_code=303, headers=headers)
    headers = {**NO_STORE, "set-cookie": set_cookie(here.district.slug, through.cookie)}
    response = Redirect(next_, status_code=303, headers=headers)
    response.set_cookie(_gone(here))
    return response


@get(
    "/newcomer",
    permission=_DOOR,
    operation_id="read_oidc_newcomer",
    summary="Whether an activation code is needed to go on",
    sync_to_thread=False,
)
def newcomer(request: Request[Any, Any, Any]) -> Response[SessionOut]:
    here = visit(request)
    return here.answer(SessionOut("code" if _vouched(request, here) else "sign_in"))


@post(
    "/",
    permission=_DOOR,
    keyless=True,
    operation_id="join_by_oidc",
    responses=refusing(401, 403, 429),
    summary="Go on with an activation code, once, so that the service's word is known to mean this person",
)
async def join(request: Request[Any, Any, Any], data: ActivationCode) -> Response[SessionOut]:
    here = visit(request)
    vouched = _vouched(request, here)
    async with here.attempt("oidc"):
        if vouched is None:
            raise SignInRefusedError
        through = await here.door.sign_in.by_identity(
            here.district, here.rules, here.visitor, identity=vouched, code=data.code, now=here.now
        )
    response = here.answer(state_of(through), cookie=through.cookie, status=201)
    response.set_cookie(_gone(here))
    return response


def _client(here: Visit) -> OidcClient:
    provider = here.rules.oidc
    if provider is None:
        text = Text(zh="该区县没有连接自己的登录服务", en="this district has no sign-in service of its own")
        raise ProblemError("not-found", text)
    return here.door.oidc(here.district, provider)


def _vouched(request: Request[Any, Any, Any], here: Visit) -> Identity | None:
    try:
        sealed = bytes.fromhex(_cookie(request, here) or "")
        opened = here.call.platform.keys.decrypt(here.district.slug, sealed, context=_CONTEXT)
    except (ValueError, SealBrokenError):
        return None
    found = msgspec.json.decode(opened, type=_Vouched)
    provider = here.rules.oidc
    trusted = provider is not None and provider.issuer == found.identity.issuer
    return found.identity if trusted and here.now < found.until else None


def _back(here: Visit) -> str:
    return f"{here.base}/api/v1/{quote(here.district.slug)}/session/oidc/arrival"


def _name(here: Visit) -> str:
    return f"__Host-gongyu-oidc-{here.district.slug}"


def _cookie(request: Request[Any, Any, Any], here: Visit) -> str | None:
    return request.cookies.get(_name(here))


def _kept(here: Visit, value: str) -> str:
    """Sealed, so it needs no further care; `Lax`, or it would not come back from the other service."""
    return f"{_name(here)}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={_SECONDS}"


def _gone(here: Visit) -> Cookie:
    return Cookie(_name(here), path="/", max_age=0, secure=True, httponly=True, samesite="lax")


def oidc_routes() -> Router:
    return Router("/session/oidc", route_handlers=[depart, arrive, newcomer, join], tags=["session"])
