"""The documents of one application, made of what its routes say: paths and parameters by Litestar, schemas by msgspec,
which is what reads and writes the wire.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import msgspec
from litestar import Litestar, Response
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from gongyu import __version__
from gongyu.host import Host
from gongyu.plugin import District, Public, SignedIn
from gongyu.text import Text
from gongyu.web.openapi_document import Operation, cut, finish
from gongyu.web.problems import Problem

__all__ = ["Documents"]

#: The core's own tags; a plugin's tag is its name card.
_CORE_TAGS: Final[Mapping[str, tuple[Text, Text]]] = {
    "district": (
        Text(zh="区县", en="District"),
        Text(zh="区县提供什么、我是谁、运行得如何", en="what it offers, who I am, how it is running"),
    ),
    "session": (
        Text(zh="登录", en="Signing in"),
        Text(
            zh="登录与退出、激活账号、家长绑定、自己的密码与令牌",
            en="in and out, activating an account, guardians, my password and tokens",
        ),
    ),
    "accounts": (
        Text(zh="账号管理", en="Accounts"),
        Text(zh="停用、重设、打印激活单", en="closing, resetting, printing slips"),
    ),
    "audit": (
        Text(zh="审计日志", en="Audit log"),
        Text(zh="谁在何时对谁做了什么", en="who did what to whom, and when"),
    ),
    "roster": (
        Text(zh="名册", en="Roster"),
        Text(zh="上传、查看计划、导入、下载问题清单", en="upload, look at the plan, import, download the findings"),
    ),
    "rights": (
        Text(zh="个人信息权利", en="Rights over one's data"),
        Text(zh="同意与撤回、查阅复制、更正、删除", en="consent and withdrawal, a copy, correction, erasure"),
    ),
    "webhooks": (
        Text(zh="Webhook", en="Webhooks"),
        Text(zh="有事发生时通知您的地址（Standard Webhooks）", en="tell your address of events (Standard Webhooks)"),
    ),
    "operation": (
        Text(zh="运维", en="Operation"),
        Text(zh="给看护机器的程序", en="for the machines that watch over this one"),
    ),
}


class Documents:
    """The documents of one application: the whole is made once, a district's when somebody asks.

    Few districts are remembered at a time, so that a worker's memory does not grow with their number.
    """

    def __init__(self, app: Litestar, host: Host) -> None:
        _name_operations(app)
        described = OpenAPIConfig(title="Gongyu 共育", version=__version__, use_handler_docstrings=True)
        # Given to the constructor it would add pages of its own, with scripts from another host.
        app.plugins.get(OpenAPIPlugin)._openapi_config = described  # noqa: SLF001 - Litestar has no other way
        self._app, self._host = app, host
        self.of_district: Callable[[District, Sequence[str]], dict[str, Any]] = lru_cache(maxsize=16)(self._cut)

    @cached_property
    def whole(self) -> dict[str, Any]:
        operations, schemas = _operations(self._app, self._host)
        plugins = {name: (plugin.info.title, plugin.info.summary) for name, plugin in self._host.plugins.items()}
        raw = self._app.openapi_schema.to_schema()
        return finish(raw, operations=operations, schemas=schemas, tags={**_CORE_TAGS, **plugins})

    def _cut(self, district: District, enabled: tuple[str, ...]) -> dict[str, Any]:
        return cut(self.whole, slug=district.slug, name=district.name, enabled=enabled)


def _described(app: Litestar) -> Sequence[tuple[str, str, HTTPRouteHandler]]:
    return [
        (route.path_format or "/", method.lower(), handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.resolve_include_in_schema()
    ]


def _name_operations(app: Litestar) -> None:
    """Give every operation a name of its own: Litestar gives up the whole document over one that occurs twice, and a
    plugin must not be able to take the documentation of the others away.
    """
    names: dict[tuple[str, str], str] = {}
    for path, method, handler in _described(app):
        given = handler.operation_id if isinstance(handler.operation_id, str) else handler.handler_name
        plugin = handler.opt.get("plugin", "")
        name = given if not plugin or given.startswith(f"{plugin}_") else f"{plugin}_{given}"
        tries = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
        names[path, method] = next(one for one in tries if one not in names.values())

    def name_of(_: HTTPRouteHandler, method: Method, components: Sequence[str | PathParameterDefinition]) -> str:
        parts = (part if isinstance(part, str) else f"{{{part.name}}}" for part in components)
        return names[f"/{'/'.join(parts)}", method.lower()]

    for _, _, handler in _described(app):
        handler.operation_id = name_of


def _operations(app: Litestar, host: Host) -> tuple[dict[tuple[str, str], Operation], Mapping[str, Any]]:
    """What the handlers say of themselves, and the components of everything that msgspec reads and writes for them."""
    handlers = {(path, method): handler for path, method, handler in _described(app)}
    types = {key: (_body_type(handler), _answer_type(handler)) for key, handler in handlers.items()}
    fields = [type_ for pair in types.values() for type_ in pair if type_ is not None]
    found, schemas = msgspec.json.schema_components([Problem, *fields], ref_template="#/components/schemas/{name}")
    schema_of = iter(found[1:])
    operations = {}
    for key, handler in handlers.items():
        body, answer = (next(schema_of) if type_ is not None else None for type_ in types[key])
        operations[key] = Operation(
            permission=_permission(handler.opt["permission"], host),
            plugin=handler.opt.get("plugin", ""),
            title=handler.opt.get("title"),
            body=body,
            answer=answer,
        )
    return operations, schemas


def _body_type(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - a type
    field = handler.parsed_data_field
    return None if field is None or handler.resolve_data_dto() else _if_known(field.annotation)


def _answer_type(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - a type
    field = handler.parsed_return_field
    if field.is_subclass_of(Response):
        field = field.inner_types[0] if field.inner_types else field
    return None if handler.resolve_return_dto() else _if_known(field.annotation)


def _if_known(type_: Any) -> Any:  # noqa: ANN401 - a type
    """Uploads, streams and files are Litestar's own affair."""
    try:
        msgspec.json.schema_components([type_])
    except TypeError:
        return None
    return type_


def _permission(needed: Public | SignedIn | str, host: Host) -> dict[str, Any]:
    if isinstance(needed, Public):
        return {"kind": "public", "reason": needed.reason}
    if isinstance(needed, SignedIn):
        return {"kind": "signed-in", "reason": needed.reason}
    permission = host.permissions[needed]
    return {
        "kind": "permission",
        "name": permission.name,
        "title": msgspec.to_builtins(permission.title),
        "roles": list(permission.roles),
        "sensitive": permission.sensitive,
    }
