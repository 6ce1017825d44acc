"""The API's documentation over HTTP: OpenAPI 3.1 for programs, a page for people; the whole, and of each district."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from gongyu.host import Host
from gongyu.plugin import District, Public
from gongyu.text import Language, preferred_language
from gongyu.web import Call, reference
from gongyu.web.documents import Documents
from gongyu.web.problems import CATALOGUE, ProblemError

__all__ = ["attach", "openapi_routes"]

_WHY: Final = Public("the documentation of the API")
#: Nothing but our own style sheet and pictures; no script at all, not even one that slipped into a description.
_PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "vary": "accept-language",
    "cache-control": "no-cache",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class _Answers:
    """What was asked for lately, encoded. Few at a time, so that memory does not grow with the number of districts."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.json = lru_cache(maxsize=16)(self._json)
        self.page = lru_cache(maxsize=32)(self._page)

    def _document(self, district: District | None, enabled: tuple[str, ...]) -> dict[str, Any]:
        return self._documents.of_district(district, enabled) if district else self._documents.whole

    def _json(self, district: District | None, enabled: tuple[str, ...]) -> bytes:
        return msgspec.json.encode(self._document(district, enabled))

    def _page(self, district: District | None, enabled: tuple[str, ...], language: Language) -> bytes:
        return reference.render(self._document(district, enabled), district=district, language=language)


def attach(app: Litestar, host: Host) -> None:
    """Give the application its documentation, once all its routes are known."""
    app.state.documentation = _Answers(Documents(app, host))


def _answers(request: Request[Any, Any, Any]) -> _Answers:
    answers: _Answers = request.app.state.documentation
    return answers


def _page(request: Request[Any, Any, Any], call: Call | None, lang: str | None) -> Response[bytes]:
    accepted = preferred_language(request.headers.get("accept-language"))
    language: Language = "en" if lang == "en" else "zh" if lang == "zh" else accepted
    page = _answers(request).page(call and call.district, call.state.enabled if call else (), language)
    headers = {**_PAGE_HEADERS, "content-language": "en" if language == "en" else "zh-CN"}
    return Response(page, media_type="text/html", headers=headers)


@get("/openapi.json", permission=_WHY, include_in_schema=False, sync_to_thread=True)
def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(_answers(request).json(None, ()), media_type="application/json")


@get("/api/v1/{district:str}/openapi.json", permission=_WHY, include_in_schema=False, sync_to_thread=True)
def district_openapi_document(request: Request[Any, Any, Any], call: Call) -> Response[bytes]:
    return Response(_answers(request).json(call.district, call.state.enabled), media_type="application/json")


@get("/docs", permission=_WHY, include_in_schema=False, sync_to_thread=True)
def reference_page(request: Request[Any, Any, Any], lang: FromQuery[str | None] = None) -> Response[bytes]:
    return _page(request, None, lang)


@get("/api/v1/{district:str}/docs", permission=_WHY, include_in_schema=False, sync_to_thread=True)
def district_reference_page(
    request: Request[Any, Any, Any], call: Call, lang: FromQuery[str | None] = None
) -> Response[bytes]:
    return _page(request, call, lang)


@get("/docs/assets/{name:str}", permission=_WHY, include_in_schema=False, sync_to_thread=False)
def asset(name: FromPath[str]) -> Response[bytes]:
    """A file of the page. An address with another content's hash still answers, so that a page survives an upgrade."""
    stem, _, rest = name.partition(".")
    found = reference.asset(f"{stem}.{rest.rpartition('.')[2]}")
    if found is None:
        raise ProblemError("not-found")
    caching = _FOR_EVER if found.name == name else "no-cache"
    headers = {"cache-control": caching, "x-content-type-options": "nosniff"}
    return Response(found.content, media_type=found.media_type, headers=headers)


@get("/favicon.ico", permission=_WHY, include_in_schema=False, sync_to_thread=False)
def favicon() -> Response[bytes]:
    icon = reference.ASSETS["icon.svg"]
    return Response(icon.content, media_type=icon.media_type, headers={"cache-control": "public, max-age=86400"})


@get("/problems/{kind:str}", permission=_WHY, include_in_schema=False, sync_to_thread=False)
def problem_type(kind: FromPath[str]) -> Redirect:
    """The `type` of a problem is an address; it leads to where the type is explained (RFC 9457 3.1.1)."""
    if kind not in CATALOGUE:
        raise ProblemError("not-found")
    return Redirect(f"/docs#problem-{kind}")


def openapi_routes() -> Sequence[HTTPRouteHandler]:
    return [
        openapi_document,
        district_openapi_document,
        reference_page,
        district_reference_page,
        asset,
        favicon,
        problem_type,
    ]
