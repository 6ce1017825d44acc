"""What is owed to each child, by rules that are data: whoever talked with the child, the child was reached.

Nothing here is counted by teacher (教师厅〔2025〕2号): a rule names children and periods, and so does every figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access import audit
from gongyu.people.models import Org
from gongyu.people.rights.periods import midnight_of
from gongyu.plugin import Context, District, Text
from gongyu.web import ProblemError
from gongyu_mentor.talks.calendar import Calendar, Span
from gongyu_mentor.talks.models import Cadence, Talk
from gongyu_mentor.talks.readers import is_newest
from gongyu_mentor.talks.schemas import Owed, Rule, Rules, RulesIn

__all__ = ["SEEDS", "Due", "applies", "counts", "dues_of", "is_owed", "owed", "read_rules", "set_rules"]

_SHANGHAI: Final = "上海市全员导师制“三个一”"
#: Where neither school nor district has rules of its own: what is laid down, and where.
SEEDS: Final = (
    Rule(key="weekly_talk", title="每周谈心谈话", kinds=["weekly", "key_moment"], period="week", source="全员导师制"),
    Rule(key="home_visit_term", title="每学期一次家访", kinds=["home_visit"], period="term", source=_SHANGHAI),
    Rule(key="key_talk_term", title="每学期一次重要节点谈话", kinds=["key_moment"], period="term", source=_SHANGHAI),
    Rule(key="message_term", title="每学期一次成长寄语", kinds=["message"], period="term", source=_SHANGHAI),
    Rule(
        key="home_visit_year",
        title="每学年至少一次家访",
        kinds=["home_visit"],
        period="year",
        source="晋教政〔2023〕3号（班主任每学年对每名学生家访不少于一次）",
    ),
)
Source = AsyncConnection | AsyncSession


async def read_rules(source: Source, school: UUID) -> Rules:
    """The school's own, else the district's, else those that are laid down."""
    root = sa.select(Org.id).where(Org.parent_id.is_(None))
    stored = sa.select(Cadence.org_id, Cadence.rules, Cadence.version).where(
        sa.or_(Cadence.org_id == school, Cadence.org_id.in_(root))
    )
    found = {row.org_id: row for row in await source.execute(stored)}
    own = found.pop(school, None)
    version = own.version if own else 0
    if own and own.rules:
        return Rules(version=version, own=True, rules=msgspec.convert(own.rules, list[Rule]))
    above = next((row.rules for row in found.values() if row.rules), None)
    return Rules(version=version, own=False, rules=msgspec.convert(above, list[Rule]) if above else list(SEEDS))


async def set_rules(context: Context, *, org: UUID, asked: RulesIn, by: UUID) -> Rules:
    """Replace a set of rules whole.

    Raises:
        ProblemError: `invalid` with every double key; `precondition-failed` if somebody changed it meanwhile.
    """
    keys = [rule.key for rule in asked.rules]
    twice = [at for at, key in enumerate(keys) if key in keys[:at]]
    if twice:
        text = Text(zh="与前面的规则重名", en="a rule before has this key")
        raise ProblemError("invalid", errors=[(f"/rules/{at}/key", text) for at in twice])
    now = {
        "rules": msgspec.to_builtins(asked.rules),
        "version": asked.version + 1,
        "changed_by": by,
        "changed_at": context.now,
    }
    session = context.session
    if asked.version:
        write = sa.update(Cadence).where(Cadence.org_id == org, Cadence.version == asked.version).values(now)
        written = await session.execute(write.returning(Cadence.org_id))
    else:
        added = insert(Cadence).values(org_id=org, **now)
        written = await session.execute(added.on_conflict_do_nothing().returning(Cadence.org_id))
    if written.first() is None:
        raise ProblemError("precondition-failed")
    details = {"rules": keys, "version": asked.version + 1}
    await audit.record(
        session, action="mentor.cadence_changed", actor=f"person:{by}", subject=f"org:{org}", details=details
    )
    return await read_rules(session, org)


@dataclass(frozen=True, slots=True)
class Due:
    """A rule in the period that runs now."""

    rule: Rule
    span: Span


def dues_of(rules: Sequence[Rule], calendar: Calendar) -> list[Due]:
    """Those that do not rest."""
    spans = [(rule, calendar.span(rule.period)) for rule in rules]
    return [Due(rule, span) for rule, span in spans if span is not None]


def counts(dues: Sequence[Due], *, district: District, students: Any) -> sa.Subquery:  # noqa: ANN401 - any SELECT of ids
    """`student_id`, and for each due how often it was done (`done_0`, …) and when last (`last_0`, …)."""
    talk = aliased(Talk)
    columns: list[sa.ColumnElement[Any]] = []
    for at, due in enumerate(dues):
        of_kind = talk.kind.in_(due.rule.kinds)
        begins = midnight_of(district, due.span.begins)
        ends = midnight_of(district, due.span.ends + timedelta(days=1))
        inside = sa.and_(of_kind, talk.happened_at >= begins, talk.happened_at < ends)
        columns += [
            sa.func.count().filter(inside).label(f"done_{at}"),
            sa.func.max(talk.happened_at).filter(of_kind).label(f"last_{at}"),
        ]
    earliest = midnight_of(district, min((due.span.begins for due in dues), default=date.max))
    return (
        sa.select(talk.student_id, *columns)
        .where(talk.student_id.in_(students), talk.happened_at >= earliest, ~talk.withdrawn, is_newest(talk))
        .group_by(talk.student_id)
        .subquery("counted")
    )


def applies(due: Due, grade: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """To children of this grade."""
    return grade.in_(due.rule.grades) if due.rule.grades else sa.true()


def is_owed(at: int, due: Due, counted: sa.Subquery, grade: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[bool]:
    """This child has not had it yet."""
    done = sa.func.coalesce(counted.c[f"done_{at}"], 0)
    return sa.and_(applies(due, grade), done < due.rule.minimum)


def owed(row: Any, dues: Sequence[Due]) -> list[Owed]:  # noqa: ANN401 - a row with the columns of `counts` and a grade
    """What one child has not had yet, by each rule that speaks of its grade."""
    found = []
    for at, due in enumerate(dues):
        done = getattr(row, f"done_{at}") or 0
        speaks = not due.rule.grades or row.grade in due.rule.grades
        if speaks and done < due.rule.minimum:
            found.append(
                Owed(
                    rule=due.rule.key,
                    done=done,
                    minimum=due.rule.minimum,
                    due=due.span.ends,
                    last=getattr(row, f"last_{at}"),
                )
            )
    return found
