"""A sheet bears whatever name a person has, and Excel opens it."""

from io import BytesIO

import pytest
from openpyxl import load_workbook

from gongyu.printing.workbook import Table, render
from gongyu.text import Text


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("七（1）班", "七（1）班"),
        ("a[b]c:d*e?f/g\\h", "a_b_c_d_e_f_g_h"),
        ("'O'Neil'", "_O'Neil_"),
        ("张\x00三\x1b", "张三"),
        ("长" * 40, "长" * 31),
        ("长" * 30 + "'三", "长" * 30 + "_"),
        ("", "Sheet"),
    ],
)
def test_a_title_is_what_excel_takes(wanted: str, title: str) -> None:
    book = load_workbook(BytesIO(render(Table(wanted, [Text(zh="姓名", en="name")], [("张三",)]))))
    assert book.sheetnames == [title]
