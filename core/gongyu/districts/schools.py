"""A plugin's settings as they are at a school."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.models import Org
from gongyu.plugin import Context

__all__ = ["settings_at"]


async def settings_at(context: Context, orgs: Collection[UUID]) -> Any:  # noqa: ANN401 - the plugin's own Struct
    """The settings of the first of these schools that has its own, else the district's.

    Args:
        context: Whose plugin's; where no school has settings of its own, nothing is asked of the database.
        orgs: Schools by id, usually one.
    """
    schools: Mapping[str, Any] = context.schools
    if not schools:
        return context.settings
    found = await context.session.scalars(sa.select(Org.identifier).where(Org.id.in_(orgs)))
    return next((schools[one] for one in sorted(filter(None, found)) if one in schools), context.settings)
