"""What points add to what all plugins tell together: deeds to the growth record, figures to a school's report."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from gongyu.plugin import Context, GrowthFact, GrowthSection, Indicator, Text
from gongyu_points.books import account_id, run
from gongyu_points.calendar import today_of
from gongyu_points.notes import opened
from gongyu_points.terms import LATEST

__all__ = ["deeds", "figures"]

_DEEDS: Final = """
SELECT e.at, r.zh, r.en, r.dimension, e.operation, n.text, coalesce(p.name, '') AS by
  FROM {s}.points_entry AS e
  JOIN {s}.points_reason AS r ON r.id = e.reason_id
  LEFT JOIN {s}.points_note AS n ON n.operation = e.operation
  LEFT JOIN {s}.person AS p ON p.id = e.giver
 WHERE e.credit = $1::uuid AND e.kind IN ('award', 'deposit')
   AND e.at >= ($2::date - 1)::timestamp AT TIME ZONE 'UTC' AND e.at < ($3::date + 2)::timestamp AT TIME ZONE 'UTC'
   AND NOT EXISTS (SELECT 1 FROM {s}.points_entry AS back WHERE back.reverses = e.id)
 ORDER BY e.seq"""


async def deeds(context: Context, *, student: UUID, begins: date, ends: date) -> list[GrowthSection]:
    """What a student was praised for: the deed and its day, never how many points, and no balance."""
    zone = ZoneInfo(context.district.timezone)
    facts = [
        GrowthFact(
            on=on,
            title=Text(zh=row.zh, en=row.en),
            text=opened(context.seals, row.operation, row.text),
            dimension=row.dimension,
            by=row.by,
        )
        for row in await run(context.session, _DEEDS, account_id("purse", owner=student), begins, ends)
        if begins <= (on := row.at.astimezone(zone).date()) <= ends
    ]
    return [GrowthSection(name="deeds", title=Text(zh="好人好事", en="Good deeds"), facts=facts)]


# Points on hold are not spent yet: an order is when it has been handed out, and is not when the gift came back.
_FIGURES: Final = """
WITH pupil AS (
  SELECT DISTINCT m.person_id FROM {s}.membership AS m
   WHERE m.role = 'student' AND m.begins_on <= $1::date AND (m.ends_on IS NULL OR m.ends_on >= $1::date)
     AND ($2::uuid[] IS NULL OR m.org_id = ANY ($2::uuid[]))
), earned AS (
  SELECT a.owner_id AS student, e.points
    FROM {s}.points_entry AS e
    JOIN {s}.points_account AS a ON a.id = e.credit
    JOIN pupil ON pupil.person_id = a.owner_id
   WHERE a.kind = 'purse' AND e.kind IN ('award', 'deposit')
     AND e.term_id = {latest}
     AND NOT EXISTS (SELECT 1 FROM {s}.points_entry AS back WHERE back.reverses = e.id)
), spent AS (
  SELECT e.points
    FROM {s}.points_entry AS e
    JOIN {s}.points_account AS a ON a.id = e.debit
    JOIN pupil ON pupil.person_id = a.owner_id
   WHERE a.kind = 'purse' AND e.kind = 'redeem'
     AND e.term_id = {latest}
     AND NOT EXISTS (SELECT 1 FROM {s}.points_entry AS back WHERE back.reverses = e.id)
  UNION ALL
  SELECT o.points FROM {s}.points_order AS o JOIN pupil ON pupil.person_id = o.student_id
   WHERE o.state = 'collected' AND o.term_id = {latest}
)
SELECT (SELECT count(*) FROM pupil) AS pupils, count(DISTINCT student) AS rewarded,
       coalesce(sum(points), 0)::bigint AS points, (SELECT coalesce(sum(points), 0)::bigint FROM spent) AS spent
  FROM earned""".replace("{latest}", LATEST)


async def figures(context: Context, *, schools: Sequence[UUID] | None) -> list[Indicator]:
    """Of the latest term, and of pupils: who gives how much is nobody's figure."""
    chosen = None if schools is None else list(schools)
    (row,) = await run(context.session, _FIGURES, today_of(context), chosen)
    return [
        Indicator(
            name="points.pupils_rewarded",
            title=Text(zh="本学期得到过积分的学生", en="pupils who got any points this term"),
            value=row.rewarded,
            of=row.pupils,
        ),
        Indicator(
            name="points.points_earned",
            title=Text(zh="本学期发到学生手里的积分", en="points earned by pupils this term"),
            value=row.points,
        ),
        Indicator(
            name="points.points_spent",
            title=Text(zh="本学期学生用掉的积分", en="points spent by pupils this term"),
            value=row.spent,
        ),
    ]
