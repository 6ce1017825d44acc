"""paper vouchers, and every way of points that comes with vouchers and the shop"""

import sqlalchemy as sa
from alembic import op

revision = "points_0002"
down_revision = "points_0001"
branch_labels = None
depends_on = None

#: Name of each check that changes: table, before, after.
_CHECKS = {
    "ck_points_account_kind": (
        "points_account",
        "kind IN ('issue', 'quota', 'budget', 'purse', 'shop', 'expired')",
        "kind IN ('issue', 'quota', 'budget', 'voucher', 'purse', 'hold', 'shop', 'expired')",
    ),
    "ck_points_account_term": (
        "points_account",
        "(term_id IS NOT NULL) = (kind IN ('issue', 'quota', 'budget', 'expired'))",
        "(term_id IS NOT NULL) = (kind IN ('issue', 'quota', 'budget', 'voucher', 'expired'))",
    ),
    "ck_points_account_owner": (
        "points_account",
        "(owner_id IS NOT NULL) = (kind IN ('quota', 'budget', 'purse', 'shop'))",
        "(owner_id IS NOT NULL) = (kind IN ('quota', 'budget', 'voucher', 'purse', 'hold', 'shop'))",
    ),
    "ck_points_entry_way": (
        "points_entry",
        """(kind, debit_kind, credit_kind) IN (
    ('grant', 'issue', 'quota'), ('grant', 'issue', 'budget'),
    ('award', 'quota', 'purse'), ('award', 'budget', 'purse'),
    ('redeem', 'purse', 'shop'),
    ('reverse', 'purse', 'quota'), ('reverse', 'purse', 'budget'), ('reverse', 'shop', 'purse'),
    ('expire', 'quota', 'expired'), ('expire', 'budget', 'expired'), ('expire', 'purse', 'expired'))""",
        """(kind, debit_kind, credit_kind) IN (
    ('grant', 'issue', 'quota'), ('grant', 'issue', 'budget'),
    ('award', 'quota', 'purse'), ('award', 'budget', 'purse'),
    ('print', 'quota', 'voucher'), ('print', 'budget', 'voucher'), ('deposit', 'voucher', 'purse'),
    ('void', 'voucher', 'quota'), ('void', 'voucher', 'budget'),
    ('redeem', 'purse', 'shop'), ('hold', 'purse', 'hold'), ('capture', 'hold', 'shop'), ('release', 'hold', 'purse'),
    ('reverse', 'purse', 'quota'), ('reverse', 'purse', 'budget'), ('reverse', 'purse', 'voucher'),
    ('reverse', 'shop', 'purse'), ('reverse', 'shop', 'hold'),
    ('expire', 'quota', 'expired'), ('expire', 'budget', 'expired'), ('expire', 'voucher', 'expired'),
    ('expire', 'purse', 'expired'))""",
    ),
    "ck_points_entry_denomination": (
        "points_entry",
        "kind <> 'award' OR points IN (2, 5, 10, 20)",
        "kind NOT IN ('award', 'deposit') OR points IN (2, 5, 10, 20)",
    ),
    "ck_points_entry_reason": (
        "points_entry",
        "kind <> 'award' OR reason_id IS NOT NULL",
        "kind NOT IN ('award', 'deposit') OR reason_id IS NOT NULL",
    ),
}

# As it was, with gaps: which kinds a pupil earns by, and what happens to the vouchers.
_MOVE = """
CREATE OR REPLACE FUNCTION {s}.points_move() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kinds text[]; debits uuid[]; credits uuid[]; debit_kinds text[]; credit_kinds text[]; amounts bigint[];
  terms uuid[]; days date[]; caps bigint[]; term uuid; now_state text; moved bigint; wanted bigint;{declared}
BEGIN
  SELECT array_agg(kind), array_agg(debit), array_agg(credit), array_agg(debit_kind), array_agg(credit_kind),
         array_agg(points), array_agg(term_id), array_agg(day), array_agg(day_cap)
    INTO kinds, debits, credits, debit_kinds, credit_kinds, amounts, terms, days, caps FROM new_entries;
  IF kinds IS NULL THEN RETURN NULL; END IF;
  term := terms[1];
  PERFORM {s}.points_lock(debits || credits);
  SELECT state INTO now_state FROM {s}.points_term WHERE id = term;
  IF term <> ALL (terms) OR now_state IS NULL
     OR NOT (CASE now_state WHEN 'open' THEN 'expire' <> ALL (kinds) WHEN 'closing' THEN 'expire' = ALL (kinds)
             ELSE false END) THEN
    RAISE EXCEPTION 'entries violate constraint "points_term_open": the term is %', coalesce(now_state, 'unknown')
      USING ERRCODE = '23514';
  END IF;
  UPDATE {s}.points_account AS a
     SET posted = a.posted + m.points,
         day = CASE WHEN m.award THEN m.day ELSE a.day END,
         day_points = CASE WHEN m.award AND a.day IS DISTINCT FROM m.day THEN m.earned
                           WHEN a.day = m.day THEN greatest(a.day_points + m.earned, 0) ELSE a.day_points END,
         day_cap = CASE WHEN m.award THEN m.cap ELSE a.day_cap END
    FROM (SELECT account, min(kind) AS low, max(kind) AS high, sum(points)::bigint AS points,
                 sum(earned)::bigint AS earned, bool_or(earned > 0) AS award, max(day) AS day, min(cap) AS cap
            FROM (SELECT d.account, d.kind, -d.points AS points, d.day, NULL::bigint AS cap,
                         CASE WHEN d.kind = 'purse' AND d.what = 'reverse' THEN -d.points ELSE 0 END AS earned
                    FROM unnest(debits, debit_kinds, amounts, days, kinds) AS d(account, kind, points, day, what)
                  UNION ALL
                  SELECT c.account, c.kind, c.points, c.day, c.cap,
                         CASE WHEN c.what {earned} THEN c.points ELSE 0 END
                    FROM unnest(credits, credit_kinds, amounts, days, caps, kinds)
                         AS c(account, kind, points, day, cap, what)) AS sides
           GROUP BY account) AS m
   WHERE a.id = m.account AND a.kind = m.low AND a.kind = m.high AND (a.term_id IS NULL OR a.term_id = term);
  GET DIAGNOSTICS moved = ROW_COUNT;
  SELECT count(DISTINCT id) INTO wanted FROM unnest(debits || credits) AS id;
  IF moved <> wanted THEN
    RAISE EXCEPTION 'entries violate constraint "points_account_known": an account is unknown, of another kind or term'
      USING ERRCODE = '23503';
  END IF;{vouchers}
  RETURN NULL;
END $$"""

# A voucher is open while no entry holds it. Deposit and void take it, under its sheet's lock, which is held by now: so
# of any number of them at once one finds it open. Who takes back a deposit opens it again.
_VOUCHERS = """
  IF kinds && ARRAY['deposit', 'void'] THEN
    SELECT array_agg(id), array_agg(voucher_id), array_agg(debit), array_agg(points), array_agg(kind), array_agg(day)
      INTO ids, vouchers, debits, amounts, kinds, days FROM new_entries;
    UPDATE {s}.points_voucher AS v SET entry_id = e.id
      FROM unnest(ids, vouchers, debits, amounts, kinds, days) AS e(id, voucher, debit, points, kind, day)
      JOIN {s}.points_sheet AS s ON s.account = e.debit
     WHERE v.id = e.voucher AND v.sheet_id = s.id AND v.points = e.points AND v.entry_id IS NULL
       AND (e.kind = 'void' OR e.day <= s.expires_on);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(ids) THEN
      RAISE EXCEPTION 'entries violate constraint "points_voucher_open": a voucher is spent, void, expired or unknown'
        USING ERRCODE = '23514';
    END IF;
  END IF;
  IF 'reverse' = ANY (kinds) AND 'voucher' = ANY (credit_kinds) THEN
    SELECT array_agg(reverses) INTO ids FROM new_entries;
    UPDATE {s}.points_voucher SET entry_id = NULL WHERE entry_id = ANY (ids);
  END IF;"""

_EXPIRE = """
CREATE OR REPLACE FUNCTION {s}.points_expire(ending uuid, chosen uuid[], sink uuid, operation uuid, mark bytea,
                                             today date)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE done bigint;
BEGIN
  PERFORM {s}.points_lock(chosen || sink);
  INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points,
                                fingerprint, day)
  SELECT gen_random_uuid(), operation, 'expire', ending, left_over.id, left_over.kind, sink, 'expired',
         left_over.points, mark, today
    FROM (SELECT a.id, a.kind, CASE a.kind WHEN 'purse' THEN a.posted * (100 - t.keep_percent) / 100 ELSE a.posted END
                 AS points
            FROM {s}.points_account AS a CROSS JOIN {s}.points_term AS t
           WHERE a.id = ANY (chosen) AND t.id = ending AND a.kind IN ({ending})) AS left_over
   WHERE left_over.points > 0
     AND NOT EXISTS (SELECT 1 FROM {s}.points_entry AS e
                      WHERE e.debit = left_over.id AND e.term_id = ending AND e.kind = 'expire');
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $$"""

# Whether a voucher is open is the trigger's to say; the application may print its code anew, no more.
_GRANTS = """
REVOKE ALL ON {s}.points_sheet, {s}.points_voucher FROM gongyu_app;
GRANT SELECT, INSERT ON {s}.points_sheet TO gongyu_app;
GRANT SELECT, INSERT (id, sheet_id, number, points), UPDATE (hash) ON {s}.points_voucher TO gongyu_app;
GRANT INSERT (voucher_id) ON {s}.points_entry TO gongyu_app"""


def _functions(*, earned: str, declared: str, vouchers: str, ending: str) -> None:
    s = f'"{op.get_context().opts["district_schema"]}"'
    gaps = {"{vouchers}": vouchers, "{earned}": earned, "{declared}": declared, "{ending}": ending, "{s}": s}
    for function in (_MOVE, _EXPIRE):
        body = function
        for gap, text in gaps.items():
            body = body.replace(gap, text)
        op.execute(sa.text(body.replace(":", "\\:")))


def upgrade() -> None:
    for name, (table, _, after) in _CHECKS.items():
        op.drop_constraint(op.f(name), table)
        op.create_check_constraint(op.f(name), table, after)
    op.add_column("points_entry", sa.Column("voucher_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_points_entry_voucher"), "points_entry", "(voucher_id IS NOT NULL) = (kind IN ('deposit', 'void'))"
    )
    op.create_table(
        "points_sheet",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Uuid(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("printer", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("reason_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source_kind IN ('quota', 'budget')", name=op.f("ck_points_sheet_source_kind")),
        sa.ForeignKeyConstraint(["org_id"], ["org.id"], name=op.f("fk_points_sheet_org_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["reason_id"], ["points_reason.id"], name=op.f("fk_points_sheet_reason_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["term_id"], ["points_term.id"], name=op.f("fk_points_sheet_term_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_sheet")),
        sa.UniqueConstraint("account", name=op.f("uq_points_sheet_account")),
    )
    op.create_index(op.f("ix_points_sheet_printer"), "points_sheet", ["printer"], unique=False)
    op.create_index(op.f("ix_points_sheet_org_id"), "points_sheet", ["org_id"], unique=False)
    op.create_table(
        "points_voucher",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sheet_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("points IN (2, 5, 10, 20)", name=op.f("ck_points_voucher_denomination")),
        sa.ForeignKeyConstraint(
            ["sheet_id"], ["points_sheet.id"], name=op.f("fk_points_voucher_sheet_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_voucher")),
        sa.UniqueConstraint("sheet_id", "number", name=op.f("uq_points_voucher_sheet_id_number")),
        sa.UniqueConstraint("hash", name=op.f("uq_points_voucher_hash")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_points_voucher_entry_id")),
    )
    _functions(
        earned="IN ('award', 'deposit')",
        declared="\n  ids uuid[]; vouchers uuid[];",
        vouchers=_VOUCHERS,
        ending="'quota', 'budget', 'voucher', 'purse'",
    )
    s = f'"{op.get_context().opts["district_schema"]}"'
    for statement in _GRANTS.replace("{s}", s).split(";"):
        op.execute(statement)


def downgrade() -> None:
    """Refused by the checks once points have gone these ways: an entry is never taken out of the books."""
    _functions(earned="= 'award'", declared="", vouchers="", ending="'quota', 'budget', 'purse'")
    op.drop_table("points_voucher")
    op.drop_index(op.f("ix_points_sheet_org_id"), table_name="points_sheet")
    op.drop_index(op.f("ix_points_sheet_printer"), table_name="points_sheet")
    op.drop_table("points_sheet")
    op.drop_constraint(op.f("ck_points_entry_voucher"), "points_entry")
    op.drop_column("points_entry", "voucher_id")
    for name, (table, before, _) in _CHECKS.items():
        op.drop_constraint(op.f(name), table)
        op.create_check_constraint(op.f(name), table, before)
