"""Rounds, runs and assignments over HTTP: thin handlers."""

import asyncio
from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.web import Call, Cursor, Limit, Page
from gongyu_mentor import assignments, paper, people, preferences, publishing, rematching, rounds, runs
from gongyu_mentor.api_appeals import APPEAL_ROUTES
from gongyu_mentor.api_choices import CHOICE_ROUTES
from gongyu_mentor.api_classes import CLASS_ROUTES
from gongyu_mentor.api_photos import PHOTO_ROUTES
from gongyu_mentor.asking import (
    MANAGE,
    MEMBERS,
    MENTOR,
    OWN,
    SCHOOL,
    manages,
    round_of,
    today,
    visible,
    who,
    workbook,
    works_at,
)
from gongyu_mentor.schemas import (
    AssignmentOut,
    LotteryOut,
    NewRound,
    PaperOut,
    PaperRow,
    PublishIn,
    RematchIn,
    RoundChange,
    RoundOut,
    RunOut,
    SchoolView,
    StudentLine,
    WhatIfIn,
    WhatIfOut,
)

__all__ = ["ROUTES"]


@get("/rounds", permission=MEMBERS, operation_id="mentor_list_rounds", summary="List the rounds of one's schools")
async def list_rounds(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[RoundOut]:
    orgs = manages(call)
    if orgs is None or orgs:
        found = await rounds.DRAFTS.page(call, limit=limit, cursor=cursor, **people.bound(orgs=orgs))
    else:
        mine = people.bound(orgs=await visible(call), staff=works_at(call))
        found = await rounds.ROUNDS.page(call, limit=limit, cursor=cursor, **mine)
    return Page([rounds.out(row, call.now) for row in found.items], found.next)


@post("/rounds", permission=MANAGE, operation_id="mentor_create_round", summary="Prepare a round")
async def create_round(call: Call, data: JSONBody[NewRound]) -> RoundOut:
    switch = call.state.switches["mentor"]
    made = await rounds.create(
        await call.session(),
        new=data,
        settings=call.settings,
        schools=switch.schools,
        today=today(call),
        **who(call),
    )
    return rounds.out(made, call.now)


@get(
    "/rounds/{round_id:uuid}",
    permission=MEMBERS,
    operation_id="mentor_read_round",
    summary="Read a round",
)
async def read_round(call: Call, round_id: FromPath[UUID]) -> RoundOut:
    return rounds.out(await round_of(call, round_id), call.now)


@patch("/rounds/{round_id:uuid}", permission=MANAGE, operation_id="mentor_change_round", summary="Change a round")
async def change_round(call: Call, round_id: FromPath[UUID], data: JSONBody[RoundChange]) -> RoundOut:
    row = await rounds.change(await call.session(), round_id, asked=data, now=call.now, **who(call))
    return rounds.out(row, call.now)


@delete("/rounds/{round_id:uuid}", permission=MANAGE, operation_id="mentor_remove_round", summary="Remove a draft")
async def remove_round(call: Call, round_id: FromPath[UUID]) -> None:
    await rounds.remove(await call.session(), round_id, orgs=call.orgs)


@post(
    "/rounds/{round_id:uuid}/announce",
    permission=MANAGE,
    operation_id="mentor_announce_round",
    summary="Announce a round: its lottery is fixed and the hash of the seed shown",
)
async def announce_round(call: Call, round_id: FromPath[UUID]) -> RoundOut:
    row = await rounds.announce(await call.session(), round_id, now=call.now, keys=call.platform.keys, **who(call))
    return rounds.out(row, call.now)


@get(
    "/rounds/{round_id:uuid}/lottery",
    permission=MEMBERS,
    operation_id="mentor_read_lottery",
    summary="The hash of the lottery's seed, and the seed once the assignment is published",
)
async def read_lottery(call: Call, round_id: FromPath[UUID]) -> LotteryOut:
    await round_of(call, round_id)
    row = await rounds.managed(await call.db(), round_id, orgs=None)
    return LotteryOut(round=round_id, seed_hash=row.seed_hash, seed=row.seed)


@post(
    "/rounds/{round_id:uuid}/runs",
    permission=MANAGE,
    operation_id="mentor_run",
    summary="Run the match once, to look at; the first run closes the choosing for good",
)
async def try_out(call: Call, round_id: FromPath[UUID]) -> RunOut:
    return await runs.try_out(await call.context(), round_id, **who(call))


@get("/rounds/{round_id:uuid}/runs", permission=MANAGE, operation_id="mentor_list_runs", summary="The runs so far")
async def list_runs(call: Call, round_id: FromPath[UUID]) -> list[RunOut]:
    await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    return await runs.list_runs(await call.db(), round_id=round_id)


@post(
    "/rounds/{round_id:uuid}/what-if",
    permission=MANAGE,
    operation_id="mentor_what_if",
    summary="Try other places or reserves; nothing is written",
    status_code=200,
)
async def what_if(call: Call, round_id: FromPath[UUID], data: JSONBody[WhatIfIn]) -> WhatIfOut:
    return await runs.what_if(await call.context(), round_id, orgs=call.orgs, edits=data.edits)


@post(
    "/rounds/{round_id:uuid}/publish",
    permission=MANAGE,
    operation_id="mentor_publish",
    summary="Make a run the assignment, reveal the seed, open the appeals",
    status_code=200,
)
async def publish(call: Call, round_id: FromPath[UUID], data: JSONBody[PublishIn]) -> RoundOut:
    row = await publishing.publish(await call.context(), round_id, run=data.run, **who(call))
    return rounds.out(row, call.now)


@post(
    "/rounds/{round_id:uuid}/rematch",
    permission=MANAGE,
    operation_id="mentor_rematch",
    summary="A mentor leaves in mid-year: whoever has one who stays keeps them",
    status_code=200,
)
async def rematch(call: Call, round_id: FromPath[UUID], data: JSONBody[RematchIn]) -> RunOut:
    return await rematching.rematch(await call.context(), round_id, asked=data, **who(call))


@get(
    "/assignments/mine",
    permission=OWN,
    operation_id="mentor_read_my_mentor",
    summary="A student's own mentor, or one's children's, and why this one",
)
async def my_mentor(call: Call) -> list[AssignmentOut]:
    return await assignments.mine(await call.db(), call.principal, today=today(call), language=call.language)


@get("/students", permission=MENTOR, operation_id="mentor_list_my_students", summary="A mentor's students now")
async def my_students(call: Call) -> list[AssignmentOut]:
    return await assignments.my_students(await call.db(), mentor=call.principal.person)


@get(
    "/schools/{school:uuid}",
    permission=SCHOOL,
    operation_id="mentor_read_school",
    summary="Coverage, loads and reached ranks of a school",
)
async def read_school(call: Call, school: FromPath[UUID]) -> SchoolView:
    return await assignments.school_view(await call.db(), school=school, orgs=call.orgs, today=today(call))


@get(
    "/schools/{school:uuid}/students",
    permission=SCHOOL,
    operation_id="mentor_list_school_students",
    summary="The pupils of a school with their mentors, or only those without one",
)
async def school_students(
    call: Call,
    school: FromPath[UUID],
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
    *,
    without_mentor: FromQuery[bool] = False,
) -> Page[StudentLine]:
    found = await assignments.students_of_school(
        await call.db(),
        school=school,
        orgs=call.orgs,
        today=today(call),
        without=without_mentor,
        after=after,
        limit=limit + 1,
    )
    return Page(found[:limit], str(found[limit - 1].student) if len(found) > limit else None)


@get(
    "/rounds/{round_id:uuid}/classes/{class_id:uuid}/choices.xlsx",
    permission=MANAGE,
    operation_id="mentor_print_choices",
    summary="The paper form of a class as a workbook",
)
async def print_choices(call: Call, round_id: FromPath[UUID], class_id: FromPath[UUID]) -> Response[bytes]:
    row = await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    book = await paper.template(await call.db(), row, class_id=class_id, today=today(call))
    return workbook(book, "choices.xlsx")


@get(
    "/schools/{school:uuid}/assignment.xlsx",
    permission=SCHOOL,
    operation_id="mentor_print_assignment",
    summary="Class, pupil and mentor of a whole school as a workbook",
)
async def print_assignment(call: Call, school: FromPath[UUID]) -> Response[bytes]:
    rows = await assignments.class_lists(await call.db(), school=school, orgs=call.orgs, today=today(call))
    return workbook(await asyncio.to_thread(paper.assignment_sheet, rows), "assignment.xlsx")


@post(
    "/rounds/{round_id:uuid}/choices.xlsx",
    permission=MANAGE,
    operation_id="mentor_take_choices",
    summary="Take in a filled workbook: all of its rows, or every wrong cell by its address",
    status_code=200,
)
async def take_choices(call: Call, round_id: FromPath[UUID], request: Request[Any, Any, Any]) -> PaperOut:
    session = await call.session()
    row = await rounds.managed(session, round_id, orgs=call.orgs, lock=True)
    read = await paper.read_sheet(session, row, content=await request.body(), today=today(call))
    by = call.principal.person
    taken = await preferences.file_paper(session, round_id=round_id, lists=read.lists, by=by, now=call.now)
    return PaperOut(taken, [PaperRow(place, text.pick(call.language)) for place, text in read.own])


ROUTES = [
    list_rounds,
    create_round,
    read_round,
    change_round,
    remove_round,
    announce_round,
    read_lottery,
    try_out,
    list_runs,
    what_if,
    publish,
    rematch,
    my_mentor,
    my_students,
    read_school,
    school_students,
    print_choices,
    print_assignment,
    take_choices,
    *CHOICE_ROUTES,
    *APPEAL_ROUTES,
    *PHOTO_ROUTES,
    *CLASS_ROUTES,
]
