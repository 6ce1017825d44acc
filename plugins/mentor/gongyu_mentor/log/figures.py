"""What the profile has for the growth record, and what waits for a child whose mentor changed."""

from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, GrowthFact, GrowthSection, Text, ToDo
from gongyu_mentor.log import profile
from gongyu_mentor.log.models import Handover
from gongyu_mentor.log.records import KINDS
from gongyu_mentor.models import Assignment

__all__ = ["growth_sections", "to_dos"]

_REACHED: Final = 100


async def growth_sections(context: Context, *, student: UUID, begins: date, ends: date) -> list[GrowthSection]:
    """Goals and plans that were reached, books read, talents; hobbies and plans under way are no deeds yet."""
    told = []
    for line in await profile.lines(context.session, context.seals, student=student):
        on = today_in(context.district, line.written_at)
        if begins <= on <= ends and (line.kind in {"book", "talent"} or line.progress == _REACHED):
            told.append(GrowthFact(on=on, title=KINDS[line.kind], text=line.text, by=line.by_name or ""))
    title = Text(zh="成长画像", en="Profile")
    facts = sorted(told, key=lambda fact: fact.on)
    return [GrowthSection(name="mentor.profile", title=title, facts=facts)] if facts else []


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    """Whether the new mentor may read what the former one summed up: asked of the child, until the child answers."""
    asked = (
        sa.select(Handover.pair_id)
        .join(Assignment, Assignment.id == Handover.pair_id)
        .where(Assignment.student_id == person, Assignment.ends_at.is_(None), Handover.agreed.is_(None))
    )
    title = Text(zh="要不要让新导师看以前的小结", en="May your new mentor read the former summaries?")
    return [
        ToDo(name="mentor.handover", title=title, subject=pair, link="mentor/handovers")
        for pair in await context.session.scalars(asked)
    ]
