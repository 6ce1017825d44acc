"""The finished OpenAPI document: pure functions on dicts, so that each promise of it is in one place and testable.

Litestar describes paths and parameters. It knows nothing of problem details, permissions and idempotency; its own 400
has an `array` without `items` (which generators drop), and its bounds are floats.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gongyu.text import Text
from gongyu.web.openapi_examples import NoExampleError, example_of, without_null
from gongyu.web.problems import CATALOGUE, MEDIA_TYPE

__all__ = ["DISTRICT", "METHODS", "Operation", "cut", "finish", "permission_line"]

METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
DISTRICT: Final = "/api/v1/{district}"
_UNSAFE: Final = frozenset({"put", "post", "delete", "patch"})
_EXAMPLE_DISTRICT: Final = "ezhou"
_LEAST_ERROR: Final = 400

_ABOUT: Final = Text(
    zh="校家社协同育人平台的接口。请求须带令牌；列表按 `cursor` 翻页；出错时返回 RFC 9457 问题详情，"
    "语言依 `Accept-Language`；POST 可带 `Idempotency-Key`，重发不会重复生效。",
    en="The API of a platform on which school, home and community raise children together. Requests carry a token; "
    "lists continue by `cursor`; errors are problem details (RFC 9457) in the language of `Accept-Language`; a POST "
    "may carry an `Idempotency-Key`, and sending it again does not do it again.",
)


def _described(text: Text) -> dict[str, Any]:
    """A description in both languages, and each on its own for who shows one."""
    return {"description": f"{text.zh} {text.en}", "x-description": msgspec.to_builtins(text)}


_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "district": {
        "name": "district",
        "in": "path",
        "required": True,
        **_described(Text(zh="区县的短名", en="The district's short name")),
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9]{1,30}$"},
        "example": _EXAMPLE_DISTRICT,
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        **_described(
            Text(
                zh="调用方自选的键；用同一个键重发，得到同一答复，不会重复生效",
                en="A key of the caller's own; sent again, it gets the same answer and does nothing twice",
            )
        ),
        # No example: everybody would copy it, and the second to use it would meet the first one's answer.
        "schema": {"type": "string", "pattern": r'^("[ -~]{1,255}"|[!-~]{1,255})$'},
    },
}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What Litestar's document does not say of an operation.

    Attributes:
        permission: The extension `x-permission`: its `kind` is `permission`, `signed-in` or `public`.
        plugin: Whose it is; empty for the core's own.
        title: Its summary in both languages, where its author gave one.
        body, answer: Their schemas as msgspec reads and writes them, where it does.
    """

    permission: Mapping[str, Any]
    plugin: str = ""
    title: Text | None = None
    body: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None


def finish(
    raw: Mapping[str, Any],
    *,
    operations: Mapping[tuple[str, str], Operation],
    schemas: Mapping[str, Any],
    tags: Mapping[str, tuple[Text, Text]],
) -> dict[str, Any]:
    """Everything a reader, a linter and a generator need.

    Args:
        raw: Litestar's document.
        operations: What is known besides, by path and lower-case method.
        schemas: The components that the operations' own schemas refer to.
        tags: Title and summary of each.
    """
    litestars = raw["components"].get("schemas", {})
    titled = {schema.get("title"): schema for schema in litestars.values()}
    known = {
        **litestars,
        **{name: _with_formats(one, titled.get(one.get("title"), {})) for name, one in schemas.items()},
    }
    paths: dict[str, dict[str, Any]] = {}
    for path, item in raw["paths"].items():
        for method in METHODS:
            if method in item:
                operation = _operation(path, method, item[method], operations[path, method], known)
                paths.setdefault(path, {})[method] = operation
    used = dict.fromkeys(tag for item in paths.values() for operation in item.values() for tag in operation["tags"])
    document = {
        "openapi": raw["openapi"],
        "info": {
            "title": raw["info"]["title"],
            "version": raw["info"]["version"],
            "description": f"{_ABOUT.zh}\n\n{_ABOUT.en}",
            "contact": {"name": "Gongyu 共育"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "本服务器 This server"}],
        "security": [{"bearer": []}],
        "tags": [_tag(name, *tags.get(name, (Text(zh=name, en=name), Text(zh="", en="")))) for name in used],
        "paths": paths,
        "components": {
            "schemas": known,
            "parameters": _PARAMETERS,
            "responses": {f"Problem{status}": _problem_response(status) for status in _statuses()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "gy_<district>_<secret>",
                    "description": "在控制台生成的令牌，只对一个区县有效。 A token made in the console; it holds in "
                    "one district only.",
                }
            },
        },
    }
    return _pruned(whole_numbers(document))


def cut(document: Mapping[str, Any], *, slug: str, name: str, enabled: Sequence[str]) -> dict[str, Any]:
    """The document of one district: its plugins only, its slug in the paths, its name in the title."""
    paths: dict[str, dict[str, Any]] = {}
    for path, item in document["paths"].items():
        if path == DISTRICT or path.startswith(f"{DISTRICT}/"):
            kept = {
                method: operation | {"parameters": [p for p in operation["parameters"] if p != _reference("district")]}
                for method, operation in item.items()
                if operation.get("x-plugin") in (None, *enabled)
            }
            if kept:
                paths[path.replace("{district}", slug, 1)] = kept
    used = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    info = document["info"] | {"title": f"{name} · {document['info']['title']}"}
    tags = [tag for tag in document["tags"] if tag["name"] in used]
    return _pruned({**document, "info": info, "tags": tags, "paths": paths})


def permission_line(permission: Mapping[str, Any]) -> str:
    """`x-permission` in a sentence, for readers of documents that do not show extensions."""
    if permission["kind"] == "public":
        return "**权限 Permission**: 公开，无需登录 Public, without sign-in."
    if permission["kind"] == "signed-in":
        return "**权限 Permission**: 登录即可 Any signed-in person."
    title, roles = permission["title"], ", ".join(f"`{role}`" for role in permission["roles"]) or "—"
    noted = " 每次使用记入审计。 Each use is written to the audit log." if permission["sensitive"] else ""
    return f"**权限 Permission**: `{permission['name']}` ({title['zh']} {title['en']}); 角色 roles: {roles}.{noted}"


def whole_numbers(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same with 200.0 written as 200: some generators take a float for a fractional bound of an integer."""
    match value:
        case dict():
            return {key: whole_numbers(one) for key, one in value.items()}
        case list():
            return [whole_numbers(one) for one in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _with_formats(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Add `date-time`, which msgspec says only of a datetime that must name its zone; on our wire every one does."""
    theirs = without_null(theirs)
    made = dict(ours)
    if ours.get("type") == "string" and "format" in theirs:
        made.setdefault("format", theirs["format"])
    if "anyOf" in ours:
        made["anyOf"] = [_with_formats(one, theirs) for one in ours["anyOf"]]
    if isinstance(ours.get("items"), Mapping):
        made["items"] = _with_formats(ours["items"], theirs.get("items", {}))
    if "properties" in ours:
        its = theirs.get("properties", {})
        made["properties"] = {name: _with_formats(one, its.get(name, {})) for name, one in ours["properties"].items()}
    return made


def _operation(
    path: str, method: str, raw: Mapping[str, Any], known: Operation, schemas: Mapping[str, Any]
) -> dict[str, Any]:
    public = known.permission["kind"] == "public"
    district = path == DISTRICT or path.startswith(f"{DISTRICT}/")
    parameters = [
        _reference("district") if one["in"] == "path" and one["name"] == "district" else _parameter(one)
        for one in sorted(raw.get("parameters", ()), key=lambda one: one["name"] != "district")
    ]
    if district and method == "post":
        parameters.append(_reference("IdempotencyKey"))
    body = _body(raw["requestBody"], known.body, schemas) if "requestBody" in raw else None
    described = (raw.get("description", ""), permission_line(known.permission))
    operation: dict[str, Any] = {
        "operationId": raw["operationId"],
        "tags": raw.get("tags") or [known.plugin or "core"],
        "summary": known.title.en if known.title else raw["summary"],
        "description": "\n\n".join(part for part in described if part),
        "parameters": parameters,
        "responses": {
            **{s: _answer(s, r, known.answer, schemas) for s, r in raw["responses"].items() if int(s) < _LEAST_ERROR},
            **{
                str(status): {"$ref": f"#/components/responses/Problem{status}"}
                for status in sorted(_errors(method, raw, known.permission["kind"], district=district))
            },
        },
        "x-permission": dict(known.permission),
    }
    if body:
        operation["requestBody"] = body
    if public:
        operation["security"] = []
    if raw.get("deprecated"):
        operation["deprecated"] = True
    if known.plugin:
        operation["x-plugin"] = known.plugin
    if known.title:
        operation["x-title"] = msgspec.to_builtins(known.title)
    return operation


def _errors(method: str, raw: Mapping[str, Any], kind: str, *, district: bool) -> set[int]:
    """The statuses a caller must reckon with; what a handler declares itself is kept."""
    names = {one["name"] for one in raw.get("parameters", ())}
    places = {one["in"] for one in raw.get("parameters", ())}
    errors = {int(s) for s in raw["responses"] if int(s) in _statuses() and int(s) != HTTPStatus.BAD_REQUEST}
    if district:
        errors |= {404, 503}
    if kind != "public":
        errors |= {401}
    if kind == "permission":
        errors |= {403}
    if "path" in places:
        errors |= {404}
    if "cursor" in names:
        errors |= {400}
    if places & {"query", "header", "cookie"}:
        errors |= {422}
    if "requestBody" in raw:
        errors |= {400, 413, 422}
    if district and method in _UNSAFE:
        errors |= {400, 409, 422}  # 400 and 422 also for an Idempotency-Key, 409 for a constraint or a plugin's veto
    return errors


def _parameter(raw: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in without_null(raw["schema"]).items() if key != "description"}
    parameter = {"name": raw["name"], "in": raw["in"], "required": raw.get("required", False)}
    if description := raw.get("description"):
        parameter["description"] = description
    if raw.get("deprecated"):
        parameter["deprecated"] = True
    parameter["schema"] = schema
    if raw.get("examples"):
        parameter["examples"] = raw["examples"]
    elif schema.get("type") != "string" or "format" in schema or "enum" in schema:  # a made-up cursor would mislead
        with contextlib.suppress(NoExampleError, KeyError):
            parameter["example"] = example_of(schema, {})
    return parameter


def _body(raw: Mapping[str, Any], ours: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": raw.get("required", False), "content": _content(raw["content"], ours, schemas)}


def _answer(
    status: str, raw: Mapping[str, Any], ours: Mapping[str, Any] | None, schemas: Mapping[str, Any]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(int(status)).phrase}
    if raw.get("content") and int(status) != HTTPStatus.NO_CONTENT:
        answer["content"] = _content(raw["content"], ours, schemas)
    if raw.get("headers"):
        answer["headers"] = raw["headers"]
    return answer


def _content(raw: Mapping[str, Any], ours: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type, said in raw.items():
        schema = ours if ours is not None and media_type == "application/json" else said.get("schema", {})
        content[media_type] = {**said, "schema": schema}
        if "example" not in said and "examples" not in said:
            with contextlib.suppress(NoExampleError):
                content[media_type]["example"] = example_of(schema, schemas)
    return content


def _tag(name: str, title: Text, summary: Text) -> dict[str, Any]:
    described = "\n\n".join(f"{t}: {s}" if s else t for t, s in ((title.zh, summary.zh), (title.en, summary.en)))
    return {
        "name": name,
        "description": described,
        "x-displayName": f"{title.zh} {title.en}",
        "x-title": msgspec.to_builtins(title),
        "x-summary": msgspec.to_builtins(summary),
    }


def _statuses() -> Iterable[int]:
    return sorted({kind.status for kind in CATALOGUE.values()})


def _problem_response(status: int) -> dict[str, Any]:
    """One response for each status, with every `type` that comes with it as an example."""
    kinds = {name: kind for name, kind in CATALOGUE.items() if kind.status == status}
    return {
        "description": "; ".join(kind.title.en for kind in kinds.values()),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    name: {
                        "summary": kind.title.zh,
                        "value": {"type": f"/problems/{name}", "title": kind.title.en, "status": status},
                    }
                    for name, kind in kinds.items()
                },
            }
        },
    }


def _reference(parameter: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{parameter}"}


def _pruned(document: dict[str, Any]) -> dict[str, Any]:
    """Without the components that no path leads to."""
    components = document["components"]
    used: set[tuple[str, str]] = set()
    open_ends = list(_references(document["paths"]))
    while open_ends:
        kind, name = open_ends.pop()
        if (kind, name) not in used:
            used.add((kind, name))
            open_ends += _references(components[kind][name])
    kept = {
        kind: {name: one for name, one in sorted(named.items()) if kind == "securitySchemes" or (kind, name) in used}
        for kind, named in components.items()
    }
    return {**document, "components": {kind: named for kind, named in kept.items() if named}}


def _references(value: object) -> Iterable[tuple[str, str]]:
    match value:
        case {"$ref": str(reference)}:
            kind, name = reference.split("/")[-2:]
            yield kind, name
        case dict():
            for one in value.values():
                yield from _references(one)
        case list():
            for one in value:
                yield from _references(one)
