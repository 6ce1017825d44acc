"""Posting and reading notices: plain functions that take a session, testable without HTTP."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.database.reading import within_orgs
from gongyu.events.outbox import publish
from gongyu.people.models import Org
from gongyu.plugin import Context, Text
from gongyu.web import Paged, ProblemError
from gongyu_bulletin.events import NoticePosted
from gongyu_bulletin.models import Notice
from gongyu_bulletin.schemas import NewNotice, NoticeOut


def _out(row: Iterable[Any]) -> NoticeOut:
    return NoticeOut(*row)


_VISIBLE = sa.select(Notice.id, Notice.org_id, Notice.title, Notice.body, Notice.posted_at).where(
    within_orgs(Notice.org_id)
)
NOTICES = Paged(_VISIBLE, key=[Notice.posted_at, Notice.id], row=_out)


async def read(connection: AsyncConnection, *, notice: UUID, orgs: frozenset[UUID] | None) -> NoticeOut:
    found = await connection.execute(
        _VISIBLE.where(Notice.id == notice), {"orgs": None if orgs is None else list(orgs)}
    )
    row = found.first()
    if row is None:  # not there and not yours look the same
        raise ProblemError("not-found")
    return _out(row)


async def post(
    session: AsyncSession, *, new: NewNotice, author: UUID | None, orgs: frozenset[UUID] | None, max_length: int
) -> NoticeOut:
    if len(new.body) > max_length:
        raise ProblemError(
            "invalid", errors=[("/body", Text(zh="最多 {n} 字", en="at most {n} characters").format(n=max_length))]
        )
    org = new.org or await root(session)
    if orgs is not None and org not in orgs:
        raise ProblemError("forbidden", Text(zh="不是您所在的机构", en="this is not an org of yours"))
    notice = Notice(org_id=org, author_id=author, title=new.title, body=new.body)
    session.add(notice)
    await session.flush()
    await session.refresh(notice, ["posted_at"])
    await publish(session, NoticePosted(notice=notice.id, org=org), subject=org)
    return NoticeOut(notice.id, org, notice.title, notice.body, notice.posted_at)


async def post_for_plugin(context: Context, *, title: str, body: str) -> UUID:
    """The capability `notice.post`: another plugin speaks to the whole district."""
    new = NewNotice(title=title, body=body)
    posted = await post(context.session, new=new, author=None, orgs=None, max_length=context.settings.max_length)
    return posted.id


async def root(session: AsyncSession) -> UUID:
    return (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)).limit(1))).scalar_one()


async def welcome(context: Context) -> None:
    """The first notice, once."""
    if (await context.session.execute(sa.select(sa.exists(sa.select(Notice.id))))).scalar():
        return
    greeting = NewNotice(title="公告栏已启用", body="从今天起，公告都在这里。")
    await post(context.session, new=greeting, author=None, orgs=None, max_length=context.settings.max_length)


async def unpin_all(context: Context) -> None:
    await context.session.execute(sa.update(Notice).values(pinned=False))


async def clear_old(context: Context) -> None:
    """The daily job."""
    oldest = context.now - timedelta(days=context.settings.keep_days)
    await context.session.execute(sa.delete(Notice).where(Notice.posted_at < oldest))


async def play(context: Context) -> int:
    titles = ("开学第一课", "家长会", "运动会", "读书月", "护学岗招募")
    for title in titles:
        new = NewNotice(title=title, body=f"{title}：详情请看班级群。")
        await post(context.session, new=new, author=None, orgs=None, max_length=context.settings.max_length)
    return len(titles)
