"""the quick way of giving takes lines, not awards with lines: nothing is joined to itself"""

import runpy
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from gongyu.database.migrations import schema_of_migration

revision = "points_0006"
down_revision = "points_0005"
branch_labels = None
depends_on = None

# As before it runs with the caller's own rights, takes no lock for its look, and leaves out what is not quite usual.
# The lines of one award stand together and say the same of it; its note goes with the first. A kept plan knows nothing
# of how many there are: where it joined lines, awards and what fits, it looped over all of them for each of them, which
# at 128 was two thirds of the time. Now each line meets tables only, by their indexes.
_GIVE = """
CREATE FUNCTION {s}.points_give(
  today date, event_type text, keys uuid[], givers uuid[], kinds text[], owners uuid[], reasons text[],
  amounts bigint[], caps bigint[], grounds text[], notes bytea[], marks bytea[],
  ids uuid[], students uuid[], events uuid[], contents text[],
  OUT lines bigint[], OUT purses bigint[], OUT sources bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE term uuid; debits uuid[]; credits uuid[];
BEGIN
  SELECT t.id INTO term FROM {s}.points_term AS t WHERE t.state = 'open';
  IF term IS NULL THEN RETURN; END IF;
  WITH line AS (
    SELECT l.*, r.id AS reason_id, a.id AS source, p.id AS purse,
           coalesce(sum(l.points) OVER (PARTITION BY a.id ORDER BY l.n) <= a.posted
                    AND sum(l.points) OVER (PARTITION BY p.id ORDER BY l.n)
                        + CASE p.day WHEN today THEN p.day_points ELSE 0 END <= l.cap, false) AS fits
      FROM unnest(keys, givers, kinds, owners, reasons, amounts, caps, grounds, notes, marks, ids, students, events,
                  contents) WITH ORDINALITY
           AS l(key, giver, kind, owner, reason, points, cap, ground, note, mark, id, student, event, content, n)
      JOIN {s}.points_reason AS r ON r.code = l.reason AND r.active
      JOIN {s}.points_account AS a ON a.owner_id = l.owner AND a.kind = l.kind AND a.term_id = term
      LEFT JOIN {s}.points_account AS p ON p.owner_id = l.student AND p.kind = 'purse'
     WHERE NOT EXISTS (SELECT 1 FROM {s}.points_entry AS e WHERE e.id = l.key)
       AND (l.kind = 'quota'
            OR EXISTS (SELECT 1 FROM {s}.points_budget AS b WHERE b.id = l.owner AND b.holder_id = l.giver))
  ), judged AS (
    SELECT line.*, bool_and(line.purse IS NOT NULL AND line.fits) OVER (PARTITION BY line.key) AS whole FROM line
  ), good AS MATERIALIZED (
    SELECT * FROM judged WHERE whole ORDER BY n
  ), posted AS (
    INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points,
                                  reason_id, giver, ground, fingerprint, day, day_cap)
    SELECT id, key, 'award', term, source, kind, purse, 'purse', points, reason_id, giver, ground, mark, today, cap
      FROM good
  ), told AS (
    INSERT INTO {s}.event (id, type, subject, data)
    SELECT event, event_type, student::text, content::jsonb FROM good
  ), said AS (
    INSERT INTO {s}.points_note (operation, text) SELECT key, note FROM good WHERE note IS NOT NULL
  )
  SELECT array_agg(n), array_agg(source), array_agg(purse) INTO lines, debits, credits FROM good;
  -- What stands there now, which only a statement after the one that moved it can see.
  SELECT array_agg(p.posted ORDER BY w.n), array_agg(a.posted ORDER BY w.n) INTO purses, sources
    FROM unnest(credits, debits) WITH ORDINALITY AS w(purse, source, n)
    JOIN {s}.points_account AS p ON p.id = w.purse JOIN {s}.points_account AS a ON a.id = w.source;
END $$"""
_NOW = (
    "points_give(date, text, uuid[], uuid[], text[], uuid[], text[], bigint[], bigint[], text[], bytea[], bytea[], "
    "uuid[], uuid[], uuid[], text[])"
)
_BEFORE = (
    "points_give(date, uuid[], uuid[], text[], uuid[], text[], bigint[], bigint[], text[], bytea[], bytea[], "
    "bigint[], uuid[], uuid[], uuid[], text, text[])"
)


def upgrade() -> None:
    s = f'"{schema_of_migration()}"'
    op.execute(f"DROP FUNCTION {s}.{_BEFORE}")
    op.execute(sa.text(_GIVE.replace("{s}", s).replace(":", "\\:")))
    _grant(_NOW)
    # Its statements too were planned anew for each number of entries.
    op.execute(f"ALTER FUNCTION {s}.points_move() SET plan_cache_mode = force_generic_plan")


def downgrade() -> None:
    s = f'"{schema_of_migration()}"'
    op.execute(f"ALTER FUNCTION {s}.points_move() RESET plan_cache_mode")
    op.execute(f"DROP FUNCTION {s}.{_NOW}")
    past = runpy.run_path(str(Path(__file__).with_name("points_0005_notes.py")))
    function: str = past["_GIVE"]
    for gap, text in past["_SEALED"].items():
        function = function.replace(gap, text)
    past["_define"](function)
    _grant(_BEFORE)


def _grant(function: str) -> None:
    s = f'"{schema_of_migration()}"'
    op.execute(f"REVOKE ALL ON FUNCTION {s}.{function} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {s}.{function} TO gongyu_app")
