"""The auditor: every promise of the ledger worked out again from the entries, trusting no stored balance.

That entries balance is no figure: an entry is one row with both its sides, so it cannot be otherwise.

Each line is an invariant with its figure, and every figure must be zero. It is read from one snapshot, so that it can
be asked while people give and spend.
"""

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.plugin import District
from gongyu.text import Text
from gongyu_points.shop import audit as shop

__all__ = ["Audit", "Invariant", "audit"]


class Invariant(msgspec.Struct, frozen=True):
    """What must hold, and how often it does not."""

    name: str
    zh: str
    en: str
    broken: int


class Audit(msgspec.Struct, frozen=True):
    """The books re-added: how many entries, and what does not hold; `sound` when every figure is zero."""

    entries: int
    accounts: int
    issued: int
    sound: bool
    invariants: list[Invariant]


# One statement, so one snapshot; `side` is each entry seen from its two accounts.
_AUDIT: Final = """
WITH side AS MATERIALIZED (
  SELECT debit AS account, debit_kind AS kind, term_id, -points AS points FROM {s}.points_entry
  UNION ALL
  SELECT credit, credit_kind, term_id, points FROM {s}.points_entry
), added AS MATERIALIZED (
  SELECT coalesce(a.id, s.account) AS id, a.kind, a.term_id, coalesce(a.posted, 0) AS posted,
         coalesce(s.points, 0) AS points, a.id IS NULL AS unknown
    FROM {s}.points_account AS a
    FULL JOIN (SELECT account, sum(points)::bigint AS points FROM side GROUP BY account) AS s ON s.account = a.id
), reversal AS MATERIALIZED (
  SELECT r.id, r.reverses, o.id IS NULL OR o.debit <> r.credit OR o.credit <> r.debit OR o.points <> r.points
         OR o.kind NOT IN ('award', 'deposit', 'redeem', 'capture') AS crooked
    FROM {s}.points_entry AS r LEFT JOIN {s}.points_entry AS o ON o.id = r.reverses WHERE r.kind = 'reverse'
), used AS MATERIALIZED (
  SELECT e.voucher_id, count(*) AS times, min(e.id::text)::uuid AS entry_id, bool_or(e.points <> v.points) AS wrong
    FROM {s}.points_entry AS e LEFT JOIN {s}.points_voucher AS v ON v.id = e.voucher_id
   WHERE e.voucher_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reversal AS r WHERE r.reverses = e.id)
   GROUP BY e.voucher_id
), sheet AS MATERIALIZED (
  SELECT s.account, s.source, coalesce(p.points, 0) AS printed, coalesce(v.points, 0) AS vouchers,
         CASE WHEN x.debit IS NULL THEN coalesce(v.open_points, 0) ELSE 0 END AS open_points
    FROM {s}.points_sheet AS s
    LEFT JOIN (SELECT credit, sum(points)::bigint AS points FROM {s}.points_entry WHERE kind = 'print' GROUP BY credit)
           AS p ON p.credit = s.account
    LEFT JOIN (SELECT v.sheet_id, sum(v.points)::bigint AS points,
                      sum(v.points) FILTER (WHERE u.voucher_id IS NULL)::bigint AS open_points
                 FROM {s}.points_voucher AS v LEFT JOIN used AS u ON u.voucher_id = v.id GROUP BY v.sheet_id)
           AS v ON v.sheet_id = s.id
    LEFT JOIN (SELECT DISTINCT debit FROM {s}.points_entry WHERE kind = 'expire') AS x ON x.debit = s.account
)
SELECT
  (SELECT count(*) FROM {s}.points_entry) AS entries,
  (SELECT count(*) FROM {s}.points_account) AS accounts,
  (SELECT coalesce(sum(points), 0) FROM {s}.points_entry WHERE kind = 'grant')::bigint AS issued,
  (SELECT abs(coalesce(sum(posted), 0)) FROM {s}.points_account)::bigint AS lost,
  (SELECT count(*) FROM added WHERE posted <> points) AS differing,
  (SELECT count(*) FROM added WHERE unknown) AS unknown,
  (SELECT count(*) FROM added WHERE points < 0 AND kind <> 'issue') AS overspent,
  (SELECT count(*) FROM side JOIN {s}.points_account AS a ON a.id = side.account
    WHERE a.kind <> side.kind OR (a.term_id IS NOT NULL AND a.term_id <> side.term_id)) AS misplaced,
  (SELECT count(*) FROM (
     SELECT sum(CASE WHEN kind = 'grant' THEN points WHEN kind IN ('award', 'print') THEN -points
                     WHEN kind IN ('reverse', 'void') AND credit_kind = 'quota' THEN points ELSE 0 END) AS over
       FROM {s}.points_entry WHERE 'quota' IN (debit_kind, credit_kind)
      GROUP BY CASE WHEN credit_kind = 'quota' THEN credit ELSE debit END) AS q WHERE over < 0) AS over_quota,
  (SELECT count(*) FROM {s}.points_entry WHERE kind = 'grant' AND credit_kind = 'quota' AND points > 1000) AS too_large,
  (SELECT count(*) FROM {s}.points_entry WHERE kind IN ('award', 'deposit') AND points NOT IN (2, 5, 10, 20))
    AS denominations,
  (SELECT count(*) FROM reversal WHERE crooked) AS crooked,
  (SELECT count(*) - count(DISTINCT reverses) FROM reversal) AS twice,
  (SELECT count(*) FROM (SELECT 1 FROM {s}.points_entry WHERE kind = 'grant' AND credit_kind = 'quota'
                          GROUP BY credit HAVING count(*) > 1) AS g) AS granted_twice,
  (SELECT count(*) FROM (SELECT 1 FROM {s}.points_entry WHERE kind = 'expire'
                          GROUP BY debit, term_id HAVING count(*) > 1) AS x) AS expired_twice,
  (SELECT count(*) FROM added JOIN {s}.points_term AS t ON t.id = added.term_id
    WHERE t.state = 'closed' AND added.kind IN ('quota', 'budget', 'voucher') AND added.points <> 0) AS left_open,
  (SELECT count(*) - count(DISTINCT seq) FROM {s}.points_entry) AS numbers,
  (SELECT count(*) FROM sheet WHERE printed <> vouchers) AS misprinted,
  (SELECT count(*) FROM sheet
     FULL JOIN (SELECT id, points FROM added WHERE kind = 'voucher') AS a ON a.id = sheet.account
    WHERE coalesce(sheet.open_points, 0) <> coalesce(a.points, 0)) AS vouchers,
  (SELECT count(*) FROM used WHERE times > 1 OR wrong IS NOT FALSE) AS used_twice,
  (SELECT count(*) FROM {s}.points_voucher AS v LEFT JOIN used AS u ON u.voucher_id = v.id
    WHERE v.entry_id IS DISTINCT FROM u.entry_id) AS misheld,
  (SELECT count(*) FROM {s}.points_entry AS e LEFT JOIN sheet ON sheet.account = e.debit
    WHERE e.kind = 'void' AND e.credit IS DISTINCT FROM sheet.source) AS misreturned"""

_WORDS: Final = {
    "lost": Text(zh="所有账户余额之和", en="sum of all balances"),
    "differing": Text(zh="余额与分录不符的账户", en="accounts whose balance is not what their entries add up to"),
    "unknown": Text(zh="分录中不存在的账户", en="accounts in entries that do not exist"),
    "overspent": Text(zh="透支的账户", en="overspent accounts"),
    "misplaced": Text(zh="记入错误种类或学期账户的分录", en="entries in accounts of another kind or term"),
    "over_quota": Text(zh="超出额度的发放者", en="givers beyond their quota"),
    "too_large": Text(zh="超过 1000 分的额度", en="quotas of more than 1000 points"),
    "denominations": Text(zh="面值不对的发放", en="awards of a wrong denomination"),
    "crooked": Text(zh="与原分录不成镜像的冲正", en="reversals that do not mirror their original"),
    "twice": Text(zh="重复的冲正", en="second reversals"),
    "granted_twice": Text(zh="重复发放的额度", en="quotas granted twice"),
    "expired_twice": Text(zh="重复的到期", en="accounts expired twice in a term"),
    "left_open": Text(
        zh="已结账学期中仍有余额的额度或积分券", en="quotas and sheets of closed terms that are not empty"
    ),
    "numbers": Text(zh="重复的分录编号", en="entry numbers used twice"),
    "misprinted": Text(
        zh="券面之和与印制分录不符的积分券", en="sheets of vouchers that are not worth what was paid for them"
    ),
    "vouchers": Text(
        zh="印制 ≠ 存入 + 作废 + 过期 + 未用 的积分券", en="sheets where printed ≠ deposited + void + expired + open"
    ),
    "used_twice": Text(zh="一张积分券的重复存入或作废", en="vouchers deposited or voided twice, or for another value"),
    "misheld": Text(zh="状态与分录不符的积分券", en="vouchers whose state is not what the entries say"),
    "misreturned": Text(zh="未退回原额度的作废", en="voids that went to another quota than the sheet came out of"),
}


async def audit(connection: AsyncConnection, district: District) -> Audit:
    """Re-add everything.

    Args:
        connection: Of any role that may read.
        district: Whose books.
    """
    found = await connection.execute(sa.text(_AUDIT.replace("{s}", f'"{district.schema}"').replace("::", "\\:\\:")))
    row: Any = found.one()
    lines = [Invariant(name, text.zh, text.en, int(getattr(row, name))) for name, text in _WORDS.items()]
    goods = await shop.figures(connection, district)
    lines += [Invariant(name, text.zh, text.en, goods[name]) for name, text in shop.WORDS.items()]
    return Audit(row.entries, row.accounts, row.issued, not any(line.broken for line in lines), lines)
