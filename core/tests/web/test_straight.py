"""The straight way answers as Litestar's general way does, to what fits and to what does not."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from gongyu.platform import Platform
from gongyu.web import straight
from gongyu.web.app import MAX_BODY, create_app
from gongyu.web.observe import Observe

from .conftest import Site


class Pieces:
    """A body in two pieces, as the network brings longer ones."""

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield b'{"title":'
        yield '"草房子"}'.encode()


JSON_TYPE = {"content-type": "application/json"}
Said = tuple[int, dict[str, str], Any]
ID = UUID(int=7)
REQUESTS = "/api/v1/ezhou/people/requests"
ASKED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", REQUESTS, {}),
    ("GET", f"{REQUESTS}?limit=2&open_only=true&colour=red", {}),
    ("GET", f"{REQUESTS}?limit=0", {}),
    ("GET", f"{REQUESTS}?limit=", {}),
    ("GET", f"{REQUESTS}?limit=1&limit=2", {}),
    ("GET", f"{REQUESTS}?limit=%zz&open_only=maybe", {}),
    ("GET", f"{REQUESTS}?cursor=xyz", {}),
    ("GET", f"{REQUESTS}/{ID}", {}),
    ("OPTIONS", REQUESTS, {}),
    ("GET", f"/api/v1/ezhou/people/{ID}/consents", {}),
    ("POST", "/api/v1/ezhou/shelf/books", {"json": {"title": "草房子", "lent_until": "2026-09-01"}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"json": {"title": "草房子", "pages": "10", "colour": "red"}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"json": {"title": "草房子", "pages": 10.0}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"json": {"title": "草房子", "pages": 9999}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b'{"title":', "headers": JSON_TYPE}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b'"\xff"', "headers": JSON_TYPE}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b'{"title":"x"}', "headers": {"content-type": "text/plain"}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b'{"title":"x"}'}),
    ("POST", "/api/v1/ezhou/shelf/books", {}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": Pieces(), "headers": JSON_TYPE}),
    ("POST", "/api/v1/ezhou/shelf/books", {"json": {"title": "草房子"}, "headers": {"idempotency-key": '"once"'}}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b" " * 100_000 + b'{"title":"x"}', "headers": JSON_TYPE}),
    ("POST", "/api/v1/ezhou/shelf/books", {"content": b" " * MAX_BODY + b'{"title":"x"}', "headers": JSON_TYPE}),
)


async def _said(app: Observe, token: str) -> list[Said]:
    transport: Any = httpx.ASGITransport(app)  # type: ignore[arg-type]  # Litestar's words for ASGI's types are not httpx's
    found: list[Said] = []
    async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.test") as client:
        client.headers["authorization"] = f"Bearer {token}"
        for method, path, what in ASKED:
            answer = await client.request(method, path, **what)
            headers = {
                name: value
                for name, value in answer.headers.items()
                if name not in ("x-request-id", "idempotency-replayed")
            }
            body = msgspec.json.decode(answer.content) if answer.content else None
            if isinstance(body, dict):
                body = {key: value for key, value in body.items() if key not in ("request_id", "id")}
            found.append((answer.status_code, headers, body))
    return found


async def test_both_ways_give_the_same_answers(platform: Platform, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[str] = []
    form = straight._form

    def noted(handler: Any, path: frozenset[str]) -> Any:  # noqa: ANN401 - as it is
        found = form(handler, path)
        if found is not None:
            went.append(handler.handler_name)
        return found

    monkeypatch.setattr(straight, "_form", noted)
    quick = await _said(site.app, site.token)
    monkeypatch.setattr(straight, "_form", lambda *_: None)
    general = await _said(create_app(platform), site.token)
    assert quick == general
    statuses = [status for status, _, _ in quick]
    assert statuses[:10] == [200, 200, 422, 422, 200, 422, 400, 404, 204, 404]
    assert statuses[10:] == [201, 422, 422, 422, 400, 400, 201, 201, 422, 201, 201, 201, 413]
    assert len(went) == 4, went  # a list, two records and a body
