"""Words for people, always in both languages, side by side.

A pair in the code cannot drift the way a catalogue can: a message without its English is a type error.
"""

import os
from typing import Any, Literal

import msgspec

__all__ = ["Language", "Text", "language_of_environment", "preferred_language"]

Language = Literal["zh", "en"]


class Text(msgspec.Struct, frozen=True):
    """One message in Chinese and English; `{name}` places are filled by `format`."""

    zh: str
    en: str

    def format(self, **values: Any) -> "Text":  # noqa: ANN401 - whatever str.format takes; a Text among the values is picked per language
        return Text(
            zh=self.zh.format(**{k: v.zh if isinstance(v, Text) else v for k, v in values.items()}),
            en=self.en.format(**{k: v.en if isinstance(v, Text) else v for k, v in values.items()}),
        )

    def pick(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


def preferred_language(accept_language: str | None) -> Language:
    """The better of our two languages for an `Accept-Language` header (RFC 9110 12.5.4); Chinese when in doubt."""
    best: tuple[float, Language] = (0.0, "zh")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language not in ("zh", "en"):
            continue
        try:
            quality = float(parameters.strip().removeprefix("q=")) if parameters.strip().startswith("q=") else 1.0
        except ValueError:
            continue
        if quality > best[0]:
            best = (quality, "en" if language == "en" else "zh")
    return best[1]


def language_of_environment() -> Language:
    """What the person at the terminal reads: `GONGYU_LANG`, else the locale; Chinese when nothing is said."""
    for name in ("GONGYU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "").lower()
        if value.startswith("zh"):
            return "zh"
        if value.startswith("en"):
            return "en"
    return "zh"
