"""what the books allow at most is the database's to say"""

import sqlalchemy as sa
from alembic import op

from gongyu.database.migrations import schema_of_migration

revision = "points_0008"
down_revision = "points_0007"
branch_labels = None
depends_on = None

_CHECKS = {
    "ck_points_entry_quota": "kind <> 'grant' OR credit_kind <> 'quota' OR points <= 1000",
    "ck_points_entry_day_cap": "kind NOT IN ('award', 'deposit') OR day_cap IS NOT NULL",
}

# From the state the writer saw, and never back; what stays in a purse is settled when closing begins.
_STEPS = """
CREATE FUNCTION {s}.points_term_steps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (OLD.state, NEW.state) NOT IN (('open', 'closing'), ('closing', 'closed'))
     OR (OLD.state = 'closing' AND NEW.keep_percent IS DISTINCT FROM OLD.keep_percent) THEN
    RAISE EXCEPTION 'a term violates constraint "points_term_step": from % to %', OLD.state, NEW.state
      USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$"""

# A day's points are what was earned on it. Taken back later, they must not make room for more on another day.
_DAY = """
CREATE FUNCTION {s}.points_reverse_day() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.day := coalesce((SELECT e.day FROM {s}.points_entry AS e WHERE e.id = NEW.reverses), NEW.day);
  RETURN NEW;
END $$"""

_GUARDS = """
CREATE TRIGGER points_term_steps BEFORE UPDATE ON {s}.points_term
    FOR EACH ROW EXECUTE FUNCTION {s}.points_term_steps();
CREATE TRIGGER points_entry_day BEFORE INSERT ON {s}.points_entry
    FOR EACH ROW WHEN (NEW.kind = 'reverse') EXECUTE FUNCTION {s}.points_reverse_day();
REVOKE ALL ON FUNCTION {s}.points_term_steps(), {s}.points_reverse_day() FROM PUBLIC"""


def upgrade() -> None:
    for name, check in _CHECKS.items():
        op.create_check_constraint(op.f(name), "points_entry", check)
    s = f'"{schema_of_migration()}"'
    for function in (_STEPS, _DAY):
        op.execute(sa.text(function.replace("{s}", s).replace(":", "\\:")))
    for statement in _GUARDS.replace("{s}", s).split(";"):
        op.execute(statement)


def downgrade() -> None:
    s = f'"{schema_of_migration()}"'
    op.execute(f"DROP TRIGGER points_entry_day ON {s}.points_entry")
    op.execute(f"DROP TRIGGER points_term_steps ON {s}.points_term")
    for function in ("points_reverse_day", "points_term_steps"):
        op.execute(f"DROP FUNCTION {s}.{function}()")
    for name in _CHECKS:
        op.drop_constraint(op.f(name), "points_entry")
