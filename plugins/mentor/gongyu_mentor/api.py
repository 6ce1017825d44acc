"""Rounds, choices and assignments over HTTP: thin handlers."""

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.access.rights import verdict
from gongyu.plugin import SignedIn
from gongyu.web import Call, Cursor, Limit, Page
from gongyu_mentor import assignments, favours, offers, paper, people, preferences, publishing, rematching, rounds, runs
from gongyu_mentor.models import AnyRow
from gongyu_mentor.schemas import (
    AssignmentOut,
    Choices,
    ChoicesOut,
    FavoursIn,
    FavoursOut,
    FewerDecision,
    LotteryOut,
    NewRound,
    OfferIn,
    OfferOut,
    PinIn,
    PinOut,
    Profile,
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

_MANAGE, _FILE, _MENTOR, _SCHOOL = (
    "mentor.round.manage",
    "mentor.preference.file",
    "mentor.offer.fill",
    "mentor.school.read",
)
_MEMBERS = SignedIn("those who belong to the round's school or have a child there; filtered in the query")
_OWN = SignedIn("one's own, or one's child's; filtered by relation in the query")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _today(call: Call) -> date:
    return rounds.district_day(call.district, call.now)


def _who(call: Call) -> dict[str, Any]:
    """What every change by a school asks for."""
    return {"orgs": call.orgs, "by": call.principal.person}


async def _visible(call: Call) -> frozenset[UUID] | None:
    return await people.orgs_of(await call.db(), call.principal, today=_today(call))


def _manages(call: Call) -> frozenset[UUID] | None:
    given = verdict(call.principal, call.platform.host.permissions[_MANAGE])
    return given.orgs if given.allowed else frozenset()


@get("/rounds", permission=_MEMBERS, operation_id="mentor_list_rounds", summary="List the rounds of one's schools")
async def list_rounds(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[RoundOut]:
    orgs = _manages(call)
    listed = rounds.DRAFTS
    if orgs is not None and not orgs:
        listed, orgs = rounds.ROUNDS, await _visible(call)
    found = await listed.page(call, limit=limit, cursor=cursor, orgs=None if orgs is None else list(orgs))
    return Page([rounds.out(row, call.now) for row in found.items], found.next)


@post("/rounds", permission=_MANAGE, operation_id="mentor_create_round", summary="Prepare a round")
async def create_round(call: Call, data: JSONBody[NewRound]) -> RoundOut:
    switch = call.state.switches["mentor"]
    made = await rounds.create(
        await call.session(),
        new=data,
        settings=call.settings,
        schools=switch.schools,
        today=_today(call),
        **_who(call),
    )
    return rounds.out(made, call.now)


@get(
    "/rounds/{round_id:uuid}",
    permission=_MEMBERS,
    operation_id="mentor_read_round",
    summary="Read a round",
)
async def read_round(call: Call, round_id: FromPath[UUID]) -> RoundOut:
    return rounds.out(await _round(call, round_id), call.now)


async def _round(call: Call, round_id: UUID) -> AnyRow:
    """A round of a school one belongs to; a draft only for those who prepare it."""
    manages = _manages(call)
    if manages is None or manages:
        return await rounds.managed(await call.db(), round_id, orgs=manages)
    return await rounds.read(await call.db(), round_id, orgs=await _visible(call))


@patch("/rounds/{round_id:uuid}", permission=_MANAGE, operation_id="mentor_change_round", summary="Change a round")
async def change_round(call: Call, round_id: FromPath[UUID], data: JSONBody[RoundChange]) -> RoundOut:
    row = await rounds.change(await call.session(), round_id, asked=data, now=call.now, **_who(call))
    return rounds.out(row, call.now)


@delete("/rounds/{round_id:uuid}", permission=_MANAGE, operation_id="mentor_remove_round", summary="Remove a draft")
async def remove_round(call: Call, round_id: FromPath[UUID]) -> None:
    await rounds.remove(await call.session(), round_id, orgs=call.orgs)


@post(
    "/rounds/{round_id:uuid}/announce",
    permission=_MANAGE,
    operation_id="mentor_announce_round",
    summary="Announce a round: its lottery is fixed and the hash of the seed shown",
)
async def announce_round(call: Call, round_id: FromPath[UUID]) -> RoundOut:
    row = await rounds.announce(await call.session(), round_id, now=call.now, keys=call.platform.keys, **_who(call))
    return rounds.out(row, call.now)


@get(
    "/rounds/{round_id:uuid}/lottery",
    permission=_MEMBERS,
    operation_id="mentor_read_lottery",
    summary="The hash of the lottery's seed, and the seed once the assignment is published",
)
async def read_lottery(call: Call, round_id: FromPath[UUID]) -> LotteryOut:
    await rounds.read(await call.db(), round_id, orgs=await _visible(call))
    row = await rounds.managed(await call.db(), round_id, orgs=None)
    return LotteryOut(round=round_id, seed_hash=row.seed_hash, seed=row.seed)


@get(
    "/rounds/{round_id:uuid}/offers",
    permission=_MEMBERS,
    operation_id="mentor_list_offers",
    summary="The mentors to choose from: profile, places, demand so far",
)
async def list_offers(call: Call, round_id: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[OfferOut]:
    await _round(call, round_id)
    return await offers.OFFERS.page(call, limit=limit, cursor=cursor, round=round_id)


@put(
    "/rounds/{round_id:uuid}/offers",
    permission=_MANAGE,
    operation_id="mentor_set_offers",
    summary="Invite mentors or change their places",
    status_code=204,
)
async def set_offers(call: Call, round_id: FromPath[UUID], data: JSONBody[list[OfferIn]]) -> None:
    await offers.set_offers(await call.session(), round_id, offers=data, today=_today(call), **_who(call))


@delete(
    "/rounds/{round_id:uuid}/offers/{mentor:uuid}",
    permission=_MANAGE,
    operation_id="mentor_withdraw_offer",
    summary="Take a mentor out of a draft",
)
async def withdraw_offer(call: Call, round_id: FromPath[UUID], mentor: FromPath[UUID]) -> None:
    await offers.withdraw(await call.session(), round_id, mentor=mentor, **_who(call))


@put(
    "/rounds/{round_id:uuid}/offers/mine",
    permission=_MENTOR,
    operation_id="mentor_fill_profile",
    summary="A mentor's own page, and the wish for fewer students",
    status_code=204,
)
async def fill_profile(call: Call, round_id: FromPath[UUID], data: JSONBody[Profile]) -> None:
    await offers.show_profile(await call.session(), round_id=round_id, mentor=call.principal.person, profile=data)


@post(
    "/rounds/{round_id:uuid}/offers/{mentor:uuid}/fewer",
    permission=_MANAGE,
    operation_id="mentor_decide_fewer",
    summary="Grant or refuse a mentor's wish for fewer students",
    status_code=204,
)
async def decide_fewer(
    call: Call, round_id: FromPath[UUID], mentor: FromPath[UUID], data: JSONBody[FewerDecision]
) -> None:
    await offers.decide_fewer(await call.session(), round_id, mentor=mentor, granted=data.granted, **_who(call))


@get(
    "/rounds/{round_id:uuid}/preferences/mine",
    permission=_FILE,
    operation_id="mentor_read_my_preferences",
    summary="A student's own list",
)
async def read_preferences(call: Call, round_id: FromPath[UUID]) -> ChoicesOut:
    await rounds.read(await call.db(), round_id, orgs=await _visible(call))
    return await preferences.read_own(await call.db(), round_id=round_id, student=call.principal.person)


@put(
    "/rounds/{round_id:uuid}/preferences/mine",
    permission=_FILE,
    operation_id="mentor_file_my_preferences",
    summary="File one's list of mentors, or file it anew",
)
async def file_preferences(call: Call, round_id: FromPath[UUID], data: JSONBody[Choices]) -> ChoicesOut:
    return await preferences.file_own(
        await call.session(),
        round_id=round_id,
        student=call.principal.person,
        asked=data,
        now=call.now,
        today=_today(call),
    )


@get(
    "/rounds/{round_id:uuid}/favours/mine",
    permission=_MENTOR,
    operation_id="mentor_read_my_applicants",
    summary="Who lists this mentor, and how many may be starred",
)
async def read_favours(call: Call, round_id: FromPath[UUID]) -> FavoursOut:
    return await favours.read_favours(await call.db(), round_id=round_id, mentor=call.principal.person)


@put(
    "/rounds/{round_id:uuid}/favours/mine",
    permission=_MENTOR,
    operation_id="mentor_star_applicants",
    summary="Star a few applicants, and say whom to go on with",
)
async def file_favours(call: Call, round_id: FromPath[UUID], data: JSONBody[FavoursIn]) -> FavoursOut:
    return await favours.file_favours(
        await call.session(), round_id=round_id, mentor=call.principal.person, asked=data, now=call.now
    )


@get("/rounds/{round_id:uuid}/pins", permission=_MANAGE, operation_id="mentor_list_pins", summary="Pairs by decision")
async def list_pins(call: Call, round_id: FromPath[UUID]) -> list[PinOut]:
    await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    return await offers.list_pins(await call.db(), round_id=round_id)


@put(
    "/rounds/{round_id:uuid}/pins/{student:uuid}",
    permission=_MANAGE,
    operation_id="mentor_pin",
    summary="Make a pair by decision, with a reason",
    status_code=204,
)
async def pin(call: Call, round_id: FromPath[UUID], student: FromPath[UUID], data: JSONBody[PinIn]) -> None:
    await offers.pin(
        await call.session(), round_id, student=student, asked=data, now=call.now, today=_today(call), **_who(call)
    )


@delete(
    "/rounds/{round_id:uuid}/pins/{student:uuid}",
    permission=_MANAGE,
    operation_id="mentor_unpin",
    summary="Take back a pair by decision",
)
async def unpin(call: Call, round_id: FromPath[UUID], student: FromPath[UUID]) -> None:
    await offers.unpin(await call.session(), round_id, student=student, **_who(call))


def _engine(call: Call) -> dict[str, Any]:
    return {"now": call.now, "today": _today(call), "keys": call.platform.keys}


@post(
    "/rounds/{round_id:uuid}/runs",
    permission=_MANAGE,
    operation_id="mentor_run",
    summary="Run the match once, to look at; the first run closes the choosing for good",
)
async def try_out(call: Call, round_id: FromPath[UUID]) -> RunOut:
    return await runs.try_out(await call.session(), round_id, **_engine(call), **_who(call))


@get("/rounds/{round_id:uuid}/runs", permission=_MANAGE, operation_id="mentor_list_runs", summary="The runs so far")
async def list_runs(call: Call, round_id: FromPath[UUID]) -> list[RunOut]:
    await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    return await runs.list_runs(await call.db(), round_id=round_id)


@post(
    "/rounds/{round_id:uuid}/what-if",
    permission=_MANAGE,
    operation_id="mentor_what_if",
    summary="Try other places or reserves; nothing is written",
    status_code=200,
)
async def what_if(call: Call, round_id: FromPath[UUID], data: JSONBody[WhatIfIn]) -> WhatIfOut:
    return await runs.what_if(await call.session(), round_id, orgs=call.orgs, edits=data.edits, **_engine(call))


@post(
    "/rounds/{round_id:uuid}/publish",
    permission=_MANAGE,
    operation_id="mentor_publish",
    summary="Make a run the assignment, reveal the seed, open the appeals",
    status_code=200,
)
async def publish(call: Call, round_id: FromPath[UUID], data: JSONBody[PublishIn]) -> RoundOut:
    row = await publishing.publish(await call.session(), round_id, run=data.run, **_engine(call), **_who(call))
    return rounds.out(row, call.now)


@post(
    "/rounds/{round_id:uuid}/rematch",
    permission=_MANAGE,
    operation_id="mentor_rematch",
    summary="A mentor leaves in mid-year: whoever has one who stays keeps them",
    status_code=200,
)
async def rematch(call: Call, round_id: FromPath[UUID], data: JSONBody[RematchIn]) -> RunOut:
    return await rematching.rematch(await call.session(), round_id, asked=data, **_engine(call), **_who(call))


@get(
    "/assignments/mine",
    permission=_OWN,
    operation_id="mentor_read_my_mentor",
    summary="A student's own mentor, or one's children's, and why this one",
)
async def my_mentor(call: Call) -> list[AssignmentOut]:
    return await assignments.mine(await call.db(), call.principal, today=_today(call), language=call.language)


@get("/students", permission=_MENTOR, operation_id="mentor_list_my_students", summary="A mentor's students now")
async def my_students(call: Call) -> list[AssignmentOut]:
    return await assignments.my_students(await call.db(), mentor=call.principal.person)


@get(
    "/schools/{school:uuid}",
    permission=_SCHOOL,
    operation_id="mentor_read_school",
    summary="Coverage, loads and reached ranks of a school",
)
async def read_school(call: Call, school: FromPath[UUID]) -> SchoolView:
    return await assignments.school_view(await call.db(), school=school, orgs=call.orgs, today=_today(call))


@get(
    "/schools/{school:uuid}/students",
    permission=_SCHOOL,
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
        today=_today(call),
        without=without_mentor,
        after=after,
        limit=limit + 1,
    )
    return Page(found[:limit], str(found[limit - 1].student) if len(found) > limit else None)


@get(
    "/rounds/{round_id:uuid}/classes/{class_id:uuid}/choices.xlsx",
    permission=_MANAGE,
    operation_id="mentor_print_choices",
    summary="The paper form of a class as a workbook",
)
async def print_choices(call: Call, round_id: FromPath[UUID], class_id: FromPath[UUID]) -> Response[bytes]:
    row = await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    book = await paper.template(await call.db(), row, class_id=class_id, today=_today(call))
    return _workbook(book, "choices.xlsx")


def _workbook(book: bytes, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(book, media_type=XLSX, headers=headers)


@get(
    "/schools/{school:uuid}/assignment.xlsx",
    permission=_SCHOOL,
    operation_id="mentor_print_assignment",
    summary="Class, pupil and mentor of a whole school as a workbook",
)
async def print_assignment(call: Call, school: FromPath[UUID]) -> Response[bytes]:
    rows = await assignments.class_lists(await call.db(), school=school, orgs=call.orgs, today=_today(call))
    return _workbook(paper.assignment_sheet(rows), "assignment.xlsx")


@post(
    "/rounds/{round_id:uuid}/choices.xlsx",
    permission=_MANAGE,
    operation_id="mentor_take_choices",
    summary="Take in a filled workbook: all of its rows, or every wrong cell by its address",
    status_code=200,
)
async def take_choices(call: Call, round_id: FromPath[UUID], request: Request[Any, Any, Any]) -> dict[str, int]:
    session = await call.session()
    row = await rounds.managed(session, round_id, orgs=call.orgs)
    lists = await paper.read_sheet(session, row, content=await request.body(), today=_today(call))
    taken = await preferences.file_paper(
        session, round_id=round_id, lists=lists, by=call.principal.person, now=call.now
    )
    return {"taken": taken}


ROUTES = [
    list_rounds,
    create_round,
    read_round,
    change_round,
    remove_round,
    announce_round,
    read_lottery,
    list_offers,
    set_offers,
    withdraw_offer,
    fill_profile,
    decide_fewer,
    read_preferences,
    file_preferences,
    read_favours,
    file_favours,
    list_pins,
    pin,
    unpin,
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
]
