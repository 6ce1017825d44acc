"""Answers without an end."""

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ending"]


def ending(app: ASGIApp) -> ASGIApp:
    """The application with somebody in front of it who leaves as soon as an answer without an end begins."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        endless, over = False, False

        async def sent(message: Message) -> None:
            nonlocal endless, over
            if message["type"] == "http.response.start":
                endless = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            over = message["type"] == "http.response.body" and not message["more_body"]
            await send(message)

        async def received() -> Any:  # noqa: ANN401 - any message
            return {"type": "http.disconnect"} if endless else await receive()

        await app(scope, received, sent)
        if not over:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return asgi
