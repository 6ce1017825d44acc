"""the shop: items, stock by movements, orders, duties, kiosks and their leases"""

import sqlalchemy as sa
from alembic import op

revision = "points_0003"
down_revision = "points_0002"
branch_labels = None
depends_on = None

_TABLES = (
    "points_shop",
    "points_item",
    "points_item_picture",
    "points_stock",
    "points_stock_count",
    "points_duty",
    "points_kiosk",
    "points_lease",
    "points_lease_pupil",
    "points_lease_item",
    "points_order",
    "points_item_taken",
    "points_stock_move",
)

# Stock changes by its movements alone; what CHECK refuses of the sum, it refuses of the movement.
_STOCK = """
CREATE FUNCTION {s}.points_stock_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE {s}.points_stock SET on_hand = on_hand + NEW.on_hand, reserved = reserved + NEW.reserved
   WHERE item_id = NEW.item_id;
  RETURN NULL;
END $$"""

# How many of an item a pupil has in a term, and what of a lease is sold, follow from the orders. What a kiosk sold
# while the network was away was put aside for it before, so no limit set meanwhile is held against it.
_COUNTED = """
CREATE FUNCTION {s}.points_order_counted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.state IN ('cancelled', 'expired', 'returned') THEN
      UPDATE {s}.points_item_taken SET taken = taken - NEW.quantity
       WHERE item_id = NEW.item_id AND student_id = NEW.student_id AND term_id = NEW.term_id;
    END IF;
    RETURN NULL;
  END IF;
  INSERT INTO {s}.points_item_taken AS t (item_id, student_id, term_id, taken, most)
  SELECT NEW.item_id, NEW.student_id, NEW.term_id, NEW.quantity,
         CASE WHEN NEW.lease_id IS NULL THEN i.term_limit END
    FROM {s}.points_item AS i WHERE i.id = NEW.item_id
  ON CONFLICT (item_id, student_id, term_id) DO UPDATE SET taken = t.taken + excluded.taken, most = excluded.most;
  IF NEW.lease_id IS NOT NULL THEN
    UPDATE {s}.points_lease_pupil SET spent = spent + NEW.points
     WHERE lease_id = NEW.lease_id AND student_id = NEW.student_id;
    IF FOUND THEN
      UPDATE {s}.points_lease_item SET sold = sold + NEW.quantity
       WHERE lease_id = NEW.lease_id AND item_id = NEW.item_id AND price = NEW.price;
    END IF;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'an order violates constraint "points_order_leased": not of this lease' USING ERRCODE = '23503';
    END IF;
  END IF;
  RETURN NULL;
END $$"""

# From the state the writer saw, along these ways only: of two that hand out the same order, one finds it placed.
_STATES = """
CREATE FUNCTION {s}.points_order_steps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (OLD.state, NEW.state) NOT IN (('placed', 'collected'), ('placed', 'cancelled'), ('placed', 'expired'),
                                    ('collected', 'returned')) THEN
    RAISE EXCEPTION 'an order violates constraint "points_order_step": from % to %', OLD.state, NEW.state
      USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$"""

_GUARDS = """
CREATE TRIGGER points_stock_move_moves AFTER INSERT ON {s}.points_stock_move
    FOR EACH ROW EXECUTE FUNCTION {s}.points_stock_moved();
CREATE TRIGGER points_order_counts AFTER INSERT OR UPDATE ON {s}.points_order
    FOR EACH ROW EXECUTE FUNCTION {s}.points_order_counted();
CREATE TRIGGER points_order_steps BEFORE UPDATE ON {s}.points_order
    FOR EACH ROW EXECUTE FUNCTION {s}.points_order_steps();
CREATE TRIGGER points_stock_move_kept BEFORE UPDATE OR DELETE ON {s}.points_stock_move
    FOR EACH ROW EXECUTE FUNCTION {s}.points_refuse();
CREATE TRIGGER points_stock_move_whole BEFORE TRUNCATE ON {s}.points_stock_move
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.points_refuse();
CREATE TRIGGER points_stock_count_kept BEFORE UPDATE OR DELETE ON {s}.points_stock_count
    FOR EACH ROW EXECUTE FUNCTION {s}.points_refuse();
CREATE TRIGGER points_stock_count_whole BEFORE TRUNCATE ON {s}.points_stock_count
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.points_refuse();
REVOKE ALL ON {s}.points_stock, {s}.points_stock_count, {s}.points_stock_move, {s}.points_order, {s}.points_item_taken,
    {s}.points_lease, {s}.points_lease_pupil, {s}.points_lease_item FROM gongyu_app;
REVOKE DELETE, TRUNCATE ON {s}.points_shop, {s}.points_item, {s}.points_kiosk FROM gongyu_app;
GRANT SELECT ON {s}.points_stock, {s}.points_item_taken TO gongyu_app;
GRANT INSERT (item_id) ON {s}.points_stock TO gongyu_app;
GRANT SELECT, INSERT ON {s}.points_stock_count, {s}.points_stock_move TO gongyu_app;
GRANT SELECT, INSERT, UPDATE (state, closed_by, closed_at, reason) ON {s}.points_order TO gongyu_app;
GRANT SELECT, INSERT, UPDATE (state, ended_at) ON {s}.points_lease TO gongyu_app;
GRANT SELECT, INSERT (lease_id, student_id, budget) ON {s}.points_lease_pupil TO gongyu_app;
GRANT SELECT, INSERT (lease_id, item_id, title, price, quantity) ON {s}.points_lease_item TO gongyu_app;
REVOKE ALL ON FUNCTION {s}.points_stock_moved(), {s}.points_order_counted(), {s}.points_order_steps() FROM PUBLIC"""


def upgrade() -> None:
    op.create_table(
        "points_shop",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_points_shop_state")),
        sa.ForeignKeyConstraint(["org_id"], ["org.id"], name=op.f("fk_points_shop_org_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_shop")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_points_shop_org_id_name")),
    )
    op.create_table(
        "points_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("term_limit", sa.BigInteger(), nullable=True),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("slot", sa.Uuid(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("kind IN ('good', 'privilege', 'event')", name=op.f("ck_points_item_kind")),
        sa.CheckConstraint("slot IS NULL OR (kind = 'event' AND NOT limited)", name=op.f("ck_points_item_slot")),
        sa.CheckConstraint("price > 0", name=op.f("ck_points_item_price")),
        sa.CheckConstraint("term_limit > 0", name=op.f("ck_points_item_term_limit")),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["points_shop.id"], name=op.f("fk_points_item_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_item")),
    )
    op.create_index("ix_points_item_shop_id", "points_item", ["shop_id", "id"], unique=False)
    op.create_table(
        "points_item_picture",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_item_picture_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_points_item_picture")),
    )
    op.create_table(
        "points_stock",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reserved", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name=op.f("ck_points_stock_enough")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_stock_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_points_stock")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "points_stock_count",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("counted >= 0", name=op.f("ck_points_stock_count_counted")),
        sa.CheckConstraint("difference = counted - expected", name=op.f("ck_points_stock_count_difference")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_stock_count_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_stock_count")),
    )
    op.create_index("ix_points_stock_count_item_id", "points_stock_count", ["item_id"], unique=False)
    op.create_table(
        "points_duty",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("ends_at > begins_at", name=op.f("ck_points_duty_period")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_points_duty_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["points_shop.id"], name=op.f("fk_points_duty_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_duty")),
    )
    op.create_index("ix_points_duty_person_id", "points_duty", ["person_id", "ends_at"], unique=False)
    op.create_index("ix_points_duty_shop_id", "points_duty", ["shop_id", "id"], unique=False)
    op.create_table(
        "points_kiosk",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["points_shop.id"], name=op.f("fk_points_kiosk_shop_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_token.id"], name=op.f("fk_points_kiosk_token_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_kiosk")),
    )
    op.create_index("ix_points_kiosk_shop_id", "points_kiosk", ["shop_id", "id"], unique=False)
    op.create_table(
        "points_lease",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kiosk_id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f("ck_points_lease_ended_at")),
        sa.CheckConstraint("state IN ('open', 'settled', 'expired', 'withdrawn')", name=op.f("ck_points_lease_state")),
        sa.CheckConstraint("taken_at < valid_until AND valid_until <= kept_until", name=op.f("ck_points_lease_period")),
        sa.ForeignKeyConstraint(
            ["kiosk_id"], ["points_kiosk.id"], name=op.f("fk_points_lease_kiosk_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["points_shop.id"], name=op.f("fk_points_lease_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_lease")),
    )
    op.create_index(
        "uq_points_lease_open", "points_lease", ["kiosk_id"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "points_lease_pupil",
        sa.Column("lease_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("budget > 0 AND spent >= 0 AND spent <= budget", name=op.f("ck_points_lease_pupil_budget")),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["points_lease.id"], name=op.f("fk_points_lease_pupil_lease_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lease_id", "student_id", name=op.f("pk_points_lease_pupil")),
    )
    op.create_table(
        "points_lease_item",
        sa.Column("lease_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("sold", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "price > 0 AND sold >= 0 AND (quantity IS NULL OR sold <= quantity)", name=op.f("ck_points_lease_item_sold")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_lease_item_item_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["points_lease.id"], name=op.f("fk_points_lease_item_lease_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lease_id", "item_id", name=op.f("pk_points_lease_item")),
    )
    op.create_table(
        "points_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("slot", sa.Uuid(), nullable=True),
        sa.Column("lease_id", sa.Uuid(), nullable=True),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sold_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("collect_by", sa.Date(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="placed", nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("(channel = 'kiosk') = (lease_id IS NOT NULL)", name=op.f("ck_points_order_lease")),
        sa.CheckConstraint("(state = 'placed') = (closed_at IS NULL)", name=op.f("ck_points_order_closed_at")),
        sa.CheckConstraint("channel IN ('online', 'till', 'kiosk')", name=op.f("ck_points_order_channel")),
        sa.CheckConstraint(
            "state IN ('placed', 'collected', 'cancelled', 'expired', 'returned')", name=op.f("ck_points_order_state")
        ),
        sa.CheckConstraint("price > 0 AND points = price * quantity", name=op.f("ck_points_order_points")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_points_order_quantity")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_order_item_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["points_lease.id"], name=op.f("fk_points_order_lease_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["points_shop.id"], name=op.f("fk_points_order_shop_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_order")),
        sa.UniqueConstraint("seq", name=op.f("uq_points_order_seq")),
    )
    op.create_index(
        "ix_points_order_lease_id",
        "points_order",
        ["lease_id"],
        unique=False,
        postgresql_where=sa.text("lease_id IS NOT NULL"),
    )
    op.create_index(
        "ix_points_order_open",
        "points_order",
        ["collect_by"],
        unique=False,
        postgresql_where=sa.text("state = 'placed'"),
    )
    op.create_index("ix_points_order_shop_id", "points_order", ["shop_id", "state", "seq"], unique=False)
    op.create_index("ix_points_order_student_id", "points_order", ["student_id", "seq"], unique=False)
    op.create_table(
        "points_item_taken",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("most IS NULL OR taken <= most", name=op.f("ck_points_item_taken_most")),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_points_item_taken_taken")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_item.id"], name=op.f("fk_points_item_taken_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", "student_id", "term_id", name=op.f("pk_points_item_taken")),
    )
    op.create_table(
        "points_stock_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("lease_id", sa.Uuid(), nullable=True),
        sa.Column("count_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'correction') = (count_id IS NOT NULL)", name=op.f("ck_points_stock_move_count")),
        sa.CheckConstraint(
            """CASE kind WHEN 'delivery' THEN on_hand > 0 AND reserved = 0
                         WHEN 'loss' THEN on_hand < 0 AND reserved = 0
                         WHEN 'correction' THEN on_hand <> 0 AND reserved = 0
                         WHEN 'reserve' THEN on_hand = 0 AND reserved > 0
                         WHEN 'release' THEN on_hand = 0 AND reserved < 0
                         WHEN 'sold' THEN on_hand < 0 AND reserved = on_hand
                         WHEN 'returned' THEN on_hand > 0 AND reserved = 0
                         ELSE false END""",
            name=op.f("ck_points_stock_move_way"),
        ),
        sa.CheckConstraint(
            "kind NOT IN ('sold', 'returned') OR order_id IS NOT NULL", name=op.f("ck_points_stock_move_order")
        ),
        sa.ForeignKeyConstraint(
            ["count_id"], ["points_stock_count.id"], name=op.f("fk_points_stock_move_count_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["points_stock.item_id"], name=op.f("fk_points_stock_move_item_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["points_lease.id"], name=op.f("fk_points_stock_move_lease_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["points_order.id"], name=op.f("fk_points_stock_move_order_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_stock_move")),
        sa.UniqueConstraint("count_id", name=op.f("uq_points_stock_move_count_id")),
        sa.UniqueConstraint("seq", name=op.f("uq_points_stock_move_seq")),
    )
    op.create_index("ix_points_stock_move_item_id", "points_stock_move", ["item_id", "seq"], unique=False)
    op.create_index(
        "uq_points_stock_move_lease",
        "points_stock_move",
        ["lease_id", "item_id", "kind"],
        unique=True,
        postgresql_where=sa.text("lease_id IS NOT NULL"),
    )
    op.create_index(
        "uq_points_stock_move_order",
        "points_stock_move",
        ["order_id", "kind"],
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    s = f'"{op.get_context().opts["district_schema"]}"'
    for function in (_STOCK, _COUNTED, _STATES):
        op.execute(sa.text(function.replace("{s}", s).replace(":", "\\:")))
    for statement in _GUARDS.replace("{s}", s).split(";"):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    s = f'"{op.get_context().opts["district_schema"]}"'
    for function in ("stock_moved", "order_counted", "order_steps"):
        op.execute(f"DROP FUNCTION {s}.points_{function}()")
