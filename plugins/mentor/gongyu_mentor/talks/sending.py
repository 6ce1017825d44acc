"""What is sent under an id of the sender's own happens once, however often it is sent."""

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gongyu.plugin import Context, Text
from gongyu.web import ProblemError
from gongyu_mentor.talks.models import Sent

__all__ = ["is_first"]


async def is_first(context: Context, id_: UUID, *, by: UUID, content: msgspec.Struct, about: str) -> bool:
    """Take the id for this unit of work; False if the same was sent before and is done.

    A second sending that arrives while the first is under way waits for it.

    Args:
        context: The district.
        id_: Made by the sender.
        by: Who sends it.
        content: What was sent.
        about: What it was sent to, so that the same words about another thing are not the same.

    Raises:
        ProblemError: `conflict`: something else was sent under this id.
    """
    whole = f"{about}\n{msgspec.json.encode(content, order='sorted').decode()}"
    digest = context.seals.hashed(whole, purpose="mentor.sent")
    taken = (
        insert(Sent)
        .values(id=id_, author_id=by, digest=digest)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Sent.id)
    )
    if (await context.session.execute(taken)).first() is not None:
        return True
    before = sa.select(Sent.author_id, Sent.digest).where(Sent.id == id_)
    found = (await context.session.execute(before)).one()
    if (found.author_id, found.digest) != (by, digest):
        raise ProblemError(
            "conflict",
            Text(zh="这个编号已用于另一条记录；请换一个新编号", en="this id belongs to something else; make a new one"),
            errors=[("/id", Text(zh="已被使用", en="it is taken"))],
        )
    return False
