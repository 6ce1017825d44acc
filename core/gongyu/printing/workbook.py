"""Tables as an Excel workbook that shows what it was given: no text becomes a formula, a number or a date."""

import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, Final

import msgspec
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from gongyu.text import Text

__all__ = ["XLSX", "Table", "render"]

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEAD: Final = Font(bold=True)
_LONGEST_TITLE: Final = 31
#: What Excel takes in no sheet's name, and the quote where the name begins or ends with it.
_NOT_IN_TITLES: Final = re.compile(r"[\[\]:*?/\\]|\A'|'\Z")


class Table(msgspec.Struct, frozen=True):
    """One sheet; its first row are the columns' names in both languages, and stays when scrolled.

    Attributes:
        widths: Of the columns, in characters; where there are none, Excel's own.
    """

    title: str
    columns: Sequence[Text]
    rows: Iterable[Sequence[object]]
    widths: Sequence[int] = ()


def render(*tables: Table) -> bytes:
    """Write a workbook. It computes: in a handler, call it with `asyncio.to_thread`."""
    book = Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(_title(table.title))
        sheet.freeze_panes = "A2"
        for number, width in enumerate(table.widths, 1):
            sheet.column_dimensions[get_column_letter(number)].width = width
        head = [WriteOnlyCell(sheet, value=f"{name.zh} {name.en}") for name in table.columns]
        for cell in head:
            cell.font = _HEAD
        sheet.append(head)
        for row in table.rows:
            cells = [_cell(sheet, value) for value in row]
            sheet.append(cells)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _title(wanted: str) -> str:
    """The nearest that Excel takes: a sheet bears a person's name, which has what marks it has."""
    return _NOT_IN_TITLES.sub("_", ILLEGAL_CHARACTERS_RE.sub("", wanted)[:_LONGEST_TITLE])


def _cell(sheet: Any, value: Any) -> Any:  # noqa: ANN401 - openpyxl's write-only sheet is not what its stubs say
    if not isinstance(value, str):
        return WriteOnlyCell(sheet, value=value)
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"  # what begins with "=" is a text too (OWASP: CSV injection)
    cell.number_format = "@"
    return cell
