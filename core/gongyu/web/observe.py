"""What an operator sees of a request: one structured line and three metrics; never a person, a body or a query.

The path in both is the route's pattern (`/api/v1/{district}/points/awards`), so that no id of a child gets into a log.
"""

import time
from functools import cache, lru_cache
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Gauge, Histogram
from uuid_utils import uuid7

from gongyu.web.scope import REQUEST_ID, extras

__all__ = ["Observe"]

log = structlog.get_logger("gongyu.http")
# Metrics are process-wide by nature: prometheus_client keeps one registry for each process.
_REQUESTS: Final = Counter("gongyu_requests", "Requests answered", ["plugin", "method", "status"])
_SECONDS: Final = Histogram(
    "gongyu_request_seconds",
    "Time to answer",
    ["plugin"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_RUNNING: Final = Gauge("gongyu_requests_running", "Requests in progress", multiprocess_mode="livesum")


class Observe:
    """The outermost layer: gives each request its id, measures it, writes its line, also where no route was found."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        request_id = str(uuid7())
        extras(scope)[REQUEST_ID] = request_id
        started = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        _RUNNING.inc()
        try:
            await self.app(scope, receive, noted)
        finally:
            _RUNNING.dec()
            seconds = time.perf_counter() - started
            handler = extras(scope).get("route_handler")  # absent where no route was found
            plugin = "core" if handler is None else handler.opt.get("plugin", "core")
            method = scope.get("method", "")
            _answered(plugin, method, status).inc()
            _took(plugin).observe(seconds)
            level = log.error if status >= 500 else log.info  # noqa: PLR2004 - HTTP's own line: our fault or not
            level("request", **_facts(scope, plugin, status, seconds, request_id))


@lru_cache(1024)  # methods are the caller's words
def _answered(plugin: str, method: str, status: int) -> Counter:
    return _REQUESTS.labels(plugin, method, str(status))


@cache
def _took(plugin: str) -> Histogram:
    return _SECONDS.labels(plugin)


def _facts(scope: Scope, plugin: str, status: int, seconds: float, request_id: str) -> dict[str, object]:
    return {
        "request_id": request_id,
        "district": extras(scope).get("path_params", {}).get("district", ""),
        "plugin": plugin,
        "method": scope.get("method", ""),
        "route": extras(scope).get("path_template", ""),
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
