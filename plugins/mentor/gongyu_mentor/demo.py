"""`make demo`: every school ranks, matches and explains, then a mentor leaves, and the year begins; through the real
services.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.people.models import Membership
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, DemoLine, Text
from gongyu_mentor import people, preferences, publishing, rematching, rounds, runs
from gongyu_mentor.letters.demo import play_letters
from gongyu_mentor.models import Offer, Run
from gongyu_mentor.outcome import opened
from gongyu_mentor.schemas import NewRound, RematchIn, RunOut
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.talks.demo import play_talks
from gongyu_mentor.wellbeing.demo import play_wellbeing

__all__ = ["play"]

_SEED = 20260901


async def play(context: Context) -> list[DemoLine]:
    today = today_in(context.district, context.now)
    counted = sa.select(Membership.org_id).where(Membership.role == "student").group_by(Membership.org_id)
    made = [
        await _school(context, school, today=today)
        for school in await context.session.scalars(counted.order_by(Membership.org_id))
    ]
    ranks: Counter[str] = Counter()
    for first, _ in made:
        ranks.update(first.figures.ranks)
    students, matched, explained, moved = (
        sum(one.figures.students for one, _ in made),
        sum(one.figures.matched for one, _ in made),
        await _explained(context.session),
        sum(again.figures.students - again.figures.kept for _, again in made),
    )

    def share(count: int) -> str:
        return f"{count / students:.1%}" if students else "—"

    return [
        DemoLine(title=Text(zh="填报志愿的学生", en="pupils who ranked mentors"), figure=students),
        DemoLine(title=Text(zh="有导师的学生", en="pupils with a mentor"), figure=share(matched)),
        DemoLine(title=Text(zh="得到第一志愿", en="got their first choice"), figure=share(ranks["1"])),
        DemoLine(
            title=Text(zh="得到前三志愿", en="got one of their first three"),
            figure=share(sum(ranks[rank] for rank in ("1", "2", "3"))),
        ),
        DemoLine(title=Text(zh="可以说明原因的学生", en="pupils who can be told why"), figure=explained),
        DemoLine(title=Text(zh="一名导师离任后更换导师的学生", en="moved when a mentor left"), figure=moved),
        *await play_talks(context),
        *await play_wellbeing(context),
        *await play_letters(context),
    ]


async def _school(context: Context, school: UUID, *, today: date) -> tuple[RunOut, RunOut]:
    """One round and one departure; the times lie in the days before, so that the round is over now."""
    session, now, keys = context.session, context.now, context.seals.keys
    opens, closes = now - timedelta(days=3), now - timedelta(hours=1)
    new = NewRound(school=school, title="导师双选", opens_at=opens, closes_at=closes)
    settings = context.settings or MentorSettings()
    row = await rounds.create(session, new=new, settings=settings, schools={}, orgs=None, by=None, today=today)
    await rounds.announce(session, row.id, orgs=None, by=None, now=opens, keys=keys, seed=f"demo {_SEED} {school}")
    pupils = list(await session.scalars(people.students_at(school, today=today)))
    mentors = sorted(await session.scalars(sa.select(Offer.mentor_id).where(Offer.round_id == row.id)))
    lists = _wishes(pupils, mentors, length=row.list_length)
    await preferences.file_paper(session, round_id=row.id, lists=lists, by=None, now=opens + timedelta(hours=1))
    first = await runs.try_out(replace(context, now=closes), row.id, orgs=None, by=None)
    later = replace(context, now=closes + timedelta(minutes=10))
    await publishing.publish(later, row.id, run=first.id, orgs=None, by=None)
    leaver = _average(first)
    again = await rematching.rematch(context, row.id, asked=RematchIn(gone=[leaver]), orgs=None, by=None)
    return first, again


def _wishes(pupils: Sequence[UUID], mentors: Sequence[UUID], *, length: int) -> dict[UUID, list[UUID]]:
    """Log-normal popularity, as such choices have: a few mentors are on every second list."""
    chance = Random(_SEED)  # noqa: S311 - wishes, not secrets
    popularity = [chance.lognormvariate(0, 1) for _ in mentors]
    wishes = {}
    for pupil in pupils:
        order = sorted(range(len(mentors)), key=lambda at: chance.expovariate(popularity[at]))
        wishes[pupil] = [mentors[at] for at in order[:length]]
    return wishes


def _average(run: RunOut) -> UUID:
    """A mentor with an ordinary number of students."""
    ordered = sorted((load, mentor) for mentor, load in run.loads.items())
    return UUID(ordered[len(ordered) // 2][1])


async def _explained(session: AsyncSession) -> int:
    """Reasons on file in the runs that are in force."""
    found = await session.scalars(sa.select(Run.outcome).where(Run.kind == "trial"))
    return sum(len(opened(kept)) for kept in found)
