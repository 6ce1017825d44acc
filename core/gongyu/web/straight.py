"""The straight way to a handler, for all that is plain: the call, a body, values of path and query; a Struct or a list.

Litestar's general way (a dependency graph, two conversions, two response objects) was a third of what a request costs
in CPU. What a plain handler takes is worked out once; a handler with anything unusual about it goes the general way,
and so does a request that does not fit, before the handler has seen it: the general way knows what to say of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_origin

import msgspec
from litestar import Request, Response
from litestar.constants import RESERVED_KWARGS
from litestar.enums import MediaType, RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, PathParameter, QueryParameter
from litestar.serialization import get_serializer
from litestar.types import ASGIApp, Empty, Message, Receive, ReceiveMessage, Scope, Send
from litestar.typing import FieldDefinition
from litestar.utils.scope.state import ScopeState

from gongyu.web.bodies import strict_body
from gongyu.web.call import Call
from gongyu.web.scope import CALL, extras, header

__all__ = ["Straight"]

#: Bytes of a body that no limit is asked about.
_ONE_PIECE: Final = 64 * 1024
#: What there is to know about a query or path parameter; `None` where it is only named.
_PLAIN: Final = (PathParameter, QueryParameter, type(None))


@dataclass(frozen=True, slots=True)
class _Form:
    """What a plain handler takes."""

    handler: HTTPRouteHandler
    decoder: msgspec.json.Decoder[msgspec.Struct] | None
    path: tuple[str, ...]
    query: tuple[str, ...]
    encoder: msgspec.json.Encoder

    async def arguments(self, call: Call, request: Request[Any, Any, Any]) -> Mapping[str, Any] | None:
        """None where they do not fit."""
        given: dict[str, Any] = {"call": call}
        if self.path:
            found = request.path_params
            given |= {name: found[name] for name in self.path}
        if self.query and request.scope["query_string"]:
            asked = request.query_params
            if any(len(values) > 1 for values in asked.dict().values()):
                return None
            given |= {name: asked[name] for name in self.query if name in asked}
        try:
            if self.decoder is not None:
                if not (header(request.scope, b"content-type") or "").startswith("application/json"):
                    return None
                given["data"] = self.decoder.decode(await _body(request))
            fitting = msgspec.convert(given, self.handler.signature_model, strict=False, str_keys=True)
        except (msgspec.DecodeError, UnicodeError):  # a ValidationError is a DecodeError
            return None
        return msgspec.structs.asdict(fitting)


class Straight:
    """A Litestar middleware, the innermost: within the gate and the unit of work."""

    def __init__(self) -> None:
        self._forms: dict[HTTPRouteHandler, _Form | None] = {}

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def straight(scope: Scope, receive: Receive, send: Send) -> None:
            call: Call | None = extras(scope).get(CALL)
            form = self._form(scope) if call is not None else None
            if call is None or form is None:
                await app(scope, receive, send)
                return
            arguments = await form.arguments(call, Request(scope, receive, send))
            if arguments is None:
                await app(scope, receive, send)
                return
            body = form.encoder.encode(await form.handler.fn(**arguments))
            for message in _answer(form.handler.status_code, body):
                await send(message)

        return straight

    def _form(self, scope: Scope) -> _Form | None:
        handler: Any = scope["route_handler"]
        if handler not in self._forms:
            self._forms[handler] = _form(handler, frozenset(scope["path_params"]))
        return self._forms[handler]


async def _body(request: Request[Any, Any, Any]) -> bytes:
    """Mostly it comes in one piece; Litestar's reading is made for any number, and costs more than all else it does."""
    state = ScopeState.from_scope(request.scope)
    if state.body is not Empty:  # the gate has read it, for an `Idempotency-Key`
        return await request.body()
    first = await request.receive()
    if first["type"] == "http.request" and not first.get("more_body") and len(first["body"]) <= _ONE_PIECE:
        state.body = first["body"]
        return first["body"]
    pieces = [first]

    async def receive() -> ReceiveMessage:
        return pieces.pop() if pieces else await request.receive()

    return await Request[Any, Any, Any](request.scope, receive).body()  # it keeps the body with the scope


def _answer(status: int, body: bytes) -> tuple[Message, Message]:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    )


def _form(handler: HTTPRouteHandler, path: frozenset[str]) -> _Form | None:
    fields = handler.parsed_fn_signature.parameters
    if _unusual(handler) or "call" not in fields:
        return None
    decoder = None
    data = fields.get("data")
    if data is not None:
        if not data.is_subclass_of(msgspec.Struct) or not _is_json(data.kwarg_definition):
            return None
        decoder = msgspec.json.Decoder(data.annotation)
    others = {name: field for name, field in fields.items() if name not in ("call", "data")}
    if not all(_is_plain(field, handler) for field in others.values()):
        return None
    return _Form(
        handler,
        decoder,
        path=tuple(name for name in others if name in path),
        query=tuple(name for name in others if name not in path),
        encoder=msgspec.json.Encoder(enc_hook=get_serializer(handler.resolve_type_encoders())),
    )


def _unusual(handler: HTTPRouteHandler) -> bool:
    """Whether anything was asked of Litestar that only Litestar does."""
    layers = handler.ownership_layers
    returned = handler.parsed_return_field.annotation
    kind = get_origin(returned) or returned
    return (
        not isinstance(kind, type)
        or not issubclass(kind, msgspec.Struct | list)
        or handler.media_type != MediaType.JSON
        or handler.has_sync_callable
        or len(handler.resolve_middleware()) != len(handler.app.middleware)
        or handler.resolve_before_request() is not strict_body
        or handler.resolve_request_class() is not Request
        or handler.resolve_response_class() is not Response
        or any(layer.after_request for layer in layers)
        or any(
            (
                handler.resolve_guards(),
                handler.resolve_after_response(),
                handler.resolve_response_headers(),
                handler.resolve_response_cookies(),
                handler.resolve_data_dto(),
                handler.resolve_return_dto(),
                handler.resolve_layered_parameters(),
                handler.background,
                handler.cache,
            )
        )
    )


def _is_json(body: object) -> bool:
    return body is None or (isinstance(body, BodyKwarg) and body.media_type == RequestEncodingType.JSON)


def _is_plain(field: FieldDefinition, handler: HTTPRouteHandler) -> bool:
    """A value of the path or the query under its own name, once."""
    known = field.kwarg_definition
    return (
        type(known) in _PLAIN
        and getattr(known, "name", None) in (None, field.name)
        and field.name not in RESERVED_KWARGS
        and field.name not in handler.resolve_dependencies()
        and not field.is_non_string_sequence
    )
