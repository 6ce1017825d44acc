"""Slips of paper that open accounts: the right code beside the right name, for a whole class."""

import time
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from pypdf import PdfReader

from gongyu.access.slips import Slip, print_slips
from gongyu.printing.document import MissingGlyphError

NOW = datetime(2026, 9, 1, tzinfo=UTC)
EXPIRES = datetime(2026, 10, 1, 18, 0, tzinfo=timezone(timedelta(hours=8)))


def slip(name: str, *, class_name: str = "三年级2班", code: str = "K7QM-3XWD-9F2P", hint: str = "") -> Slip:
    return Slip(
        name=name,
        school="实验小学",
        class_name=class_name,
        hint=hint,
        code=code,
        url=f"https://gongyu.example.cn/ezhou/activate#{code}",
        expires_at=EXPIRES,
    )


def a_class(size: int) -> list[Slip]:
    return [
        slip(
            f"{'王李张'[number % 3]}{chr(0x4E00 + number * 37)}{chr(0x5000 + number * 53)}",
            code=f"AAAA-BBBB-{number:04d}",
        )
        for number in range(size)
    ]


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def test_a_slip_says_who_until_when_and_what_to_do() -> None:
    (page,) = pages(print_slips([slip("张𬭚", hint="zhangchun")], kind="activation", created=NOW))
    assert page.replace(" ", "").replace("　", "").splitlines() == [
        "实验小学三年级2班账号激活单Activationslips共1张1/1",
        "张𬭚",
        "zhangchun",
        "实验小学三年级2班",
        "K7QM-3XWD-9F2P",
        "有效期至validuntil2026-10-0118:00",
        "扫码或在gongyu.example.cn输入激活码，设定自己的密码。请勿外传",
        "Scan,ortypethecodeatgongyu.example.cn;chooseyourownpassword",
        "请当面发给本人，未领取的请销毁。Handeachsliptoitsowner;destroythoseleftover.",
    ]


def test_each_class_has_pages_of_its_own_in_the_order_of_the_school_and_names_by_sound() -> None:
    slips = [
        *(slip(name, class_name="三年级10班") for name in ("张㛃", "李䶮", "白𬭚")),
        slip("一人", class_name="三年级2班"),
        slip("一人", class_name="二年级十一班"),
        slip("一人", class_name="二年级九班"),
    ]
    texts = pages(print_slips(slips, kind="guardian", created=NOW))
    heads = [text.splitlines()[0].replace(" ", "").replace("　", "") for text in texts]
    assert heads == [
        "实验小学二年级九班家长绑定单Guardianslips共1张1/1",
        "实验小学二年级十一班家长绑定单Guardianslips共1张1/1",
        "实验小学三年级2班家长绑定单Guardianslips共1张1/1",
        "实验小学三年级10班家长绑定单Guardianslips共3张1/1",
    ]
    assert [name for name in texts[3].split() if name in {"张㛃", "李䶮", "白𬭚"}] == ["白𬭚", "李䶮", "张㛃"]


def test_a_class_of_45_is_five_pages_each_name_with_its_own_code() -> None:
    slips = a_class(45)
    pdf = print_slips(slips, kind="activation", created=NOW)
    texts = pages(pdf)
    assert [text.count("AAAA-BBBB") for text in texts] == [10, 10, 10, 10, 5]
    words = [word for text in texts for word in text.split()]
    names = {each.name for each in slips}
    printed = [word for word in words if word in names or word.startswith("AAAA")]
    assert dict(zip(printed[::2], printed[1::2], strict=True)) == {each.name: each.code for each in slips}


def test_a_sheet_is_light_the_same_each_time_and_soon_done() -> None:
    slips = a_class(45)
    started = time.perf_counter()
    first = print_slips(slips, kind="activation", created=NOW)
    took = time.perf_counter() - started
    assert first == print_slips(reversed(slips), kind="activation", created=NOW)
    assert len(first) < 200_000
    assert len(print_slips(slips[:10], kind="activation", created=NOW)) < 60_000
    assert took < 5  # a sixth of a second on two cores; here only against a change of magnitude


def test_a_name_without_glyph_stops_the_sheet_and_is_named() -> None:
    with pytest.raises(MissingGlyphError) as caught:
        print_slips([*a_class(12), slip("赵𪚥")], kind="activation", created=NOW)
    assert [(one.character, one.value) for one in caught.value.missing] == [("𪚥", "赵𪚥")]


def test_nothing_to_print_is_an_error() -> None:
    with pytest.raises(ValueError, match="no slips"):
        print_slips([], kind="activation", created=NOW)
