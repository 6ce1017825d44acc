"""The contract checked against itself: no hook without documentation, without a test, without a real user.

`python -m gongyu.testing.contract --write docs/reference/hooks.md` writes the reference page from `gongyu.hookspecs`,
the only place where a hook is described.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.version import Version

from gongyu import hookspecs
from gongyu.hookspecs import HookPolicy, policy_of
from gongyu.host import Host
from gongyu.plugin import CONTRACT_VERSION

__all__ = ["Hook", "hooks", "page", "undocumented", "untested", "unused"]

#: What the page says of each policy, in the words of the module that decides them.
_POLICIES: Final = {
    "once": "contribution, called once at start",
    "notify": "`notify`: a failure is isolated and recorded",
    "collect": "`collect`: a failing plugin's part is left out and recorded",
    "veto": "`veto`: a failure refuses",
    "provide_one": "`provide_one`: two providers of one thing stop the start",
}
_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Yields):$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of the contract as its specification says it."""

    name: str
    function: Callable[..., Any]
    policy: HookPolicy

    @property
    def asynchronous(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @property
    def arguments(self) -> list[str]:
        return list(inspect.signature(self.function).parameters)

    @property
    def parts(self) -> dict[str, str]:
        """The docstring by section; what stands before the first is under the empty name."""
        first, *rest = _SECTION.split(inspect.getdoc(self.function) or "")
        return {"": first.strip()} | {name: text.strip("\n") for name, text in zip(rest[::2], rest[1::2], strict=True)}


def hooks() -> list[Hook]:
    """Every hook in the order of the page."""
    found = [
        Hook(name, function, policy_of(function))
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and hasattr(function, "__gongyu_policy__")
    ]
    return sorted(found, key=lambda hook: hook.function.__code__.co_firstlineno)


def undocumented() -> list[str]:
    """What a plugin author could not find out from the page."""
    return [f"{hook.name}: {what}" for hook in hooks() for what in _gaps(hook)]


def _gaps(hook: Hook) -> Iterator[str]:
    parts = hook.parts
    yield from _unsaid(hook, parts[""])
    for argument in hook.arguments:
        if not re.search(rf"^\s+{argument}: \S", parts.get("Args", ""), re.MULTILINE):
            yield f"argument `{argument}` is not documented"
    if hook.function.__annotations__.get("return") is not None and not parts.get("Returns", "").strip():
        yield "does not say what it returns"
    if hook.asynchronous is (hook.policy.policy in ("once", "provide_one")):
        yield "contribution hooks are plain, runtime hooks are async"
    if Version(hook.policy.since) > Version(CONTRACT_VERSION):
        yield f"is since {hook.policy.since}, but the contract is {CONTRACT_VERSION}"
    if hook.policy.seconds <= 0:
        yield "has no time limit"


def _unsaid(hook: Hook, said: str) -> Iterator[str]:
    if not re.search(r"\bWhen:|\b[Cc]alled\b", said):
        yield "does not say when it is called"
    if not re.search(r"\bFailure\b", said):
        yield "does not say what a failure means"
    if hook.policy.policy != "once" and f"`{hook.policy.policy}`" not in said:
        yield f"does not name its failure policy `{hook.policy.policy}`"
    if hook.asynchronous and not re.search(r"\btransaction\b", said):
        yield "does not say whether it runs inside the transaction"


def unused(host: Host) -> list[str]:
    """Hooks that no installed plugin implements: nobody knows whether they serve."""
    return [hook.name for hook in hooks() if not getattr(host.manager.hook, hook.name).get_hookimpls()]


def untested(folders: Iterable[Path]) -> list[str]:
    """Hooks that no test names."""
    said = "\n".join(path.read_text("utf-8") for folder in folders for path in sorted(folder.rglob("test_*.py")))
    words = set(re.findall(r"\w+", said))
    return [hook.name for hook in hooks() if hook.name not in words]


def page() -> str:
    """The reference page, whole."""
    title, _, introduction = (inspect.getdoc(hookspecs) or "").partition("\n\n")
    known = hooks()
    lines = [
        "<!-- Written by `python -m gongyu.testing.contract --write`; edit core/gongyu/hookspecs.py instead. -->",
        f"# Hooks · 钩子：{title.removeprefix('THE CONTRACT, ').partition(':')[0]}",
        introduction,
        "| hook | policy | time limit | since |\n| --- | --- | --- | --- |\n" + "\n".join(_row(hook) for hook in known),
        *(_entry(hook) for hook in known),
    ]
    return "\n\n".join(lines) + "\n"


def _row(hook: Hook) -> str:
    limit = f"{hook.policy.seconds:g} s" if hook.asynchronous else "—"
    return f"| [`{hook.name}`](#{hook.name}) | {hook.policy.policy} | {limit} | {hook.policy.since} |"


def _entry(hook: Hook) -> str:
    parts = hook.parts
    kind = "async def" if hook.asynchronous else "def"
    said = [
        f"## `{hook.name}`",
        f"```python\n@hookimpl\n{kind} {hook.name}{_signature(hook)}: ...\n```",
        f"Since {hook.policy.since}. {_POLICIES[hook.policy.policy].capitalize()}.",
        parts[""],
    ]
    told = {section: inspect.cleandoc(parts.get(section, "")) for section in ("Args", "Returns", "Raises")}
    said += [f"**{section}**\n\n{_items(text)}" for section, text in told.items() if text]
    return "\n\n".join(said)


def _signature(hook: Hook) -> str:
    signature = inspect.signature(hook.function)
    written = [f"{name}: {_type(parameter.annotation)}" for name, parameter in signature.parameters.items()]
    return f"({', '.join(written)}) -> {_type(signature.return_annotation)}"


def _type(annotation: object) -> str:
    """As it is written in a plugin: names without the modules they come from."""
    if annotation in (None, type(None)):
        return "None"
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", inspect.formatannotation(annotation))


def _items(text: str) -> str:
    """`name: words`, a line each, as a list; continued lines stay with their name."""
    return re.sub(r"^(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what is missing, and write the page where asked."""
    parser = argparse.ArgumentParser(prog="python -m gongyu.testing.contract", description=main.__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="where the reference page goes")
    target: Path | None = parser.parse_args(arguments).write
    gaps = undocumented()
    sys.stderr.write("".join(f"{gap}\n" for gap in gaps))
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(), "utf-8")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
