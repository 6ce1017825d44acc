"""secrets of settings sealed

Whole, not field by field: which fields are secret a plugin's type says, and its package may not be here today.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from gongyu.database.migrations import keys_for_sealing

revision = "registry_0002"
down_revision = "registry_0001"
branch_labels = None
depends_on = None

#: Table, its primary key (a district's number comes first), column.
_COLUMNS = (
    ("district", ("number",), "access"),
    ("plugin_switch", ("district", "plugin"), "settings"),
    ("plugin_switch", ("district", "plugin"), "schools"),
)


def upgrade() -> None:
    for table, key, column in _COLUMNS:
        op.alter_column(table, column, new_column_name="plain")
        op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
        old, new = sa.column("plain", JSONB()), sa.column(column, sa.LargeBinary())
        for slug, ids, said, context in _rows(table, key, column, old):
            sealed = keys_for_sealing().encrypt(slug, msgspec.json.encode(said), context=context)
            _write(table, key, ids, new, sealed)
        op.drop_column(table, "plain")


def downgrade() -> None:
    for table, key, column in reversed(_COLUMNS):
        op.alter_column(table, column, new_column_name="sealed")
        op.add_column(table, sa.Column(column, JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False))
        old, new = sa.column("sealed", sa.LargeBinary()), sa.column(column, JSONB())
        for slug, ids, sealed, context in _rows(table, key, column, old):
            _write(table, key, ids, new, msgspec.json.decode(keys_for_sealing().decrypt(slug, sealed, context=context)))
        op.drop_column(table, "sealed")


def _rows(
    table: str, key: Sequence[str], column: str, old: sa.ColumnClause[Any]
) -> Iterator[tuple[str, Sequence[Any], Any, bytes]]:
    """The slug, the primary key, what stands there, and what its seal is bound to; where nothing is said, nothing."""
    bind = op.get_bind()
    slugs = {row.number: row.slug for row in bind.execute(sa.text("SELECT number, slug FROM district"))}
    source = sa.table(table, *(sa.column(name) for name in key), old)
    for *ids, value in bind.execute(sa.select(*source.c)).all():
        if value:
            yield slugs[ids[0]], ids, value, f"{table}.{column}:{','.join(map(str, ids))}".encode()


def _write(table: str, key: Sequence[str], ids: Sequence[Any], new: sa.ColumnClause[Any], value: object) -> None:
    target = sa.table(table, *(sa.column(name) for name in key), new)
    same = sa.and_(*(target.c[name] == id_ for name, id_ in zip(key, ids, strict=True)))
    op.execute(sa.update(target).where(same).values({new.name: value}))
