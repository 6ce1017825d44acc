"""A mentor's photo: checked by its structure, stripped of what a camera adds, seen by members of the school."""

import struct
import zlib
from typing import Any
from uuid import UUID

import httpx
import pytest

from gongyu.web import ProblemError
from gongyu_mentor.picture import LARGEST, checked

from .conftest import Site

_WHERE = b"GPS 30.39N 114.89E"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*, side: int = 2, extra: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + _chunk(b"IDAT", zlib.compress(b"\0\0\0" * 2)) + _chunk(b"IEND", b"")


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(*, extra: bytes = b"") -> bytes:
    frame = _segment(0xC0, bytes((8, 0, 2, 0, 2, 1, 1, 0x11, 0)))
    return b"\xff\xd8" + _segment(0xE0, b"JFIF\0") + extra + frame + _segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\xd9"


def webp(*, exif: bool = False) -> bytes:
    flags = bytes((0b00001000 if exif else 0, 0, 0, 0)) + b"\1\0\0" + b"\1\0\0"
    chunks = b"VP8X" + struct.pack("<I", 10) + flags + b"VP8L" + struct.pack("<I", 4) + b"\x2f\1\0\0"
    if exif:
        chunks += b"EXIF" + struct.pack("<I", len(_WHERE)) + _WHERE
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


@pytest.mark.parametrize(
    ("given", "plain", "media_type"),
    [
        (png(extra=_chunk(b"eXIf", _WHERE) + _chunk(b"tEXt", _WHERE)), png(), "image/png"),
        (jpeg(extra=_segment(0xE1, b"Exif\0\0" + _WHERE) + _segment(0xFE, _WHERE)), jpeg(), "image/jpeg"),
        (webp(exif=True), webp(), "image/webp"),
    ],
)
def test_what_a_camera_adds_is_left_out(given: bytes, plain: bytes, media_type: str) -> None:
    assert _WHERE in given
    assert checked(given) == (media_type, plain)
    assert checked(plain) == (media_type, plain)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + bytes(20),
        b"<svg onload='alert(1)'/>",
        png()[:-4],
        png() + b"<script>",
        png(side=5000),
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IEND", b""),
        jpeg()[:-1],
        b"\xff\xd8\xff\xe0\0\0\xff\xd9",
        webp() + b"x",
        webp()[:30],
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ProblemError, match="unsupported-media-type"):
        checked(content)


def test_every_cut_and_every_changed_byte_ends_in_an_answer() -> None:
    for whole in (png(), jpeg(), webp()):
        for at in range(len(whole)):
            for content in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole[:at] + b"\0" + whole[at + 1 :]):
                try:
                    assert checked(content).media_type.startswith("image/")
                except ProblemError as error:
                    assert error.kind == "unsupported-media-type"  # noqa: PT017 - either is an answer


async def _send(site: Site, who: UUID, content: bytes) -> httpx.Response:
    headers = {**site.headers(who), "content-type": "application/octet-stream"}
    async with site.client() as client:
        return await client.put("/photo/mine", content=content, headers=headers)


async def test_a_photo_is_shown_to_the_school_and_to_nobody_else(site: Site) -> None:
    school, other = site.schools
    mentor, pupil = school.mentors[0], school.students[0]
    round_id = await site.open_round()
    assert (await _send(site, mentor, png())).status_code == 204
    assert (await _send(site, mentor, b"x" * (LARGEST + 1))).status_code == 413
    assert (await _send(site, mentor, b"nothing")).status_code == 415
    assert (await _send(site, pupil, png())).status_code == 403

    async def photos() -> dict[str, Any]:
        offers = await site.done(pupil, "GET", f"/rounds/{round_id}/offers")
        return {one["mentor"]: one["photo"] for one in offers["items"] if one["photo"]}

    path = f"/photos/{mentor}"
    seen = await site.ask(pupil, "GET", path)
    assert (seen.status_code, seen.headers["content-type"], seen.content) == (200, "image/png", png())
    assert await photos() == {str(mentor): seen.headers["etag"].strip('"')}
    headers = {**site.headers(school.guardian), "if-none-match": seen.headers["etag"]}
    async with site.client() as client:
        again = await client.get(path, headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    for stranger in (other.students[0], other.guardian, other.mentors[0], other.head):
        assert (await site.ask(stranger, "GET", path)).status_code == 404
    assert (await site.ask(pupil, "GET", f"/photos/{school.mentors[1]}")).status_code == 404
    await site.done(mentor, "DELETE", "/photo/mine")
    assert ((await site.ask(pupil, "GET", path)).status_code, await photos()) == (404, {})
