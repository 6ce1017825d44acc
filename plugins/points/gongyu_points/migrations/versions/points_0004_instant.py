"""the quick way of giving: many awards in one statement and one commit"""

import sqlalchemy as sa
from alembic import op

revision = "points_0004"
down_revision = "points_0003"
branch_labels = None
depends_on = None

# It runs with the caller's own rights and inserts as anybody may: all that refuses is the table's and its trigger's.
# What it looks at first only sorts out awards that are likely to be refused, so that they do not take the others with
# them; those, and whatever is not quite usual (a key seen before, a pupil without a purse), it leaves out for the
# caller to do one by one. The look takes no lock, so a limit reached meanwhile fails the whole call, as it must.
# The plan is made once: planning this for each call took longer than running it.
_GIVE = """
CREATE FUNCTION {s}.points_give(
  today date, keys uuid[], givers uuid[], kinds text[], owners uuid[], reasons text[], amounts bigint[], caps bigint[],
  grounds text[], notes text[], marks bytea[],
  numbers bigint[], ids uuid[], students uuid[], events uuid[], event_type text, contents text[],
  OUT lines bigint[], OUT purses bigint[], OUT sources bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE term uuid; debits uuid[]; credits uuid[];
BEGIN
  SELECT t.id INTO term FROM {s}.points_term AS t WHERE t.state = 'open';
  IF term IS NULL THEN RETURN; END IF;
  WITH award AS MATERIALIZED (
    SELECT w.n, w.key, w.giver, w.kind, w.points, w.cap, w.ground, w.note, w.mark, r.id AS reason, a.id AS source,
           a.posted
      FROM unnest(keys, givers, kinds, owners, reasons, amounts, caps, grounds, notes, marks) WITH ORDINALITY
           AS w(key, giver, kind, owner, reason, points, cap, ground, note, mark, n)
      JOIN {s}.points_reason AS r ON r.code = w.reason AND r.active
      JOIN {s}.points_account AS a ON a.owner_id = w.owner AND a.kind = w.kind AND a.term_id = term
     WHERE NOT EXISTS (SELECT 1 FROM {s}.points_entry AS e WHERE e.id = w.key)
       AND (w.kind = 'quota'
            OR EXISTS (SELECT 1 FROM {s}.points_budget AS b WHERE b.id = w.owner AND b.holder_id = w.giver))
  ), line AS MATERIALIZED (
    SELECT l.n, l.number, l.id, l.student, l.event, l.content, p.id AS purse,
           coalesce(sum(w.points) OVER (PARTITION BY w.source ORDER BY l.n) <= w.posted
                    AND sum(w.points) OVER (PARTITION BY p.id ORDER BY l.n)
                        + CASE p.day WHEN today THEN p.day_points ELSE 0 END <= w.cap, false) AS fits
      FROM unnest(numbers, ids, students, events, contents) WITH ORDINALITY
           AS l(number, id, student, event, content, n)
      JOIN award AS w ON w.n = l.number
      LEFT JOIN {s}.points_account AS p ON p.owner_id = l.student AND p.kind = 'purse'
  ), whole AS MATERIALIZED (
    SELECT g.number FROM line AS g GROUP BY g.number HAVING bool_and(g.purse IS NOT NULL AND g.fits)
  ), posted AS (
    INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points,
                                  reason_id, giver, ground, note, fingerprint, day, day_cap)
    SELECT l.id, w.key, 'award', term, w.source, w.kind, l.purse, 'purse', w.points, w.reason, w.giver, w.ground,
           w.note, w.mark, today, w.cap
      FROM line AS l JOIN whole ON whole.number = l.number JOIN award AS w ON w.n = l.number
     ORDER BY l.n
  ), told AS (
    INSERT INTO {s}.event (id, type, subject, data)
    SELECT l.event, event_type, l.student::text, l.content::jsonb
      FROM line AS l JOIN whole ON whole.number = l.number ORDER BY l.n
  )
  SELECT array_agg(l.n ORDER BY l.n), array_agg(w.source ORDER BY l.n), array_agg(l.purse ORDER BY l.n)
    INTO lines, debits, credits
    FROM line AS l JOIN whole ON whole.number = l.number JOIN award AS w ON w.n = l.number;
  -- What stands there now, which only a statement after the one that moved it can see.
  SELECT array_agg(a.posted ORDER BY c.n) INTO purses
    FROM unnest(credits) WITH ORDINALITY AS c(id, n) JOIN {s}.points_account AS a ON a.id = c.id;
  SELECT array_agg(a.posted ORDER BY d.n) INTO sources
    FROM unnest(debits) WITH ORDINALITY AS d(id, n) JOIN {s}.points_account AS a ON a.id = d.id;
END $$"""

_SIGNATURE = (
    "points_give(date, uuid[], uuid[], text[], uuid[], text[], bigint[], bigint[], text[], text[], bytea[], "
    "bigint[], uuid[], uuid[], uuid[], text, text[])"
)


def _schema() -> str:
    return f'"{op.get_context().opts["district_schema"]}"'


def upgrade() -> None:
    s = _schema()
    op.execute(sa.text(_GIVE.replace("{s}", s).replace(":", "\\:")))
    op.execute(f"REVOKE ALL ON FUNCTION {s}.{_SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {s}.{_SIGNATURE} TO gongyu_app")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {_schema()}.{_SIGNATURE}")
