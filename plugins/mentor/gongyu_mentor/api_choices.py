"""Mentors' offers, students' lists, stars and pins over HTTP: thin handlers."""

from uuid import UUID

from litestar import delete, get, post, put
from litestar.params import FromPath, JSONBody

from gongyu.web import Call, Cursor, Limit, Page
from gongyu_mentor import favours, offers, preferences, rounds
from gongyu_mentor.asking import FILE, MANAGE, MEMBERS, MENTOR, round_of, today, who
from gongyu_mentor.schemas import (
    Choices,
    ChoicesOut,
    FavoursIn,
    FavoursOut,
    FewerDecision,
    OfferIn,
    OfferOut,
    PinIn,
    PinOut,
    Profile,
)

__all__ = ["CHOICE_ROUTES"]


@get(
    "/rounds/{round_id:uuid}/offers",
    permission=MEMBERS,
    operation_id="mentor_list_offers",
    summary="The mentors to choose from: profile, places, demand so far",
)
async def list_offers(call: Call, round_id: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[OfferOut]:
    await round_of(call, round_id)
    return await offers.OFFERS.page(call, limit=limit, cursor=cursor, round=round_id)


@put(
    "/rounds/{round_id:uuid}/offers",
    permission=MANAGE,
    operation_id="mentor_set_offers",
    summary="Invite mentors or change their places",
    status_code=204,
)
async def set_offers(call: Call, round_id: FromPath[UUID], data: JSONBody[list[OfferIn]]) -> None:
    await offers.set_offers(await call.session(), round_id, offers=data, today=today(call), **who(call))


@delete(
    "/rounds/{round_id:uuid}/offers/{mentor:uuid}",
    permission=MANAGE,
    operation_id="mentor_withdraw_offer",
    summary="Take a mentor out of a draft",
)
async def withdraw_offer(call: Call, round_id: FromPath[UUID], mentor: FromPath[UUID]) -> None:
    await offers.withdraw(await call.session(), round_id, mentor=mentor, **who(call))


@put(
    "/rounds/{round_id:uuid}/offers/mine",
    permission=MENTOR,
    operation_id="mentor_fill_profile",
    summary="A mentor's own page, and the wish for fewer students",
    status_code=204,
)
async def fill_profile(call: Call, round_id: FromPath[UUID], data: JSONBody[Profile]) -> None:
    await offers.show_profile(await call.session(), round_id=round_id, mentor=call.principal.person, profile=data)


@post(
    "/rounds/{round_id:uuid}/offers/{mentor:uuid}/fewer",
    permission=MANAGE,
    operation_id="mentor_decide_fewer",
    summary="Grant or refuse a mentor's wish for fewer students",
    status_code=204,
)
async def decide_fewer(
    call: Call, round_id: FromPath[UUID], mentor: FromPath[UUID], data: JSONBody[FewerDecision]
) -> None:
    await offers.decide_fewer(await call.session(), round_id, mentor=mentor, granted=data.granted, **who(call))


@get(
    "/rounds/{round_id:uuid}/preferences/mine",
    permission=FILE,
    operation_id="mentor_read_my_preferences",
    summary="A student's own list",
)
async def read_preferences(call: Call, round_id: FromPath[UUID]) -> ChoicesOut:
    await round_of(call, round_id)
    return await preferences.read_own(await call.db(), round_id=round_id, student=call.principal.person)


@put(
    "/rounds/{round_id:uuid}/preferences/mine",
    permission=FILE,
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
        today=today(call),
    )


@get(
    "/rounds/{round_id:uuid}/favours/mine",
    permission=MENTOR,
    operation_id="mentor_read_my_applicants",
    summary="Who lists this mentor, and how many may be starred",
)
async def read_favours(call: Call, round_id: FromPath[UUID]) -> FavoursOut:
    return await favours.read_favours(await call.db(), round_id=round_id, mentor=call.principal.person)


@put(
    "/rounds/{round_id:uuid}/favours/mine",
    permission=MENTOR,
    operation_id="mentor_star_applicants",
    summary="Star a few applicants, and say whom to go on with",
)
async def file_favours(call: Call, round_id: FromPath[UUID], data: JSONBody[FavoursIn]) -> FavoursOut:
    return await favours.file_favours(
        await call.session(), round_id=round_id, mentor=call.principal.person, asked=data, now=call.now
    )


@get("/rounds/{round_id:uuid}/pins", permission=MANAGE, operation_id="mentor_list_pins", summary="Pairs by decision")
async def list_pins(call: Call, round_id: FromPath[UUID]) -> list[PinOut]:
    await rounds.managed(await call.db(), round_id, orgs=call.orgs)
    return await offers.list_pins(await call.db(), round_id=round_id)


@put(
    "/rounds/{round_id:uuid}/pins/{student:uuid}",
    permission=MANAGE,
    operation_id="mentor_pin",
    summary="Make a pair by decision, with a reason",
    status_code=204,
)
async def pin(call: Call, round_id: FromPath[UUID], student: FromPath[UUID], data: JSONBody[PinIn]) -> None:
    await offers.pin(
        await call.session(), round_id, student=student, asked=data, now=call.now, today=today(call), **who(call)
    )


@delete(
    "/rounds/{round_id:uuid}/pins/{student:uuid}",
    permission=MANAGE,
    operation_id="mentor_unpin",
    summary="Take back a pair by decision",
)
async def unpin(call: Call, round_id: FromPath[UUID], student: FromPath[UUID]) -> None:
    await offers.unpin(await call.session(), round_id, student=student, **who(call))


CHOICE_ROUTES = [
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
]
