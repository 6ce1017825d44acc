"""From a Typst template and a Struct to the bytes of a PDF.

Typst sets Chinese by its rules (no closing mark at the start of a line), embeds a subset of the font, and writes PDF/A,
the kind that archives accept (DA/T 47, ISO 19005-2). PDF/A forbids a character without a glyph, so the typesetter
itself watches over every name: a box in place of a character cannot leave this module. The fonts come from a package,
so that the same input gives the same bytes on every machine.

A template is code: it comes with the core or with a plugin, never from a user. It reads files beside itself only.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pylopdf_fonts_zh_cn
import typst

from gongyu.text import Text

__all__ = ["MissingGlyph", "MissingGlyphError", "render"]

#: `@gongyu/house`, which every template imports.
_PACKAGES: Final = Path(__file__).parent / "packages"
#: Level 2 with Unicode text (u): what is printed can be searched and copied.
_STANDARD: Final = "a-2u"
#: Sets each character of its data.
_PROBE: Final = Path(__file__).with_name("probe.typ")


class MissingGlyph(msgspec.Struct, frozen=True):
    """A character no font of the house can draw, and the string that wants it, by JSON pointer into the data."""

    character: str
    where: str
    value: str

    @property
    def code_point(self) -> str:
        return f"U+{ord(self.character):04X}"


class MissingGlyphError(Exception):
    """The document wants characters that the fonts do not have; nothing was printed.

    The message for people shows the strings, because a name is what they will look for; `str()` of the error, which may
    reach a log, names places only.
    """

    def __init__(self, missing: list[MissingGlyph]) -> None:
        super().__init__("; ".join(f"no glyph for {one.code_point} at {one.where}" for one in missing))
        self.missing = missing

    @property
    def text(self) -> Text:
        return Text(
            zh="字库中没有这些字，无法打印："
            + "；".join(f"{one.character}（{one.code_point}），见“{one.value}”（{one.where}）" for one in self.missing),
            en="the fonts lack these characters, so this cannot be printed: "
            + "; ".join(f"{one.character} ({one.code_point}) in “{one.value}” ({one.where})" for one in self.missing),
        )


def render(template: Path, data: msgspec.Struct, *, title: str, created: datetime) -> bytes:
    """Print `data` with `template`; the same arguments give the same bytes.

    It computes and waits for nothing, without the interpreter's lock: in a handler, call it with `asyncio.to_thread`.

    Args:
        template: A `.typ` file that begins with `#import "@gongyu/house:1.0.0": *`.
        data: What is printed; the template sees it as `data`.
        title: What the reader's window shows.
        created: The date of creation in the file, with its zone.

    Raises:
        MissingGlyphError: Strings of the data have characters that no font can draw.
        typst.TypstError, typst.TypstWarning: The template is wrong.
    """
    if created.tzinfo is None:
        raise ValueError(f"created needs a zone: {created} is another moment on every machine")
    inputs = {"title": title, "data": msgspec.json.encode(data).decode()}
    try:
        return _compile(template, inputs, created=created)
    except typst.TypstError:
        strings = [("/title", title), *_strings(msgspec.to_builtins(data), "")]
        unknown = set(_without_glyph(sorted(set("".join(value for _, value in strings))), created))
        if not unknown:
            raise
        found = [MissingGlyph(char, where, value) for where, value in strings for char in sorted(unknown & set(value))]
        raise MissingGlyphError(found) from None


def _compile(template: Path, inputs: dict[str, str], *, created: datetime) -> bytes:
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[pylopdf_fonts_zh_cn.sans_path().parent],  # both faces are in this folder
    )
    compiler = typst.Compiler(
        template, root=template.parent, font_paths=fonts, sys_inputs=inputs, package_path=_PACKAGES
    )
    pdf, warnings = compiler.compile_with_warnings(
        format="pdf", pdf_standards=_STANDARD, timestamp=int(created.timestamp())
    )
    if warnings:  # without its font, a text would just be absent
        raise warnings[0]
    return cast("bytes", pdf)


def _without_glyph(characters: list[str], created: datetime) -> Iterator[str]:
    """Ask the typesetter itself, halving: a second reader of the fonts could be of another opinion."""
    try:
        _compile(_PROBE, {"title": "", "data": msgspec.json.encode(characters).decode()}, created=created)
    except typst.TypstError:
        if len(characters) == 1:
            yield characters[0]
        else:
            middle = len(characters) // 2
            yield from _without_glyph(characters[:middle], created)
            yield from _without_glyph(characters[middle:], created)


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - what to_builtins gives
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict | list):
        members: Iterable[tuple[object, object]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            yield from _strings(member, f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}")
