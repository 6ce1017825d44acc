"""The notice board over HTTP: thin handlers."""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath

from gongyu.web import Call, Cursor, Limit, Page
from gongyu_bulletin import notices
from gongyu_bulletin.schemas import NewNotice, NoticeOut


@get("/notices", permission="bulletin.notice.read", operation_id="bulletin_list_notices", summary="List notices")
async def list_notices(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[NoticeOut]:
    return await notices.NOTICES.page(call, limit=limit, cursor=cursor, orgs=call.orgs)


@get(
    "/notices/{notice:uuid}",
    permission="bulletin.notice.read",
    operation_id="bulletin_read_notice",
    summary="Read a notice",
)
async def read_notice(call: Call, notice: FromPath[UUID]) -> NoticeOut:
    return await notices.read(await call.db(), notice=notice, orgs=call.orgs)


@post("/notices", permission="bulletin.notice.post", operation_id="bulletin_post_notice", summary="Post a notice")
async def post_notice(call: Call, data: NewNotice) -> NoticeOut:
    return await notices.post(
        await call.session(),
        new=data,
        author=call.principal.person,
        orgs=call.orgs,
        max_length=call.settings.max_length,
    )
