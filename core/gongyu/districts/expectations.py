"""What a settings type accepts, in words: for errors, and later for the form."""

import datetime as dt
import decimal
import enum
import types
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta, Struct

from gongyu.text import Text

__all__ = ["choices", "described", "is_sequence", "is_struct", "joined", "listed", "one_of", "peeled"]

_NOTHING = Text(zh="", en="")


def peeled(annotation: object) -> tuple[Any, list[Meta]]:
    """`Annotated[X, ...] | None` is read as X: TOML cannot say None, so only X can be meant."""
    metas: list[Meta] = []
    while True:
        origin, arguments = get_origin(annotation), get_args(annotation)
        solid = [a for a in arguments if a is not types.NoneType]
        if origin is Annotated:
            annotation, metas = arguments[0], metas + [m for m in arguments[1:] if isinstance(m, Meta)]
        elif origin in (Union, types.UnionType) and len(solid) == 1:
            annotation = solid[0]
        else:
            return annotation, metas


def is_struct(base: object) -> bool:
    return isinstance(base, type) and issubclass(base, Struct)


def is_sequence(base: object) -> bool:
    origin = get_origin(base)
    return origin in (list, set, frozenset) or (origin is tuple and get_args(base)[1:] == (...,))


def choices(annotation: object) -> list[str]:
    base, _ = peeled(annotation)
    if get_origin(base) is Literal:
        return [str(choice) for choice in get_args(base)]
    return [str(member.value) for member in base] if isinstance(base, type) and issubclass(base, enum.Enum) else []


_NAMES: dict[object, Text] = {
    bool: Text(zh="true 或 false", en="true or false"),
    int: Text(zh="整数", en="an integer"),
    float: Text(zh="数", en="a number"),
    decimal.Decimal: Text(zh="数", en="a number"),
    str: Text(zh="文字", en="text"),
    dt.date: Text(zh="日期（如 2026-09-01）", en="a date (such as 2026-09-01)"),
    dt.time: Text(zh="时间（如 08:00:00）", en="a time (such as 08:00:00)"),
    dt.datetime: Text(
        zh="日期时间（如 2026-09-01T08:00:00+08:00）", en="a date-time (such as 2026-09-01T08:00:00+08:00)"
    ),
    dt.timedelta: Text(zh='时长（如 "PT30M"）', en='a duration (such as "PT30M")'),
    uuid.UUID: Text(zh="UUID", en="a UUID"),
    bytes: Text(zh="Base64 文字", en="text in Base64"),
}


def described(annotation: object) -> Text:
    """What the type accepts, in words; `Meta(extra={"expected": Text(...)})` says it better than a pattern."""
    base, metas = peeled(annotation)
    for meta in metas:
        if isinstance(said := (meta.extra or {}).get("expected"), Text):
            return said
    if names := choices(base):
        return one_of(names)
    origin, arguments = get_origin(base), get_args(base)
    if origin in (Union, types.UnionType):
        parts = [described(part) for part in arguments if part is not types.NoneType]
        return Text(zh="或".join(part.zh for part in parts), en=" or ".join(part.en for part in parts))
    if is_sequence(base):
        text, item = Text(zh="列表", en="a list"), described(arguments[0])
        each = Text(zh="，每项：{item}", en=", each item {item}").format(item=item)
    elif origin is dict or is_struct(base):
        text, each = Text(zh="表", en="a table"), _NOTHING
    else:
        name = getattr(base, "__name__", str(base))
        text, each = _NAMES.get(base, Text(zh=name, en=name)), _NOTHING
    return joined(text, *map(_limits, metas), each)


def _limits(meta: Meta) -> Text:
    length = _interval(meta.min_length, meta.max_length)
    neutral = [
        _interval(meta.ge, meta.le),
        f"> {meta.gt:g}" if meta.gt is not None else "",
        f"< {meta.lt:g}" if meta.lt is not None else "",
    ]
    zh = [f"长度 {length}" if length else "", f"{meta.multiple_of} 的倍数" if meta.multiple_of else ""]
    en = [f"length {length}" if length else "", f"a multiple of {meta.multiple_of}" if meta.multiple_of else ""]
    if meta.pattern is not None:
        zh, en = [*zh, f"匹配 `{meta.pattern}`"], [*en, f"matching `{meta.pattern}`"]
    if meta.tz is not None:
        zh, en = [*zh, "带时区" if meta.tz else "不带时区"], [*en, "with a zone" if meta.tz else "without a zone"]
    chinese, english = "，".join(filter(None, neutral + zh)), ", ".join(filter(None, neutral + en))
    return Text(zh=f"（{chinese}）", en=f" ({english})") if english else _NOTHING


def _interval(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low} – {high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else ""


def one_of(names: Iterable[str]) -> Text:
    row = listed(names)
    return Text(zh=f"{row} 之一", en=f"one of {row}") if row else _NOTHING


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def joined(*texts: Text) -> Text:
    return Text(zh="".join(text.zh for text in texts), en="".join(text.en for text in texts))
