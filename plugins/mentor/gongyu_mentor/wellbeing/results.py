"""Screening results for those who may know them: levels for a school's counsellors and lead, scores case by case, the
pupil's own; figures for the others, and none about fewer than ten. A guardian who asks is shown them by the counsellor,
in person: a number on a telephone at night explains nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.people.models import Person
from gongyu.plugin import Context, Text
from gongyu.text import Language
from gongyu.web import ProblemError
from gongyu_mentor.models import AnyRow
from gongyu_mentor.people import schools_as
from gongyu_mentor.wellbeing.grounds import Opened, ground_of, lead_schools, opened
from gongyu_mentor.wellbeing.models import Case, Screening
from gongyu_mentor.wellbeing.schemas import FigureOut, Level, LevelOut, OwnResult, ResultOut

__all__ = [
    "LEVELS",
    "NOT_A_DIAGNOSIS",
    "Result",
    "content_of",
    "figures_for",
    "figures_of",
    "last_levels",
    "levels_of",
    "own_results",
    "results_of",
    "results_of_lead",
]

LEVELS: Final[Mapping[Level, Text]] = {
    "normal": Text(zh="正常", en="normal"),
    "attention": Text(zh="一般关注", en="attention"),
    "high": Text(zh="重点关注", en="high"),
    "crisis": Text(zh="危机", en="crisis"),
}
NOT_A_DIAGNOSIS: Final = Text(
    zh="筛查结果不是诊断，只说明那几天的状态；想了解它的意思，可以找心理老师聊聊（精神卫生法第二十三条）。",
    en="A screening is not a diagnosis; it tells of those days only. The school's counsellor can explain what it means "
    "(Mental Health Law 23).",
)
#: A figure about fewer is nobody's to see: it would be about children, not about a school.
_FEWEST: Final = 10


class Result(msgspec.Struct, frozen=True):
    """What is sealed of a result."""

    level: Level
    score: str | None = None


def content_of(context: Context, row: AnyRow) -> Result:
    return msgspec.json.decode(context.seals.open(row.result, Screening.result, row.id), type=Result)


async def own_results(context: Context, *, student: UUID, language: Language) -> list[OwnResult]:
    """A pupil's own: the score, how to take it, and no label."""
    return [
        OwnResult(
            scale=row.scale,
            day=row.day,
            score=content_of(context, row).score,
            not_a_diagnosis=NOT_A_DIAGNOSIS.pick(language),
        )
        for row in await _rows(context, Screening.student_id == student)
    ]


async def results_of(
    context: Context, principal: Principal, *, student: UUID, language: Language
) -> tuple[list[ResultOut], Opened]:
    """A pupil's results, for whoever has the case, or broke the glass; a mentor is not among them."""
    right = await ground_of(context, principal, student)
    if right.ground == "mentor":
        raise ProblemError("not-found")
    return await _opened_results(context, principal, student, right, language), right


async def results_of_lead(
    context: Context, principal: Principal, *, student: UUID, language: Language
) -> list[ResultOut]:
    """Case by case: where a case is open at a school they lead. The call writes down the reason they gave."""
    case = sa.select(Case.id).where(
        Case.student_id == student, Case.closed_at.is_(None), Case.school_id.in_(lead_schools(principal))
    )
    if (await context.session.execute(case)).first() is None:
        raise ProblemError("not-found")
    return await _opened_results(context, principal, student, Opened("lead"), language)


async def _opened_results(
    context: Context, principal: Principal, student: UUID, right: Opened, language: Language
) -> list[ResultOut]:
    await opened(context, by=principal.person, students=[student], ground=right.ground, what="screening")
    found = []
    for row in await _rows(context, Screening.student_id == student):
        content = content_of(context, row)
        found.append(
            ResultOut(
                id=row.id,
                scale=row.scale,
                version=row.version,
                day=row.day,
                score=content.score,
                level=content.level,
                not_a_diagnosis=NOT_A_DIAGNOSIS.pick(language),
            )
        )
    return found


async def _rows(context: Context, which: sa.ColumnElement[bool]) -> Sequence[AnyRow]:
    found = sa.select(Screening.__table__).where(which).order_by(Screening.day.desc(), Screening.id)
    return (await context.session.execute(found)).all()


async def levels_of(context: Context, principal: Principal, *, school: UUID) -> list[LevelOut]:
    """The pupils of a school whose last level is not normal, gravest first; for its counsellors and its lead."""
    as_counsellor = school in schools_as(principal, "counselor")
    leads = (await context.session.execute(lead_schools(principal))).scalars().all()
    if not as_counsellor and school not in leads:
        raise ProblemError("not-found")
    pupil = aliased(Person)
    found = _latest().where(Screening.school_id == school).add_columns(pupil.name)
    found = found.join(pupil, pupil.id == Screening.student_id)
    shown = [
        LevelOut(student=row.student_id, student_name=row.name, scale=row.scale, day=row.day, level=level)
        for row in await context.session.execute(found)
        if (level := content_of(context, row).level) != "normal"
    ]
    students = [one.student for one in shown]
    await opened(
        context, by=principal.person, students=students, ground="counselor" if as_counsellor else "lead", what="level"
    )
    gravest = list(LEVELS)[::-1]
    return sorted(shown, key=lambda one: (gravest.index(one.level), one.student_name, one.student))


def _latest() -> sa.Select[*tuple[Any, ...]]:
    """Each pupil's last result."""
    return (
        sa.select(Screening.__table__)
        .ext(distinct_on(Screening.student_id))
        .order_by(Screening.student_id, Screening.day.desc(), Screening.id.desc())
    )


async def last_levels(context: Context, students: Collection[UUID]) -> dict[UUID, Level]:
    rows = await context.session.execute(_latest().where(Screening.student_id.in_(students)))
    return {row.student_id: content_of(context, row).level for row in rows}


async def figures_for(context: Context, principal: Principal) -> list[FigureOut]:
    """For a school's counsellors, lead and principal their school; for the district's office every school."""
    if any(one.role == "districtAdministrator" and one.everywhere for one in principal.memberships):
        return await figures_of(context, schools=None)
    leads = (await context.session.execute(lead_schools(principal))).scalars()
    return await figures_of(context, schools=schools_as(principal, "counselor", "principal") | set(leads))


async def figures_of(context: Context, *, schools: Iterable[UUID] | None) -> list[FigureOut]:
    """How many pupils by their last level, of each of these schools; None: of each in the district, and together."""
    found = _latest()
    if schools is not None:
        found = found.where(Screening.school_id.in_(list(schools)))
    counts: dict[UUID, Counter[Level]] = {}
    for row in await context.session.execute(found):
        counts.setdefault(row.school_id, Counter())[content_of(context, row).level] += 1
    figures = [_figure(school, counts[school]) for school in sorted(counts)]
    if schools is None and counts:
        figures.append(_figure(None, sum(counts.values(), Counter[Level]())))
    return figures


def _figure(school: UUID | None, counted: Counter[Level]) -> FigureOut:
    """Small figures are left out; and where one alone would be, all are, since the sum would give it away."""
    pupils = counted.total()
    small = [level for level in LEVELS if 0 < counted[level] < _FEWEST]
    hidden = pupils < _FEWEST or len(small) == 1
    levels = {str(level): None if hidden or level in small else counted[level] for level in LEVELS}
    return FigureOut(school=school, pupils=None if pupils < _FEWEST else pupils, levels=levels)
