"""How the application is served: HTTP/1.1 by uvicorn, in worker processes that are started again when they die.

One thread does everything, so requests that arrive together run together: with a server that reads in a thread of its
own, each request changed hands three times under Python's lock, which was a fifth of the throughput here and, with two
workers, most of the 99th percentile.
"""

import asyncio
import socket
from typing import Any, Final

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

__all__ = ["Http", "listen", "serve_on", "settings"]

#: Bytes of a request's head: line and headers.
MOST_HEAD: Final = 64 * 1024
#: Seconds a head may take to arrive.
HEAD_SECONDS: Final = 30


class Http(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with an end to a request's head: it would take headers for as long as they come.

    A connection is closed that has not brought a whole head in time, or brings one without an end.
    """

    head_seconds = HEAD_SECONDS
    _head = 0
    _whole = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrowing
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._whole:
            self._head = 0
        elif self._head > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        elif self._patience is None:
            self._await_head()

    def on_message_begin(self) -> None:
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._whole = True
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._patience = self.loop.call_later(self.head_seconds, self.transport.close)


def settings(app: Any, **more: Any) -> Config:  # noqa: ANN401 - whatever uvicorn takes
    """What uvicorn is told.

    Args:
        app: The application, or where it is found by each worker.
        more: Of uvicorn's own settings.
    """
    return Config(
        app,
        http=Http,
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,  # `observe` writes a line that names nobody
        log_config=None,
        server_header=False,
        proxy_headers=False,
        **more,
    )


def listen(host: str, port: int) -> socket.socket:
    """The socket that all workers accept from.

    Raises:
        OSError: The address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    # What is accepted inherits it. Head and body of an answer are written apart, and not every loop sees to it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class Supervisor(Multiprocess):
    """uvicorn's, which sees at once that a worker has died while it was being asked whether it lives."""

    def keep_subprocess_alive(self) -> None:
        # Our copy of a worker's end of the pipe would keep it open when the worker is gone, and us waiting for an
        # answer for as long as a worker may take; meanwhile nobody was started in its place.
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()


def serve_on(listening: socket.socket, *, workers: int) -> None:
    """Serve with so many workers until told to stop, and let running requests end first."""
    found = settings(
        "gongyu.web.app:from_environment",
        factory=True,
        workers=workers,
        log_level="info",
        timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=30,  # a long PDF is no reason to end a worker and all its requests
    )
    listening.set_inheritable(True)
    Supervisor(found, sockets=[listening]).run()
