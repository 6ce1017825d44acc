"""Where everything in a TOML file stands: `tomllib` gives no positions, and an error without its line is half an error.

Only of text that `tomllib` has accepted, so the scanner need not find mistakes; a property test holds its paths equal
to those of `tomllib`.
"""

import re
import tomllib
from bisect import bisect_right

from gongyu.districts.settings import subpath

__all__ = ["positions_of"]


def positions_of(text: str) -> dict[str, tuple[int, int]]:
    """Line and column (from 1) of every table, key and list item of a valid document, by dotted path."""
    return _Scanner(text.replace("\r\n", "\n")).scan()


_GAP = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_SCALAR = re.compile(
    r"""
    \"{3}(?:[^\\]|\\.)*?\"{3}\"{0,2}        # up to two quotes may stand before the closing three
    |'{3}.*?'{3}'{0,2}
    |"(?:[^"\\]|\\.)*"
    |'[^']*'
    |\d{4}-\d\d-\d\d[ ]\d\d:[^\s,\]}\#]*    # a date-time may be written with a space
    |[^\s,\]}\#]+
    """,
    re.VERBOSE | re.DOTALL,
)


class _Scanner:
    """Only for text that tomllib accepted: it needs to know where things end, not whether they are right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines = [0, *(newline.end() for newline in re.finditer("\n", text))]
        self.positions: dict[str, tuple[int, int]] = {}
        self.lengths: dict[str, int] = {}  # of the arrays of tables so far

    def scan(self) -> dict[str, tuple[int, int]]:
        table = ""
        while self._skip() < len(self.text):
            if self._take("[["):
                table = self._append(self._key(""))
            elif self._take("["):
                table = self._key("")
            else:
                self._pair(table)
                continue
            self.at = self.text.index("]", self.at)
            while self._take("]"):
                pass
        return self.positions

    def _pair(self, table: str) -> None:
        path = self._key(table)
        self.at += len("=")
        self._value(path)

    def _key(self, path: str) -> str:
        """Reads a dotted key below `path` and marks each part where it first stands, the last one here."""
        while True:
            part = self._match(_KEY_PART)
            if path in self.lengths:  # a header that passes an array of tables means its newest element
                path = subpath(path, self.lengths[path] - 1)
            name = part[1] if part[1][0] not in "\"'" else tomllib.loads(f"key = {part[1]}")["key"]
            path = subpath(path, name)
            if not self._take("."):
                self._mark(path, part.start(1))
                return path
            self._mark(path, part.start(1), again=False)

    def _append(self, path: str) -> str:
        index = self.lengths.get(path, 0)
        self.lengths[path] = index + 1
        place = self.positions[path]
        self.positions[subpath(path, index)] = place
        return subpath(path, index)

    def _value(self, path: str) -> None:
        self._skip()
        if self._take("["):
            self._skip()
            index = 0
            while not self._take("]"):
                self._mark(subpath(path, index), self.at)
                self._value(subpath(path, index))
                self._skip()
                self._take(",")
                self._skip()
                index += 1
        elif self._take("{"):
            while not (self._skip(), self._take("}"))[1]:
                self._pair(path)
                self._skip()
                self._take(",")
        else:
            self._match(_SCALAR)

    def _mark(self, path: str, offset: int, *, again: bool = True) -> None:
        if again or path not in self.positions:
            line = bisect_right(self.lines, offset)
            self.positions[path] = (line, offset - self.lines[line - 1] + 1)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            msg = f"not TOML at offset {self.at}"
            raise AssertionError(msg)
        self.at = found.end()
        return found

    def _skip(self) -> int:
        self.at = self._match(_GAP).end()
        return self.at

    def _take(self, token: str) -> bool:
        taken = self.text.startswith(token, self.at)
        self.at += len(token) * taken
        return taken
