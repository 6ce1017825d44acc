"""What the plugins have to tell: figures to whoever answers for schools, and to everybody what waits for them."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.districts.registry import DistrictState
from gongyu.platform import Platform
from gongyu.plugin import Indicator, ToDo

__all__ = ["Briefing", "ToDos", "briefing", "to_dos"]


class Briefing(msgspec.Struct, frozen=True, kw_only=True):
    """A district's figures, or those of some schools together; `missing` are plugins that could not answer."""

    indicators: Sequence[Indicator]
    missing: Sequence[str]


class ToDos(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one person, the most urgent first; `missing` are plugins that could not answer."""

    items: Sequence[ToDo]
    missing: Sequence[str]


async def briefing(
    platform: Platform, state: DistrictState, session: AsyncSession, *, schools: Sequence[UUID] | None, now: datetime
) -> Briefing:
    """Gather the figures of these schools; None: of the whole district."""
    contexts = [(plugin, platform.context(plugin, state, session, now)) for plugin in state.enabled]
    answers = await platform.dispatcher.call(hookspecs.indicators, contexts, schools=schools)
    return Briefing(
        indicators=[figure for plugin in state.enabled for figure in answers.get(plugin, ())],
        missing=platform.silent(hookspecs.indicators, state, answers),
    )


async def to_dos(
    platform: Platform, state: DistrictState, session: AsyncSession, *, person: UUID, now: datetime
) -> ToDos:
    """Gather what waits for somebody."""
    contexts = [(plugin, platform.context(plugin, state, session, now)) for plugin in state.enabled]
    answers = await platform.dispatcher.call(hookspecs.to_dos, contexts, person=person)
    found = [item for plugin in state.enabled for item in answers.get(plugin, ())]
    return ToDos(
        items=sorted(found, key=lambda item: (item.due is None, item.due or date.max)),
        missing=platform.silent(hookspecs.to_dos, state, answers),
    )
