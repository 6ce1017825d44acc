"""OpenAPI 3.1: one document for the whole, one for each district with only its plugins.

Litestar makes the paths and schemas; what it leaves out or gets wrong (reference: standards.md 3.5) is put right here,
in one place, on the finished document: problem details for every error, security, examples.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from gongyu import __version__
from gongyu.plugin import Public

__all__ = ["attach", "openapi_routes"]


def attach(app: Litestar) -> None:
    """Let Litestar describe its routes without serving pages of its own (from another host's scripts)."""
    described = OpenAPIConfig(title="Gongyu 共育", version=__version__, use_handler_docstrings=True)
    app.plugins.get(OpenAPIPlugin)._openapi_config = described  # noqa: SLF001 - given to the constructor it adds routes


@get(
    "/openapi.json",
    permission=Public("the documentation of the API"),
    operation_id="openapi_document",
    summary="This API in OpenAPI 3.1",
    include_in_schema=False,
    sync_to_thread=False,
)
def openapi_document(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    return Response(request.app.openapi_schema.to_schema())


def openapi_routes() -> Sequence[HTTPRouteHandler]:
    return [openapi_document]
