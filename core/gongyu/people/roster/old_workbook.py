"""What calamine does not tell of an old binary workbook (.xls): where it has formulas, that it has a password, and how
large it claims to be, for it takes the memory at once, and where there is not so much the process ends.

Only as much of the format as that takes: the streams of a compound file ([MS-CFB] 2.2 to 2.6) and the record headers of
a workbook ([MS-XLS] 2.1.4; the Formula record, 2.4.127, begins with its row and column). Whatever is damaged is
somebody else's finding: here it merely ends the search.
"""

import struct
import sys
from collections.abc import Iterator, Sequence

from msgspec import Struct

__all__ = ["Formulas", "cells_of", "formulas_of", "is_locked", "is_possible"]

_FREE = 0xFFFFFFFA  # from here on a sector number is a mark and no place
_IN_HEADER = 109  # places of the FAT that the header itself names
_HEADER = (("<H", 30), ("<I", 48), ("<I", 56))  # size of a sector, start of the directory, size of a full stream
_SHIFTS = (9, 12)  # the only ones there are
_ENTRY = 128
_STREAM = 2
_NAMES = ("Workbook", "Book")  # BIFF8, BIFF5
_BEGIN, _END, _FORMULA, _LOCK, _WORKSHEET = 0x0809, 0x000A, 0x0006, 0x002F, 0x0010
_TEXTS = 0x00FC
_COUNTS = (40, 44, 64, 72)  # places in the header: how many sectors there are of each kind
_SIZE, _WIDE = 0x0200, 14  # bytes, where rows are counted with 32 bits
_CELLS = frozenset({0x0006, 0x0201, 0x0203, 0x0204, 0x0205, 0x0207, 0x027E, 0x00BD, 0x00BE, 0x00D6, 0x00FD})
_MANY = frozenset({0x00BD, 0x00BE})  # cells beside one another, with the last column at the end
_LOCKED_NAME = "EncryptedPackage"  # a new workbook with a password is a compound file around it ([MS-OFFCRYPTO] 2.3.4)
_LOCK_WITHIN = 3  # records: it stands behind the first, and at most one other ([MS-XLS] 2.1.7.20.3)


class Formulas(Struct, frozen=True):
    """Those of one sheet: how many, and where the first stands (row from 1, column in letters)."""

    count: int
    row: int
    column: str


def formulas_of(data: bytes) -> list[Formulas]:
    """Sheet by sheet, of those that have any."""
    try:
        return list(_sheets(_workbook(data)))
    except (struct.error, IndexError, ValueError):
        return []


def is_possible(data: bytes) -> bool:
    """Whether it has as much in it as it says: of sectors, of bytes in a stream, of texts."""
    try:
        sectors = _Sectors(data)
        counts = [struct.unpack_from("<I", data, at)[0] * 512 for at in _COUNTS]
        if max(*counts, *(length for _, _, length in sectors.entries())) > len(data):
            return False
        book = _workbook(data)
        texts = (struct.unpack_from("<I", book, at + 8)[0] for at, kind in _records(book) if kind == _TEXTS)
        return all(count <= len(book) for count in texts)
    except (struct.error, IndexError, ValueError):
        return False


def is_locked(data: bytes) -> bool:
    try:
        sectors = _Sectors(data)
        if any(name == _LOCKED_NAME for name, _, _ in sectors.streams()):
            return True
        return any(kind == _LOCK for _, (_, kind) in zip(range(_LOCK_WITHIN), _records(_workbook(data)), strict=False))
    except (struct.error, IndexError, ValueError):
        return False


def cells_of(data: bytes) -> int:
    """Of the largest sheet, up to the cell that stands farthest out, or as far as it says itself that it reaches."""
    largest = rows = columns = 0
    try:
        book = _workbook(data)
        for at, kind in _records(book):
            if kind == _BEGIN:
                rows = columns = 0
            elif kind == _SIZE:
                wide = struct.unpack_from("<H", book, at + 2)[0] == _WIDE
                top, bottom, left, right = struct.unpack_from("<IIHH" if wide else "<4H", book, at + 4)
                if bottom < top or right < left:
                    return sys.maxsize
                largest = max(largest, (bottom - top + 1) * (right - left + 1))
            elif kind in _CELLS:
                row, column = struct.unpack_from("<HH", book, at + 4)
                if kind in _MANY:
                    column = struct.unpack_from("<H", book, at + 2 + struct.unpack_from("<H", book, at + 2)[0])[0]
                if row >= rows or column >= columns:
                    rows, columns = max(rows, row + 1), max(columns, column + 1)
                    largest = max(largest, rows * columns)
    except (struct.error, IndexError, ValueError):
        pass  # what was cut off cannot make it larger
    return largest


def _records(book: bytes) -> Iterator[tuple[int, int]]:
    """Where each stands, and what it is."""
    at = 0
    while at + 4 <= len(book):
        kind, length = struct.unpack_from("<HH", book, at)
        yield at, kind
        at += 4 + length


def _sheets(book: bytes) -> Iterator[Formulas]:
    """A substream is a sheet, its charts inside it; one that is cut off is not heard of."""
    depth = count = 0
    first, worksheet = (0, 0), False
    for at, kind in _records(book):
        if kind == _FORMULA and worksheet:
            first = first if count else struct.unpack_from("<HH", book, at + 4)
            count += 1
        elif kind == _BEGIN:
            if depth == 0:
                worksheet = struct.unpack_from("<H", book, at + 6)[0] == _WORKSHEET
            depth += 1
        elif kind == _END and depth:
            depth -= 1
            if depth == 0 and count:
                yield Formulas(count, first[0] + 1, _letters(first[1]))
                count = 0


def _letters(column: int) -> str:
    high, low = divmod(column, 26)
    return (chr(ord("A") + high - 1) if high else "") + chr(ord("A") + low)


def _workbook(data: bytes) -> bytes:
    sectors = _Sectors(data)
    for name, start, length in sectors.streams():
        if name in _NAMES and length >= sectors.cutoff:  # nobody's workbook is as small as what is kept elsewhere
            return sectors.chained(start)[:length]
    return b""


class _Sectors:
    """A compound file: sectors, and a table of which follows which."""

    def __init__(self, data: bytes) -> None:
        shift, self._directory, self.cutoff = (struct.unpack_from(form, data, at)[0] for form, at in _HEADER)
        if shift not in _SHIFTS:
            raise ValueError(shift)
        self._data, self._size = data, 1 << shift
        self._most = len(data) // self._size
        parts = [*struct.unpack_from(f"<{_IN_HEADER}I", data, 76)]
        following, left = struct.unpack_from("<II", data, 68)
        for _ in range(min(left, self._most)):
            if following >= _FREE:
                break
            *more, following = _numbers(self._sector(following))
            parts += more
        self._following = _numbers(b"".join(self._sector(part) for part in parts[: self._most] if part < _FREE))

    def _sector(self, number: int) -> bytes:
        return self._data[(number + 1) * self._size : (number + 2) * self._size]

    def chained(self, start: int) -> bytes:
        parts: list[bytes] = []
        while start < _FREE and len(parts) < self._most:  # a chain that bites its tail ends here
            parts.append(self._sector(start))
            start = self._following[start]
        return b"".join(parts)

    def streams(self) -> Iterator[tuple[str, int, int]]:
        """Name, first sector, length."""
        return self.entries(only=_STREAM)

    def entries(self, only: int | None = None) -> Iterator[tuple[str, int, int]]:
        """As above, and what is no stream."""
        directory = self.chained(self._directory)
        for at in range(0, len(directory) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", directory, at + 64)
            if kind and only in (None, kind):
                name = directory[at : at + max(length - 2, 0)].decode("utf-16-le", "replace")
                yield name, *struct.unpack_from("<II", directory, at + 116)


def _numbers(data: bytes) -> Sequence[int]:
    return struct.unpack_from(f"<{len(data) // 4}I", data)
