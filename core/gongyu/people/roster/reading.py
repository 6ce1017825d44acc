"""Reads a package in whatever dialect it is in. It always answers a roster; what is wrong is in its findings."""

import difflib
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct

from gongyu.people.roster import oneroster, register, sds
from gongyu.people.roster.canonical import Roster, Source
from gongyu.people.roster.catalogue import CATALOGUE, Severity
from gongyu.people.roster.dialect import ANY_TABLE, Column, Dialect, FileFormat
from gongyu.people.roster.draft import Draft, Row
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.package import UNREADABLE, Limits, Member, Package, open_package
from gongyu.people.roster.references import settle
from gongyu.people.roster.table import Cells, Sheet
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import Unreadable
from gongyu.text import Text

__all__ = ["BUILT_IN", "read"]

BUILT_IN: tuple[Dialect, ...] = (oneroster.V1P1, oneroster.V1P2, sds.V2P1, register.TEMPLATE)


def read(
    path: Path | str, *, dialects: Sequence[Dialect] = BUILT_IN, dialect: str | None = None, limits: Limits | None = None
) -> Roster:
    """The roster in a zip, a folder or a file; `dialect` names the one to use instead of looking for one that fits."""
    findings = Findings()
    limits = limits or Limits()
    with open_package(Path(path), findings, limits=limits) as package:
        tables = Tables(package, findings, limits)
        try:
            chosen = _choose(tables, dialects, dialect) if package.members else None
            draft = Draft(findings)
            if chosen is None:
                return Roster(dialect="", mode="delta", findings=findings.close())
            _read_files(tables, chosen, draft)
        finally:
            tables.close()
    chosen.finish(draft)
    return settle(draft, chosen)


def _choose(tables: Tables, dialects: Sequence[Dialect], name: str | None) -> Dialect | None:
    if name is not None:
        for dialect in dialects:
            if dialect.name == name:
                return dialect
        known = ", ".join(dialect.name for dialect in dialects)
        tables.findings.add("dialect_named", value=name, known=known)
        return None
    reasons = []
    for dialect in dialects:
        if (reason := dialect.detect(tables)) is None:
            return dialect
        reasons.append(Text(zh=f"{dialect.title.zh}：{reason.zh}", en=f"{dialect.title.en}: {reason.en}"))
    text = Text(zh="".join(reason.zh for reason in reasons), en=" ".join(reason.en for reason in reasons))
    tables.findings.add("dialect_unknown", file=tables.package.name, reasons=text)
    return None


def _read_files(tables: Tables, dialect: Dialect, draft: Draft) -> None:
    left_out = dialect.prepare(tables, draft)
    used: set[str] = set()
    for format_ in dialect.files:
        if format_.name == ANY_TABLE:
            members = list(tables.members)
        else:
            members = _named(tables, format_, draft)
        used.update(member.name for member in members)
        if format_.name in left_out:
            draft.lost.update(format_.kinds)
            continue
        for member in members:
            if format_.build is None:
                draft.findings.add("file_unused", file=member.name)
            else:
                _read_member(tables, member, format_, dialect, draft)
    if tables.package.zipped and any("/" in name for name in used) and dialect.files[0].name != ANY_TABLE:
        draft.findings.add("zip_folder", file=tables.package.name)
    for member in tables.package.members:
        if member.name not in used and member.base.lower() != "manifest.csv":
            draft.findings.add("file_unknown", file=member.name)


def _named(tables: Tables, format_: FileFormat, draft: Draft) -> list[Member]:
    members = tables.named(format_.name)
    if not members and format_.required and not draft.delta:
        draft.findings.add("file_missing", expected=format_.name)
    for member in members[1:]:
        draft.findings.add("file_duplicate", file=member.name)
    if members and members[0].base != format_.name:
        draft.findings.add("file_name_case", file=members[0].name, expected=format_.name)
    return members[:1]


def _read_member(tables: Tables, member: Member, format_: FileFormat, dialect: Dialect, draft: Draft) -> None:
    sheets = tables.take(member)
    if not sheets:
        draft.lost.update(format_.kinds)
    for sheet in sheets:
        try:
            _read_sheet(sheet, format_, dialect, draft)
        except UNREADABLE:
            draft.findings.add("zip_broken", file=sheet.file)
            draft.lost.update(format_.kinds)


class _Plan(Struct, frozen=True):
    columns: tuple[tuple[int, Column], ...]
    width: int
    key: int | None


def _read_sheet(sheet: Sheet, format_: FileFormat, dialect: Dialect, draft: Draft) -> None:
    skipped: list[tuple[int, Cells | None]] = []
    plan = None
    for number, cells in sheet.rows:
        if cells and any(cells) and _is_header(cells, format_, dialect):
            plan = _plan(cells, number, sheet.file, format_, dialect, draft.findings)
            if plan is None:
                rows = sum(1 for _, row in sheet.rows if row is None or any(row))
                draft.findings.weight(draft.findings.count - 1, rows)
                draft.lost.update(format_.kinds)
                return
            break
        skipped.append((number, cells))
        if len(skipped) >= format_.header_within:
            break
    if plan is None:
        draft.lost.update(format_.kinds)
        rest = any(cells is None or any(cells) for _, cells in chain(skipped, sheet.rows))
        code = "sheet_skipped" if format_.name == ANY_TABLE else "header_missing"
        if rest or format_.name != ANY_TABLE:  # an empty sheet of a workbook is nobody's mistake
            draft.findings.add(code, file=sheet.file)
        return
    if _Rows(sheet, plan, format_, draft).read():
        draft.covered.update(format_.kinds)
    else:
        draft.findings.add("file_empty", file=sheet.file)
        draft.lost.update(format_.kinds)


def _is_header(cells: Cells, format_: FileFormat, dialect: Dialect) -> bool:
    return not format_.anchors or format_.anchors <= {dialect.header(cell) for cell in cells}


def _plan(  # noqa: PLR0913, PLR0917 - one step of reading a sheet, with one caller
    cells: Cells, row: int, file: str, format_: FileFormat, dialect: Dialect, findings: Findings
) -> _Plan | None:
    """Which cell becomes which field; None when the table cannot be read, with the reason as the last finding."""
    known = {alias: column for column in format_.columns for alias in (column.name, *column.aliases)}
    folded = {alias.casefold(): column for alias, column in known.items()}
    places: dict[str, int] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for place, cell in enumerate(cells):
        header = dialect.header(cell)
        column = known.get(header)
        if column is None and (column := folded.get(header.casefold())) is not None:
            findings.add("header_case", file=file, row=row, column=header, expected=column.name)
        if column is None:
            if header and not (format_.extension and header.startswith(format_.extension)):
                unknown.append(header)
        elif column.name in places:
            twice.append(column.name)
        else:
            places[column.name] = place
    absent = [column.name for column in format_.columns if column.name not in places]
    for header in unknown:
        near = difflib.get_close_matches(header, absent, n=1, cutoff=0.8)
        if near:
            findings.add("header_misspelt", file=file, row=row, value=header, suggestion=near[0])
        else:
            findings.add("header_unknown", file=file, row=row, value=header)
    order = [places[column.name] for column in format_.columns if column.name in places]
    if format_.ordered and order != sorted(order):
        findings.add("header_order", file=file, row=row)
    for column in format_.columns:
        if column.password and column.name in places:
            findings.add("password_ignored", file=file, row=row, column=column.name)
    missing = [column.name for column in format_.columns if column.required and column.name not in places]
    for column in format_.columns:
        if column.wanted and column.name not in places:
            findings.add("column_wanted", file=file, row=row, column=column.name, expected=column.name)
    for name in twice:
        findings.add("header_duplicate", file=file, row=row, column=name, value=name, blocks=0)
    for name in missing:
        findings.add("column_missing", file=file, row=row, column=name, expected=name, blocks=0)
    if twice or missing:
        return None
    columns = tuple((places[column.name], column) for column in format_.columns if column.field and column.name in places)
    width = max((place + 1 for place, cell in enumerate(cells) if cell.strip()), default=0)
    return _Plan(columns, width, places.get(format_.key))


class _Rows:
    """The loop over a table's rows. A district has a million, so what is needed for every row is looked up once."""

    def __init__(self, sheet: Sheet, plan: _Plan, format_: FileFormat, draft: Draft) -> None:
        self._sheet = sheet
        self._plan = plan
        self._format = format_
        self._draft = draft
        self._row = 0
        self._column = Column("")
        self._cell = ""
        self._held_by: int | None = None

    def read(self) -> int:
        """Every good row to `build`; answers how many rows there were, good or bad."""
        draft, file = self._draft, self._sheet.file
        build: Callable[[Row], None] | None = self._format.build
        rows = 0
        for number, cells in self._sheet.rows:
            joined = "".join(cells) if cells is not None else ""
            if cells is not None and (not joined or joined.isspace()):
                continue
            rows += 1
            self._row = number
            self._held_by = None
            if cells is None:
                draft.lost.update(self._format.kinds)
                continue
            values = self._values(cells) if self._sound(cells, joined) else {}
            if self._held_by is None and build is not None:
                build(Row(draft, Source(file, number), values, self._hold))
            if self._held_by is not None:
                self._keep_back(cells, self._held_by)
        return rows

    def _sound(self, cells: Cells, joined: str) -> bool:
        if "\0" in joined:
            self._fail("character_null")
        elif "\ufffd" in joined:
            self._fail("character_damaged")
        elif len(cells) < self._plan.width:
            self._fail("ragged", found=len(cells), expected=self._plan.width)
        elif len(cells) > self._plan.width:
            if any(cell.strip() for cell in cells[self._plan.width :]):
                self._fail("ragged", found=len(cells), expected=self._plan.width)
        return self._held_by is None

    def _values(self, cells: Cells) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for place, column in self._plan.columns:
            cell = cells[place]
            value = None
            if cell:
                self._column, self._cell = column, cell
                try:
                    value = column.convert(cell, self._note)
                except Unreadable as fault:
                    stops = column.required or column.strict
                    self._report(fault.code, "error" if stops else CATALOGUE[fault.code].severity, fault.named)
                    continue
            if value is not None:
                values[column.field] = value
            elif column.required or column.wanted:
                self._column, self._cell = column, ""
                self._note("value_missing" if column.required else "value_wanted")
        return values

    def _note(self, code: str, /, **named: Any) -> None:  # noqa: ANN401 - what the catalogue's words ask for
        self._report(code, CATALOGUE[code].severity, named)

    def _report(self, code: str, severity: Severity, named: dict[str, Any]) -> None:
        column = self._column
        number = self._draft.findings.add(
            code,
            file=self._sheet.file,
            row=self._row,
            column=column.name,
            value=self._cell,
            secret=column.secret,
            severity=severity,
            **named,
        )
        if severity == "error" and self._held_by is None:
            self._held_by = number

    def _fail(self, code: str, **named: int) -> None:
        self._held_by = self._draft.findings.add(code, file=self._sheet.file, row=self._row, **named)

    def _hold(self, finding: int) -> None:
        self._held_by = finding

    def _keep_back(self, cells: Cells, finding: int) -> None:
        place = self._plan.key
        key = cells[place].strip() if place is not None and place < len(cells) else ""
        for kind in self._format.kinds:
            self._draft.hold(kind, key, finding)
