"""Rows of a text table (RFC 4180), from whatever encoding and separator it really has.

The file is read twice: once to learn its encoding and to see it whole (a damaged zip shows itself before any row is
taken), once row by row, so that memory does not grow with the file.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from gongyu.people.roster.findings import Findings
from gongyu.people.roster.package import Member

__all__ = ["Cells", "Sheet", "open_text"]

Cells = list[str]

_CHUNK = 1 << 20
_LINE_LIMIT = 1 << 20
_RECORD_LINES = 20  # an address with line breaks has a few; more means a quote that was never closed
_MOSTLY = 20  # one damaged character among so many good ones is damage, not another encoding


class Sheet(Struct, frozen=True):
    """A table as it stands in the file: every row with its number, the header not yet found."""

    file: str
    rows: Iterator[tuple[int, Cells | None]]
    """None: a row that could not be read; the finding is made."""


def open_text(member: Member, findings: Findings) -> Sheet | None:
    """Raises what reading a damaged zip raises; anything else that is wrong is a finding."""
    encoding = _encoding(member, findings)
    if encoding is None:
        return None
    # Bad bytes become U+FFFD, and the row that has one is held.
    with _stream(member, encoding) as stream:
        delimiter = _delimiter(stream.readline())
    if delimiter != ",":
        findings.add("semicolon_separated" if delimiter == ";" else "tab_separated", file=member.name)
    return Sheet(member.name, _records(member, encoding, delimiter, findings))


def _stream(member: Member, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(member.open(), encoding=encoding, errors="replace", newline="")


def _delimiter(header: str) -> str:
    return max(",;\t", key=lambda mark: (header.count(mark), mark == ","))


def _encoding(member: Member, findings: Findings) -> str | None:
    """UTF-8 unless the bytes say otherwise: one damaged character must not turn a whole file into GBK's wrong Hanzi."""
    with member.open() as file:
        start = file.read(4096)
    wide = None
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        wide = "utf-16"
    elif start[1::2].count(0) > len(start) // 4:
        wide = "utf-16-le"
    elif start[::2].count(0) > len(start) // 4:
        wide = "utf-16-be"
    good, bad, longest = _decoded(member, wide or "utf-8")
    if longest > _LINE_LIMIT:  # the csv reader would hold the whole of it
        findings.add("line_too_long", file=member.name, limit=_LINE_LIMIT >> 10)
        return None
    if wide:
        findings.add("encoding_utf16", file=member.name)
        return wide
    if not bad or good > _MOSTLY * bad:
        return "utf-8-sig"
    if not _decoded(member, "gb18030")[1]:
        findings.add("encoding_gbk", file=member.name)
        return "gb18030"
    findings.add("encoding_unknown", file=member.name)
    return None


def _decoded(member: Member, encoding: str) -> tuple[int, int, int]:
    """How many characters beyond ASCII are good, how many bad, and how long the longest line is (in bytes, roughly)."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    good = bad = run = longest = 0
    with member.open() as file:
        while chunk := file.read(_CHUNK):
            end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            longest = max(longest, run + (len(chunk) if end < 0 else 0))
            run = run + len(chunk) if end < 0 else len(chunk) - end
            if not chunk.isascii():
                text = decoder.decode(chunk)
                bad += text.count("\ufffd")
                good += (len(chunk) - len(text)) // 2
    return good, bad, longest


class _OpenQuoteError(Exception):
    """The record runs on for more lines than any cell has."""


class _Lines:
    """The physical lines, numbered, with those of the unfinished record at hand to be read again."""

    def __init__(self, stream: Iterator[str]) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _RECORD_LINES:
            raise _OpenQuoteError
        line = self._again.popleft() if self._again else next(self._stream)
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All but the first line of the broken record: the rows behind an open quote are good ones."""
        rest = self.taken[1:]
        self.number -= len(rest)
        self._again.extendleft(reversed(rest))
        self.taken = []


def _records(member: Member, encoding: str, delimiter: str, findings: Findings) -> Iterator[tuple[int, Cells | None]]:
    with _stream(member, encoding) as stream:  # opened by whoever reads the first row, closed with the generator
        lines = _Lines(stream)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            start = lines.number + 1
            lines.taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _OpenQuoteError):
                findings.add("csv_broken", file=member.name, row=start)
                lines.give_back()
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
                yield start, None
                continue
            yield start, cells
