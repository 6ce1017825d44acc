"""notes sealed, in a table of their own; and a term closes only when whoever writes in it has finished"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from alembic import op

from gongyu.database.migrations import keys_for_sealing, schema_of_migration

revision = "points_0005"
down_revision = "points_0004"
branch_labels = None
depends_on = None

_PAGE = 5000

# Every writer of the books comes through here before it reads whether the term is open; so does the shop, before it
# reads anything. Whoever begins to close a term waits until all of them have finished, and those who come meanwhile
# wait for the closer: then there is no award that was let in and is written after the purses were looked at. The lock
# is shared and in memory; a shared lock of the term's row would write that row anew for each award.
_LOCK = """
CREATE OR REPLACE FUNCTION {s}.points_lock(accounts uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN{shared}
  -- Waiters on an advisory lock queue up; waiters on a row lock all wake and re-check the row: on one hot quota that
  -- is 1.8 times the throughput and a quarter of the p99. Always in the same order: no two can wait for each other.
  PERFORM pg_advisory_xact_lock(key) -- guard: R13 all writers of a district's books lock here, so on the same node
  FROM (SELECT DISTINCT uuid_hash_extended(id, {seed}) AS key FROM unnest(accounts) AS id ORDER BY key) AS ordered;
END $$"""
_SHARED = """
  -- Before the accounts, so that nobody holds one of them and waits here.
  PERFORM pg_advisory_xact_lock_shared({books}); -- guard: R13 as below"""
_HALT = """
CREATE FUNCTION {s}.points_halt() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock({books}); -- guard: R13 the books of one district, so on the same node
END $$"""
# Read after the lock, in a statement of its own.
_KEPT_OPEN = """
CREATE FUNCTION {s}.points_kept_open() RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM {s}.points_lock('{}');
  RETURN (SELECT id FROM {s}.points_term WHERE state = 'open');
END $$"""

# As it was, with gaps for the notes.
_GIVE = """
CREATE FUNCTION {s}.points_give(
  today date, keys uuid[], givers uuid[], kinds text[], owners uuid[], reasons text[], amounts bigint[], caps bigint[],
  grounds text[], notes {notes}, marks bytea[],
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
                                  reason_id, giver, ground, {column}fingerprint, day, day_cap)
    SELECT l.id, w.key, 'award', term, w.source, w.kind, l.purse, 'purse', w.points, w.reason, w.giver, w.ground,
           {value}w.mark, today, w.cap
      FROM line AS l JOIN whole ON whole.number = l.number JOIN award AS w ON w.n = l.number
     ORDER BY l.n
  ), told AS (
    INSERT INTO {s}.event (id, type, subject, data)
    SELECT l.event, event_type, l.student::text, l.content::jsonb
      FROM line AS l JOIN whole ON whole.number = l.number ORDER BY l.n
  ){said}
  SELECT array_agg(l.n ORDER BY l.n), array_agg(w.source ORDER BY l.n), array_agg(l.purse ORDER BY l.n)
    INTO lines, debits, credits
    FROM line AS l JOIN whole ON whole.number = l.number JOIN award AS w ON w.n = l.number;
  -- What stands there now, which only a statement after the one that moved it can see.
  SELECT array_agg(a.posted ORDER BY c.n) INTO purses
    FROM unnest(credits) WITH ORDINALITY AS c(id, n) JOIN {s}.points_account AS a ON a.id = c.id;
  SELECT array_agg(a.posted ORDER BY d.n) INTO sources
    FROM unnest(debits) WITH ORDINALITY AS d(id, n) JOIN {s}.points_account AS a ON a.id = d.id;
END $$"""
_SAID = """, said AS (
    INSERT INTO {s}.points_note (operation, text)
    SELECT w.key, w.note FROM award AS w JOIN whole ON whole.number = w.n WHERE w.note IS NOT NULL
  )"""
_PLAIN = {"{notes}": "text[]", "{column}": "note, ", "{value}": "w.note, ", "{said}": ""}
_SEALED = {"{notes}": "bytea[]", "{column}": "", "{value}": "", "{said}": _SAID}
_SIGNATURE = (
    "points_give(date, uuid[], uuid[], text[], uuid[], text[], bigint[], bigint[], text[], {notes}, bytea[], "
    "bigint[], uuid[], uuid[], uuid[], text, text[])"
)

#: The entry that has the words of whoever closed an order so, and what stands where nobody wrote any.
_STEPS = {"cancelled": "release", "returned": "refund"}
_BY_ITSELF = {"expired": "未按时领取 not collected in time", "cancelled": "学期结账 the term was closed"}


def upgrade() -> None:
    op.create_table(
        "points_note",
        sa.Column("operation", sa.Uuid(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("operation", name=op.f("pk_points_note")),
    )
    # A note may go with the person; it is never another.
    op.execute(f"REVOKE UPDATE ON {_schema()}.points_note FROM gongyu_app")
    _seal()
    # A sheet's note is that of the entry that printed it; why an order was closed, that of the entry that let it go.
    op.drop_column("points_entry", "note")
    op.drop_column("points_sheet", "note")
    op.drop_column("points_order", "reason")
    _give(_SEALED, instead_of=_PLAIN)
    _define(_LOCK.replace("{shared}", _SHARED))
    for function in (_HALT, _KEPT_OPEN):
        _define(function)
    for name in ("points_halt()", "points_kept_open()"):
        op.execute(f"REVOKE ALL ON FUNCTION {_schema()}.{name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {_schema()}.{name} TO gongyu_app")


def downgrade() -> None:
    """Every note stands readable again."""
    s = _schema()
    for table, name in (("points_entry", "note"), ("points_sheet", "note"), ("points_order", "reason")):
        op.add_column(table, sa.Column(name, sa.Text(), server_default="", nullable=False))
    _open()
    op.drop_table("points_note")
    op.execute(f"GRANT INSERT (note) ON {s}.points_entry TO gongyu_app")
    op.execute(f"GRANT UPDATE (reason) ON {s}.points_order TO gongyu_app")
    _give(_PLAIN, instead_of=_SEALED)
    _define(_LOCK.replace("{shared}", ""))
    for name in ("points_halt()", "points_kept_open()"):
        op.execute(f"DROP FUNCTION {s}.{name}")


def _schema() -> str:
    return f'"{schema_of_migration()}"'


def _define(function: str) -> None:
    seed = int.from_bytes(hashlib.sha256(schema_of_migration().encode()).digest()[:8], "big", signed=True)
    gaps = {
        "{books}": f"uuid_hash_extended('{UUID(int=0)}', {{seed}})",
        "{seed}": f"'{seed}'::bigint",
        "{s}": _schema(),
    }
    for gap, text in gaps.items():
        function = function.replace(gap, text)
    op.execute(sa.text(function.replace(":", "\\:")))


def _give(now: Mapping[str, str], *, instead_of: Mapping[str, str]) -> None:
    op.execute(f"DROP FUNCTION {_schema()}.{_SIGNATURE.replace('{notes}', instead_of['{notes}'])}")
    body, name = _GIVE, f"{_schema()}.{_SIGNATURE.replace('{notes}', now['{notes}'])}"
    for gap, text in now.items():
        body = body.replace(gap, text)
    _define(body)
    op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO gongyu_app")


def _seal() -> None:
    """The entries of a command have one note between them."""
    said = sa.text("INSERT INTO points_note (operation, text) VALUES (:operation, :text) ON CONFLICT DO NOTHING")
    said = said.bindparams(sa.bindparam("operation", type_=sa.Uuid()), sa.bindparam("text", type_=sa.LargeBinary()))
    for rows in _pages("points_entry", "seq", note=sa.Text(), operation=sa.Uuid()):
        notes = {row["operation"]: row["note"] for row in rows if row["note"]}
        if notes:
            keys, slug = keys_for_sealing(), schema_of_migration().removeprefix("d_")
            sealed = [
                {"operation": operation, "text": keys.encrypt(slug, note.encode(), context=_bound_to(operation))}
                for operation, note in notes.items()
            ]
            op.get_bind().execute(said, sealed)


def _open() -> None:
    """Into rows that refuse to be changed, for as long as this takes."""
    s, notes = _schema(), dict[UUID, str]()
    for rows in _pages("points_note", "operation", text=sa.LargeBinary()):
        keys, slug = keys_for_sealing(), schema_of_migration().removeprefix("d_")
        for row in rows:
            operation = row["operation"]
            notes[operation] = keys.decrypt(slug, row["text"], context=_bound_to(operation)).decode()
    op.execute(f"ALTER TABLE {s}.points_entry DISABLE TRIGGER points_entry_stays")
    _write("points_entry", "operation", "note", notes)
    op.execute(f"ALTER TABLE {s}.points_entry ENABLE TRIGGER points_entry_stays")
    _write("points_sheet", "id", "note", notes)
    reasons = dict[UUID, str]()
    for rows in _pages("points_order", "seq", id=sa.Uuid(), state=sa.Text(), closed_by=sa.Uuid()):
        for row in rows:
            if row["closed_by"] is None:
                reasons[row["id"]] = _BY_ITSELF.get(row["state"], "")
            elif row["state"] in _STEPS:
                reasons[row["id"]] = notes.get(uuid5(row["id"], _STEPS[row["state"]]), "")
    op.execute(f"ALTER TABLE {s}.points_order DISABLE TRIGGER USER")
    _write("points_order", "id", "reason", {order: text for order, text in reasons.items() if text})
    op.execute(f"ALTER TABLE {s}.points_order ENABLE TRIGGER USER")


def _bound_to(operation: UUID) -> bytes:
    return f"points_note.text:{operation}".encode()


def _pages(name: str, key: str, **columns: Any) -> Iterator[Sequence[sa.RowMapping]]:  # noqa: ANN401 - SQL types
    first: Any = UUID(int=0) if key == "operation" else -(2**63)
    place = sa.column(key, sa.Uuid() if key == "operation" else sa.BigInteger())
    table = sa.table(name, place, *(sa.column(column, type_) for column, type_ in columns.items()))
    query, last = sa.select(table).order_by(table.c[key]).limit(_PAGE), first
    while rows := op.get_bind().execute(query.where(table.c[key] > last)).mappings().all():
        yield rows
        last = rows[-1][key]


def _write(table: str, key: str, column: str, texts: Mapping[UUID, str]) -> None:
    if texts:
        change = sa.text(f"UPDATE {table} SET {column} = :text WHERE {key} = :key")  # noqa: S608 - names of this page
        change = change.bindparams(sa.bindparam("key", type_=sa.Uuid()), sa.bindparam("text", type_=sa.Text()))
        op.get_bind().execute(change, [{"key": key_, "text": text} for key_, text in texts.items()])
