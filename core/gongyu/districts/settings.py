"""Typed settings: one frozen `msgspec.Struct` per plugin is validation, defaults, JSON Schema and form at once.

msgspec stops at the first error and says it in English; an operator fixes a file in one go, so this module reads
field by field, collects everything that is wrong, and says where, what was expected and what was found.
"""

import datetime as dt
import json
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from gongyu.districts.expectations import choices, described, is_sequence, is_struct, joined, listed, one_of, peeled
from gongyu.text import Language, Text

__all__ = [
    "PER_SCHOOL",
    "SECRET",
    "Change",
    "Code",
    "SettingError",
    "as_toml",
    "defaults",
    "diff",
    "json_schema",
    "merge_school",
    "overridable_fields",
    "read_settings",
    "redact",
    "shown",
    "subpath",
    "to_raw",
    "unknown_name",
]

SECRET = Meta(extra={"secret": True}, extra_json_schema={"writeOnly": True})
"""`Annotated[str, SECRET]`: never shown, by type and not by a guess at the field's name."""

PER_SCHOOL = Meta(extra={"per_school": True}, extra_json_schema={"x-per-school": True})
"""`Annotated[int, Meta(ge=1), PER_SCHOOL]`: a school may set its own value of this field."""

HIDDEN = "***"
_TIMES = (dt.datetime, dt.date, dt.time)  # TOML has these itself
INVALID = object()  # what a value is read as that has been reported; None is a value

S = TypeVar("S", bound=Struct)
Code = Literal["unknown", "type", "range", "missing", "choice", "pattern", "invalid", "syntax", "duplicate"]


class SettingError(Struct, frozen=True, kw_only=True):
    """One thing to correct. `expected` may be empty; `found` never holds a secret nor the value of an unknown name."""

    path: str
    code: Code
    message: Text
    expected: Text = Text(zh="", en="")
    found: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def render(self, language: Language) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        said = ": ".join(part for part in (place, self.path, self.message.pick(language)) if part)
        if self.code == "unknown":  # its message already names what was found, and the nearest valid name
            return said
        expected = self.expected.pick(language)
        if language == "en":
            details = [f"expected {expected}"] * bool(expected) + [f"found {self.found}"] * bool(self.found)
            return "; ".join(filter(None, (said, ", ".join(details))))
        gap = " " * expected[:1].isascii()  # Chinese sets a space before Latin letters and figures only
        details = [f"应为{gap}{expected}"] * bool(expected) + [f"实为 {self.found}"] * bool(self.found)
        return "；".join(filter(None, (said, "，".join(details))))


class Change(Struct, frozen=True):
    """One setting that differs; None stands for absent, and secrets are hidden on both sides."""

    path: str
    old: object
    new: object

    def render(self) -> str:
        old, new = ("—" if value is None else shown(value) for value in (self.old, self.new))
        return f"{self.path}: {old} → {new}"


def subpath(path: str, key: str | int) -> str:
    """The dotted path of a member, written as TOML writes keys, so that no two members share a path."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    written = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{written}" if path else written


def read_settings(type_: type[S], raw: Mapping[str, object], *, path: str) -> tuple[S | None, list[SettingError]]:
    """The settings and no error, or no settings and every error there is."""
    errors: list[SettingError] = []
    value = _read(type_, raw, path, errors)
    return (value if isinstance(value, type_) and not errors else None), errors


def overridable_fields(type_: type[Struct]) -> frozenset[str]:
    fields = msgspec.structs.fields(type_)
    return frozenset(field.encode_name for field in fields if _is_marked(field.type, "per_school"))


def merge_school(
    type_: type[S], base: S | None, overrides: Mapping[str, object], *, path: str
) -> tuple[S | None, list[SettingError]]:
    """The district's settings with one school's values in their place, a table as a whole.

    Without a base (it has errors of its own) the school's values are still checked one by one.
    """
    errors: list[SettingError] = []
    own, fields = overridable_fields(type_), {f.encode_name: f for f in msgspec.structs.fields(type_)}
    values: dict[str, object] = {}
    for name, raw in overrides.items():
        if name in own:
            values[fields[name].name] = _read(fields[name].type, raw, subpath(path, name), errors)
        else:
            errors.append((_not_overridable if name in fields else unknown_name)(name, own, path))
    if errors or base is None:
        return None, errors
    merged = _build(type_, {**msgspec.structs.asdict(base), **values}, path, errors)
    return (merged if isinstance(merged, type_) else None), errors


def to_raw(value: Struct) -> dict[str, Any]:
    """As TOML can hold it: dates and times as they are, and no None, for TOML has none."""
    raw: dict[str, Any] = _toml_able(msgspec.to_builtins(value, builtin_types=_TIMES, order="sorted"))
    return raw


def defaults(type_: type[Struct]) -> dict[str, Any]:
    """What holds when nothing is said; required settings are absent."""
    fields = msgspec.structs.fields(type_)
    given = {f.encode_name: f.default for f in fields if f.default is not msgspec.NODEFAULT}
    made = {f.encode_name: f.default_factory() for f in fields if f.default_factory is not msgspec.NODEFAULT}
    raw: dict[str, Any] = _toml_able(msgspec.to_builtins(given | made, builtin_types=_TIMES, order="sorted"))
    return raw


def as_toml(type_: type[Struct] | None, raw: Mapping[str, object]) -> dict[str, Any]:
    """What was stored as JSON, with the dates and times that TOML has itself: nothing filled in, nothing lost."""
    restored: dict[str, Any] = _walked(type_, raw, _restored)
    return restored


def diff(
    type_: type[Struct] | None,
    old: Mapping[str, object],
    new: Mapping[str, object],
    *,
    path: str = "",
    filled: bool = True,
) -> list[Change]:
    """What really changes: a default written out is no change, nor is a time that was stored as a string.

    A school's values are compared unfilled: what a school does not say, its district says.
    """
    sides = [_filled(type_, raw) if filled else as_toml(type_, raw) for raw in (old, new)]
    old_known, new_known = (_flat(_walked(type_, raw, _tagged), path) for raw in sides)
    old_shown, new_shown = (_flat(redact(type_, raw), path) for raw in sides)
    return [
        Change(name, old_shown.get(name), new_shown.get(name))
        for name in sorted(old_known | new_known)
        if old_known.get(name) != new_known.get(name)
    ]


def redact(type_: type[Struct] | None, raw: Mapping[str, object]) -> dict[str, Any]:
    """For every page and log: secrets hidden, and so is what no type vouches for."""
    masked: dict[str, Any] = _walked(type_, raw, lambda annotation, value: HIDDEN if _hides(annotation) else value)
    return masked


def json_schema(type_: type[Struct]) -> dict[str, Any]:
    return msgspec.json.schema(type_)


def shown(value: object) -> str:
    """A value in the words of TOML, short enough for a line of a terminal."""
    text = _written(value)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - with the path before it a line stays readable


_SETTING = Text(zh="设置项", en="setting")
_NOTHING = Text(zh="", en="")


def unknown_name(name: str, known: Iterable[str], path: str, what: Text = _SETTING) -> SettingError:
    """A name nobody declared; the value stays unsaid, for it may be a secret under a misspelled name."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1)
    message = Text(zh="未知的{what} `{name}`", en="unknown {what} `{name}`").format(what=what, name=name)
    if near:
        hint = Text(zh="，是不是 `{near}`？", en=", did you mean `{near}`?").format(near=near[0])
    elif known:
        hint = Text(zh="；可用的有 {known}", en="; known are {known}").format(known=listed(known))
    else:
        hint = Text(zh="；这里没有可用的名称", en="; none are known here")
    return SettingError(
        path=subpath(path, name), code="unknown", message=joined(message, hint), expected=one_of(known), found=name
    )


def _read(annotation: object, raw: object, path: str, errors: list[SettingError]) -> object:
    base, metas = peeled(annotation)
    hidden = _is_marked(annotation, "secret")
    if isinstance(raw, Mapping) and is_struct(base) and base.__struct_config__.tag is None:
        return _read_struct(base, raw, path, errors, hidden=hidden)
    origin, arguments = get_origin(base), [Annotated[part, SECRET] if hidden else part for part in get_args(base)]
    if isinstance(raw, list | tuple) and is_sequence(base):
        whole = _check(annotation, Annotated[list[Any], Meta(), *metas], list(raw), path, errors)
        items = [_read(arguments[0], item, subpath(path, i), errors) for i, item in enumerate(raw)]
        return INVALID if INVALID in [whole, *items] else origin(items)
    if isinstance(raw, Mapping) and origin is dict:
        whole = _check(annotation, Annotated[dict[Any, Any], Meta(), *metas], raw, path, errors)
        keys = [_leaf(arguments[0], key, subpath(path, key), errors) for key in raw]
        members = [_read(arguments[1], value, subpath(path, key), errors) for key, value in raw.items()]
        return INVALID if INVALID in [whole, *keys, *members] else dict(zip(keys, members, strict=True))
    return _leaf(annotation, raw, path, errors)


def _read_struct(
    type_: type[Struct], raw: Mapping[str, object], path: str, errors: list[SettingError], *, hidden: bool
) -> object:
    values: dict[str, object] = {}
    fields = msgspec.structs.fields(type_)
    for field in fields:
        name, annotation = field.encode_name, Annotated[field.type, SECRET] if hidden else field.type
        if name in raw:
            values[field.name] = _read(annotation, raw[name], subpath(path, name), errors)
        elif field.required:
            message = Text(zh="缺少设置项 `{name}`", en="setting `{name}` is missing").format(name=name)
            expected = described(field.type)
            errors.append(SettingError(path=subpath(path, name), code="missing", message=message, expected=expected))
            values[field.name] = INVALID
    names = [field.encode_name for field in fields]
    strange = [unknown_name(name, names, path) for name in raw if name not in names]
    errors.extend(strange)
    return INVALID if strange or INVALID in values.values() else _build(type_, values, path, errors)


def _build(type_: type[Struct], values: Mapping[str, object], path: str, errors: list[SettingError]) -> object:
    try:
        return type_(**values)
    except (ValueError, TypeError) as error:  # what `__post_init__` raises, as in msgspec itself
        said = error.args[0] if error.args and isinstance(error.args[0], Text) else Text(zh=str(error), en=str(error))
        errors.append(SettingError(path=path, code="invalid", message=said))
        return INVALID


def _leaf(annotation: object, raw: object, path: str, errors: list[SettingError]) -> object:
    """PostgreSQL's jsonb refuses NUL, and JSON knows neither NaN nor infinity: said here, not as a crash at the end."""
    if _is_storable(raw):
        return _check(annotation, annotation, raw, path, errors)
    message = Text(zh="含有无法保存的内容", en="holds what cannot be stored")
    expected = Text(zh="不含 NUL 字符的文字、有限的数", en="text without NUL, finite numbers")
    errors.append(SettingError(path=path, code="invalid", message=message, expected=expected))
    return INVALID


def _is_storable(raw: object) -> bool:
    if isinstance(raw, str):
        return "\x00" not in raw
    if isinstance(raw, Mapping):
        return all(_is_storable(part) for pair in raw.items() for part in pair)
    if isinstance(raw, list | tuple):
        return all(_is_storable(item) for item in raw)
    return not isinstance(raw, float) or math.isfinite(raw)


def _check(declared: object, type_: object, raw: object, path: str, errors: list[SettingError]) -> object:
    """One value by msgspec: `type_` is what is checked now, `declared` is what the operator is told."""
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        said, _, inside = str(error).partition(" - at `$")
        code, hidden = _code(said), _hides(declared)
        message = _MESSAGES[code]
        if code == "choice" and not hidden and (near := get_close_matches(str(raw), choices(declared), n=1)):
            message = joined(message, Text(zh="，是不是 `{near}`", en=", did you mean `{near}`").format(near=near[0]))
        errors.append(
            SettingError(
                path=path + inside.rstrip("`"),
                code=code,
                message=message,
                expected=described(declared),
                found=HIDDEN if hidden else shown(raw),
            )
        )
        return INVALID


def _code(message: str) -> Code:
    """The errors of msgspec carry no code, only a sentence; the tests notice when a release words one differently."""
    if message.startswith("Invalid enum value"):
        return "choice"
    if "matching regex" in message:
        return "pattern"
    if ", got `" in message or message.startswith("Invalid") or "timezone" in message:
        return "type"
    return "range"


_MESSAGES: dict[Code, Text] = {
    "choice": Text(zh="不在可选值之中", en="not one of the choices"),
    "pattern": Text(zh="格式不对", en="wrong format"),
    "type": Text(zh="类型不对", en="wrong type"),
    "range": Text(zh="超出允许的范围", en="out of range"),
}


def _not_overridable(name: str, own: Iterable[str], path: str) -> SettingError:
    message = Text(
        zh="设置项 `{name}` 不能按学校另设；可以另设的有 {own}",
        en="setting `{name}` cannot be set per school; those that can are {own}",
    ).format(name=name, own=listed(sorted(own)) or "—")
    expected = one_of(sorted(own))
    return SettingError(path=subpath(path, name), code="unknown", message=message, expected=expected, found=name)


def _is_marked(annotation: object, mark: str) -> bool:
    return any((meta.extra or {}).get(mark) for meta in peeled(annotation)[1])


def _hides(annotation: object, seen: frozenset[object] = frozenset()) -> bool:
    """Whether a secret may be anywhere inside: a value of the wrong shape may hold it one level too high."""
    base, _ = peeled(annotation)
    if annotation is None or _is_marked(annotation, "secret"):
        return True
    if not is_struct(base):
        return any(_hides(part, seen) for part in get_args(base) if part is not types.NoneType)
    return base not in seen and any(_hides(field.type, seen | {base}) for field in msgspec.structs.fields(base))


def _filled(type_: type[Struct] | None, raw: Mapping[str, object]) -> Mapping[str, object]:
    """With defaults; settings that an older version of the plugin left, and this one cannot read, stay as they are."""
    if type_ is None:
        return raw
    value, _ = read_settings(type_, raw, path="")
    return to_raw(value) if value is not None else {**defaults(type_), **raw}


def _walked(annotation: object, raw: object, change: Callable[[object, object], object]) -> Any:  # noqa: ANN401 - as its argument
    """The raw value with every leaf changed in the light of its type; what no type knows comes with None."""
    base, _ = peeled(annotation)
    if not _is_marked(annotation, "secret"):
        if isinstance(raw, Mapping) and (base is None or is_struct(base)):
            known = {field.encode_name: field.type for field in msgspec.structs.fields(base)} if base else {}
            return {k: _walked(known[k], part, change) if k in known else change(None, part) for k, part in raw.items()}
        if isinstance(raw, Mapping) and get_origin(base) is dict:
            return {key: _walked(get_args(base)[1], part, change) for key, part in raw.items()}
        if isinstance(raw, list) and is_sequence(base):
            return [_walked(get_args(base)[0], item, change) for item in raw]
    return change(annotation, raw)


def _tagged(annotation: object, raw: object) -> object:
    """Comparable like the value itself, and of one piece like what is shown of it."""
    return (HIDDEN, raw) if _hides(annotation) else raw


def _restored(annotation: object, raw: object) -> object:
    if isinstance(raw, str) and peeled(annotation)[0] in _TIMES:
        with suppress(msgspec.ValidationError):
            return msgspec.convert(raw, annotation)
    return raw


def _flat(value: object, path: str) -> dict[str, object]:
    if isinstance(value, Mapping) and value:
        return {name: leaf for key, part in value.items() for name, leaf in _flat(part, subpath(path, key)).items()}
    return {} if value == {} else {path: value}


def _toml_able(value: Any) -> Any:  # noqa: ANN401 - whatever msgspec made of the settings
    if isinstance(value, dict):
        return {str(key): _toml_able(part) for key, part in value.items() if part is not None}
    return [_toml_able(item) for item in value] if isinstance(value, list | tuple) else value


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{subpath('', key)} = {_written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
