"""What was found wrong in a roster, said so that the person who sent the file can put it right.

Every code stands in `catalogue.py` with its severity and its words. Findings never carry what must not be read
elsewhere: what looks like an identity number or a mobile phone is redacted, whichever column it stands in.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from msgspec import Struct
from msgspec.structs import replace
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from gongyu.people.roster.catalogue import CATALOGUE, COLUMNS, SEVERITIES, Severity
from gongyu.text import Language, Text

__all__ = ["Finding", "Findings", "quotable", "redact", "write_xlsx"]

# One wrong export setting makes the same finding in every row: the first ones show where, the rest are one figure.
_SHOWN = {"error": 1000, "warning": 1000, "notice": 20}
_LENGTH = 80  # of a quoted value; a finding is a line, not a document
_ORDER = {"error": 0, "warning": 1, "notice": 2}
# Resident identity numbers of 18 or 15 digits and mobile phones, wherever a shifted row put them.
_PRIVATE = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15}|(?:\+?86)?1[3-9]\d{9})(?!\d)")


class Finding(Struct, frozen=True):
    severity: Severity
    code: str
    file: str
    row: int
    """The line or row as the person's program counts it; 0 for the file as a whole."""
    column: str
    text: Text
    value: str = ""
    blocks: int = 0
    """How many rows are not taken over because of it, those of other files that depend on it included."""


def redact(value: str) -> str:
    """The first three and last two characters: enough to find the cell, too little to use it."""
    return f"{value[:3]}***{value[-2:]}" if len(value) > 7 else "***"  # noqa: PLR2004 - fewer would show most of it


def quotable(value: str, *, secret: bool = False) -> str:
    """What a finding may show of a value."""
    if secret:
        return redact(value) if value else ""
    plain = unicodedata.normalize("NFKC", value)
    value = plain if _PRIVATE.search(plain) else value  # full-width digits are as readable as others
    shown = _PRIVATE.sub(lambda match: redact(match[0]), value)
    return shown if len(shown) <= _LENGTH else shown[: _LENGTH - 1] + "…"


class Findings:
    """Collects findings; `weight` adds the rows that fall with a finding made earlier."""

    def __init__(self) -> None:
        self._items: list[Finding] = []
        self._blocks: list[int] = []
        self._seen: dict[tuple[str, str, str], int] = {}
        self._rest: dict[tuple[str, str, str], tuple[int, int]] = {}  # key -> place of the finding that counts, count

    def add(
        self,
        code: str,
        *,
        file: str = "",
        row: int = 0,
        column: str = "",
        value: str = "",
        secret: bool = False,
        severity: Severity | None = None,
        blocks: int | None = None,
        **named: Any,  # noqa: ANN401 - what the catalogue's words ask for
    ) -> int:
        """Record it and answer its number, by which `weight` finds it again."""
        entry = CATALOGUE[code]
        severity = severity or entry.severity
        blocks = blocks if blocks is not None else int(severity == "error" and row > 0)
        key = (file, code, column)
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if seen > _SHOWN[severity]:
            return self._count(key, severity, blocks)
        shown = quotable(value, secret=secret)
        column = quotable(column)  # a file without a header has its first person there
        text = entry.text.format(value=shown, **named)
        self._items.append(Finding(severity, code, file, row, column, text, shown))
        self._blocks.append(blocks)
        return len(self._items) - 1

    def _count(self, key: tuple[str, str, str], severity: Severity, blocks: int) -> int:
        file, code, column = key
        if key not in self._rest:
            self._items.append(Finding(severity, code, file, 0, column, Text(zh="", en="")))
            self._blocks.append(0)
            self._rest[key] = (len(self._items) - 1, 0)
        place, count = self._rest[key]
        self._rest[key] = (place, count + 1)
        self._blocks[place] += blocks
        return place

    @property
    def count(self) -> int:
        return len(self._items)

    def weight(self, number: int, rows: int = 1) -> None:
        self._blocks[number] += rows

    def close(self) -> tuple[Finding, ...]:
        """All of them, the one that blocks most first: an org put right may free a thousand rows."""
        for place, count in self._rest.values():
            more = CATALOGUE["more"].text.format(count=count)
            self._items[place] = replace(self._items[place], text=more)
        weighed = [
            replace(item, blocks=blocks) if blocks else item
            for item, blocks in zip(self._items, self._blocks, strict=True)
        ]
        return tuple(sorted(weighed, key=lambda finding: (_ORDER[finding.severity], -finding.blocks)))


def _cell(value: str) -> str:
    """Text a spreadsheet will not run: OWASP "CSV injection" asks for a leading apostrophe before = + - @ and tab."""
    value = ILLEGAL_CHARACTERS_RE.sub("�", value)
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def write_xlsx(findings: Iterable[Finding], target: Path | IO[bytes], language: Language) -> None:
    """The list as a workbook, for the person who keeps the source system."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Findings" if language == "en" else "问题清单")
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCDEFGH", (8, 24, 28, 8, 22, 80, 24, 10), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.append([column.pick(language) for column in COLUMNS])
    for finding in findings:
        sheet.append(
            [
                SEVERITIES[finding.severity].pick(language),
                finding.code,
                _cell(finding.file),
                finding.row or None,
                _cell(finding.column),
                _cell(finding.text.pick(language)),
                _cell(finding.value),
                finding.blocks or None,
            ]
        )
    book.save(target)
