"""What people do about their own coming in: with a code on paper, with another child, a new password, tokens."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.params import FromPath
from msgspec import Meta

from gongyu.access import joining, tokens
from gongyu.access.authenticate import changed
from gongyu.access.codes import NewGuardian
from gongyu.access.own_password import change_password
from gongyu.access.principal import Principal
from gongyu.access.rights import in_scope
from gongyu.people.roster.canonical import GuardianshipKind
from gongyu.plugin import Public, SignedIn
from gongyu.text import Text
from gongyu.web import Call
from gongyu.web.door import Visit, refusing, visit
from gongyu.web.problems import ProblemError
from gongyu.web.session_routes import Password, SessionOut

__all__ = ["own_routes"]

_OWN: Final = SignedIn("their own")
_PAPER: Final = Public("the code on paper is what opens it")

Code = Annotated[str, Meta(max_length=200, examples=["7K3M-9QRT-2VWX"])]
Username = Annotated[str, Meta(max_length=200, examples=["wanglaoshi"])]


class Activation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of a slip, and what to sign in with from now on; who has an account keeps their user name."""

    code: Code
    username: Username
    password: Password


class Newcomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guardian the school's lists do not know yet, with the account they want."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["李芳"])]
    username: Username
    password: Password


class Binding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of a guardian's slip; without `guardian` it is for whoever is signed in."""

    code: Code
    kind: GuardianshipKind
    guardian: Newcomer | None = None


class Bound(msgspec.Struct, frozen=True):
    """Who was bound to whom."""

    guardian: UUID
    student: UUID


class PasswordChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password of now, and the one to have."""

    old: Password
    new: Password


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key for a script. Scopes are names of permissions or prefixes; `*` alone does not narrow."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["月度报表"])]
    scopes: Annotated[list[str], Meta(min_length=1, max_length=100, examples=[["points.*"]])]
    expires_at: Annotated[datetime, Meta(tz=True, examples=["2027-01-31T00:00:00Z"])]


class TokenText(msgspec.Struct, frozen=True):
    """The token itself: shown this once, and kept nowhere."""

    token: str


@post(
    "/activation",
    permission=_PAPER,
    keyless=True,
    operation_id="activate_account",
    responses=refusing(403, 429),
    summary="Get an account, or a new password, with the code of a slip",
    status_code=204,
)
async def activate(request: Request[Any, Any, Any], data: Activation) -> Response[None]:
    """It signs nobody in: signing in shows that they know what they chose. A new password ends sessions and tokens."""
    here = visit(request)
    async with here.attempt("code"):
        await joining.activate(
            here.call.platform,
            here.district,
            here.rules,
            here.visitor,
            passwords=here.door.sign_in.passwords,
            code=data.code,
            username=data.username,
            password=data.password,
            now=here.now,
        )
    return here.answer(None, status=204)


@post(
    "/guardianships",
    permission=_PAPER,
    keyless=True,
    operation_id="bind_guardian",
    responses=refusing(401, 403, 429),
    summary="Be bound to a child as a guardian, with the code of a slip",
)
async def bind_guardian(request: Request[Any, Any, Any], data: Binding) -> Response[Bound]:
    here = visit(request)
    guardian: UUID | NewGuardian
    if data.guardian is None:
        guardian = here.call.principal.person
        here.needs_session()
    else:
        guardian = NewGuardian(
            name=data.guardian.name, username=data.guardian.username, password=data.guardian.password
        )
    async with here.attempt("code"):
        bound = await joining.bind_guardian(
            here.call.platform,
            here.district,
            here.rules,
            here.visitor,
            passwords=here.door.sign_in.passwords,
            code=data.code,
            guardian=guardian,
            kind=data.kind,
            now=here.now,
        )
    return here.answer(Bound(*bound), status=201)


@post(
    "/me/password",
    permission=_OWN,
    keyless=True,
    operation_id="change_own_password",
    responses=refusing(403, 429),
    summary="Change my password",
    status_code=200,
)
async def change_own_password(request: Request[Any, Any, Any], data: PasswordChange) -> Response[SessionOut]:
    """Every other session of mine ends; my API tokens stay, and can be ended one by one."""
    here = visit(request)
    here.needs_session()
    person = here.call.principal.person
    async with here.attempt("password"):
        cookie = await change_password(
            here.call.platform,
            here.district,
            here.rules,
            here.visitor,
            passwords=here.door.sign_in.passwords,
            person=person,
            old=data.old,
            new=data.new,
            now=here.now,
        )
    return here.answer(SessionOut("", person), cookie=cookie)


@get("/me/tokens", permission=_OWN, operation_id="list_own_tokens", summary="My API tokens")
async def list_own_tokens(call: Call) -> list[tokens.Token]:
    return await tokens.list_tokens(await call.session(), person=call.principal.person)


@post(
    "/me/tokens",
    permission=_OWN,
    operation_id="create_own_token",
    responses=refusing(403),
    summary="Make an API token for myself",
)
async def create_own_token(request: Request[Any, Any, Any], data: NewToken) -> Response[TokenText]:
    """A token made with a token reaches no further and lasts no longer than the one it was made with."""
    here = visit(request)
    person = here.call.principal
    _check_narrower(person, data.scopes)
    await _check_shorter(here, data.expires_at)
    async with here.attempt("token"):
        text = await tokens.create_token(
            await here.call.session(),
            person=person.person,
            name=data.name,
            scopes=data.scopes,
            expires_at=data.expires_at,
            by=person.actor,
        )
    return here.answer(TokenText(text), status=201)


@delete(
    "/me/tokens/{token:uuid}",
    permission=_OWN,
    operation_id="revoke_own_token",
    responses=refusing(403),
    summary="End a token of mine",
)
async def revoke_own_token(call: Call, token: FromPath[UUID]) -> None:
    session, person = await call.session(), call.principal
    own = {one.id: one for one in await tokens.list_tokens(session, person=person.person)}
    if token not in own:
        raise ProblemError("not-found")
    _check_narrower(person, own[token].scopes)
    await tokens.revoke_token(session, token=token, by=person.actor)
    call.after_commit.append(lambda: changed(call.platform, call.district.slug))


def _check_narrower(person: Principal, scopes: Iterable[str]) -> None:
    wider = [scope for scope in scopes if not in_scope(person.scopes, scope)]
    if wider:
        text = Text(zh="当前令牌的范围不含 {scopes}", en="the token this is asked with leaves out {scopes}")
        raise ProblemError("forbidden", text.format(scopes=", ".join(wider)))


async def _check_shorter(here: Visit, expires_at: datetime) -> None:
    person = here.call.principal
    own = await tokens.list_tokens(await here.call.session(), person=person.person)
    ends = next((one.expires_at for one in own if person.via == f"token:{one.id}"), None)
    if ends is not None and expires_at > ends:
        text = Text(zh="不能晚于当前令牌的到期时间 {ends}", en="not later than the token this is asked with: {ends}")
        raise ProblemError("invalid", errors=[("/expires_at", text.format(ends=ends.isoformat()))])


def own_routes() -> Router:
    return Router(
        "/",
        route_handlers=[
            activate,
            bind_guardian,
            change_own_password,
            list_own_tokens,
            create_own_token,
            revoke_own_token,
        ],
        tags=["session"],
    )
