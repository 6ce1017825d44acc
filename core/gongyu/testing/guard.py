"""The static guard: what runs on one PostgreSQL and breaks, mostly in silence, once districts are spread by Citus.

Each code is a rule that was measured there (R2 to R17; DESIGN 4). On one PostgreSQL all of it works, so no test against
a database can find it. `python -m gongyu.testing.guard` reads the sources of the core and of every installed plugin;
`check_metadata` looks at tables.

A file that must show forbidden words begins with `# guard: off - reason`.
"""

import ast
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gongyu.testing.guard_metadata import check_metadata
from gongyu.testing.guard_sql import RULES, VOLATILE, Finding, search
from gongyu.text import Text, language_of_environment

__all__ = ["Finding", "check_metadata", "check_source", "main"]

_OFF: Final = re.compile(r"\A(?:#|--)\s*guard: off - \S")


def check_source(root: Path) -> list[Finding]:
    """Check the .py and .sql files of a package (or one file)."""
    files = [root] if root.is_file() else sorted(root.rglob("*"))
    return [
        finding
        for path in files
        if path.suffix in (".py", ".sql") and not any(part.startswith(".") for part in path.relative_to(root).parts)
        for finding in _in_file(path)
    ]


def _in_file(path: Path) -> list[Finding]:
    source = path.read_text("utf-8")
    if _OFF.match(source):
        return []
    if path.suffix == ".sql":
        found = {(source.count("\n", 0, at) + 1, code, text) for at, code, text in search(source)}
    else:
        try:
            found = set(_in_python(ast.parse(source)))
        except SyntaxError as error:
            found = {(error.lineno or 1, "SOURCE", Text(zh=f"无法解析：{error.msg}", en=f"cannot parse: {error.msg}"))}
    ordered = sorted(found, key=lambda one: (one[0], one[1], one[2].en))
    return [Finding(code=code, place=f"{path}:{line}", text=text) for line, code, text in ordered]


def _in_python(node: ast.AST) -> Iterator[tuple[int, str, Text]]:
    """Strings, except what is for people to read (docstrings, messages), and calls of SQLAlchemy and Alembic."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.keyword(arg="zh" | "en", value=ast.Constant() | ast.JoinedStr()):
            return
        case ast.Constant(value=str(string)):
            yield from _in_string(node, string)
        case ast.JoinedStr(values=values):
            words = (str(value.value) if isinstance(value, ast.Constant) else "x" for value in values)
            yield from _in_string(node, "".join(words))
            for value in values:
                if isinstance(value, ast.FormattedValue):
                    yield from _in_python(value.value)
            return
        case ast.Call():
            for code, text in _in_call(node):
                yield node.lineno, code, text
    for child in ast.iter_child_nodes(node):
        yield from _in_python(child)


def _in_string(node: ast.Constant | ast.JoinedStr, text: str) -> Iterator[tuple[int, str, Text]]:
    if len(text.split()) < 2 and "(" not in text:  # noqa: PLR2004 - one word is a name, not a statement
        return
    for at, code, words in search(text):
        yield min(node.lineno + text.count("\n", 0, at), node.end_lineno or node.lineno), code, words


def _in_call(call: ast.Call) -> Iterator[tuple[str, Text]]:
    chain = _chain(call)
    inside = [child for value in (*call.args, *call.keywords) for child in ast.walk(value)]
    calls = {_called(child) for child in inside if isinstance(child, ast.Call)}
    names = {_called(child) for child in inside}
    given = {
        keyword.arg
        for keyword in call.keywords
        if not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
    }
    if given & {"deferrable", "initially"}:
        yield "R8", RULES["deferrable"]
    if chain[-1] == "add_column" and calls & {"CheckConstraint", "Identity"}:
        yield "R17", RULES["add_column"]
    counted = "Identity" in calls or "autoincrement" in given
    if chain[-1] in ("Column", "mapped_column") and names & {"Integer", "SmallInteger"} and counted:
        yield "R9", RULES["narrow_key"]
    if len(chain) > 1 and chain[-1] == "update":
        for name in sorted(_functions(inside)):
            yield "R10", RULES["volatile"].format(name=name)
    if chain[0] == "values" and len(chain) > 1 and chain[-1].endswith("insert") and "scalar_subquery" in calls:
        yield "R11", RULES["values"]


def _chain(call: ast.Call) -> list[str]:
    """The names called, last first: `sa.update(t).where(…).values(…)` gives values, where, update."""
    names = []
    node: ast.expr = call
    while isinstance(node, ast.Call):
        names.append(_called(node))
        node = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    return names


def _called(node: ast.AST) -> str:
    match node:
        case ast.Call(func=function):
            return _called(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _functions(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="func") | ast.Attribute(attr="func"), attr=name):
                if VOLATILE.match(f"{name}("):
                    yield name


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the named packages; without names, the core and every distribution that offers a plugin."""
    offered = {point.module.partition(".")[0] for point in importlib.metadata.entry_points(group="gongyu.plugins")}
    packages = (sys.argv[1:] if arguments is None else list(arguments)) or ["gongyu", *sorted(offered)]
    language = language_of_environment()
    findings = [finding for package in packages for finding in _in_package(package)]
    for finding in findings:
        print(f"{finding.place}: {finding.code} {finding.text.pick(language)}")  # noqa: T201 - this is a command
    return 1 if findings else 0


def _in_package(package: str) -> Iterator[Finding]:
    """Found without being imported: a plugin that breaks at import can still be read."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        text = Text(zh="找不到这个包", en="there is no such package")
        yield Finding(code="SOURCE", place=package, text=text)
        return
    for root in spec.submodule_search_locations or [spec.origin or ""]:
        path, here = Path(root), Path.cwd()
        yield from check_source(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
