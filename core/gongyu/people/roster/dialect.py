"""A dialect is data: which files it has, which columns they have, and which canonical field each cell becomes."""

from collections.abc import Callable, Collection, Mapping

from msgspec import Struct

from gongyu.people.roster.canonical import Kind
from gongyu.people.roster.draft import Draft, Row
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import Convert, text
from gongyu.text import Text

__all__ = ["ANY_TABLE", "Column", "Dialect", "FileFormat"]

ANY_TABLE = "*"
"""The `name` of a format whose file may be called anything: every table of the package."""


class Column(Struct, frozen=True):
    name: str
    field: str = ""
    """The name under which `build` finds the value; empty: known and not read (data minimisation, PIPL 6)."""
    convert: Convert = text
    required: bool = False
    """A row without it, or with one that cannot be read, is held back."""
    wanted: bool = False
    """The standard requires it; a roster without it is still a roster."""
    strict: bool = False
    """It may be empty, but a row in which it cannot be read is held back."""
    secret: bool = False
    """Findings quote it redacted."""
    password: bool = False
    """Dropped unread, with a notice."""
    aliases: tuple[str, ...] = ()


class FileFormat(Struct, frozen=True):
    name: str
    columns: tuple[Column, ...] = ()
    build: Callable[[Row], None] | None = None
    """Puts the row's records into `row.draft`; None: a known file that the platform does not use."""
    kinds: tuple[Kind, ...] = ()
    """What the file is the truth of."""
    key: str = ""
    """The column that says what is held back when a row is bad: the record's own id, or the person's."""
    required: bool = False
    """In a bulk set; a delta has what changed."""
    ordered: bool = False
    extension: str | None = None
    """Columns that begin so are somebody's own and no finding."""
    header_within: int = 1
    """Hand-made sheets have titles above the header."""
    anchors: frozenset[str] = frozenset()
    """Columns by which the header row is known where it may stand lower."""


def _no_preparation(tables: Tables, draft: Draft) -> Collection[str]:  # noqa: ARG001 - the shape of `prepare`
    return ()


def _no_finish(draft: Draft) -> None:
    pass


def _as_is(header: str) -> str:
    return header.strip()


class Dialect(Struct, frozen=True):
    name: str
    title: Text
    detect: Callable[[Tables], Text | None]
    """None when the package is in this dialect, else why it is not."""
    files: tuple[FileFormat, ...]
    """In the order of reading: what others refer to comes first."""
    prepare: Callable[[Tables, Draft], Collection[str]] = _no_preparation
    """Reads what stands above the tables (a manifest), and answers the files to leave out."""
    finish: Callable[[Draft], None] = _no_finish
    """Makes what needs more than one row."""
    header: Callable[[str], str] = _as_is
    stable_ids: bool = True
    roles: frozenset[str] | None = None
    """The only roles of which the dialect is the whole truth; None: of all."""
    columns: Mapping[str, str] = {}
    """What the file calls a reference, where it is not OneRoster 1.2's name (see `references.py`)."""
    by_school: bool = False
    """The file is the whole truth of the schools in it, not of the district."""
