"""The header row of a table: which cell of a row becomes which field."""

import difflib
from collections.abc import Mapping, Sequence

from msgspec import Struct

from gongyu.people.roster.canonical import Source
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.table import Cells

__all__ = ["Plan", "is_header", "plan_of"]

_ALIKE = 0.8
"""Close enough for "did you mean": `prefferedGivenName`, but not `name` for `username`."""


class Plan(Struct, frozen=True):
    columns: tuple[tuple[int, Column], ...]
    """Those that are read, with their places."""
    width: int
    key: int | None


def is_header(cells: Cells, format_: FileFormat, dialect: Dialect) -> bool:
    """Where titles may stand above it, the header is the row with the columns no such table lacks."""
    return any(cells) and format_.anchors <= {dialect.header(cell) for cell in cells}


def plan_of(cells: Cells, at: Source, format_: FileFormat, dialect: Dialect, findings: Findings) -> Plan | None:
    """None when the table cannot be read; the reason is then the last finding."""
    places, unknown, twice = _places(cells, at, format_, dialect, findings)
    absent = [column for column in format_.columns if column.name not in places]
    missing = [column.name for column in absent if column.required]
    secrets = any(column.password and column.name in places for column in format_.columns)
    _report_unknown(unknown, [column.name for column in absent], at, findings, quote=not missing and not secrets)
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
    """A row that lost its line break has somebody's data behind the header, a password among them: then not quoted."""
    for place, header in unknown.items():
        near = difflib.get_close_matches(header, absent, n=1, cutoff=_ALIKE)
        if near:
            findings.add("header_misspelt", file=at.file, row=at.row, value=header, suggestion=near[0])
        else:
            shown = header if quote else ""
            findings.add("header_unknown", file=at.file, row=at.row, value=shown, place=place + 1)
