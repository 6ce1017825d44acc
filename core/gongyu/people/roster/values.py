"""Cells into values. A converter gets a cell that is not empty; it answers the value, or None for "as good as empty".

What it puts right it notes by code; what it cannot read it raises as `Unreadable`, and the caller knows whether the
row stands without it.
"""

import datetime as dt
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = [
    "Convert",
    "Note",
    "Unreadable",
    "boolean",
    "date",
    "document_number",
    "email",
    "enumeration",
    "family",
    "integer",
    "join_name",
    "label",
    "name",
    "phone",
    "reference",
    "sourced_ids",
    "text",
]


class Note(Protocol):
    def __call__(self, code: str, /, **named: Any) -> None: ...  # noqa: ANN401 - what the catalogue's words ask for


Convert = Callable[[str, Note], Any]


class Unreadable(Exception):  # noqa: N818 - says what the cell is, not that the program failed
    def __init__(self, code: str, **named: Any) -> None:  # noqa: ANN401 - as for Note
        super().__init__(code)
        self.code = code
        self.named = named


_WRAPPED = re.compile(r'="(.*)"', re.DOTALL)
_SPACES = re.compile(r"[\s\u200b\ufeff]+")
_CJK = r"\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af\u3040-\u30ff\uac00-\ud7af"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])")
_ALL_CJK = re.compile(rf"[{_CJK}\ue000-\uf8ff·•]+")
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:\.\d+)?[eE]\+?\d+")


def text(value: str, note: Note) -> str | None:
    """Trimmed, without the wrappings that exports put round long numbers."""
    if value.isalnum() and value != "NULL":  # nearly every cell; the rest of this function is for the others
        return value
    if not value.isprintable():
        value = _printable(value, note)
    value = value.strip()
    if wrapped := _WRAPPED.fullmatch(value):  # the trick by which exporters keep Excel from reading a number
        note("formula_text")
        value = wrapped[1].strip()
    if value.startswith("'") and value[1:2].isalnum():
        note("apostrophe")
        value = value[1:]
    if value.startswith("="):
        raise Unreadable("formula")
    if value == "NULL":
        note("value_null")
        return None
    return value or None


def _printable(value: str, note: Note) -> str:
    if "\n" in value or "\r" in value:
        note("line_break")
    value = _SPACES.sub(" ", value)
    if not value.isprintable() and (bad := [c for c in value if unicodedata.category(c) in ("Cc", "Cs")]):
        note("character_control")
        value = "".join(c for c in value if c not in bad)
    return value


def reference(value: str, note: Note) -> str | None:
    """An id that many rows repeat: one string for all of them."""
    found = text(value, note)
    return sys.intern(found) if found else None


def sourced_ids(value: str, note: Note) -> tuple[str, ...] | None:
    """A list inside one field, separated by commas (OneRoster CSV); Chinese commas come from hand-made files."""
    found = text(value, note)
    if not found:
        return None
    if "," not in found and "，" not in found:
        return (sys.intern(found),)
    return tuple(sys.intern(part.strip()) for part in found.replace("，", ",").split(",") if part.strip()) or None


def name(value: str, note: Note) -> str | None:
    """A person's name: 王 明 is padded to fill a column, 王明 is meant."""
    found = text(value, note)
    if found is None or (found.isalnum() and found.isascii()):
        return found
    found = unicodedata.normalize("NFC", _SPACES.sub(" ", found))
    if " " in found and (joined := _BETWEEN_CJK.sub("", found)) != found:
        note("name_spaces")
        found = joined
    if any("\ue000" <= c <= "\uf8ff" or c >= "\U000f0000" for c in found):
        note("character_private")
    return found


def family(value: str, note: Note) -> str | None:
    """A family name: a few hundred of them serve a whole district."""
    found = name(value, note)
    return sys.intern(found) if found else None


def join_name(family: str, given: str, middle: str = "") -> str:
    """王 + 小明 is 王小明; Craig + Jack is Jack Craig."""
    if _ALL_CJK.fullmatch(family + given):
        return family + given
    return " ".join(part for part in (given, middle, family) if part)


def enumeration(*values: str, also: Mapping[str, str] | None = None, extended: bool = True) -> Convert:
    """One of the standard's words; `ext:…` is the standard's own door for others (OneRoster 1.2)."""
    known = {value: value for value in values} | dict(also or {})
    folded = {key.casefold(): value for key, value in known.items()}
    expected = ", ".join(values)

    def convert(value: str, note: Note) -> str | None:
        if exact := known.get(value):
            return exact
        found = text(value, note)
        if found is None:
            return None
        if match := known.get(found):
            return match
        if match := folded.get(found.casefold()):
            note("enum_case", expected=match)
            return match
        if extended and found.startswith("ext:") and found[4:].isalnum():
            return sys.intern(found)
        raise Unreadable("enum_unknown", expected=expected)

    return convert


def label(options: Mapping[str, Any], expected: str) -> Convert:
    """A register cell: the label, the code, or both as in `1-男`; `options` maps labels and codes to values."""

    def convert(value: str, note: Note) -> Any:  # noqa: ANN401 - the table's values
        if value in options:
            return options[value]
        found = text(value, note)
        if found is None:
            return None
        found = unicodedata.normalize("NFKC", found)
        for candidate in (found, found.partition("-")[2], found.partition("-")[0]):
            if candidate.strip() in options:
                return options[candidate.strip()]
        raise Unreadable("label_unknown", expected=expected)

    return convert


_BOOLEANS = {"true": True, "false": False}


def boolean(value: str, note: Note) -> bool | None:
    """Spreadsheets write TRUE; that is no fault of the sender."""
    found = text(value, note)
    if found is None:
        return None
    try:
        return _BOOLEANS[found.lower()]
    except KeyError:
        raise Unreadable("boolean_unknown") from None


def integer(value: str, note: Note) -> int | None:
    found = text(value, note)
    if found is None:
        return None
    if found.isascii() and found.isdigit() and len(found) < 10:  # noqa: PLR2004 - years and places in a list, not quantities
        return int(found)
    raise Unreadable("integer_unknown")


_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_ISO_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}\S*", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})(?:[/.]|年)(\d{1,2})(?:[/.]|月)(\d{1,2})日?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", re.ASCII)
_SERIAL_EPOCH = dt.date(1899, 12, 30)  # Excel counts a 29 February 1900 that never was
_SERIALS = range(3654, 73051)  # 1910 to 2099: five digits that are a date and not a house number


def date(*, compact: bool = False) -> Convert:
    """Dates as they come; `compact`: the format's own rule is YYYYMMDD (the register), so that is no finding."""

    def convert(value: str, note: Note) -> dt.date | None:
        if (match := _ISO.fullmatch(value)) is None:
            found = _half_width(value, note)
            if found is None:
                return None
            if timed := _ISO_TIME.fullmatch(found):
                note("date_time")
                found = timed[1]
            match = _ISO.fullmatch(found)
            if match is None and (match := _COMPACT.fullmatch(found)):
                if not compact:
                    note("date_compact")
            elif match is None and (match := _YEAR_FIRST.fullmatch(found)):
                note("date_slashed")
            elif match is None:
                return _other_date(found, note)
        try:
            return dt.date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            raise Unreadable("date_unknown") from None

    return convert


def _other_date(found: str, note: Note) -> dt.date:
    if found.isascii() and found.isdigit() and int(found[:6]) in _SERIALS and len(found) < 6:  # noqa: PLR2004 - as the range
        note("date_serial")
        return _SERIAL_EPOCH + dt.timedelta(days=int(found))
    # Which of 1/05/2023's figures is the month depends on the sender's country; even 25/12/2023 only suggests it.
    raise Unreadable("date_ambiguous" if _YEAR_LAST.fullmatch(found) else "date_unknown")


def _half_width(value: str, note: Note) -> str | None:
    found = text(value, note)
    if found is None or found.isascii():
        return found
    plain = unicodedata.normalize("NFKC", found)
    if plain != found:
        note("full_width")
    return plain


def document_number(value: str, note: Note) -> str | None:
    """The number of any identity document in one form; its type may stand in another column."""
    found = _half_width(value, note)
    if found is None:
        return None
    if _SCIENTIFIC.fullmatch(found):
        raise Unreadable("number_scientific")
    found = found.replace(" ", "").replace("-", "")
    if found.endswith("x") and len(found) == 18:  # noqa: PLR2004 - GB 11643
        note("id_number_lowercase")
    found = found.upper()
    if not found.isascii() or not found.replace("(", "").replace(")", "").isalnum():
        raise Unreadable("id_number_invalid")
    return found


_PHONE = re.compile(r"\+?\d{5,20}", re.ASCII)


def phone(value: str, note: Note) -> str | None:
    found = _half_width(value, note)
    if found is None:
        return None
    if _SCIENTIFIC.fullmatch(found):
        raise Unreadable("number_scientific")
    found = re.sub(r"[\s()\-]", "", found)
    if not _PHONE.fullmatch(found):
        raise Unreadable("phone_invalid")
    return found


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def email(value: str, note: Note) -> str | None:
    """Only the shape: whether it is somebody's is known when they answer."""
    found = text(value, note)
    if found and not _EMAIL.fullmatch(found):
        raise Unreadable("email_invalid")
    return found
