"""A sheet of vouchers to print and cut: what each is worth, for what, whose school's, until when, and its code."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from gongyu.plugin import Context
from gongyu.printing import qr
from gongyu.printing.document import render
from gongyu.text import Text
from gongyu_points.calendar import local
from gongyu_points.notes import opened
from gongyu_points.vouchers import sheets
from gongyu_points.vouchers.codes import shown
from gongyu_points.vouchers.schemas import Paper

__all__ = ["on_paper", "voucher_url"]

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


async def on_paper(context: Context, *, sheet: UUID, paper: Sequence[Paper], base: str) -> bytes:
    """A4, three by eight to a page.

    Args:
        context: Whose district.
        sheet: Which; its serial stands on it, so that a lost one can be found in the list.
        paper: Its vouchers with their codes.
        base: Where browsers reach this deployment.

    Raises:
        ProblemError: `not-found`.
        MissingGlyphError: The school, the reason or the note has a character that no font can draw.
    """
    head = await sheets.head(await context.session.connection(), context.district, sheet=sheet)
    return await asyncio.to_thread(
        _printed,
        head,
        paper,
        note=opened(context.seals, sheet, head.note),
        serial=str(sheet)[-12:].upper(),
        base=base,
        slug=context.district.slug,
        created=local(context.now, context.district),
    )


def _printed(
    head: sheets.Head, paper: Sequence[Paper], *, note: str, serial: str, base: str, slug: str, created: datetime
) -> bytes:
    cards = [_Card(one.number, one.points, shown(one.code), qr.svg(voucher_url(base, slug, one.code))) for one in paper]
    reason, total = Text(zh=head.reason_zh, en=head.reason_en), sum(one.points for one in paper)
    expires, site = f"{head.expires_on:%Y-%m-%d}", urlsplit(base).netloc
    data = _Sheet(head.school, reason, note, expires, site, serial, total, cards)
    return render(_TEMPLATE, data, title=f"德育积分券 {head.school}".strip(), created=created)
