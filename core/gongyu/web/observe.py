"""What an operator sees of a request: one structured line and three metrics; never a person, a body or a query.

The path in both is the route's pattern (`/api/v1/{district}/points/awards`), so that no id of a child gets into a log.
"""

import time
from typing import Final

import structlog
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Gauge, Histogram
from uuid_utils import uuid7

__all__ = ["REQUEST_ID", "Observe"]

#: Where the request's id is kept in its ASGI scope; it is also sent back as `X-Request-Id`.
REQUEST_ID: Final = "gongyu.request_id"

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


class Observe(ASGIMiddleware):
    """Gives the request its id, measures it, writes its line."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request_id = str(uuid7())
        scope[REQUEST_ID] = request_id  # type: ignore[literal-required]  # an extension key of ours
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
            await next_app(scope, receive, noted)
        finally:
            _RUNNING.dec()
            seconds = time.perf_counter() - started
            handler = scope.get("route_handler")
            plugin = handler.opt.get("plugin", "core") if handler else "core"
            method = scope.get("method", "")
            _REQUESTS.labels(plugin, method, str(status)).inc()
            _SECONDS.labels(plugin).observe(seconds)
            level = log.error if status >= 500 else log.info  # noqa: PLR2004 - HTTP's own line: our fault or not
            level("request", **_facts(scope, plugin, status, seconds, request_id))


def _facts(scope: Scope, plugin: str, status: int, seconds: float, request_id: str) -> dict[str, object]:
    return {
        "request_id": request_id,
        "district": scope.get("path_params", {}).get("district", ""),
        "plugin": plugin,
        "method": scope.get("method", ""),
        "route": scope.get("path_template", ""),
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
