"""Appeals, and lists filed anew before a rematch, over HTTP: thin handlers."""

from uuid import UUID

from litestar import delete, get, post, put
from litestar.params import FromPath, JSONBody

from gongyu.web import Call
from gongyu_mentor import appeals, refiling
from gongyu_mentor.appeal_schemas import (
    AppealDecision,
    AppealIn,
    AppealLine,
    AppealOut,
    RefiledIn,
    RefilingIn,
    RefilingOut,
    RefilingView,
)
from gongyu_mentor.asking import FILE, MANAGE, OWN, REVIEW, round_of, today, who

__all__ = ["APPEAL_ROUTES"]


@post(
    "/rounds/{round_id:uuid}/appeals",
    permission=OWN,
    operation_id="mentor_file_appeal",
    summary="Appeal against one's own pair, or one's child's",
)
async def file_appeal(call: Call, round_id: FromPath[UUID], data: JSONBody[AppealIn]) -> AppealOut:
    return await appeals.file(
        await call.session(), round_id, asked=data, principal=call.principal, today=today(call), seals=call.seals
    )


@get("/appeals/mine", permission=OWN, operation_id="mentor_read_my_appeals", summary="One's own appeals and answers")
async def my_appeals(call: Call) -> list[AppealOut]:
    found = await appeals.own(await call.db(), call.principal, today=today(call), seals=call.seals)
    for student in {one.student for one in found}:
        call.opened_record(f"person:{student}", ground="own, or guardian", action="mentor.appeal.read_own")
    return found


@delete("/appeals/{appeal:uuid}", permission=OWN, operation_id="mentor_withdraw_appeal", summary="Take an appeal back")
async def withdraw_appeal(call: Call, appeal: FromPath[UUID]) -> None:
    await appeals.withdraw(await call.session(), appeal, principal=call.principal, today=today(call))


@get(
    "/rounds/{round_id:uuid}/appeals",
    permission=REVIEW,
    operation_id="mentor_list_appeals",
    summary="The appeals of a round, undecided and soonest due first",
)
async def list_appeals(call: Call, round_id: FromPath[UUID]) -> list[AppealLine]:
    found = await appeals.listed(await call.db(), round_id, orgs=call.orgs, now=call.now, seals=call.seals)
    for one in found:
        call.opened_record(f"person:{one.student}", appeal=str(one.id))
    return found


@post(
    "/appeals/{appeal:uuid}/decision",
    permission=REVIEW,
    operation_id="mentor_decide_appeal",
    summary="Uphold or reject an appeal, in words; not by who published the round",
    status_code=200,
)
async def decide_appeal(call: Call, appeal: FromPath[UUID], data: JSONBody[AppealDecision]) -> AppealOut:
    decided = await appeals.decide(await call.context(), appeal, decision=data, **who(call))
    call.opened_record(f"person:{decided.student}", appeal=str(appeal))
    return decided


@put(
    "/rounds/{round_id:uuid}/refiling",
    permission=MANAGE,
    operation_id="mentor_open_refiling",
    summary="Let those whose mentor leaves choose anew before the rematch",
)
async def open_refiling(call: Call, round_id: FromPath[UUID], data: JSONBody[RefilingIn]) -> RefilingView:
    return await refiling.open_window(
        await call.session(), round_id, asked=data, now=call.now, today=today(call), **who(call)
    )


@get(
    "/rounds/{round_id:uuid}/refiling",
    permission=MANAGE,
    operation_id="mentor_read_refiling",
    summary="Who is displaced, and who has chosen anew",
)
async def read_refiling(call: Call, round_id: FromPath[UUID]) -> RefilingView:
    return await refiling.view(await call.db(), round_id, orgs=call.orgs, today=today(call))


@get(
    "/rounds/{round_id:uuid}/refiling/mine",
    permission=FILE,
    operation_id="mentor_read_my_refiling",
    summary="A displaced student's new list, and the mentors with free seats",
)
async def read_my_refiling(call: Call, round_id: FromPath[UUID]) -> RefilingOut:
    await round_of(call, round_id)
    return await refiling.read_own(await call.db(), round_id, student=call.principal.person, today=today(call))


@put(
    "/rounds/{round_id:uuid}/refiling/mine",
    permission=FILE,
    operation_id="mentor_file_my_refiling",
    summary="A displaced student files a new list",
)
async def file_my_refiling(call: Call, round_id: FromPath[UUID], data: JSONBody[RefiledIn]) -> RefilingOut:
    session = await call.session()
    return await refiling.file_own(session, round_id, student=call.principal.person, asked=data, today=today(call))


APPEAL_ROUTES = [
    file_appeal,
    my_appeals,
    withdraw_appeal,
    list_appeals,
    decide_appeal,
    open_refiling,
    read_refiling,
    read_my_refiling,
    file_my_refiling,
]
