"""The header row of a table: which cell of a row becomes which field."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from gongyu.people.roster.canonical import Source
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.table import Cells

__all__ = ["Plan", "find_header", "plan_of"]

_ALIKE = 0.8
"""Close enough for "did you mean": `prefferedGivenName`, but not `name` for `username`."""


_WORD = re.compile(r"[^\W\d_]+(?:[._ ][^\W\d_]+)*")
"""What a title looks like, and neither a number of somebody's nor a good password does."""


class Plan(Struct, frozen=True):
    columns: tuple[tuple[int, Column], ...]
    """Those that are read, with their places."""
    width: int
    key: int | None


def find_header(head: Sequence[Cells | None], format_: FileFormat, dialect: Dialect) -> tuple[int, Cells] | None:
    """Where the header ends, and its cells. Titles may stand above it; it is the row with the columns no such table
    lacks, or two rows of which the upper groups the lower (家庭成员1 over 姓名, 关系 …), which are then read as one.
    """
    names = {alias: column.name for column in format_.columns for alias in (column.name, *column.aliases)}

    def known(cells: Cells) -> int:
        return len({names.get(dialect.header(cell)) for cell in cells} - {None})

    def is_header(cells: Cells) -> bool:
        return any(cells) and format_.anchors <= {dialect.header(cell) for cell in cells}

    for at, cells in enumerate(head):
        if not cells:
            continue
        below = head[at + 1] if at + 1 < len(head) else None
        both = _joined(cells, below, names, dialect) if below else []
        if is_header(both) and known(both) > max(known(cells), known(below or [])):
            return at + 1, both
        if is_header(cells):
            return at, cells
    return None


def _joined(upper: Cells, lower: Cells, names: Collection[str], dialect: Dialect) -> Cells:
    """A merged cell has its text at its left end, so what stands there goes for the cells to the right of it too."""
    cells: Cells = []
    group = ""
    for place in range(max(len(upper), len(lower))):
        above, below = (row[place] if place < len(row) else "" for row in (upper, lower))
        group = above.strip() or group
        if not dialect.header(below):
            cells.append(above)
        else:
            cells.append(group + below if dialect.header(group + below) in names else below)
    return cells


def plan_of(cells: Cells, at: Source, format_: FileFormat, dialect: Dialect, findings: Findings) -> Plan | None:
    """None when the table cannot be read; the reason is then the last finding."""
    places, unknown, twice = _places(cells, at, format_, dialect, findings)
    absent = [column for column in format_.columns if column.name not in places]
    missing = [column.name for column in absent if column.required]
    secrets = any(column.password and column.name in places for column in format_.columns)
    behind = len(cells) - 1 - max(places.values(), default=0)
    quote = not missing and not secrets and behind <= len(places)
    _report_unknown(unknown, [column.name for column in absent], at, findings, quote=quote)
    order = [places[column.name] for column in format_.columns if column.name in places]
    if format_.ordered and order != sorted(order):
        findings.add("header_order", file=at.file, row=at.row)
    for column in format_.columns:
        if column.password and column.name in places:
            findings.add("password_ignored", file=at.file, row=at.row, column=column.name)
        if column.wanted and column.name not in places:
            findings.add("column_wanted", file=at.file, row=at.row, column=column.name, expected=column.name)
    for name in twice:
        findings.add("header_duplicate", file=at.file, row=at.row, column=name, value=name, blocks=0)
    for name in missing:
        findings.add("column_missing", file=at.file, row=at.row, column=name, expected=name, blocks=0)
    if twice or missing:
        return None
    columns = tuple(
        (places[column.name], column) for column in format_.columns if column.field and column.name in places
    )
    width = max((place + 1 for place, cell in enumerate(cells) if cell.strip()), default=0)
    return Plan(columns, width, places.get(format_.key))


def _places(
    cells: Cells, at: Source, format_: FileFormat, dialect: Dialect, findings: Findings
) -> tuple[dict[str, int], dict[int, str], list[str]]:
    """Column to place; the headers nobody knows; the columns that stand twice."""
    known = {alias: column for column in format_.columns for alias in (column.name, *column.aliases)}
    folded = {alias.casefold(): column for alias, column in known.items()}
    places: dict[str, int] = {}
    unknown: dict[int, str] = {}
    twice: list[str] = []
    for place, cell in enumerate(cells):
        header = dialect.header(cell)
        column = known.get(header)
        if column is None and (column := folded.get(header.casefold())) is not None:
            findings.add("header_case", file=at.file, row=at.row, column=header, expected=column.name)
        if column is None:
            if header and not (format_.extension and header.startswith(format_.extension)):
                unknown[place] = header
        elif column.name in places:
            twice.append(column.name)
        else:
            places[column.name] = place
    return places, unknown, twice


def _report_unknown(
    unknown: Mapping[int, str], absent: Sequence[str], at: Source, findings: Findings, *, quote: bool
) -> None:
    """A header that lost its line break has somebody's data behind it, a password among them: then not quoted."""
    for place, header in unknown.items():
        near = difflib.get_close_matches(header, absent, n=1, cutoff=_ALIKE)
        if near:
            findings.add("header_misspelt", file=at.file, row=at.row, value=header, suggestion=near[0])
        else:
            shown = header if quote and _WORD.fullmatch(header) else ""
            findings.add("header_unknown", file=at.file, row=at.row, value=shown, place=place + 1)
