"""Finding plugins without importing them: name card, contract range and dependencies are checked first.

Checking before import is what OpenTelemetry's loader does and NetBox's users miss: a plugin made for another contract
would otherwise fail somewhere in the middle, with an error that names the wrong thing.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from gongyu.plugin import CONTRACT_VERSION, PluginInfo
from gongyu.text import Text

__all__ = ["ENTRY_POINT_GROUP", "Candidate", "Refusal", "find_candidates", "missing_requirements", "order_by_needs"]

ENTRY_POINT_GROUP = "gongyu.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
#: Words the core uses itself: in addresses beside the plugins' own, in the command line, as names of histories, or as
#: the beginning of a table's name, which would make that table the plugin's.
RESERVED = frozenset(
    [
        "academic",
        "access",
        "account",
        "accounts",
        "activation",
        "api",
        "audit",
        "care",
        "class",
        "classes",
        "core",
        "corrected",
        "db",
        "demo",
        "district",
        "districts",
        "docs",
        "doctor",
        "events",
        "external",
        "former",
        "guardianships",
        "health",
        "keys",
        "me",
        "openapi",
        "people",
        "person",
        "plugin",
        "plugins",
        "recovery",
        "registry",
        "rights",
        "roster",
        "serve",
        "session",
        "sessions",
        "sign",
        "sign_in",
        "tokens",
        "user",
        "users",
        "web",
        "webhook",
        "webhooks",
    ]
)


class Refusal(msgspec.Struct, frozen=True):
    """An installed plugin that is not available, and why; `traceback` only where its own code failed."""

    name: str
    distribution: str
    reason: Text
    traceback: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """An installed plugin whose card was read and fits; not imported yet."""

    info: PluginInfo
    distribution: str
    version: str
    module: str


class _CardError(Exception):
    """The plugin's page has no name card that can be read without running it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def find_candidates(
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> tuple[list[Candidate], list[Refusal]]:
    """All installed plugins, in the order they must start, and those that cannot be available with their reasons."""
    found = list(metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points)
    carriers: dict[str, set[str]] = {}
    for point in found:
        carriers.setdefault(point.name, set()).add(point.dist.name if point.dist else point.value)
    fit: dict[str, Candidate] = {}
    refused: list[Refusal] = []
    for point in sorted(found, key=lambda p: (p.name, p.value)):
        distribution = point.dist.name if point.dist else "?"
        reason, info = _check(point, carriers=sorted(carriers[point.name]))
        if reason is not None or info is None:
            refused.append(Refusal(point.name, distribution, reason or Text(zh="", en="")))
            continue
        version = point.dist.version if point.dist else "?"
        fit[point.name] = Candidate(info, distribution, version, point.value)
    ordered, unmet = order_by_needs(list(fit.values()))
    return ordered, refused + unmet


def order_by_needs(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Refusal]]:
    """Each after what it requires, else by name; those whose needs are absent or go round in a circle are refused."""
    waiting = {candidate.info.name: candidate for candidate in candidates}
    ordered: list[Candidate] = []
    while True:
        placed = {candidate.info.name for candidate in ordered}
        ready = sorted(name for name, candidate in waiting.items() if placed.issuperset(candidate.info.requires))
        if not ready:
            break
        ordered.append(waiting.pop(ready[0]))
    refused = []
    for name, candidate in sorted(waiting.items()):
        missing = ", ".join(sorted(set(candidate.info.requires) - {c.info.name for c in ordered}))
        reason = Text(zh="它需要的插件不可用：{missing}", en="it requires plugins that are not available: {missing}")
        refused.append(Refusal(name, candidate.distribution, reason.format(missing=missing)))
    return ordered, refused


def missing_requirements(distribution: metadata.Distribution) -> list[str]:
    """Declared dependencies (PEP 508, extras left out) that are absent or of a version that does not fit."""
    missing = []
    for line in distribution.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:  # nobody can say that it is met
            missing.append(line)
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(f"{requirement.name}{requirement.specifier}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement.name}{requirement.specifier} ({version})")
    return missing


def _check(  # noqa: PLR0911 - one way out for each reason to refuse
    point: metadata.EntryPoint, *, carriers: Sequence[str]
) -> tuple[Text | None, PluginInfo | None]:
    if len(carriers) > 1:
        return Text(
            zh="有两个已安装的包都叫这个名字，无法判断该用哪个；请卸载其中一个：{carriers}",
            en="two installed packages carry this name and nobody can say which is meant; uninstall one: {carriers}",
        ).format(carriers=", ".join(carriers)), None
    try:
        info = _read_card(point.value)
    except _CardError as error:
        return error.text, None
    if info.name != point.name or not _NAME.fullmatch(info.name):
        return Text(
            zh="名片上的名字 `{card}` 与入口点 `{point}` 不同，或不合规则 {rule}",
            en="the name on its card, `{card}`, is not its entry point's, `{point}`, or breaks the rule {rule}",
        ).format(card=info.name, point=point.name, rule=_NAME.pattern), None
    if info.name in RESERVED:
        return Text(zh="名字 `{name}` 由平台保留", en="the name `{name}` is the platform's own").format(
            name=info.name
        ), None
    try:
        fits = SpecifierSet(info.contract).contains(CONTRACT_VERSION)
    except InvalidSpecifier:
        fits = False
    if not fits:
        return Text(
            zh="它支持的契约版本是 {wants}，本平台提供的是 {have}",
            en="it supports contract {wants}, this platform has {have}",
        ).format(wants=info.contract, have=CONTRACT_VERSION), None
    missing = missing_requirements(point.dist) if point.dist else []
    if missing:
        return Text(
            zh="缺少依赖包：{missing}；请执行 pip install '{distribution}'",
            en="packages it depends on are missing: {missing}; run pip install '{distribution}'",
        ).format(missing=", ".join(missing), distribution=point.dist.name if point.dist else "?"), None
    return None, info


def _read_card(module: str) -> PluginInfo:
    """The `INFO = PluginInfo(…)` of a module, from its source alone."""
    path = _source_of(module)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        reason = Text(zh="无法读取 {module}：{error}", en="{module} cannot be read: {error}")
        raise _CardError(reason.format(module=module, error=error)) from error
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "INFO" for target in targets):
            try:
                return msgspec.convert(_literal(node.value), PluginInfo)  # type: ignore[attr-defined]  # both kinds of assignment have a value
            except (ValueError, msgspec.ValidationError) as error:
                reason = Text(zh="{module} 里的 INFO 有误：{error}", en="INFO in {module} is wrong: {error}")
                raise _CardError(reason.format(module=module, error=error)) from error
    reason = Text(zh="{module} 里没有 `INFO = PluginInfo(…)`", en="{module} has no `INFO = PluginInfo(…)`")
    raise _CardError(reason.format(module=module))


def _source_of(module: str) -> Path:
    package, _, rest = module.partition(".")
    try:
        spec = find_spec(package)  # of the top package only: finding a submodule would import its parents
    except (ImportError, ValueError):
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, *rest.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    raise _CardError(Text(zh="找不到模块 {module}", en="module {module} is not there").format(module=module))


def _literal(node: ast.expr | None) -> object:
    """A literal, where a call of a Struct with keyword arguments counts as the mapping of its fields."""
    if isinstance(node, ast.Call) and not node.args and all(keyword.arg for keyword in node.keywords):
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    if node is None:
        raise ValueError("no value")
    return ast.literal_eval(node)
