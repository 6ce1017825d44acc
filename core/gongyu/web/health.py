"""For machines that watch: is the process alive, can it serve, how much does it do."""

import asyncio
import os
from collections.abc import Sequence

import sqlalchemy as sa
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client import REGISTRY as THIS_PROCESS
from prometheus_client.multiprocess import MultiProcessCollector

from gongyu.platform import Platform
from gongyu.plugin import Public
from gongyu.web.problems import CATALOGUE, ProblemError, ProblemKind

__all__ = ["health_routes"]


def health_routes(platform: Platform) -> Sequence[HTTPRouteHandler]:
    @get(
        "/healthz",
        permission=Public("a load balancer has no account"),
        operation_id="healthz",
        summary="Is the process alive?",
        tags=["operation"],
        media_type="text/plain",
        sync_to_thread=False,
    )
    def healthz() -> str:
        return "ok"

    @get(
        "/readyz",
        permission=Public("a load balancer has no account"),
        operation_id="readyz",
        summary="Can it serve? 503 while the database is away",
        tags=["operation"],
        media_type="text/plain",
    )
    async def readyz() -> str:
        try:
            async with asyncio.timeout(2), platform.database.registry() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            raise ProblemError("unavailable", headers={"retry-after": "1"}) from error
        return "ready"

    @get(
        "/metrics",
        permission=Public("figures without persons; the server binds to loopback unless told otherwise"),
        operation_id="metrics",
        summary="Prometheus metrics of all worker processes",
        tags=["operation"],
        media_type="text/plain",
        sync_to_thread=True,
    )
    def metrics() -> Response[bytes]:
        registry = THIS_PROCESS
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @get(
        "/problems",
        permission=Public("the list of error types is documentation"),
        operation_id="list_problems",
        summary="Every type of error this API answers with",
        tags=["operation"],
        sync_to_thread=False,
    )
    def list_problems() -> dict[str, ProblemKind]:
        return dict(CATALOGUE)

    return [healthz, readyz, metrics, list_problems]
