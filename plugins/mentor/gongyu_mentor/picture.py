"""Is this a picture, and which kind? Read by its own structure, never by its name or by what the browser says.

What a camera adds (where and when it was taken, with which device, a thumbnail of the uncropped scene) is left out:
a mentor shows a face and not a home. Sources: ISO/IEC 15948 (PNG), ITU-T T.81 (JPEG), RFC 9649 (WebP).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gongyu.plugin import Text
from gongyu.web import ProblemError

__all__ = ["LARGEST", "Picture", "checked"]

LARGEST: Final = 200 * 1024
_SIDE: Final = 4096
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"IDAT", b"IEND"}
_WEBP_KEPT: Final = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
#: Of the application's segments, those that say how the colours are meant: JFIF, ICC profile, Adobe.
_JPEG_KEPT: Final = {0xE0, 0xE2, 0xEE}
_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE


class Picture(NamedTuple):
    media_type: str
    content: bytes


def checked(content: bytes) -> Picture:
    """The picture without what does not belong to it.

    Raises:
        ProblemError: `too-large`, or `unsupported-media-type` for anything but a whole JPEG, PNG or WebP.
    """
    if len(content) > LARGEST:
        raise ProblemError("too-large", Text(zh="照片最大 200 KB", en="a photo has at most 200 kB"))
    try:
        if content.startswith(_PNG):
            return Picture("image/png", _PNG + b"".join(_png(content)))
        if content[:3] == b"\xff\xd8\xff":
            return Picture("image/jpeg", b"".join(_jpeg(content)))
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            chunks = b"".join(_webp(content))
            return Picture("image/webp", b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks)
    except (IndexError, ValueError):
        pass
    text = Text(zh="应为完整的 JPEG、PNG 或 WebP 图片", en="expected a whole JPEG, PNG or WebP picture")
    raise ProblemError("unsupported-media-type", text)


def _sized(width: int, height: int) -> None:
    if not (0 < width <= _SIDE and 0 < height <= _SIDE):
        raise ValueError


def _png(content: bytes) -> Iterator[bytes]:
    at, kinds = len(_PNG), list[bytes]()
    while not kinds or kinds[-1] != b"IEND":
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        chunk = content[at : at + 12 + length]
        if len(chunk) < 12 + length or (kind == b"IHDR") != (not kinds):
            raise ValueError
        if kind == b"IHDR":
            _sized(int.from_bytes(chunk[8:12], "big"), int.from_bytes(chunk[12:16], "big"))
        if kind in _PNG_KEPT:
            yield chunk
        kinds.append(kind)
        at += len(chunk)
    if at != len(content) or b"IDAT" not in kinds:
        raise ValueError


def _jpeg(content: bytes) -> Iterator[bytes]:
    if content[-2:] != bytes((0xFF, _END)):
        raise ValueError
    yield content[:2]
    at, framed = 2, False
    while (marker := content[at + 1]) != _SCAN:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at : at + 2 + length]
        if content[at] != 0xFF or length < 2 or len(segment) < 2 + length:  # noqa: PLR2004 - the format's
            raise ValueError
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004 - start of frame
            _sized(int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big"))
            framed = True
        of_application = 0xE0 <= marker <= 0xEF  # noqa: PLR2004 - the format's
        if marker != _COMMENT and (not of_application or marker in _JPEG_KEPT):
            yield segment
        at += len(segment)
    if not framed:
        raise ValueError
    yield content[at:]


def _webp(content: bytes) -> Iterator[bytes]:
    if int.from_bytes(content[4:8], "little") != len(content) - 8:
        raise ValueError
    at, kinds = 12, list[bytes]()
    while at < len(content):
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        chunk = content[at : at + 8 + length + length % 2]
        if len(chunk) < 8 + length + length % 2:
            raise ValueError
        if kind == b"VP8X":
            _sized(1 + int.from_bytes(chunk[12:15], "little"), 1 + int.from_bytes(chunk[15:18], "little"))
            chunk = chunk[:8] + bytes((chunk[8] & 0b00110000,)) + chunk[9:]  # only a profile and transparency are left
        if kind in _WEBP_KEPT:
            yield chunk
        kinds.append(kind)
        at += len(chunk)
    if not {b"VP8 ", b"VP8L"} & set(kinds):
        raise ValueError
