"""Every error is a problem detail (RFC 9457) with a stable `type`, in the caller's language.

The catalogue below is the whole list; the API reference shows it, and `GET /problems` serves it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.utils.scope.state import ScopeState

from gongyu.districts.settings import SettingError, read_settings
from gongyu.text import Text, preferred_language
from gongyu.web.scope import REQUEST_ID, extras

__all__ = ["CATALOGUE", "FieldProblem", "Problem", "ProblemError", "ProblemKind", "problem_response"]

MEDIA_TYPE: Final = "application/problem+json"


class ProblemKind(msgspec.Struct, frozen=True):
    status: int
    title: Text


CATALOGUE: Final[Mapping[str, ProblemKind]] = {
    "unknown-district": ProblemKind(404, Text(zh="没有这个区县", en="There is no such district")),
    "plugin-off": ProblemKind(404, Text(zh="该区县没有启用这项功能", en="This district does not use this plugin")),
    "not-found": ProblemKind(404, Text(zh="没有找到", en="Not found")),
    "method-not-allowed": ProblemKind(
        405, Text(zh="这个地址不接受该方法", en="This address does not take that method")
    ),
    "not-signed-in": ProblemKind(401, Text(zh="请先登录", en="Sign in first")),
    "forbidden": ProblemKind(403, Text(zh="没有权限", en="You have no right to this")),
    "cross-site": ProblemKind(
        403, Text(zh="请求来自其他网站，已拒绝", en="The request comes from another site and is refused")
    ),
    "sign-in-refused": ProblemKind(401, Text(zh="登录没有成功", en="Signing in did not succeed")),
    "code-refused": ProblemKind(403, Text(zh="代码无效", en="The code opens nothing")),
    "malformed-json": ProblemKind(400, Text(zh="请求内容不是合法的 JSON", en="The body is not valid JSON")),
    "bad-request": ProblemKind(400, Text(zh="请求有误", en="The request is malformed")),
    "bad-cursor": ProblemKind(400, Text(zh="分页游标无效", en="The cursor is not one we gave out")),
    "invalid": ProblemKind(422, Text(zh="有字段不符合要求", en="Some fields are not as they must be")),
    "too-large": ProblemKind(413, Text(zh="请求内容过大", en="The body is too large")),
    "unsupported-media-type": ProblemKind(415, Text(zh="不支持这种内容类型", en="This media type is not supported")),
    "conflict": ProblemKind(409, Text(zh="与现有数据冲突", en="It conflicts with what is there")),
    "precondition-failed": ProblemKind(
        412, Text(zh="数据已被他人修改", en="It was changed by somebody else meanwhile")
    ),
    "idempotency-key": ProblemKind(400, Text(zh="Idempotency-Key 无效", en="The Idempotency-Key is malformed")),
    "idempotency-mismatch": ProblemKind(
        422, Text(zh="同一个 Idempotency-Key 的内容不同", en="This Idempotency-Key was used with another request")
    ),
    "rate-limited": ProblemKind(429, Text(zh="请求过于频繁", en="Too many requests")),
    "unavailable": ProblemKind(503, Text(zh="暂时无法提供服务，请稍后再试", en="Not available just now; try again")),
    "internal": ProblemKind(500, Text(zh="服务器出错了", en="Something went wrong on our side")),
}

_BY_STATUS: Final = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "rate-limited",
    503: "unavailable",
}


class FieldProblem(msgspec.Struct, frozen=True):
    """One wrong field: where it stands (JSON Pointer, RFC 6901, in the body; else the parameter's name) and why."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem detail. `type` is stable; the rest is for people. `request_id` finds the matching log line."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    request_id: str = ""
    errors: Sequence[FieldProblem] = ()


class ProblemError(Exception):
    """Raise it anywhere below a handler: a kind of the catalogue, and what exactly."""

    def __init__(
        self,
        kind: str,
        detail: Text | None = None,
        *,
        errors: Sequence[tuple[str, Text]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail.en if detail else CATALOGUE[kind].title.en}")
        self.kind, self.detail, self.errors, self.headers = kind, detail, errors, headers or {}


def problem_response(request: Request[Any, Any, Any], error: ProblemError) -> Response[bytes]:
    language = preferred_language(request.headers.get("accept-language"))
    kind = CATALOGUE[error.kind]
    problem = Problem(
        type=f"/problems/{error.kind}",
        title=kind.title.pick(language),
        status=kind.status,
        detail=error.detail.pick(language) if error.detail else "",
        instance=request.scope["path"],
        request_id=extras(request.scope).get(REQUEST_ID, ""),
        errors=tuple(FieldProblem(pointer, text.pick(language)) for pointer, text in error.errors),
    )
    headers = {"content-language": language, "cache-control": "no-store", **error.headers}
    if kind.status == 401:  # noqa: PLR2004 - RFC 9110 11.6.1 demands the challenge
        headers.setdefault("www-authenticate", 'Bearer realm="gongyu"')
    return Response(msgspec.json.encode(problem), status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


def from_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own exceptions, given a type of ours."""
    if isinstance(error, ValidationException):
        return problem_response(request, ProblemError("invalid", errors=_all_errors(request, error)))
    if isinstance(error.__cause__, SerializationException):
        said = str(error.__cause__.__cause__ or error.__cause__)
        return problem_response(request, ProblemError("malformed-json", Text(zh=said, en=said)))
    kind = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")  # noqa: PLR2004 - HTTP's own line
    return problem_response(request, ProblemError(kind, headers=dict(error.headers or {})))


def _all_errors(request: Request[Any, Any, Any], error: ValidationException) -> list[tuple[str, Text]]:
    """Every wrong field. msgspec stops at the first one of a body, so the body is walked again, field by field."""
    found = [item for item in error.extra if isinstance(item, dict)] if isinstance(error.extra, list) else []
    if missing := _MISSING.match(error.detail):
        return [(missing["name"], _REQUIRED)]
    parameters = [item for item in found if item.get("source") != "body"]
    # A path parameter that the handler does not take is reported beside every real error, as a KeyError of its name.
    real = [item for item in parameters if item.get("message") != repr(item.get("key"))]
    errors = [(str(item.get("key", "")), _said(item)) for item in real]
    if len(parameters) == len(found):
        return errors
    field = request.route_handler.parsed_data_field
    raw = ScopeState.from_scope(request.scope).json
    if field is not None and isinstance(raw, dict) and field.is_subclass_of(msgspec.Struct):
        _, wrong = read_settings(field.annotation, raw, path="")
        if wrong or not found:
            return errors + [(_pointer(one.path), _explained(one)) for one in wrong]
    bodies = [item for item in found if item not in parameters]
    if placed := _AT.search(str(bodies[0].get("message", ""))):
        text = placed["said"]
        return [*errors, (_pointer(placed["path"]), Text(zh=text, en=text))]
    return errors + [("", _REQUIRED if item.get("message") == "'data'" else _said(item)) for item in bodies]


def _explained(error: SettingError) -> Text:
    if error.code == "unknown":
        return Text(zh="没有这个字段", en="there is no such field")
    if error.code == "missing":
        missing = Text(zh="缺少字段", en="the field is missing")
        wanted = Text(zh="{missing}：应为{expected}", en="{missing}: {expected} is expected")
        return wanted.format(missing=missing, expected=error.expected) if error.expected.en else missing
    if not error.expected.en:
        return error.message
    if not error.found:
        return Text(zh="{message}：应为{expected}", en="{message}: {expected} is expected").format(
            message=error.message, expected=error.expected
        )
    whole = Text(zh="{message}：应为{expected}，得到 {found}", en="{message}: {expected} is expected, found {found}")
    return whole.format(message=error.message, expected=error.expected, found=error.found)


def _said(item: dict[str, Any]) -> Text:
    message = str(item.get("message", ""))
    return Text(zh=message, en=message)


def _pointer(path: str) -> str:
    """A settings path such as `items[2].title` as a JSON Pointer (RFC 6901)."""
    parts = [a or b or c for a, b, c in _STEP.findall(path)]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


_REQUIRED: Final = Text(zh="必填", en="it is required")
_AT: Final = re.compile(r"(?P<said>.*) - at `\$\.?(?P<path>.*)`")
_MISSING: Final = re.compile(r"Missing required \w+ parameter '(?P<name>[^']+)'")
_STEP: Final = re.compile(r'"((?:[^"\\\\]|\\\\.)*)"|\[(\d+)\]|([^.\[\]"]+)')
