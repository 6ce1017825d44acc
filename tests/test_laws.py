"""The laws of the house, where they can be read from the sources."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

from gongyu.host.discovery import ENTRY_POINT_GROUP

ROOT = Path(__file__).parents[1]
CORE = Path(str(resources.files("gongyu")))
INSTALLED = {point.name: point.module.partition(".")[0] for point in metadata.entry_points(group=ENTRY_POINT_GROUP)}
#: Also those that are planned: the core must not prepare for them either.
PLUGINS = {"mentor", "points", "parent_school", "venue_link"} | set(INSTALLED)


def sources(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(folder)), ast.parse(path.read_text("utf-8"))


def test_imports_keep_the_contracts() -> None:
    ran = subprocess.run(  # noqa: S603 - our own tool
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_import_contracts_know_every_installed_plugin() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    core, apart, *_ = linter["contracts"]
    assert set(linter["root_packages"]) >= {"gongyu", *INSTALLED.values()}
    assert set(core["forbidden_modules"]) == set(apart["modules"]) == set(linter["root_packages"]) - {"gongyu"}


def test_no_core_file_names_a_plugin() -> None:
    """Neither in a name nor in a string; prose in comments and docstrings may give examples."""
    named = {f"gongyu_{plugin}" for plugin in PLUGINS} | PLUGINS
    found = [f"{place}:{line} {what!r}" for place, tree in sources(CORE) for line, what in _said(tree, named)]
    assert found == []


def _said(tree: ast.Module, named: set[str]) -> Iterator[tuple[int, str]]:
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    # A plugin's name as a whole string, as the beginning of a table, permission, event or address, or of a package.
    word = re.compile(rf"(?<![\w.-])({'|'.join(sorted(named))})(?=[_./:]\w|$)")
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose and (said := word.search(text)):
                if said[0] == text or text[said.end() : said.end() + 1] in tuple("_./:"):
                    yield node.lineno, text[:60]
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                if name in named:
                    yield node.lineno, name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                parts = [part for alias in aliases for part in alias.name.split(".")]
                parts += (getattr(node, "module", None) or "").split(".")
                yield from ((node.lineno, part) for part in parts if part in named)


#: What lives for the process by its nature; each says there why.
CACHED_FOR_THE_PROCESS = {
    "database/upgrade.py: _host",  # a worker process of `db upgrade` loads its plugins once
}
_STATEFUL = {
    "PluginManager",
    "Database",
    "Host",
    "Registry",
    "Platform",
    "create_async_engine",
    "load_host",
    "assemble",
}
_CONTAINERS = {"dict", "list", "set", "defaultdict", "OrderedDict", "deque", "Counter", "WeakKeyDictionary"}


def test_no_module_holds_state() -> None:
    """Plugin manager, engine and settings hang on the application object; two of them in one process are two."""
    found = {f"{place}: {what}" for place, tree in sources(CORE) for what in _state(tree)}
    assert found - CACHED_FOR_THE_PROCESS == set()


def _state(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"global {', '.join(node.names)}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            cached = {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in node.decorator_list}
            arguments = [*node.args.args, *node.args.kwonlyargs]
            if cached & {"cache", "lru_cache"} and not arguments:  # with arguments it is a table of pure answers
                yield node.name
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        empty = isinstance(value, ast.Dict | ast.List | ast.Set) and not ast.unparse(value).strip("[]{}")
        called = ast.unparse(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
        bare = called in _CONTAINERS and isinstance(value, ast.Call) and not (value.args or value.keywords)
        if empty or bare or called in _STATEFUL:
            yield ast.unparse(node)


def test_handlers_hold_no_sql() -> None:
    pages = [*ROOT.glob("plugins/*/gongyu_*/api.py"), *ROOT.glob("tests/plugins/*/gongyu_*/api.py")]
    assert pages
    found = [
        f"{page.relative_to(ROOT)}:{node.lineno}"
        for page in pages
        for node in ast.walk(ast.parse(page.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        if name.partition(".")[0] in ("sqlalchemy", "asyncpg")
    ]
    assert found == []
