"""A person's data as one zip: JSON files for machines, one page for people (个人信息保护法 45; 未网条例 34).

A part that could not be had is named on the page: a copy must not look whole when it is not.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.access import audit
from gongyu.districts.registry import DistrictState
from gongyu.host.isolation import isolated, said
from gongyu.people.models import Person
from gongyu.people.rights.contract import PersonPart, Reader
from gongyu.people.rights.own_data import CORE_PARTS
from gongyu.people.rights.reach import plugins_holding_data
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["Absent", "Copy", "NobodyError", "collect"]

log = structlog.get_logger("gongyu.rights")

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SECONDS: Final = 30.0
Why = Literal["withheld", "failed", "off", "no_copy"]

_WHY: Final[Mapping[Why, Text]] = {
    "withheld": Text(
        zh="法律只允许提供给本人（或其监护人）", en="the law gives it to the person (or their guardian) only"
    ),
    "failed": Text(zh="读取时出错，请再申请一次", en="it could not be read; ask again"),
    "off": Text(zh="该功能已停用，其数据仍保存", en="this is switched off; its data is still kept"),
    "no_copy": Text(zh="该功能没有提供数据副本", en="it offers no copy of its data"),
}


class NobodyError(LookupError):
    """There is no such person, or not any more."""


class Absent(msgspec.Struct, frozen=True):
    """A part that is not in this copy, and why."""

    source: str
    part: str
    title: Text
    why: Why

    @property
    def words(self) -> Text:
        return _WHY[self.why]


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything for one reader: `parts` by source (`core`, or a plugin's name) and what is not among them."""

    person: UUID
    name: str
    district: str
    reader: Reader
    made_at: datetime
    sources: Mapping[str, Text]
    parts: Mapping[str, Sequence[PersonPart]]
    absent: Sequence[Absent]


async def collect(
    platform: Platform,
    state: DistrictState,
    session: AsyncSession,
    *,
    person: UUID,
    reader: Reader,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Copy:
    """Gather a person's data from the core and every plugin that is on, and write down that it was.

    Args:
        platform: With its keys and plugins.
        state: The district.
        session: Its unit of work, which the caller commits.
        person: Whose data.
        reader: Who it is for; parts that the law gives to others only are named and left out.
        actor: Who asked.
        now: The time.
        reason: What for, where somebody else than the person or their guardian asked.

    Raises:
        NobodyError: No such person, or erased.
    """
    named = sa.select(Person.name).where(Person.id == person, Person.erased_at.is_(None))
    name = (await session.execute(named)).scalar_one_or_none()
    if name is None:
        raise NobodyError
    parts: dict[str, list[PersonPart]] = {"core": []}
    absent: list[Absent] = []
    for part, read in CORE_PARTS:
        try:
            async with isolated(session, _SECONDS):
                rows = await read(session, platform.keys, person)
        except Exception as error:
            if platform.dispatcher.raises:
                raise
            log.warning("part of a copy failed", district=state.district.slug, part=part.name, error=said(error))
            absent.append(Absent("core", part.name, part.title, "failed"))
        else:
            parts["core"].append(msgspec.structs.replace(part, rows=rows))
    for plugin in state.enabled:
        context = platform.context(plugin, state, session, now)
        answers = await platform.dispatcher.call(hookspecs.person_data, [(plugin, context)], person=person)
        if plugin in answers and _well_formed(answers[plugin]):
            parts[plugin] = list(answers[plugin])
    absent += await _silent(platform, state, session, set(parts))
    shown = {source: [part for part in found if reader in part.readers] for source, found in parts.items()}
    for source, found in parts.items():
        absent += [Absent(source, part.name, part.title, "withheld") for part in found if reader not in part.readers]
    sensitive = [f"{source}.{part.name}" for source, found in shown.items() for part in found if part.sensitive]
    await audit.record(
        session,
        action="person.copied",
        actor=actor,
        subject=f"person:{person}",
        ground=reader,
        details={
            "sources": list(shown),
            "sensitive": sensitive,
            "absent": [f"{one.source}.{one.part}:{one.why}" for one in absent],
            **({"reason": reason} if reason else {}),
        },
    )
    return Copy(
        person=person,
        name=name,
        district=state.district.name,
        reader=reader,
        made_at=now,
        sources={source: _title(platform, source) for source in {*shown, *(one.source for one in absent)}},
        parts=shown,
        absent=absent,
    )


def _well_formed(parts: Sequence[object]) -> bool:
    """A stranger's answer: names become file names, and one of two equal ones would be lost."""
    names = [part.name for part in parts if isinstance(part, PersonPart) and _NAME.fullmatch(part.name)]
    return len(set(names)) == len(parts)


async def _silent(platform: Platform, state: DistrictState, session: AsyncSession, answered: set[str]) -> list[Absent]:
    """The plugins that hold data here and of which nothing came."""
    implementing = {
        implementation.plugin_name for implementation in platform.host.manager.hook.person_data.get_hookimpls()
    }
    found = []
    for plugin in await plugins_holding_data(session):
        if plugin in answered:
            continue
        why: Why = "off" if plugin not in state.enabled else "failed" if plugin in implementing else "no_copy"
        found.append(Absent(plugin, "*", _title(platform, plugin), why))
    known = {one.source for one in found} | answered
    found += [
        Absent(plugin, "*", _title(platform, plugin), "failed")
        for plugin in state.enabled
        if plugin in implementing and plugin not in known
    ]
    return found


def _title(platform: Platform, source: str) -> Text:
    if source == "core":
        return Text(zh="平台", en="The platform")
    plugin = platform.host.plugins.get(source)
    return plugin.info.title if plugin else Text(zh=source, en=source)
