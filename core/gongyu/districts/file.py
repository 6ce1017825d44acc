"""A district as a TOML file: the form in which its plugins and settings are reviewed and versioned.

Reading answers with everything that is wrong and where; writing is canonical, so that what `show` prints and what is
kept under version control are the same bytes.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
import tomlkit
from msgspec import Meta, Struct

from gongyu.access.rules import AccessRules
from gongyu.districts.positions import positions_of
from gongyu.districts.settings import Code, SettingError, merge_school, read_settings, subpath, unknown_name
from gongyu.text import Text

__all__ = ["DistrictFile", "PluginEntry", "load", "parse", "positions_of", "render", "validate"]

Slug = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9]{1,30}\Z",  # it becomes the name of a schema; `$` would let a newline through
        extra={
            "expected": Text(
                zh="2 到 31 个小写字母或数字，以字母开头", en="2 to 31 lower-case letters or digits, a letter first"
            )
        },
    ),
]


class District(Struct, frozen=True, forbid_unknown_fields=True):
    slug: Slug
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    timezone: str = "Asia/Shanghai"


class _Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """What any district's file looks like, before any plugin is asked."""

    district: District
    access: dict[str, Any] = {}
    retention: dict[str, dict[str, Any]] = {}
    plugins: dict[str, dict[str, Any]] = {}
    schools: dict[str, dict[str, dict[str, Any]]] = {}


class _Switch(Struct, frozen=True):
    enabled: bool


@dataclass(frozen=True)
class PluginEntry:
    enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DistrictFile:
    """Two files are equal when they say the same, wherever they say it."""

    slug: str
    name: str
    timezone: str = "Asia/Shanghai"
    access: Mapping[str, Any] = field(default_factory=dict)
    retention: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plugins: Mapping[str, PluginEntry] = field(default_factory=dict)
    schools: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    file: str | None = field(default=None, compare=False)
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)


def load(
    text: str | bytes,
    *,
    file: str,
    types: Mapping[str, type[Struct] | None],
    missing: Mapping[str, Collection[str]] | None = None,
    retention: type[Struct] | None = None,
) -> tuple[DistrictFile | None, dict[str, Struct | None], list[SettingError]]:
    """Parse and validate in one go: a wrong slug must not hide a wrong setting.

    `missing` tells by slug which plugins are on in a district although their package is not on the machine;
    `retention` is the type of the table of that name.
    """
    district_file, errors = _read(text, file=file)
    if district_file is None:
        return None, {}, errors
    gone = (missing or {}).get(district_file.slug, ())
    settings, more = validate(district_file, types, missing=gone, retention=retention)
    said = {error.path for error in errors}
    errors = _in_order([*errors, *(error for error in more if error.path not in said)])
    return (None, {}, errors) if errors else (district_file, settings, [])


def parse(text: str | bytes, *, file: str) -> tuple[DistrictFile | None, list[SettingError]]:
    """The file's structure; what the settings mean is `validate`'s."""
    district_file, errors = _read(text, file=file)
    return (None if errors else district_file), _in_order(errors)


def validate(
    file: DistrictFile,
    types: Mapping[str, type[Struct] | None],
    *,
    missing: Collection[str] = (),
    retention: type[Struct] | None = None,
) -> tuple[dict[str, Struct | None], list[SettingError]]:
    """The settings by plugin, also of those that are off; `types` are those of the installed plugins.

    A plugin that is not installed keeps its settings unread while it is off, or was on before its package went
    missing: the file that was shown must apply again.
    """
    settings: dict[str, Struct | None] = {}
    _, errors = read_settings(AccessRules, file.access, path="access")
    if retention is not None:
        said = {name: days for name, days in file.retention.items() if name in types or name not in file.plugins}
        errors += read_settings(retention, said, path="retention")[1]
    for name, entry in file.plugins.items():
        if name in types:
            settings[name], found = _settings(types[name], entry.settings, subpath("plugins", name))
            errors += found
        elif entry.enabled and name not in missing:
            errors.append(unknown_name(name, types, "plugins", _PLUGIN))
    for school, plugins in file.schools.items():
        path = subpath("schools", school)
        for name, overrides in plugins.items():
            type_ = types.get(name)
            if name not in file.plugins:
                errors.append(_not_in_file(name, path) if name in types else unknown_name(name, types, path, _PLUGIN))
            elif type_ is None:
                errors += _settings(None, overrides, subpath(path, name))[1] if name in types else []
            else:
                errors += merge_school(type_, settings[name], overrides, path=subpath(path, name))[1]
    return settings, _in_order(_located(errors, file))


def render(file: DistrictFile) -> str:
    """Canonical TOML: the district, its access, how long it keeps data, its plugins by name, its schools, and every
    table sorted.
    """
    plugins = {
        name: ({} if entry.enabled else {"enabled": False}) | _sorted(entry.settings)
        for name, entry in sorted(file.plugins.items())
    }
    document: dict[str, Any] = {"district": {"slug": file.slug, "name": file.name, "timezone": file.timezone}}
    document |= {"access": _sorted(file.access)} if file.access else {}
    document |= {"retention": _sorted(file.retention)} if file.retention else {}
    document |= {"plugins": plugins} if plugins else {}
    document |= {"schools": _sorted(file.schools)} if file.schools else {}
    return tomlkit.dumps(document)


_PLUGIN = Text(zh="插件", en="plugin")


def _settings(
    type_: type[Struct] | None, raw: Mapping[str, Any], path: str
) -> tuple[Struct | None, list[SettingError]]:
    if type_ is None:
        return None, [unknown_name(name, (), path) for name in raw]
    return read_settings(type_, raw, path=path)


def _not_in_file(name: str, path: str) -> SettingError:
    message = Text(zh="区县没有使用插件 `{name}`", en="the district does not use plugin `{name}`").format(name=name)
    table = f"[{subpath('plugins', name)}]"
    return SettingError(path=subpath(path, name), code="missing", message=message, expected=Text(zh=table, en=table))


def _sorted(value: Any) -> Any:  # noqa: ANN401 - a TOML value of any kind
    if isinstance(value, Mapping):
        return {key: _sorted(part) for key, part in sorted(value.items())}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _read(text: str | bytes, *, file: str) -> tuple[DistrictFile | None, list[SettingError]]:
    """No file only where TOML itself could not be read; else whatever of it has the right shape."""
    try:
        text = (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")  # Windows editors write it
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [_syntax_error(error, text, file)]
    _, errors = read_settings(_Layout, raw, path="")
    district, access, retention, plugins, schools = (
        _table(raw.get(name)) for name in ("district", "access", "retention", "plugins", "schools")
    )
    timezone = district.get("timezone", "Asia/Shanghai")
    errors += _timezone_errors(timezone) if isinstance(timezone, str) else []
    entries = {}
    for name, table in plugins.items():
        own = dict(_table(table))
        switch, wrong = read_settings(_Switch, {"enabled": own.pop("enabled", True)}, path=subpath("plugins", name))
        errors += wrong
        entries[name] = PluginEntry(enabled=switch is None or switch.enabled, settings=own)
    read = DistrictFile(
        slug=str(district.get("slug")),
        name=str(district.get("name")),
        timezone=str(timezone),
        access=access,
        retention={owner: _table(days) for owner, days in retention.items()},
        plugins=entries,
        schools={
            school: {name: _table(overrides) for name, overrides in _table(tables).items()}
            for school, tables in schools.items()
        },
        file=file,
        positions=positions_of(text),
    )
    return read, _located(errors, read)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _timezone_errors(name: str) -> list[SettingError]:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, not a relative name, a folder of zones
        near = get_close_matches(name, available_timezones(), n=1) or ["Asia/Shanghai"]
        message = Text(zh="没有这个时区，是不是 `{near}`", en="no such time zone, did you mean `{near}`")
        expected = Text(zh="IANA 时区名", en="the name of an IANA time zone")
        path, found = "district.timezone", f'"{name}"'
        return [
            SettingError(path=path, code="choice", message=message.format(near=near[0]), expected=expected, found=found)
        ]
    return []


# --- errors and their places -----------------------------------------------------------------------------------------


def _located(errors: Iterable[SettingError], file: DistrictFile) -> list[SettingError]:
    """Where the path is written; what is missing is reported at the table it is missing from."""
    located = []
    for error in errors:
        path = error.path
        while path and path not in file.positions:
            path = _LAST_MEMBER.sub("", path)
        line, column = file.positions.get(path, (1, 1))
        located.append(msgspec.structs.replace(error, file=file.file, line=line, column=column))
    return located


_LAST_MEMBER = re.compile(r"""(\[[^\[\]]*\]|\.?[A-Za-z0-9_-]+|\.?"(?:[^"\\]|\\.)*")\Z""")


def _in_order(errors: Iterable[SettingError]) -> list[SettingError]:
    return sorted(errors, key=lambda error: (error.line or 0, error.column or 0, error.path))


def _syntax_error(error: Exception, text: str | bytes, file: str) -> SettingError:
    """The parser's own sentence, in Chinese where it is a common one.

    Only one character is quoted: what stands there may be a secret, and no type can say so yet.
    """
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        message = Text(zh="文件不是 UTF-8 编码，请另存为 UTF-8", en="not encoded in UTF-8; save the file as UTF-8")
        return SettingError(path="", code="syntax", message=message, file=file, line=line, column=1)
    lines = str(text).replace("\r\n", "\n").split("\n")
    said, line, column = "nested too deep or a number too long", 1, 1  # where, the parser does not say
    if place := re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL):
        said, line, column = place[1], int(place[2] or len(lines)), int(place[3] or len(lines[-1]) + 1)
    code: Code = "duplicate" if re.match(r"Cannot (overwrite|declare)|Duplicate", said) else "syntax"
    found = lines[line - 1][column - 1 : column] if place and code == "syntax" else ""
    chinese = next((zh for start, zh in _SYNTAX.items() if said.startswith(start)), said)
    message = Text(zh="TOML 语法错误：{zh}", en="TOML syntax error: {en}").format(zh=chinese, en=said)
    if found in tuple(_FULL_WIDTH):
        message = Text(zh=message.zh + "；这里是全角符号", en=message.en + "; this is a full-width character")
    return SettingError(
        path="",
        code=code,
        message=message,
        found=f"`{found}`" if found.isprintable() and found else "",
        file=file,
        line=line,
        column=column,
    )


_FULL_WIDTH = "＝［］｛｝＂＇“”‘’，．。＃：　"
_SYNTAX = {
    "Cannot overwrite a value": "同一个键写了两次",
    "Cannot declare": "同一个表写了两次",
    "Duplicate inline table key": "同一个键写了两次",
    "Expected '=' after a key": "键的后面应为 `=`",
    "Expected ']": "表头应以 `]` 结束",
    "Expected newline or end of document after a statement": "这里应当换行",
    "Illegal character": "不允许的字符",
    "Invalid initial character for a key part": "键的写法不对",
    "Invalid statement": "既不是表头，也不是 `键 = 值`",
    "Invalid value": "值的写法不对",
    "Unclosed array": "列表没有用 `]` 结束，或缺少逗号",
    "Unclosed inline table": "表没有用 `}` 结束，或缺少逗号",
    "Unescaped '\\'": "反斜杠要写成 `\\\\`",
    "Unterminated string": "文字没有用引号结束",
    "nested too deep": "嵌套太深，或数字太长",
}


# --- positions: tomllib says what, not where -------------------------------------------------------------------------
