"""Reads a package in whatever dialect it is in. It always answers a roster; what is wrong is in its findings."""

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from gongyu.people.roster import oneroster, register, sds
from gongyu.people.roster.canonical import KINDS, Roster, Source
from gongyu.people.roster.catalogue import CATALOGUE, Severity
from gongyu.people.roster.dialect import ANY_TABLE, Column, Dialect, FileFormat
from gongyu.people.roster.draft import Draft, Row
from gongyu.people.roster.findings import Findings
from gongyu.people.roster.headers import Plan, find_header, plan_of
from gongyu.people.roster.package import UNREADABLE, Limits, Member, open_package
from gongyu.people.roster.references import settle
from gongyu.people.roster.table import Cells, Sheet
from gongyu.people.roster.tables import Tables
from gongyu.people.roster.values import Unreadable
from gongyu.text import Text

__all__ = ["BUILT_IN", "read"]

BUILT_IN: tuple[Dialect, ...] = (oneroster.V1P1, oneroster.V1P2, sds.V2P1, register.TEMPLATE)


def read(
    path: Path | str,
    *,
    dialects: Sequence[Dialect] = BUILT_IN,
    dialect: str | None = None,
    limits: Limits | None = None,
) -> Roster:
    """The roster in a zip, a folder or a file; `dialect` names the one to use instead of looking for one that fits."""
    findings = Findings()
    limits = limits or Limits()
    with open_package(Path(path), findings, limits=limits) as package:
        refused = findings.count > 0
        tables = Tables(package, findings, limits)
        try:
            chosen = _choose(tables, dialects, dialect) if package.members else None
            if chosen is None:
                return Roster(dialect="", mode="delta", findings=findings.close())
            draft = Draft(findings)
            if refused:  # what is in the part that was refused cannot be known: nothing is ended
                draft.lost.update(KINDS)
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
    known = {"manifest.csv", *(format_.name.lower() for format_ in dialect.files)}
    used: set[str] = set()
    for format_ in dialect.files:
        members = list(tables.members) if format_.name == ANY_TABLE else _named(tables, format_, draft)
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
        if member.name not in used and member.base.lower() not in known:
            draft.findings.add("file_unknown", file=member.name)


def _named(tables: Tables, format_: FileFormat, draft: Draft) -> list[Member]:
    members = tables.named(format_.name)
    if not members and format_.required and not draft.delta:
        draft.findings.add("file_missing", expected=format_.name)
    for member in members[1:]:
        draft.findings.add("file_duplicate", file=member.name)
        draft.lost.update(format_.kinds)
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


def _read_sheet(sheet: Sheet, format_: FileFormat, dialect: Dialect, draft: Draft) -> None:
    head = list(islice(sheet.rows, format_.header_within))
    found = find_header([cells for _, cells in head], format_, dialect)
    if found is None:
        _no_header(sheet, head, format_, draft)
        return
    at, cells = found
    rows = chain(head[at + 1 :], sheet.rows)
    plan = plan_of(cells, Source(sheet.file, head[at][0]), format_, dialect, draft.findings)
    if plan is None:
        draft.findings.weight(draft.findings.count - 1, sum(1 for _, row in rows if row is None or any(row)))
        draft.lost.update(format_.kinds)
    elif _Rows(Sheet(sheet.file, rows), plan, format_, draft).read():
        draft.covered.update(format_.kinds)
    else:
        draft.findings.add("file_empty", file=sheet.file)
        draft.lost.update(format_.kinds)


def _no_header(sheet: Sheet, skipped: Sequence[tuple[int, Cells | None]], format_: FileFormat, draft: Draft) -> None:
    """A workbook may have sheets of notes, and empty ones; a file of a fixed name may not."""
    if format_.name != ANY_TABLE:
        draft.lost.update(format_.kinds)
        draft.findings.add("header_missing", file=sheet.file)
    elif any(cells is None or any(cells) for _, cells in chain(skipped, sheet.rows)):
        draft.findings.add("sheet_skipped", file=sheet.file)


class _Rows:
    """The loop over a table's rows. A district has a million, so what is needed for every row is looked up once."""

    def __init__(self, sheet: Sheet, plan: Plan, format_: FileFormat, draft: Draft) -> None:
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
        build = self._format.build
        rows = 0
        for number, cells in self._sheet.rows:
            if cells is None:
                rows += 1
                draft.lost.update(self._format.kinds)
                continue
            joined = "".join(cells)
            if not joined or joined.isspace():
                continue
            rows += 1
            self._row = number
            self._held_by = None
            values = self._values(cells) if self._sound(cells, joined) else {}
            if build is not None and self._held_by is None:
                build(Row(draft, Source(file, number), values, self._hold))
            if self._held_by is not None:
                self._keep_back(cells, self._held_by)
        return rows

    def _sound(self, cells: Cells, joined: str) -> bool:
        if "\0" in joined:
            self._fail("character_null")
        elif "\ufffd" in joined:
            self._fail("character_damaged")
        elif len(cells) < self._plan.width or (
            len(cells) > self._plan.width and any(cell.strip() for cell in cells[self._plan.width :])
        ):
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

    def _fail(self, code: str, **named: Any) -> None:  # noqa: ANN401 - as above
        self._held_by = self._draft.findings.add(code, file=self._sheet.file, row=self._row, **named)

    def _hold(self, finding: int) -> None:
        self._held_by = finding

    def _keep_back(self, cells: Cells, finding: int) -> None:
        place = self._plan.key
        key = cells[place].strip() if place is not None and place < len(cells) else ""
        for kind in self._format.kinds:
            self._draft.hold(kind, key, finding)
