"""The principal's mailbox over HTTP: thin handlers."""

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.plugin import Public, SignedIn
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu.web.origin import address_of
from gongyu_mentor import asking
from gongyu_mentor.letters import board, harm, receipts, sending, threads
from gongyu_mentor.letters.offices import desk_of
from gongyu_mentor.letters.schemas import (
    AnonymousLetter,
    AnonymousSent,
    ChangeIn,
    ChangeOut,
    Checked,
    FollowUp,
    LetterLine,
    LetterOut,
    NewLetter,
    Receipt,
    ReceiptMessage,
    Reply,
    Sent,
    Words,
)

__all__ = ["ROUTES"]

ANSWER = "mentor.letter.answer"
POST_CHANGE = "mentor.change.post"
WRITE = SignedIn("everybody of a school may write to its principal; asked of the school's own lists")
MINE = SignedIn("one's own letters; filtered in the query")
BOARD = SignedIn("the board is for everybody of the school; filtered in the query")
RECEIPT = Public("whoever has the receipt of an anonymous letter is its writer, and must not have to say who they are")


@post(
    "/letters/check",
    permission=WRITE,
    keyless=True,
    operation_id="mentor_check_letter",
    summary="Before sending: whether the words speak of harm, and what must be read then; nothing is kept",
    status_code=200,
)
async def check_letter(call: Call, data: JSONBody[Words]) -> Checked:
    found = harm.asks_for_help(data.words, listed=call.settings.harm_words)
    text = harm.PROTOCOL.pick(call.language) if found else ""
    return Checked(harm=found, protocol=text, help_lines=list(call.settings.help_lines))


@post("/letters", permission=WRITE, operation_id="mentor_send_letter", summary="Send a letter under one's name")
async def send_letter(call: Call, data: JSONBody[NewLetter]) -> Sent:
    return await sending.send(await call.context(), letter=data, person=call.principal.person)


@post(
    "/letters/anonymous",
    permission=WRITE,
    keyless=True,
    operation_id="mentor_send_anonymous_letter",
    summary="Send a letter that nothing leads back from; the receipt is shown this once",
)
async def send_anonymous_letter(call: Call, data: JSONBody[AnonymousLetter]) -> AnonymousSent:
    return await sending.send_anonymously(await call.context(), letter=data, person=call.principal.person)


@post(
    "/letters/receipt",
    permission=RECEIPT,
    keyless=True,
    operation_id="mentor_open_by_receipt",
    summary="Read an anonymous letter and its answers by receipt",
    status_code=200,
)
async def open_by_receipt(call: Call, request: Request[Any, Any, Any], data: JSONBody[Receipt]) -> LetterOut:
    letter = await _of_receipt(call, request, data.receipt)
    return await threads.open_by_receipt(await call.context(), letter, receipt=data.receipt)


@post(
    "/letters/receipt/messages",
    permission=RECEIPT,
    keyless=True,
    operation_id="mentor_write_by_receipt",
    summary="Write on, by receipt",
)
async def write_by_receipt(call: Call, request: Request[Any, Any, Any], data: JSONBody[ReceiptMessage]) -> LetterOut:
    letter = await _of_receipt(call, request, data.receipt)
    return await threads.follow_up_by_receipt(await call.context(), letter, said=data)


async def _of_receipt(call: Call, request: Request[Any, Any, Any], receipt: str) -> UUID:
    address = address_of(request, call.platform.config.trusted_proxies)
    return await receipts.find(
        call.platform, call.district, receipt=receipt, address=address, seals=call.seals, now=call.now
    )


@get("/letters/mine", permission=MINE, operation_id="mentor_list_my_letters", summary="One's own named letters")
async def list_my_letters(call: Call) -> list[LetterLine]:
    return await threads.mine(await call.context(), person=call.principal.person)


@get(
    "/letters/mine/{letter:uuid}",
    permission=MINE,
    operation_id="mentor_open_my_letter",
    summary="One's own letter and its answers",
)
async def open_my_letter(call: Call, letter: FromPath[UUID]) -> LetterOut:
    found = await threads.open_mine(await call.context(), letter, person=call.principal.person)
    call.opened_record(f"letter:{letter}", ground="one's own", action="mentor.letter.read")
    return found


@post(
    "/letters/mine/{letter:uuid}/messages",
    permission=MINE,
    operation_id="mentor_write_on",
    summary="Write on in one's own letter",
)
async def write_on(call: Call, letter: FromPath[UUID], data: JSONBody[FollowUp]) -> LetterOut:
    return await threads.follow_up(await call.context(), letter, person=call.principal.person, said=data)


@get(
    "/letters",
    permission=ANSWER,
    operation_id="mentor_list_letters",
    summary="The letters on one's desk, without words",
)
async def list_letters(
    call: Call, limit: Limit = 50, cursor: Cursor = None, *, waiting: FromQuery[bool] = False
) -> Page[LetterLine]:
    found = await threads.letters_of(
        await call.context(), desk=desk_of(call.principal), after=_after(cursor), limit=limit + 1, waiting=waiting
    )
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], f"{last.due_on}.{last.id}" if last else None)


def _after(cursor: str | None) -> tuple[date, UUID] | None:
    if cursor is None:
        return None
    day, _, id_ = cursor.partition(".")
    try:
        return date.fromisoformat(day), UUID(id_)
    except ValueError:
        raise ProblemError("bad-cursor") from None


@get(
    "/letters/{letter:uuid}",
    permission=ANSWER,
    operation_id="mentor_open_letter",
    summary="Open a letter on one's desk; its writer learns that it was read",
)
async def open_letter(call: Call, letter: FromPath[UUID]) -> LetterOut:
    found = await threads.open_at_desk(await call.context(), letter, desk=desk_of(call.principal))
    call.opened_record(f"letter:{letter}")
    return found


@post(
    "/letters/{letter:uuid}/messages", permission=ANSWER, operation_id="mentor_answer_letter", summary="Answer a letter"
)
async def answer_letter(call: Call, letter: FromPath[UUID], data: JSONBody[Reply]) -> LetterOut:
    by = call.principal.person
    found = await threads.reply(await call.context(), letter, desk=desk_of(call.principal), by=by, said=data)
    call.opened_record(f"letter:{letter}")
    return found


@post(
    "/letters/{letter:uuid}/close",
    permission=ANSWER,
    operation_id="mentor_close_letter",
    summary="Close an answered letter",
    status_code=204,
)
async def close_letter(call: Call, letter: FromPath[UUID]) -> None:
    await threads.close(await call.context(), letter, desk=desk_of(call.principal))
    call.opened_record(f"letter:{letter}", closed=True)


@get("/letters/changes", permission=BOARD, operation_id="mentor_list_changes", summary="What changed after letters")
async def list_changes(call: Call, limit: Limit = 20, before: FromQuery[UUID | None] = None) -> Page[ChangeOut]:
    schools = await asking.visible(call)
    found = await board.changes(await call.context(), schools=schools, before=before, limit=limit + 1)
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


@post("/letters/changes", permission=POST_CHANGE, operation_id="mentor_post_change", summary="Say what changed")
async def post_change(call: Call, data: JSONBody[ChangeIn]) -> ChangeOut:
    return await board.post_change(await call.context(), change=data, desk=desk_of(call.principal))


@delete(
    "/letters/changes/{change:uuid}",
    permission=POST_CHANGE,
    operation_id="mentor_take_change_down",
    summary="Take an entry of the board down",
)
async def take_change_down(call: Call, change: FromPath[UUID]) -> None:
    await board.take_down(await call.context(), change, desk=desk_of(call.principal))


ROUTES = [
    check_letter,
    send_letter,
    send_anonymous_letter,
    open_by_receipt,
    write_by_receipt,
    list_my_letters,
    open_my_letter,
    write_on,
    list_letters,
    open_letter,
    answer_letter,
    close_letter,
    list_changes,
    post_change,
    take_change_down,
]
