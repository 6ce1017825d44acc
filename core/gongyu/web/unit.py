"""The unit of work around a request: what a handler did is committed before its answer leaves, or not at all.

The answer is held back until the commit, so nothing is acknowledged that could still be lost (promise 1); an answer
of 400 and above rolls back. A request that opened no session is passed through untouched, unless it used a sensitive
permission or opened a sensitive record: then the audit log knows before its answer begins, and a long answer still
goes out piece by piece.
"""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from gongyu.access import audit
from gongyu.events import idempotency
from gongyu.events.outbox import announce
from gongyu.web.call import Call
from gongyu.web.scope import CALL, extras

__all__ = ["unit_of_work"]

_KEPT_HEADERS = frozenset({b"content-type", b"location", b"etag", b"cache-control"})


def unit_of_work(app: ASGIApp) -> ASGIApp:
    """A Litestar middleware."""

    async def worked(scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []
        begun = False

        async def hold(message: Message) -> None:
            nonlocal begun
            call: Call | None = extras(scope).get(CALL)
            if call is not None and call.opened is not None and not begun:
                held.append(message)
                return
            if not begun and call is not None and extras(message).get("status", 500) < 400 and (lines := _opened(call)):  # noqa: PLR2004 - as below
                with _not_begun(scope):
                    await _record_alone(call, lines)
            begun = True
            await send(message)

        call: Call | None = None
        try:
            await app(scope, receive, hold)
            call = extras(scope).get(CALL)
            if call is not None and held:
                with _not_begun(scope):
                    await _settle(call, held)
        finally:
            if (call := extras(scope).get(CALL)) is not None:
                await _release(call)
        for message in held:
            await send(message)
        if call is not None and call.opened is not None:
            await announce(call.platform, call.opened)

    return worked


@contextmanager
def _not_begun(scope: Scope) -> Generator[None]:
    """What fails here gets its problem detail like any other failure: Litestar takes an answer handed to us for one
    that has gone out.
    """
    try:
        yield
    except Exception:
        ScopeState.from_scope(scope).response_started = False
        raise


async def _settle(call: Call, held: list[Message]) -> None:
    session = call.opened
    status = held[0]["status"] if held[0]["type"] == "http.response.start" else 500
    if status >= 400:  # noqa: PLR2004 - HTTP's own line between success and failure
        if session is not None:
            await session.rollback()
        return
    if session is None or call.replayed:
        if session is not None:
            await session.rollback()
        await _record_alone(call, _opened(call))
        return
    if call.idempotency_key is not None:
        start = extras(held[0])
        headers = {k.decode(): v.decode() for k, v in start.get("headers", ()) if k.lower() in _KEPT_HEADERS}
        body = b"".join(extras(message).get("body", b"") for message in held[1:])
        answer = idempotency.Answer(status, headers, body)
        keys = call.platform.keys
        await idempotency.keep(session, keys=keys, actor=call.actor, key=call.idempotency_key, answer=answer)
    if lines := _opened(call):
        await audit.record_all(session, lines)
    await session.commit()
    for follow in call.after_commit:  # before the answer leaves: "disabled" must be true when it is said
        await follow()


async def _record_alone(call: Call, lines: list[audit.Line]) -> None:
    if lines:
        async with call.platform.database.work(call.district) as session:
            await audit.record_all(session, lines)


def _opened(call: Call) -> list[audit.Line]:
    """What the audit log is told of this request: every use of a sensitive permission, whether or not the handler says
    whose record it opened; but nothing twice.
    """
    lines = call.openings
    if not lines and call.sensitive:
        ground = call.verdict.ground.en if call.verdict else ""
        lines = [audit.Line(action=call.sensitive, actor=call.actor, subject=call.path, ground=ground)]
    if call.approval is None:
        return lines
    by = {"approval": call.approval}
    return [msgspec.structs.replace(line, details={**(line.details or {}), **by}) for line in lines]


async def _release(call: Call) -> None:
    if call.opened is not None:
        await call.opened.close()
    if call.reading is not None:
        await call.reading.close()
