"""an event is held at a time, from when its seats are not given up; what was bought comes back in its own term"""

import sqlalchemy as sa
from alembic import op

from gongyu.database.migrations import schema_of_migration

revision = "points_0009"
down_revision = "points_0008"
branch_labels = None
depends_on = None

# As before, along these ways only; and two of them are open for a while. The database's clock says how long.
_STEPS = """
CREATE OR REPLACE FUNCTION {s}.points_order_steps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (OLD.state, NEW.state) NOT IN (('placed', 'collected'), ('placed', 'cancelled'), ('placed', 'expired'),
                                    ('collected', 'returned')) THEN
    RAISE EXCEPTION 'an order violates constraint "points_order_step": from % to %', OLD.state, NEW.state
      USING ERRCODE = '23514';
  END IF;{while_open}
  RETURN NEW;
END $$"""
_WHILE_OPEN = """
  -- Who has seen the film has spent the points; who else lets go of a seat then is the office.
  IF NEW.state = 'cancelled' AND NEW.closed_by = OLD.student_id
     AND EXISTS (SELECT FROM {s}.points_item AS i WHERE i.id = OLD.item_id AND i.held_at <= now()) THEN
    RAISE EXCEPTION 'an order violates constraint "points_order_held": the event has begun' USING ERRCODE = '23514';
  END IF;
  -- Else points that would have expired with their term could be parked in a gift and fetched in the next.
  IF NEW.state = 'returned'
     AND NOT EXISTS (SELECT FROM {s}.points_term AS t WHERE t.id = OLD.term_id AND t.state <> 'closed') THEN
    RAISE EXCEPTION 'an order violates constraint "points_order_term": its term is over' USING ERRCODE = '23514';
  END IF;"""


def upgrade() -> None:
    op.add_column("points_item", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    # Events that are there already have none until the office says when they are.
    op.create_check_constraint(op.f("ck_points_item_held_at"), "points_item", "held_at IS NULL OR kind = 'event'")
    _define(_STEPS.replace("{while_open}", _WHILE_OPEN))


def downgrade() -> None:
    _define(_STEPS.replace("{while_open}", ""))
    op.drop_constraint(op.f("ck_points_item_held_at"), "points_item")
    op.drop_column("points_item", "held_at")


def _define(function: str) -> None:
    op.execute(sa.text(function.replace("{s}", f'"{schema_of_migration()}"').replace(":", "\\:")))
