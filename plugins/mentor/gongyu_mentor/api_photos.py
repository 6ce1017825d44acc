"""Mentors' photos over HTTP: thin handlers."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, put
from litestar.params import FromPath

from gongyu.web import Call
from gongyu_mentor import photos
from gongyu_mentor.asking import MEMBERS, MENTOR, visible

__all__ = ["PHOTO_ROUTES"]


@put(
    "/photo/mine",
    permission=MENTOR,
    operation_id="mentor_show_photo",
    summary="Show a photo on one's page: JPEG, PNG or WebP of at most 200 kB, sent as it is",
    status_code=204,
)
async def show_photo(call: Call, request: Request[Any, Any, Any]) -> None:
    content = await request.body()
    await photos.show(await call.session(), person=call.principal.person, content=content, now=call.now)


@delete("/photo/mine", permission=MENTOR, operation_id="mentor_remove_photo", summary="Take one's photo down")
async def remove_photo(call: Call) -> None:
    await photos.remove(await call.session(), person=call.principal.person)


@get(
    "/photos/{mentor:uuid}",
    permission=MEMBERS,
    operation_id="mentor_read_photo",
    summary="A mentor's photo, for members of the school",
    media_type="image/*",
)
async def read_photo(call: Call, mentor: FromPath[UUID], request: Request[Any, Any, Any]) -> Response[bytes]:
    orgs = await visible(call)
    tag = f'"{await photos.digest_of(await call.db(), person=mentor, orgs=orgs)}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    found = await photos.read(await call.db(), person=mentor, orgs=orgs)
    return Response(found.content, media_type=found.media_type, headers=headers | {"etag": f'"{found.digest}"'})


PHOTO_ROUTES = [show_photo, remove_photo, read_photo]
