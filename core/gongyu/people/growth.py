"""The growth record (成长档案): one page per student, with a section from every plugin that knows a deed of theirs."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.access.principal import Principal
from gongyu.access.relations import Students, guardian_of, homeroom_teacher_of, oneself
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Person
from gongyu.platform import Platform
from gongyu.plugin import GrowthSection, Text

__all__ = ["GrowthRecord", "PluginSections", "growth_record", "opening_relations", "reader_of"]


class PluginSections(msgspec.Struct, frozen=True):
    """The sections one plugin contributed."""

    plugin: str
    title: Text
    sections: Sequence[GrowthSection]


class GrowthRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A student's record of a period.

    Attributes:
        plugins: In starting order; those that have nothing to say are left out.
        missing: Plugins that could not answer just now.
    """

    student: UUID
    name: str
    begins: date
    ends: date
    plugins: Sequence[PluginSections]
    missing: Sequence[str]


def opening_relations(
    platform: Platform, state: DistrictState, reader: Principal, *, now: datetime, today: date
) -> dict[Text, Students]:
    """Whose records somebody may open, by relation and never by rank."""
    found = {
        Text(zh="本人", en="oneself"): oneself(reader, today=today),
        Text(zh="监护人", en="guardian"): guardian_of(reader, today=today),
        Text(zh="班主任", en="homeroom teacher"): homeroom_teacher_of(reader, today=today),
    }
    for relation in platform.relations(state):
        if relation.growth_record:
            found[relation.title] = relation.students(reader.person, now)
    return found


async def reader_of(session: AsyncSession, student: UUID, relations: dict[Text, Students]) -> Text | None:
    """The first relation by which a record is open; None where there is none."""
    held = sa.select(*(sa.literal(student, sa.Uuid()).in_(students) for students in relations.values()))
    (row,) = (await session.execute(held)).all()
    return next((title for title, holds in zip(relations, row, strict=True) if holds), None)


async def growth_record(
    platform: Platform,
    state: DistrictState,
    session: AsyncSession,
    *,
    student: UUID,
    begins: date,
    ends: date,
    now: datetime,
) -> GrowthRecord:
    """Gather a record; whoever may read it has been settled.

    Args:
        platform: Whose plugins.
        state: The district.
        session: In it; nothing is written.
        student: Whose.
        begins: First day.
        ends: Last day.
        now: The time.
    """
    name = (await session.execute(sa.select(Person.name).where(Person.id == student))).scalar_one()
    contexts = [(plugin, platform.context(plugin, state, session, now)) for plugin in state.enabled]
    answers = await platform.dispatcher.call(
        hookspecs.growth_sections, contexts, student=student, begins=begins, ends=ends
    )
    told = [
        PluginSections(plugin, platform.host.plugins[plugin].info.title, sections)
        for plugin in state.enabled
        if (sections := [section for section in answers.get(plugin, ()) if section.facts])
    ]
    missing = platform.silent(hookspecs.growth_sections, state, answers)
    return GrowthRecord(student=student, name=name, begins=begins, ends=ends, plugins=told, missing=missing)
