"""On the first day of a term the books open by themselves."""

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.models import AcademicSession
from gongyu.plugin import Context, Occurrence
from gongyu_points.books import run
from gongyu_points.schemas import NewTerm
from gongyu_points.terms import open_term

__all__ = ["open_with_term"]

_CURRENT: Final = "SELECT 1 FROM {s}.points_term WHERE state <> 'closed' OR id = $1::uuid"


async def open_with_term(context: Context, occurrence: Occurrence) -> None:
    """On `people.term_opened.v1`. Where the books of the last term are not closed yet, they stay as they are: what to
    let expire is for people to decide, and the next term is opened by hand after that.
    """
    term = UUID(occurrence.data["session"])
    if not context.settings.open_by_calendar or await run(context.session, _CURRENT, term):
        return
    titled = sa.select(AcademicSession.title).where(AcademicSession.id == term)
    title = (await context.session.execute(titled)).scalar_one_or_none()
    if title is not None:
        await open_term(context, new=NewTerm(term, title))
