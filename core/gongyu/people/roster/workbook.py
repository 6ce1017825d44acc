"""Rows of spreadsheets: .xlsx and .xls through calamine, and the other things that are named .xls.

An .xlsx is a zip and gets a zip's checks. How much memory calamine takes is up to the file's author, so the cells and
the text they repeat are counted in the raw XML first.
"""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import python_calamine as calamine

from gongyu.people.roster.findings import Findings
from gongyu.people.roster.old_workbook import Formulas, cells_of, formulas_of, is_locked, is_possible
from gongyu.people.roster.package import UNREADABLE, Limits, Member, content, sound_zip, true_chunks
from gongyu.people.roster.table import Cells, Sheet, open_text

__all__ = ["open_sheets"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_XLSX_LIMIT = 128 << 20
_XLS_LIMIT = 32 << 20  # 65,536 rows of 71 columns do not need more
_CELLS_LIMIT = 12_000_000
_TEXT_LIMIT = 400 << 20  # of repeated strings, which calamine holds once for every cell
_UNNAMED_LIMIT = 128 << 20  # of XML whose cells do not say where they stand
_EXACT = 10**15  # from here a double has lost digits of an identity number
_KEEP = 64  # bytes of a chunk read again with the next one: longer than any tag looked for

_COLUMN = re.compile(rb'\br="([A-Z]{1,3})\d{1,7}"')
_ROW = re.compile(rb'\br="[A-Z]{0,3}(\d{1,7})"')
_CELL = re.compile(rb"<(?:\w+:)?c[\s>/]")
_ROW_START = re.compile(rb"<(?:\w+:)?row[\s>/]")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_FORMULA_CELL = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"[^<>]*>\s*<(?:\w+:)?f[\s>/]')
_STRING = re.compile(rb"<(?:\w+:)?si[\s>](.*?)</(?:\w+:)?si>", re.DOTALL)
_SHARED = re.compile(rb'\bt="s"[^<>]*>\s*<(?:\w+:)?v>(\d{1,9})<')


def open_sheets(member: Member, findings: Findings, limits: Limits) -> list[Sheet]:
    """The sheets of a workbook, or the one table of a text file; none when it had to be refused.

    Raises what reading a damaged zip raises.
    """
    with member.open() as file:
        start = file.read(2048)
    extension = member.base.rpartition(".")[2].lower()
    if start.startswith(b"PK"):
        return _zipped(member, extension, findings, limits)
    if start.startswith(_OLE):
        return _old(member, extension, findings)
    plain = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if plain.startswith((b"<html", b"<!doctype", b"<table", b"<meta", b"<?xml", b"<head", b"<div", b"<style")):
        findings.add("html_as_xls", file=member.name)
        return []
    if extension in ("xls", "xlsx"):
        findings.add("text_as_xls", file=member.name)
    sheet = open_text(member, findings)
    return [sheet] if sheet else []


def _old(member: Member, extension: str, findings: Findings) -> list[Sheet]:
    data = content(member, _XLS_LIMIT)
    whole = data.getvalue()
    if is_locked(whole):
        findings.add("workbook_encrypted", file=member.name)
    elif not is_possible(whole):  # calamine would take memory for as much as it says
        findings.add("workbook_broken", file=member.name)
    elif (cells := cells_of(whole)) > _CELLS_LIMIT:
        findings.add("workbook_size", file=member.name, cells=cells, limit=_CELLS_LIMIT)
    else:
        if extension != "xls":
            findings.add("extension_wrong", file=member.name, actual=".xls")
        sheets = _sheets(member, data, findings)
        for found in formulas_of(whole) if sheets else ():
            _tell(findings, member.name, found)
        return sheets
    return []


def _zipped(member: Member, extension: str, findings: Findings, limits: Limits) -> list[Sheet]:
    data = content(member, _XLSX_LIMIT)
    with zipfile.ZipFile(data) as book:
        if "xl/workbook.xml" not in book.NameToInfo:
            findings.add("workbook_broken", file=member.name)
            return []
        if not sound_zip(book.infolist(), member.name, findings, limits) or not _bearable(book, member.name, findings):
            return []
    if extension not in ("xlsx", "xlsm"):
        findings.add("extension_wrong", file=member.name, actual=".xlsx")
    data.seek(0)
    return _sheets(member, data, findings)


def _bearable(book: zipfile.ZipFile, name: str, findings: Findings) -> bool:
    """Whether calamine can read it within bounds; the formulas found on the way are a finding."""
    strings: list[int] = []
    for info in book.infolist():
        if info.filename.lower() == "xl/sharedstrings.xml":
            xml = b"".join(true_chunks(book, info))
            strings += [len(match[1]) for match in _STRING.finditer(xml)]
    for info in book.infolist():  # a sheet may lie under any name, so every part is looked at as if it were one
        if info.filename.lower() == "xl/sharedstrings.xml":
            continue
        part = _Part(book, info, strings)
        if part.cells > _CELLS_LIMIT or part.repeated > _TEXT_LIMIT:
            findings.add("workbook_size", file=name, cells=part.cells, limit=_CELLS_LIMIT)
            return False
        if part.formulas and info.filename.lower().startswith("xl/worksheets/"):
            first = part.first
            row, column = (int(first[2]), first[1].decode()) if first else (0, "")
            _tell(findings, name, Formulas(part.formulas, row, column))
    return True


def _tell(findings: Findings, name: str, found: Formulas) -> None:
    findings.add("formulas", file=name, row=found.row, column=found.column, count=found.count)


class _Part:
    """What is in one part of the workbook, counted without building it."""

    def __init__(self, book: zipfile.ZipFile, info: zipfile.ZipInfo, strings: Sequence[int]) -> None:
        longest = max(strings, default=0)
        columns: set[bytes] = set()
        rows: set[bytes] = set()
        self.formulas = self.repeated = 0
        self.first: re.Match[bytes] | None = None
        cells = named = 0
        kept = b""
        for chunk in true_chunks(book, info):
            xml = kept + chunk
            new = max(len(kept) - 2, 0)
            found = _COLUMN.findall(xml)
            columns.update(found)
            rows.update(_ROW.findall(xml))
            named += len(found)
            cells += len(_CELL.findall(xml, new))
            self.formulas += len(_FORMULA.findall(xml, new))
            self.first = self.first or _FORMULA_CELL.search(xml)
            if longest * (cells + 1) > _TEXT_LIMIT:
                self.repeated += sum(strings[i] for i in map(int, _SHARED.findall(xml)) if i < len(strings))
            kept = xml[-_KEEP:]
        width = max(map(_column_number, columns), default=0)
        if cells > named:  # the reference may be left out; the cell then stands beside the one before it
            width = max(width, _widest(book, info))
        self.cells = max(map(int, rows), default=0) * width


def _widest(book: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    if info.file_size > _UNNAMED_LIMIT:
        return _CELLS_LIMIT + 1
    xml = b"".join(true_chunks(book, info))
    return max(len(_CELL.findall(row)) for row in _ROW_START.split(xml))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _sheets(member: Member, data: io.BytesIO, findings: Findings) -> list[Sheet]:
    try:
        book = calamine.CalamineWorkbook.from_filelike(data)
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
        ]
        return [
            Sheet(f"{member.name}[{name}]" if len(names) > 1 else member.name, _rows(member, book, name, findings))
            for name in names
        ]
    except calamine.PasswordError:
        findings.add("workbook_encrypted", file=member.name)
    except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception; `_refuse` lets all else through
        _refuse(error, member, findings)
    return []


def _refuse(error: BaseException, member: Member, findings: Findings) -> None:
    # A panic of the Rust library is a BaseException and means what its own errors mean: the file is damaged.
    if not isinstance(error, (calamine.CalamineError, *UNREADABLE)) and type(error).__name__ != "PanicException":
        raise error
    findings.add("workbook_broken", file=member.name)


def _rows(
    member: Member, book: calamine.CalamineWorkbook, name: str, findings: Findings
) -> Iterator[tuple[int, Cells | None]]:
    try:
        sheet = book.get_sheet_by_name(name)
        rows = sheet.iter_rows()
        for number, cells in enumerate(rows, 1):
            yield number, [cell if isinstance(cell, str) else _shown(cell) for cell in cells]
    except (GeneratorExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        _refuse(error, member, findings)
        yield 0, None


def _shown(cell: Any) -> str:  # noqa: ANN401 - whatever Excel had in it
    """The cell as a person sees it, so that text and typed cells take one way; lost digits stay visible as 1.23E+17."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float | int):
        if abs(cell) >= _EXACT:
            return f"{cell:.14E}"
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return "" if cell is None else str(cell)
