"""What is printed is legible, complete and the same each time; what cannot be is refused by name."""

import itertools
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import segno
import typst
from pypdf import PageObject, PdfReader

from gongyu.printing import qr
from gongyu.printing.document import MissingGlyph, MissingGlyphError, render

NOW = datetime(2026, 9, 1, tzinfo=UTC)
HOUSE = '#import "@gongyu/house:1.0.0": *\n#show: house\n'


class Letter(msgspec.Struct, frozen=True):
    body: str
    rows: list[list[str]] = []
    codes: list[str] = []


def printed(folder: Path, template: str, letter: Letter, *, title: str = "信") -> PdfReader:
    file = folder / "letter.typ"
    file.write_text(HOUSE + template)
    return PdfReader(BytesIO(render(file, letter, title=title, created=NOW)))


def lines(reader: PdfReader) -> list[str]:
    return [line.strip() for page in reader.pages for line in page.extract_text().splitlines() if line.strip()]


def drawing(page: PageObject) -> list[tuple[Any, bytes]]:
    contents = page.get_contents()
    assert contents is not None
    return contents.operations


def fonts(reader: PdfReader) -> dict[str, int]:
    """Every font of the document with the size of what is embedded of it."""
    found = {}
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for reference in resources["/Font"].values():
            descriptor = reference.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            found[descriptor["/FontName"]] = len(descriptor["/FontFile3"].get_data())
    return found


def test_every_character_of_the_national_names_is_printed_and_can_be_searched(tmp_path: Path) -> None:
    """𬭚 is outside the basic plane, 㛃 and 䶮 in extension A; 鿽 is only in the second face."""
    reader = printed(tmp_path, "#data.body", Letter("张𬭚 李㛃 王䶮 赵鿽 玛丽亚·买买提 Zoë"), title="名单")
    assert "".join(lines(reader)) == "张𬭚 李㛃 王䶮 赵鿽 玛丽亚·买买提 Zoë"
    assert reader.metadata is not None
    assert reader.metadata.title == "名单"
    assert reader.metadata.creation_date == NOW


def test_all_of_the_basic_block_and_extension_a_can_be_printed(tmp_path: Path) -> None:
    characters = "".join(map(chr, [*range(0x4E00, 0xA000), *range(0x3400, 0x4DC0)]))
    printed(tmp_path, "#data.body", Letter(characters))


def test_only_what_is_used_of_the_fonts_is_embedded(tmp_path: Path) -> None:
    embedded = fonts(printed(tmp_path, '#data.body #text(font: faces.serif, "结业证书")', Letter("成长导师" * 200)))
    assert sorted(name.partition("+")[2].split("-")[0] for name in embedded) == ["NotoSansSC", "NotoSerifSC"]
    assert max(embedded.values()) < 10_000


def test_missing_glyphs_are_all_named_with_their_places_and_not_in_the_log(tmp_path: Path) -> None:
    letter = Letter("好", rows=[["张三", "李𪚥"], ["钱\ue863", "\U0001f600𪚥"]])
    with pytest.raises(MissingGlyphError) as caught:
        printed(tmp_path, "#data.body #listing(([甲], [乙]), data.rows)", letter)
    assert caught.value.missing == [
        MissingGlyph("𪚥", "/rows/0/1", "李𪚥"),
        MissingGlyph("\ue863", "/rows/1/0", "钱\ue863"),
        MissingGlyph("\U0001f600", "/rows/1/1", "\U0001f600𪚥"),
        MissingGlyph("𪚥", "/rows/1/1", "\U0001f600𪚥"),
    ]
    assert "𪚥（U+2A6A5），见“李𪚥”（/rows/0/1）" in caught.value.text.zh
    assert "𪚥 (U+2A6A5) in “李𪚥” (/rows/0/1)" in caught.value.text.en
    assert "李" not in str(caught.value)


@pytest.mark.parametrize("control", ["\x00", "\x1b", "\ufffe"])
def test_control_characters_are_refused(tmp_path: Path, control: str) -> None:
    with pytest.raises(MissingGlyphError):
        printed(tmp_path, "#data.body", Letter(f"张{control}三"))


def test_a_character_missing_in_the_template_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(typst.TypstError, match="☐"):
        printed(tmp_path, "☐ #data.body", Letter("同意"))


def test_a_font_the_house_does_not_have_is_an_error_and_no_blank_page(tmp_path: Path) -> None:
    with pytest.raises(typst.TypstWarning, match="unknown font family: simsun"):
        printed(tmp_path, '#set text(font: "SimSun")\n#data.body', Letter("同意"))


def test_data_is_never_read_as_markup(tmp_path: Path) -> None:
    hostile = '*粗* $x$ #read("/etc/passwd") \\ <a> @b // c'
    assert lines(printed(tmp_path, "#data.body", Letter(hostile))) == [hostile]


def test_a_template_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "own").mkdir()
    with pytest.raises(typst.TypstError, match="escape the project root"):
        printed(tmp_path / "own", '#read("../secret")', Letter(""))


def test_lines_begin_with_no_closing_mark_and_end_with_no_opening_one(tmp_path: Path) -> None:
    text = "育人，“春风化雨”；润物（无声）。" * 12
    for width in range(30, 60, 3):
        wrapped = lines(printed(tmp_path, f"#block(width: {width}mm, data.body)", Letter(text)))
        assert "".join(wrapped).replace(" ", "") == text
        assert len(wrapped) > 5
        assert not {line[0] for line in wrapped} & set("，。；”）")
        assert not {line[-1] for line in wrapped} & set("“（")


def test_a_long_table_repeats_its_headings(tmp_path: Path) -> None:
    letter = Letter("", rows=[[f"学生{number}", "优秀"] for number in range(100)])
    reader = printed(tmp_path, "#listing(([姓名], [评语]), data.rows)", letter)
    texts = [page.extract_text().replace(" ", "") for page in reader.pages]
    assert len(texts) > 2
    assert all(text.count("姓名") == 1 for text in texts)
    assert [f"学生{number}" in "".join(texts) for number in range(100)] == [True] * 100


def test_cards_fill_pages_in_order_with_a_cut_mark_at_every_corner(tmp_path: Path) -> None:
    letter = Letter("", codes=[f"C{number:02d}" for number in range(30)])
    reader = printed(tmp_path, "#cards(data.codes, columns: 3, rows: 8, code => [#code])", letter)
    on_pages = [sorted(page.extract_text().split()) for page in reader.pages]
    assert on_pages == [letter.codes[:24], letter.codes[24:]]
    for page in reader.pages:
        assert [verb for _, verb in drawing(page)].count(b"S") == 2 * (3 + 1) * (8 + 1)


def test_a_code_is_drawn_module_by_module_and_no_picture(tmp_path: Path) -> None:
    content = "https://gongyu.example.cn/v/K7QM3XWD9F2P"
    reader = printed(tmp_path, "#qr(data.codes.first(), 30mm)", Letter("", codes=[qr.svg(content)]))
    matrix = segno.make(content, error="m", micro=False).matrix
    drawn = [[0] * len(matrix) for _ in matrix]
    operations = drawing(reader.pages[0])
    for ((x, y), verb), ((until, _), _) in itertools.pairwise(
        operation for operation in operations if operation[1] in {b"m", b"l"}
    ):
        if verb == b"m" and y % 1 == 0.5:  # a run of black modules is a stroke along their middle, four from the edge
            drawn[int(y) - 4][int(x) - 4 : int(until) - 4] = [1] * int(until - x)
    assert drawn == [list(row) for row in matrix]
    assert len(reader.pages[0].images) == 0


def test_a_name_too_wide_is_made_smaller_and_stays_whole(tmp_path: Path) -> None:
    name = "阿卜杜勒艾则孜·买买提吐尔逊"
    assert lines(printed(tmp_path, "#block(width: 20mm, fit(20mm, data.body))", Letter(name))) == [name]
    assert len(lines(printed(tmp_path, "#block(width: 20mm, data.body)", Letter(name)))) > 1


def test_the_same_input_gives_the_same_bytes_and_a_date_without_zone_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "letter.typ"
    file.write_text(HOUSE + "#data.body")
    first, second = (render(file, Letter("张𬭚"), title="信", created=NOW) for _ in range(2))
    assert first == second
    with pytest.raises(ValueError, match="zone"):
        render(file, Letter("张𬭚"), title="信", created=NOW.replace(tzinfo=None))
