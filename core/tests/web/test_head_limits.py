"""A request's head has an end, in bytes and in time; what comes after it is the application's business."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar import Litestar, Request, post
from uvicorn import Server

from gongyu.web.server import MOST_HEAD, Http, listen, settings

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@post("/")
async def count(request: Request[object, object, Any]) -> int:
    return len(await request.body())


@asynccontextmanager
async def connected() -> AsyncGenerator[Ends]:
    listening = listen("127.0.0.1", 0)
    server = Server(settings(Litestar([count])))
    serving = asyncio.create_task(server.serve([listening]))
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


def head(length: int) -> bytes:
    return f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    said = await reader.readuntil(b"\r\n\r\n")
    length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return said.split(b"\r\n")[0], await reader.readexactly(length)


@pytest.mark.parametrize("without_end", [b"X-Long: ", b"X: y\r\n"], ids=["one header", "many headers"])
async def test_head_without_end_is_refused(without_end: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + without_end)
        for _ in range(MOST_HEAD // 4096 + 1):
            writer.write(b"X: y\r\n" * 700 if without_end.endswith(b"\n") else b"y" * 4096)
            await writer.drain()
            await asyncio.sleep(0.001)
        assert (await answer(reader))[0] == b"HTTP/1.1 400 Bad Request"
        assert await reader.read() == b""


async def test_body_is_no_part_of_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer and slower than a head may be, on one connection, twice."""
    monkeypatch.setattr(Http, "head_seconds", 0.2)
    async with connected() as (reader, writer):
        for _ in range(2):
            writer.write(head(3 * MOST_HEAD) + b"y" * MOST_HEAD)
            await asyncio.sleep(0.3)
            writer.write(b"y" * 2 * MOST_HEAD)
            assert await answer(reader) == (b"HTTP/1.1 201 Created", str(3 * MOST_HEAD).encode())
        await asyncio.sleep(0.3)
        writer.write(head(1)[:30])  # the next head counts from its own beginning
        await asyncio.sleep(0.02)
        writer.write(head(1)[30:] + b"y")
        assert await answer(reader) == (b"HTTP/1.1 201 Created", b"1")


@pytest.mark.parametrize(
    ("before", "begun"),
    [(b"", b""), (b"", b"POST / HTTP/1.1\r\nHost: "), (head(1) + b"y", b"POST / HTTP/1.1\r\nHost: ")],
    ids=["nothing", "a part", "a part of the second"],
)
async def test_head_that_does_not_come_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, before: bytes, begun: bytes
) -> None:
    monkeypatch.setattr(Http, "head_seconds", 0.2)
    async with connected() as (reader, writer):
        if before:
            writer.write(before)
            assert await answer(reader) == (b"HTTP/1.1 201 Created", b"1")
        writer.write(begun)
        async with asyncio.timeout(2):
            assert await reader.read() == b""
