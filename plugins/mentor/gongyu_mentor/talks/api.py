"""Talks, promises and the board over HTTP: thin handlers."""

import asyncio
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.access.rights import in_scope
from gongyu.plugin import SignedIn
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu_mentor.asking import OWN, SCHOOL, today, workbook
from gongyu_mentor.people import require_school
from gongyu_mentor.talks import board as boards
from gongyu_mentor.talks import mentees, promises, reading, talks
from gongyu_mentor.talks.cadence import read_rules, set_rules
from gongyu_mentor.talks.levels import LEVELS
from gongyu_mentor.talks.schemas import (
    Amendment,
    Board,
    LevelOut,
    Mentee,
    NewTalk,
    PromiseEndIn,
    Rules,
    RulesIn,
    Sent,
    TalkOut,
    VersionOut,
)

__all__ = ["ROUTES"]

READ, WRITE, CADENCE = "mentor.talk.read", "mentor.talk.write", "mentor.cadence.manage"
WORDS: Final = SignedIn("they are words for everybody and about nobody")


def _me(call: Call) -> dict[str, Any]:
    return {"me": call.principal.person, "today": today(call)}


def _in_scope(call: Call) -> None:
    """A token made for something else opens no talk, not even one's own."""
    if not in_scope(call.principal.scopes, READ):
        raise ProblemError("forbidden")


@get("/talks/levels", permission=WORDS, operation_id="mentor_list_levels", summary="Who can read what is written")
async def list_levels(call: Call) -> list[LevelOut]:  # noqa: ARG001 - every handler has one
    return list(LEVELS.values())


@post("/talks", permission=WRITE, operation_id="mentor_log_talk", summary="Write a talk down, in one call")
async def log_talk(call: Call, data: JSONBody[NewTalk]) -> Sent:
    """The id is the sender's own and never expires: a draft that is sent again is the same talk."""
    return await talks.log_talk(await call.context(), new=data, by=call.principal.person)


@get(
    "/talks",
    permission=READ,
    operation_id="mentor_list_talks",
    summary="Talks with the children one looks after, or with one of them",
)
async def list_talks(
    call: Call, student: FromQuery[UUID | None] = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[TalkOut]:
    found = await reading.STAFF_TALKS.page(call, limit=limit, cursor=cursor, student=student, **_me(call))
    return _opened(call, found)


@get(
    "/talks/mine",
    permission=OWN,
    operation_id="mentor_list_own_talks",
    summary="A pupil's own talks, or those with one's children that are for guardians",
)
async def own_talks(
    call: Call, student: FromQuery[UUID | None] = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[TalkOut]:
    _in_scope(call)
    found = await reading.FAMILY_TALKS.page(call, limit=limit, cursor=cursor, student=student, **_me(call))
    return _opened(call, found)


def _opened(call: Call, found: Page[Any]) -> Page[TalkOut]:
    for row in found.items:
        call.opened_record(f"person:{row['student_id']}", ground=row["ground"], action=READ, talk=str(row["talk_id"]))
    return Page([reading.talk_out(row, call.seals) for row in found.items], found.next)


@get(
    "/talks/{talk:uuid}/versions",
    permission=READ,
    operation_id="mentor_list_talk_versions",
    summary="All that was written of a talk, the newest last",
)
async def talk_versions(call: Call, talk: FromPath[UUID]) -> list[VersionOut]:
    return await reading.versions(call, talk, family=False, values=_me(call))


@get(
    "/talks/mine/{talk:uuid}/versions",
    permission=OWN,
    operation_id="mentor_list_own_talk_versions",
    summary="All that was written of one's own talk, or one's child's, as far as it is for one's eyes",
)
async def own_talk_versions(call: Call, talk: FromPath[UUID]) -> list[VersionOut]:
    _in_scope(call)
    return await reading.versions(call, talk, family=True, values=_me(call))


@post(
    "/talks/{talk:uuid}/versions",
    permission=WRITE,
    operation_id="mentor_amend_talk",
    summary="Amend a talk, or withdraw it, by a version that names the one it replaces",
)
async def amend_talk(call: Call, talk: FromPath[UUID], data: JSONBody[Amendment]) -> dict[str, UUID]:
    version = await talks.amend(await call.context(), talk=talk, change=data, by=call.principal.person)
    return {"talk": talk, "version": version}


@post(
    "/promises/{promise:uuid}/end",
    permission=WRITE,
    operation_id="mentor_end_promise",
    summary="Say that a promise was kept or dropped",
    status_code=204,
)
async def end_promise(call: Call, promise: FromPath[UUID], data: JSONBody[PromiseEndIn]) -> None:
    await promises.end_promise(await call.context(), promise, asked=data, by=call.principal.person, values=_me(call))


@get(
    "/mine/students",
    permission=READ,
    operation_id="mentor_list_mentees",
    summary="A mentor's students before the next talk: the last one, promises, what is owed",
)
async def my_mentees(call: Call) -> list[Mentee]:
    found = await mentees.my_mentees(
        await call.db(), mentor=call.principal.person, district=call.district, today=today(call), seals=call.seals
    )
    for one in found:
        if one.promises:
            call.opened_record(f"person:{one.student}", ground="mentor", promises=len(one.promises))
    return found


@get(
    "/schools/{school:uuid}/board",
    permission=SCHOOL,
    operation_id="mentor_read_board",
    summary="How many children each rule has reached, and those it has not, with due dates",
)
async def read_board(
    call: Call,
    school: FromPath[UUID],
    rule: FromQuery[str | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> Board:
    source = await call.db()
    await require_school(source, school, orgs=call.orgs)
    return await boards.board(
        source, district=call.district, school=school, today=today(call), rule=rule, after=after, limit=limit
    )


@get(
    "/schools/{school:uuid}/board.xlsx",
    permission=SCHOOL,
    operation_id="mentor_print_board",
    summary="The whole board as a workbook",
)
async def print_board(call: Call, school: FromPath[UUID]) -> Response[bytes]:
    source = await call.db()
    await require_school(source, school, orgs=call.orgs)
    found = await boards.board(source, district=call.district, school=school, today=today(call))
    return workbook(await asyncio.to_thread(boards.board_sheet, found), "board.xlsx")  # seconds, for a large school


@get(
    "/schools/{school:uuid}/rules",
    permission=SCHOOL,
    operation_id="mentor_read_rules",
    summary="What is owed to each child of a school",
)
async def get_rules(call: Call, school: FromPath[UUID]) -> Rules:
    source = await call.db()
    await require_school(source, school, orgs=call.orgs)
    return await read_rules(source, school)


@put(
    "/schools/{school:uuid}/rules",
    permission=CADENCE,
    operation_id="mentor_set_rules",
    summary="Decide what is owed to each child; the district's own org sets the district's rules",
)
async def put_rules(call: Call, school: FromPath[UUID], data: JSONBody[RulesIn]) -> Rules:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    return await set_rules(context, org=school, asked=data, by=call.principal.person)


ROUTES = [
    list_levels,
    log_talk,
    list_talks,
    own_talks,
    talk_versions,
    own_talk_versions,
    amend_talk,
    end_promise,
    my_mentees,
    read_board,
    print_board,
    get_rules,
    put_rules,
]
