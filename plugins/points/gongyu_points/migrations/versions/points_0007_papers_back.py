"""vouchers go back only to the account they came from"""

import runpy
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from gongyu.database.migrations import schema_of_migration

revision = "points_0007"
down_revision = "points_0006"
branch_labels = None
depends_on = None

# As before; and a voided voucher goes back to the account that its sheet names, which is the one that paid for it. A
# sheet never changes: so no quota gets what another one paid.
_VOUCHERS = """
  IF 'print' = ANY (kinds) THEN
    SELECT count(*) INTO moved FROM unnest(kinds, debits, credits) AS e(kind, debit, credit)
      LEFT JOIN {s}.points_sheet AS s ON s.account = e.credit AND s.source = e.debit
     WHERE e.kind = 'print' AND s.id IS NULL;
    IF moved > 0 THEN
      RAISE EXCEPTION 'entries violate constraint "points_sheet_source": a sheet is paid for by the account it names'
        USING ERRCODE = '23514';
    END IF;
  END IF;
  IF kinds && ARRAY['deposit', 'void'] THEN
    SELECT array_agg(id), array_agg(voucher_id), array_agg(debit), array_agg(credit), array_agg(points),
           array_agg(kind), array_agg(day)
      INTO ids, vouchers, debits, credits, amounts, kinds, days FROM new_entries;
    UPDATE {s}.points_voucher AS v SET entry_id = e.id
      FROM unnest(ids, vouchers, debits, credits, amounts, kinds, days)
           AS e(id, voucher, debit, credit, points, kind, day)
      JOIN {s}.points_sheet AS s ON s.account = e.debit
     WHERE v.id = e.voucher AND v.sheet_id = s.id AND v.points = e.points AND v.entry_id IS NULL
       AND CASE e.kind WHEN 'void' THEN e.credit = s.source ELSE e.day <= s.expires_on END;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(ids) THEN
      RAISE EXCEPTION 'entries violate constraint "points_voucher_open": a voucher is spent, void, expired or foreign'
        USING ERRCODE = '23514';
    END IF;
  END IF;
  IF 'reverse' = ANY (kinds) AND 'voucher' = ANY (credit_kinds) THEN
    SELECT array_agg(reverses) INTO ids FROM new_entries;
    UPDATE {s}.points_voucher SET entry_id = NULL WHERE entry_id = ANY (ids);
  END IF;"""


def upgrade() -> None:
    _move(_VOUCHERS)


def downgrade() -> None:
    _move(_past()["_VOUCHERS"])


def _past() -> dict[str, str]:
    return runpy.run_path(str(Path(__file__).with_name("points_0002_vouchers.py")))


def _move(vouchers: str) -> None:
    """The function that moves points, with these rules for vouchers; replaced, it forgets how it is to be planned."""
    s, function = f'"{schema_of_migration()}"', _past()["_MOVE"]
    gaps = {
        "{vouchers}": vouchers,
        "{earned}": "IN ('award', 'deposit')",
        "{declared}": "\n  ids uuid[]; vouchers uuid[];",
        "{s}": s,
    }
    for gap, text in gaps.items():
        function = function.replace(gap, text)
    op.execute(sa.text(function.replace(":", "\\:")))
    op.execute(f"ALTER FUNCTION {s}.points_move() SET plan_cache_mode = force_generic_plan")
