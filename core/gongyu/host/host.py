"""The host: candidates imported, registered and asked once what they contribute."""

import importlib
import inspect
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec
import pluggy
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu import hookspecs
from gongyu.access.permissions import CORE_PERMISSIONS
from gongyu.host.discovery import Candidate, Refusal, find_candidates, order_by_needs
from gongyu.people.events import PEOPLE_EVENTS
from gongyu.plugin import Capability, Event, Job, Permission, PluginInfo, Public, Relation, SignedIn, Subscription
from gongyu.text import Text

if TYPE_CHECKING:  # as in hookspecs
    from gongyu.people.roster.dialect import Dialect

__all__ = ["Host", "Plugin", "StartError", "load_host"]

_EVENT = re.compile(r"(?P<plugin>[a-z][a-z0-9_]*)\.[a-z0-9_]+\.v[1-9][0-9]*")


class StartError(Exception):
    """Something that must not be started with, said in both languages."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class Plugin:
    """An available plugin and all it contributes."""

    info: PluginInfo
    distribution: str
    version: str
    module: ModuleType
    settings_type: type[msgspec.Struct] | None = None
    tables: sa.MetaData = field(default_factory=sa.MetaData)
    permissions: Sequence[Permission] = ()
    routes: Sequence[HTTPRouteHandler] = ()
    event_types: Sequence[type[Event]] = ()
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    capabilities: Sequence[Capability] = ()
    dialects: Sequence["Dialect"] = ()
    relations: Sequence[Relation] = ()

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def migrations(self) -> Path | None:
        """The folder of its Alembic revisions, or None for a plugin that stores nothing."""
        if not self.tables.tables:
            return None
        return Path(str(resources.files(self.module.__name__.partition(".")[0]))) / "migrations" / "versions"


class Host:
    """What is installed on this machine. One per application object or command; nothing is kept in module globals."""

    def __init__(
        self, plugins: Mapping[str, Plugin], refused: Sequence[Refusal], manager: pluggy.PluginManager
    ) -> None:
        self.plugins = plugins
        self.refused = {refusal.name: refusal for refusal in refused}
        self.manager = manager
        declared = [permission for plugin in plugins.values() for permission in plugin.permissions]
        self.permissions = {permission.name: permission for permission in (*CORE_PERMISSIONS, *declared)}
        published = [event for plugin in plugins.values() for event in plugin.event_types]
        self.event_types = {event.type: event for event in (*PEOPLE_EVENTS, *published)}
        self.capabilities = {c.name: (plugin.name, c) for plugin in plugins.values() for c in plugin.capabilities}

    def commands(self, plugin: str) -> Sequence[click.Command]:
        """Asked only when the command line names the plugin: a command may import what the server never needs."""
        caller: pluggy.HookCaller = self.manager.hook.commands
        for implementation in caller.get_hookimpls():
            if implementation.plugin_name == plugin:
                return cast("Sequence[click.Command]", implementation.function())
        return ()


def load_host(
    *,
    strict: bool = False,
    only: Iterable[str] | None = None,
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> Host:
    """Find, check, import and ask every plugin; one that cannot load is refused by name and everything else runs.

    Args:
        strict: Stop at the first refusal instead (for continuous integration).
        only: Load just these and what they require; for a command that concerns one plugin.
        entry_points: What to consider instead of everything installed.

    Raises:
        StartError: A route without a permission, one capability offered twice; with `strict`, any refusal.
    """
    manager = pluggy.PluginManager("gongyu")
    manager.add_hookspecs(hookspecs)
    candidates, refused = find_candidates(entry_points)
    if only is not None:
        candidates = _closure(candidates, set(only))
    plugins: dict[str, Plugin] = {}
    for candidate in candidates:
        if not plugins.keys() >= set(candidate.info.requires):  # something it needs was refused at import
            refused += order_by_needs([candidate])[1]
            continue
        plugin = _load(candidate, manager, plugins)
        if isinstance(plugin, Refusal):
            refused.append(plugin)
        else:
            plugins[plugin.name] = plugin
    _refuse_open_routes(plugins)
    _refuse_rival_providers(plugins)
    if strict and refused:
        raise StartError(
            Text(zh="插件 {name} 不可用：{reason}", en="plugin {name} is not available: {reason}").format(
                name=refused[0].name, reason=refused[0].reason
            )
        )
    return Host(plugins, refused, manager)


def _closure(candidates: Sequence[Candidate], wanted: set[str]) -> list[Candidate]:
    for candidate in reversed(candidates):  # needs come before those who need them
        if candidate.info.name in wanted:
            wanted |= set(candidate.info.requires)
    return [candidate for candidate in candidates if candidate.info.name in wanted]


def _load(candidate: Candidate, manager: pluggy.PluginManager, others: Mapping[str, Plugin]) -> Plugin | Refusal:
    name = candidate.info.name
    if rival := next((o for o in others if name.startswith(f"{o}_") or o.startswith(f"{name}_")), None):
        reason = Text(
            zh="它的表前缀 `{name}_` 与插件 {rival} 的前缀重叠",
            en="its table prefix `{name}_` overlaps that of plugin {rival}",
        )
        return Refusal(name, candidate.distribution, reason.format(name=name, rival=rival))
    try:
        module = importlib.import_module(candidate.module)
        manager.register(module, name=name)
        _refuse_misfits(module, manager)
        plugin = _ask(candidate, module, manager)
        _refuse_foreign_names(plugin)
        _refuse_unfit_settings(plugin)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a stranger's code does at import stays its own trouble
        if manager.get_plugin(name) is not None:
            manager.unregister(name=name)
        if isinstance(error, StartError):
            return Refusal(name, candidate.distribution, error.text)
        reason = Text(zh="它在加载时出错：{error}", en="it failed while loading: {error}")
        said = "".join(traceback.format_exception_only(error)).strip()
        return Refusal(name, candidate.distribution, reason.format(error=said), traceback.format_exc())
    return plugin


def _refuse_misfits(module: ModuleType, manager: pluggy.PluginManager) -> None:
    """What pluggy lets pass at registration: unknown hooks, wrappers, and runtime hooks that are not async."""
    for caller in manager.get_hookcallers(module) or []:
        mine = next(impl for impl in caller.get_hookimpls() if impl.plugin is module)
        if not caller.has_spec():
            raise StartError(
                Text(zh="没有名为 `{hook}` 的钩子", en="there is no hook `{hook}`").format(hook=caller.name)
            )
        if mine.wrapper or mine.hookwrapper:
            raise StartError(
                Text(zh="钩子 `{hook}` 不能是 wrapper", en="hook `{hook}` must not be a wrapper").format(
                    hook=caller.name
                )
            )
        specification = getattr(hookspecs, caller.name)
        if inspect.iscoroutinefunction(specification) != inspect.iscoroutinefunction(mine.function):
            text = Text(
                zh="钩子 `{hook}` 的 async 与契约不符",
                en="hook `{hook}` is async where the contract is not, or the reverse",
            )
            raise StartError(text.format(hook=caller.name))


def _ask(candidate: Candidate, module: ModuleType, manager: pluggy.PluginManager) -> Plugin:
    def contributed(hook: str, otherwise: Any) -> Any:  # noqa: ANN401 - each hook has its own type, checked by its spec
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                return implementation.function()
        return otherwise

    subscriptions: dict[str, Subscription] = {}
    for subscription in contributed("subscriptions", ()):
        if subscription.event in subscriptions:
            text = Text(zh="两次订阅了事件 {event}", en="it subscribes to {event} twice").format(
                event=subscription.event
            )
            raise StartError(text)
        subscriptions[subscription.event] = subscription
    return Plugin(
        info=candidate.info,
        distribution=candidate.distribution,
        version=candidate.version,
        module=module,
        settings_type=contributed("settings_type", None),
        tables=contributed("tables", sa.MetaData()),
        permissions=tuple(contributed("permissions", ())),
        routes=tuple(contributed("routes", ())),
        event_types=tuple(contributed("event_types", ())),
        subscriptions=subscriptions,
        jobs=tuple(contributed("jobs", ())),
        capabilities=tuple(contributed("capabilities", ())),
        dialects=tuple(contributed("roster_dialects", ())),
        relations=tuple(contributed("relations", ())),
    )


def _refuse_foreign_names(plugin: Plugin) -> None:
    """Names are the plugin's own by construction, so no two can ever clash over a table, event or permission."""
    name = plugin.name
    wrong = [table for table in plugin.tables.tables if not table.startswith(f"{name}_")]
    wrong += [permission.name for permission in plugin.permissions if not permission.name.startswith(f"{name}.")]
    wrong += [relation.name for relation in plugin.relations if not relation.name.startswith(f"{name}.")]
    wrong += [
        event.type
        for event in plugin.event_types
        if not (match := _EVENT.fullmatch(event.type)) or match["plugin"] != name
    ]
    if wrong:
        text = Text(
            zh="这些名字不属于插件 {name}，或格式不对：{wrong}",
            en="these names do not belong to plugin {name}, or are malformed: {wrong}",
        )
        raise StartError(text.format(name=name, wrong=", ".join(wrong)))
    for kind, names in (
        (Text(zh="权限", en="permission"), [p.name for p in plugin.permissions]),
        (Text(zh="事件", en="event"), [e.type for e in plugin.event_types]),
        (Text(zh="定时任务", en="job"), [j.name for j in plugin.jobs]),
        (Text(zh="路由", en="route"), [_address(m, p) for r in plugin.routes for m in r.http_methods for p in r.paths]),
    ):
        if doubled := sorted({n for n in names if names.count(n) > 1}):
            text = Text(zh="{kind}重复：{names}", en="the same {kind} twice: {names}")
            raise StartError(text.format(kind=kind, names=", ".join(doubled)))


def _address(method: str, path: str) -> str:
    """What a request is matched by: where routes differ only in a parameter's name or type, Litestar drops one."""
    return f"{method} {re.sub(r'{[^}]*}', '{}', path)}"


def _refuse_unfit_settings(plugin: Plugin) -> None:
    """`enabled` is the file's own word, and switching on must work without saying anything."""
    type_ = plugin.settings_type
    if type_ is None:
        return
    required = [field.name for field in msgspec.structs.fields(type_) if field.required]
    if "enabled" in type_.__struct_fields__ or required:
        text = Text(
            zh="设置里不能有名为 enabled 的字段，每个字段都要有默认值（缺：{required}）",
            en="settings must not have a field called enabled, and every field needs a default (without: {required})",
        )
        raise StartError(text.format(required=", ".join(required) or "—"))


def _refuse_open_routes(plugins: Mapping[str, Plugin]) -> None:
    for plugin in plugins.values():
        declared = {permission.name for permission in plugin.permissions}
        for handler in plugin.routes:
            permission = handler.opt.get("permission")
            if isinstance(permission, Public | SignedIn) or (isinstance(permission, str) and permission in declared):
                continue
            text = Text(
                zh="插件 {name} 的路由 {route} 没有声明权限（permission=…）",
                en="route {route} of plugin {name} declares no permission (permission=…)",
            )
            raise StartError(
                text.format(name=plugin.name, route=f"{sorted(handler.http_methods)} {sorted(handler.paths)}")
            )


def _refuse_rival_providers(plugins: Mapping[str, Plugin]) -> None:
    provider: dict[str, str] = {}
    for plugin in plugins.values():
        for capability in plugin.capabilities:
            if other := provider.get(capability.name):
                text = Text(
                    zh="插件 {a} 与 {b} 都提供能力 {what}", en="plugins {a} and {b} both provide capability {what}"
                )
                raise StartError(text.format(a=other, b=plugin.name, what=capability.name))
            provider[capability.name] = plugin.name
