"""A room of this house: what one of its subpackages adds to the plugin's one page, said in its `contributions.py`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart, Purpose, Reader, RetentionCategory
from gongyu.plugin import Event, GrowthSection, Indicator, Job, Permission, Subscription, ToDo

__all__ = ["HEADS", "SELF", "Room"]

#: Who runs a school, or the district.
HEADS: Final = ("principal", "siteAdministrator", "districtAdministrator")
#: What a child confides is in the child's own copy and in no parent's (未成年人保护法 63).
SELF: Final[frozenset[Reader]] = frozenset({"self"})


async def _nothing(*_: object, **__: object) -> list[Any]:
    return []


Held: TypeAlias = Callable[..., Awaitable[Sequence[PersonPart]]]
Gone: TypeAlias = Callable[..., Awaitable[Sequence[Erased]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Each field is what the hook of the same name collects; see `gongyu.hookspecs`."""

    permissions: Sequence[Permission] = ()
    routes: Sequence[HTTPRouteHandler] = ()
    event_types: Sequence[type[Event]] = ()
    subscriptions: Sequence[Subscription] = ()
    jobs: Sequence[Job] = ()
    consent_purposes: Sequence[Purpose] = ()
    retention_categories: Sequence[RetentionCategory] = ()
    held: Held = _nothing
    """`person_data`."""
    erased: Gone = _nothing
    """`person_erased`."""
    growth_sections: Callable[..., Awaitable[Sequence[GrowthSection]]] = _nothing
    indicators: Callable[..., Awaitable[Sequence[Indicator]]] = _nothing
    to_dos: Callable[..., Awaitable[Sequence[ToDo]]] = _nothing
