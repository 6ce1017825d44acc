"""Signing in and out with a browser, step by step. What is still needed stands in every answer as `needs`.

None of these takes an Idempotency-Key: of what is typed here not even a hash is kept.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, post
from msgspec import Meta

from gongyu.access import sessions
from gongyu.access.sign_in import SignedInAs
from gongyu.plugin import Public
from gongyu.web.door import refusing, visit

__all__ = ["CodeIn", "NewPassword", "Password", "Proposal", "SessionOut", "Typed", "session_routes", "state_of"]

_DOOR: Final = Public("nobody is signed in before they have signed in")

Typed = Annotated[str, Meta(max_length=200)]
Password = Annotated[str, Meta(max_length=1000, examples=["four quiet bicycles sing"])]


class SignInWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user name and a password."""

    username: Annotated[str, Meta(max_length=200, examples=["wanglaoshi"])]
    password: Password


class CodeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of the authenticator app, or a recovery code."""

    code: Annotated[str, Meta(max_length=200, examples=["492039"])]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password to have from now on."""

    password: Password


class SessionOut(msgspec.Struct, frozen=True):
    """Where a sign-in stands.

    Attributes:
        needs: Empty, signed in; `sign_in`, nobody is; `totp`, a code of the second factor; `totp_setup`, one must be
            set up first; `password`, a new password; `code`, an activation code, for somebody another service vouches
            for and who is new here.
        person: Who it is, once anybody is.
    """

    needs: Literal["", "sign_in", "totp", "totp_setup", "password", "code"]
    person: UUID | None = None


class Proposal(msgspec.Struct, frozen=True):
    """The address an authenticator app reads, best shown as a QR code."""

    uri: str


class Confirmed(msgspec.Struct, frozen=True):
    """The second factor counts. The recovery codes are shown this once; each opens once."""

    needs: Literal["", "totp", "totp_setup", "password"]
    person: UUID
    recovery_codes: list[str]


def state_of(through: SignedInAs) -> SessionOut:
    return SessionOut(through.needs, through.person)


@post(
    "/",
    permission=_DOOR,
    keyless=True,
    operation_id="sign_in",
    responses=refusing(401, 403, 429),
    summary="Sign in with user name and password",
)
async def sign_in(request: Request[Any, Any, Any], data: SignInWords) -> Response[SessionOut]:
    here = visit(request)
    async with here.attempt("password"):
        through = await here.door.sign_in.by_password(
            here.district,
            here.rules,
            here.visitor,
            username=data.username,
            password=data.password,
            now=here.now,
        )
    return here.answer(state_of(through), cookie=through.cookie, status=201)


@get("/", permission=_DOOR, operation_id="read_session", summary="Where my sign-in stands")
async def read_session(request: Request[Any, Any, Any]) -> Response[SessionOut]:
    here = visit(request)
    if here.call.person is not None:
        return here.answer(SessionOut("", here.call.person.person))
    async with here.call.platform.database.work(here.district) as session:
        stage = await sessions.staged(session, cookie=here.visitor.cookie, now=here.now)
    return here.answer(SessionOut(stage.needs, stage.person) if stage else SessionOut("sign_in"))


@delete(
    "/",
    permission=Public("whoever leaves needs no right to"),
    operation_id="sign_out",
    responses=refusing(403),
    summary="Sign out",
)
async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    here = visit(request)
    await here.door.sign_in.out(here.district, here.visitor, now=here.now)
    return here.answer(None, cookie="", status=204)


@post(
    "/second-factor",
    permission=_DOOR,
    keyless=True,
    operation_id="pass_second_factor",
    responses=refusing(401, 403, 429),
    summary="Go on with a code of the second factor",
)
async def pass_second_factor(request: Request[Any, Any, Any], data: CodeIn) -> Response[SessionOut]:
    here = visit(request)
    async with here.attempt("second factor"):
        through = await here.door.sign_in.by_second_factor(
            here.district, here.rules, here.visitor, code=data.code, now=here.now
        )
    return here.answer(state_of(through), cookie=through.cookie, status=201)


@post(
    "/second-factor/proposal",
    permission=_DOOR,
    keyless=True,
    operation_id="propose_second_factor",
    responses=refusing(401, 403, 429),
    summary="Begin to set up the second factor that is needed",
)
async def propose_second_factor(request: Request[Any, Any, Any]) -> Response[Proposal]:
    here = visit(request)
    async with here.attempt("second factor"):
        uri = await here.door.sign_in.propose_second_factor(
            here.district, here.visitor, issuer=f"共育 {here.district.name}", now=here.now
        )
    return here.answer(Proposal(uri), status=201)


@post(
    "/second-factor/confirmation",
    permission=_DOOR,
    keyless=True,
    operation_id="confirm_second_factor",
    responses=refusing(401, 403, 429),
    summary="Go on once the authenticator app shows the right code",
)
async def confirm_second_factor(request: Request[Any, Any, Any], data: CodeIn) -> Response[Confirmed]:
    here = visit(request)
    async with here.attempt("second factor"):
        through, recovery = await here.door.sign_in.confirm_second_factor(
            here.district, here.rules, here.visitor, code=data.code, now=here.now
        )
    return here.answer(Confirmed(through.needs, through.person, recovery), cookie=through.cookie, status=201)


@post(
    "/password",
    permission=_DOOR,
    keyless=True,
    operation_id="renew_password",
    responses=refusing(401, 403, 429),
    summary="Go on with the new password that is needed",
)
async def renew_password(request: Request[Any, Any, Any], data: NewPassword) -> Response[SessionOut]:
    here = visit(request)
    async with here.attempt("password"):
        through = await here.door.sign_in.by_new_password(
            here.district, here.rules, here.visitor, password=data.password, now=here.now
        )
    return here.answer(state_of(through), cookie=through.cookie, status=201)


def session_routes() -> Router:
    return Router(
        "/session",
        route_handlers=[
            sign_in,
            read_session,
            sign_out,
            pass_second_factor,
            propose_second_factor,
            confirm_second_factor,
            renew_password,
        ],
        tags=["session"],
    )
