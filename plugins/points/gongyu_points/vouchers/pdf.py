"""A sheet of vouchers to print and cut: what each is worth, for what, whose school's, until when, and its code."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gongyu.printing import qr
from gongyu.printing.document import render
from gongyu.text import Text
from gongyu_points.vouchers.codes import shown
from gongyu_points.vouchers.schemas import Paper

__all__ = ["sheet_pdf", "voucher_url"]

_TEMPLATE: Final = Path(__file__).with_name("sheet.typ")


class _Card(msgspec.Struct, frozen=True):
    number: int
    points: int
    code: str
    qr: str


class _Sheet(msgspec.Struct, frozen=True):
    school: str
    reason: Text
    note: str
    expires: str
    site: str
    serial: str
    total: int
    cards: list[_Card]


def voucher_url(base: str, slug: str, code: str) -> str:
    """Where the QR code leads. The code stands behind the `#`, which no browser sends and no server logs."""
    return f"{base}/{slug}/points/voucher#{shown(code)}"


def sheet_pdf(
    paper: Sequence[Paper],
    *,
    school: str,
    reason: Text,
    note: str,
    expires_on: date,
    serial: str,
    base: str,
    slug: str,
    created: datetime,
) -> bytes:
    """A4, three by eight to a page.

    Args:
        paper: The vouchers with their codes.
        school: Its name.
        reason: What the points are for.
        note: What the giver adds, such as the occasion.
        expires_on: The last day they are taken.
        serial: What the sheet is called in the list, so that a lost one can be found there.
        base: Where browsers reach this deployment.
        slug: The district's.
        created: When, in the district's time.

    Raises:
        MissingGlyphError: The school, the reason or the note has a character that no font can draw.
    """
    cards = [_Card(one.number, one.points, shown(one.code), qr.svg(voucher_url(base, slug, one.code))) for one in paper]
    total = sum(one.points for one in paper)
    data = _Sheet(school, reason, note, f"{expires_on:%Y-%m-%d}", urlsplit(base).netloc, serial, total, cards)
    return render(_TEMPLATE, data, title=f"德育积分券 {school}".strip(), created=created)
