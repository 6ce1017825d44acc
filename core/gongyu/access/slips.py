"""Slips of paper with which a class comes in: one for each person, to be cut apart and handed over.

A slip is a password until it is used (ASVS 5.0 6.4.1): it shows when it expires, and the sheet says what to do with
those left over. Nothing is read from or written to the database here; codes come from `codes.issue`, which shows them
once.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gongyu.access.codes import Kind
from gongyu.printing import qr
from gongyu.printing.document import render
from gongyu.text import Text

__all__ = ["Slip", "print_slips"]

_TEMPLATE: Final = Path(__file__).with_name("slips.typ")

_TITLES: Final[dict[Kind, Text]] = {
    "activation": Text(zh="账号激活单", en="Activation slips"),
    "guardian": Text(zh="家长绑定单", en="Guardian slips"),
}
_WHAT_TO_DO: Final[dict[Kind, Text]] = {
    "activation": Text(
        zh="扫码或在 {site} 输入激活码，设定自己的密码。请勿外传",
        en="Scan, or type the code at {site}; choose your own password",
    ),
    "guardian": Text(
        zh="请家长扫码或在 {site} 输入此码，绑定孩子。两位家长可共用",
        en="Guardians: scan, or type the code at {site}. Two of you may use it",
    ),
}
_DIGITS: Final = "〇一二三四五六七八九"


class Slip(msgspec.Struct, frozen=True, kw_only=True):
    """One person's slip.

    Attributes:
        name: The person's; for guardians the child's.
        school: Its name.
        class_name: As the school calls it.
        hint: Their user name if they have one, or what tells two of one name apart.
        code: As `codes.issue` shows it, in groups.
        url: Where the QR code leads, code included.
        expires_at: In the district's time.
    """

    name: str
    school: str
    class_name: str
    hint: str = ""
    code: str
    url: str
    expires_at: datetime


class _Card(msgspec.Struct, frozen=True):
    name: str
    hint: str
    code: str
    expires: str
    qr: str
    what_to_do: Text


class _Group(msgspec.Struct, frozen=True):
    school: str
    class_name: str
    cards: list[_Card]


class _Sheet(msgspec.Struct, frozen=True):
    title: Text
    groups: list[_Group]


def print_slips(slips: Iterable[Slip], *, kind: Kind, created: datetime) -> bytes:
    """A4 sheets of ten slips, each class on pages of its own; classes by number, people by name.

    Args:
        slips: At least one.
        kind: What the codes are for.
        created: The date of creation in the file.

    Raises:
        MissingGlyphError: A name has a character that no font can draw.
        ValueError: There is nothing to print.
    """
    ordered = sorted(slips, key=lambda slip: (*_class_key(slip), _name_key(slip.name), slip.hint))
    if not ordered:
        raise ValueError("no slips to print")
    groups = [
        _Group(school, class_name, [_card(slip, kind) for slip in members])
        for (school, class_name), members in groupby(ordered, key=lambda slip: (slip.school, slip.class_name))
    ]
    title = _TITLES[kind]
    places = groups[0].school if len({group.school for group in groups}) == 1 else ""
    if len(groups) == 1:
        places += f" {groups[0].class_name}"
    return render(_TEMPLATE, _Sheet(title, groups), title=f"{title.zh} {places}".strip(), created=created)


def _card(slip: Slip, kind: Kind) -> _Card:
    return _Card(
        name=slip.name,
        hint=slip.hint,
        code=slip.code,
        expires=f"{slip.expires_at:%Y-%m-%d %H:%M}",
        qr=qr.svg(slip.url),
        what_to_do=_WHAT_TO_DO[kind].format(site=urlsplit(slip.url).netloc),
    )


def _class_key(slip: Slip) -> tuple[str, list[tuple[int, bytes]], str]:
    """二年级 before 三年级, 2班 before 10班."""
    plain = re.sub(f"[{_DIGITS}十]+", lambda match: str(_number(match[0])), slip.class_name)
    parts = [(int(part), b"") if part.isdecimal() else (0, _name_key(part)) for part in re.findall(r"\d+|\D+", plain)]
    return slip.school, parts, slip.class_name


def _number(numeral: str) -> int:
    """Up to ninety-nine: 七, 十, 十二, 二十一."""
    tens, ten, ones = numeral.rpartition("十")
    return (_DIGITS.find(tens or "一") * 10 if ten else 0) + (_DIGITS.find(ones) if ones else 0)


def _name_key(name: str) -> bytes:
    """By sound, as far as the old national code goes: GB 2312 lists its 3,755 common characters by pinyin."""
    return name.encode("gb18030", "replace")
