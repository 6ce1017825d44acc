"""The personal data of a notice board: who wrote a notice."""

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.contract import Erased, PersonPart, Purpose, RetentionCategory
from gongyu.people.rights.periods import midnight_of
from gongyu.plugin import Context, Text
from gongyu_bulletin.models import Notice

BYLINE = Purpose(
    name="bulletin.byline",
    title=Text(zh="公告上显示作者姓名", en="The author's name on a notice"),
    text=Text(
        zh="您发布的公告会显示您的姓名，保存在本区县，一年后去掉。不同意则只显示机构名，其他功能不受影响；可随时撤回。",
        en="Notices you post show your name, kept in the district and taken off after a year. If you refuse, only the "
        "org is shown and nothing else changes; you can take it back at any time.",
    ),
)


async def posted_by(context: Context, person: UUID) -> PersonPart:
    rows = sa.select(Notice.title, Notice.body, Notice.posted_at).where(Notice.author_id == person)
    found = (await context.session.execute(rows.order_by(Notice.posted_at))).mappings()
    return PersonPart(
        name="notices",
        title=Text(zh="发布的公告", en="Notices posted"),
        rows=[dict(row) for row in found],
        labels={
            "title": Text(zh="标题", en="title"),
            "body": Text(zh="正文", en="text"),
            "posted_at": Text(zh="时间", en="when"),
        },
    )


async def forget(context: Context, person: UUID, *, here: bool) -> list[Erased]:
    """The notice is the org's and stays; the name goes with the person, while they are staff it is on duty."""
    mine = Notice.author_id == person
    if here:
        posted = (await context.session.execute(sa.select(sa.func.count(Notice.id)).where(mine))).scalar_one()
        duty = Text(zh="在职期间的公务记录（政府信息公开条例）", en="an official record while in office")
        return [Erased(what=Text(zh="发布的公告", en="notices posted"), rows=posted, kept=duty)]
    return [Erased(what=Text(zh="公告的作者", en="author of notices"), rows=await _unname(context, mine))]


async def _expire(context: Context, before: date) -> int:
    old = Notice.posted_at < midnight_of(context.district, before)
    return await _unname(context, sa.and_(old, Notice.author_id.is_not(None)))


async def _unname(context: Context, which: sa.ColumnElement[bool]) -> int:
    unnamed = sa.update(Notice).where(which).values(author_id=None).returning(Notice.id)
    return len((await context.session.execute(unnamed)).all())


AUTHORS = RetentionCategory(
    name="bulletin.authors",
    title=Text(zh="公告的作者", en="Authors of notices"),
    purpose=Text(zh="知道公告由谁发布", en="To know who posted a notice"),
    basis=Text(zh="个人信息保护法第十九条", en="PIPL 19"),
    keep=timedelta(days=365),
    expire=_expire,
)
