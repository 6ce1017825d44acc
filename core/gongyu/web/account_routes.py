"""What those who run a district or a school do about other people's accounts."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import accounts, codes, second_factor, tokens
from gongyu.access.authenticate import changed
from gongyu.access.class_slips import UnknownClassError, class_slips, printed
from gongyu.access.relations import reaches
from gongyu.access.rights import Verdict
from gongyu.access.sign_in import day_of
from gongyu.text import Text
from gongyu.web import Call
from gongyu.web.door import NO_STORE, visit
from gongyu.web.problems import ProblemError

__all__ = ["account_routes"]

_MANAGE: Final = "district.account.manage"
_ISSUE: Final = "district.code.issue"


class IssuedCode(msgspec.Struct, frozen=True):
    """A code to hand over on paper: shown this once."""

    code: str
    expires_at: datetime


class SlipsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which slips: `activation` for pupils without an account, `guardian` for the parents of all."""

    kind: Literal["activation", "guardian"]


@post(
    "/accounts/{person:uuid}/disable",
    permission=_MANAGE,
    operation_id="disable_account",
    summary="Close an account at once",
    status_code=204,
)
async def disable_account(call: Call, person: FromPath[UUID]) -> None:
    if person == call.principal.person:
        raise ProblemError("conflict", Text(zh="不能停用自己的账号", en="nobody closes their own account"))
    session = await _reached(call, person)
    await accounts.disable_account(session, person=person, by=call.actor)
    _tell(call)


@post(
    "/accounts/{person:uuid}/enable",
    permission=_MANAGE,
    operation_id="enable_account",
    summary="Open a closed account again",
    status_code=204,
)
async def enable_account(call: Call, person: FromPath[UUID]) -> None:
    session = await _reached(call, person)
    await accounts.enable_account(session, person=person, by=call.actor)
    _tell(call)


@post(
    "/accounts/{person:uuid}/code",
    permission=_MANAGE,
    operation_id="issue_code",
    summary="A code with which a person gets an account, or a new password",
)
async def issue_code(request: Request[Any, Any, Any], person: FromPath[UUID]) -> Response[IssuedCode]:
    here = visit(request)
    session = await _reached(here.call, person)
    valid = timedelta(days=here.rules.code_days)
    try:
        issued = await codes.issue(
            session,
            keys=here.call.platform.keys,
            kind="activation",
            persons=[person],
            valid=valid,
            by=here.call.actor,
            now=here.now,
        )
    except accounts.AccountError as error:
        raise ProblemError("conflict", error.reasons[0]) from error
    return here.answer(IssuedCode(issued[person], here.now + valid), status=201)


@delete(
    "/accounts/{person:uuid}/tokens",
    permission=_MANAGE,
    operation_id="revoke_tokens",
    summary="End all API tokens of a person",
)
async def revoke_tokens(call: Call, person: FromPath[UUID]) -> None:
    await tokens.revoke_tokens_of(await _reached(call, person), person=person, by=call.actor)
    _tell(call)


@delete(
    "/accounts/{person:uuid}/second-factor",
    permission=_MANAGE,
    operation_id="remove_second_factor",
    summary="Take a lost second factor away",
)
async def remove_second_factor(call: Call, person: FromPath[UUID]) -> None:
    await second_factor.take_away(await _reached(call, person), person=person, by=call.actor)
    _tell(call)


@post(
    "/classes/{class_id:uuid}/slips",
    permission=_ISSUE,
    operation_id="print_slips",
    summary="Codes for a class, as a PDF to print and cut",
    media_type="application/pdf",
)
async def print_slips(request: Request[Any, Any, Any], class_id: FromPath[UUID], data: SlipsWanted) -> Response[bytes]:
    """Earlier codes of the same kind for the same people open nothing any more."""
    here = visit(request)
    call = here.call
    try:
        slips = await class_slips(
            await call.session(),
            keys=call.platform.keys,
            rules=here.rules,
            given=_verdict(call),
            class_id=class_id,
            kind=data.kind,
            base=here.base,
            by=call.actor,
            now=here.now,
        )
    except UnknownClassError as error:
        raise ProblemError("not-found") from error
    if not slips:
        raise ProblemError("conflict", Text(zh="这个班没有需要打印的人", en="nobody of this class needs a slip"))
    pdf = await printed(slips, kind=data.kind, created=here.now)
    headers = {**NO_STORE, "content-disposition": f'attachment; filename="slips-{data.kind}.pdf"'}
    return Response(pdf, status_code=201, media_type="application/pdf", headers=headers)


async def _reached(call: Call, person: UUID) -> AsyncSession:
    """The session, if this person is within the caller's reach; whoever is not is not there."""
    session = await call.session()
    if not await reaches(session, _verdict(call), person, today=day_of(call.district, call.now)):
        raise ProblemError("not-found")
    return session


def _verdict(call: Call) -> Verdict:
    if call.verdict is None:
        raise ProblemError("forbidden")
    return call.verdict


def _tell(call: Call) -> None:
    call.after_commit.append(lambda: changed(call.platform, call.district.slug))


def account_routes() -> Router:
    return Router(
        "/",
        route_handlers=[
            disable_account,
            enable_account,
            issue_code,
            revoke_tokens,
            remove_second_factor,
            print_slips,
        ],
        tags=["accounts"],
    )
