"""Pictures of items, kept in the district's schema with everything else of it, so that one backup has them all."""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.plugin import Context, District, Text
from gongyu.web import ProblemError
from gongyu_points.books import read, run
from gongyu_points.shop.items import require_item

__all__ = ["LARGEST", "load", "save"]

LARGEST: Final = 512 * 1024
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs"}
)
_BAD: Final = Text(zh="应为完整的 PNG 或 JPEG 图片", en="a whole PNG or JPEG picture is expected")

_SAVE: Final = """
INSERT INTO {s}.points_item_picture (item_id, media_type, content, digest)
SELECT $1::uuid, $2::text, $3::bytea, $4::text
ON CONFLICT (item_id) DO UPDATE
   SET media_type = excluded.media_type, content = excluded.content, digest = excluded.digest"""

_LOAD: Final = """
SELECT p.media_type, p.content, p.digest, s.org_id FROM {s}.points_item_picture AS p
  JOIN {s}.points_item AS i ON i.id = p.item_id JOIN {s}.points_shop AS s ON s.id = i.shop_id
 WHERE p.item_id = $1::uuid"""


async def save(context: Context, *, item: UUID, content: bytes, orgs: frozenset[UUID] | None) -> str:
    """Put a picture to an item in place of the one before.

    What the bytes are decides, not what they are said to be. Where and with what it was taken is left out: a photo of a
    pen can hold the coordinates of somebody's home.

    Returns:
        Its digest.

    Raises:
        ProblemError: `too-large`; `unsupported-media-type` for what is neither PNG nor JPEG.
    """
    await require_item(context, item, orgs=orgs)
    if len(content) > LARGEST:
        text = Text(zh="图片最大 {n} KB", en="a picture has at most {n} KB").format(n=LARGEST // 1024)
        raise ProblemError("too-large", text)
    try:
        media_type, clean = _cleaned(content)
    except (ValueError, struct.error, IndexError) as error:
        raise ProblemError("unsupported-media-type", _BAD) from error
    digest = hashlib.sha256(clean).hexdigest()[:32]
    await run(context.session, _SAVE, item, media_type, clean, digest)
    return digest


async def load(connection: AsyncConnection, district: District, *, item: UUID, orgs: frozenset[UUID] | None) -> Any:  # noqa: ANN401 - a row
    """Its type, content and digest."""
    rows = await read(connection, district, _LOAD, item)
    if not rows or not (orgs is None or rows[0].org_id in orgs):
        raise ProblemError("not-found")
    return rows[0]


def _cleaned(content: bytes) -> tuple[str, bytes]:
    if content.startswith(_PNG):
        return "image/png", _PNG + b"".join(_png_chunks(content))
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", b"\xff\xd8" + b"".join(_jpeg_segments(content))
    raise ValueError


def _png_chunks(content: bytes) -> Iterator[bytes]:
    """Length, name, data, checksum (PNG 3, 5.3); it ends with IEND, and what follows is dropped."""
    at, name = len(_PNG), b""
    while name != b"IEND":
        (length,) = struct.unpack_from(">I", content, at)
        name, end = content[at + 4 : at + 8], at + 12 + length
        if end > len(content):
            raise ValueError
        if name in _PNG_KEPT:
            yield content[at:end]
        at = end


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    """Marker and length until the scan begins (ITU-T T.81, B.1); APP1 to APP15 but the colours, and comments, go."""
    at = 2
    while True:
        marker, (length,) = content[at + 1], struct.unpack_from(">H", content, at + 2)
        end = at + 2 + length
        if content[at] != 0xFF or length < 2 or end > len(content):  # noqa: PLR2004 - the length counts itself
            raise ValueError
        if marker == 0xDA:  # noqa: PLR2004 - start of scan: from here on it is picture
            if not content.rstrip(b"\x00").endswith(b"\xff\xd9"):
                raise ValueError
            yield content[at:]
            return
        app, colours = 0xE1 <= marker <= 0xEF, marker in (0xE2, 0xEE)  # noqa: PLR2004 - APP1 to APP15
        if not (app and not colours) and marker != 0xFE:  # noqa: PLR2004 - a comment
            yield content[at:end]
        at = end
