"""What the guard finds in tables: see `gongyu.testing.guard`."""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from gongyu.testing.guard_sql import RULES, VOLATILE, Finding
from gongyu.text import Text

__all__ = ["check_metadata"]

LONGEST_NAME: Final = 45


def check_metadata(metadata: sa.MetaData, *, prefix: str | None, core_tables: frozenset[str]) -> list[Finding]:
    """Check the tables of the core, or those of one plugin.

    Args:
        metadata: The tables; those of others in it are passed over when there is a prefix.
        prefix: What the plugin's tables begin with (`mentor_`); None for the core.
        core_tables: To which, besides its own, a plugin's foreign keys may point.
    """
    return [
        Finding(code=code, place=table.name, text=text)
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
        if prefix is None or table.name.startswith(prefix)
        for code, text in [
            *_of_table(table),
            *_leaving(table),
            *(() if prefix is None else _of_plugin(table, prefix, core_tables)),
        ]
    ]


def _of_table(table: sa.Table) -> Iterator[tuple[str, Text]]:
    if not table.primary_key.columns:
        yield "R16", RULES["no_key"]
    for name in _names(table):
        if len(name) > LONGEST_NAME:
            yield "R7", RULES["long_name"].format(name=name, length=len(name), most=LONGEST_NAME)
    for column in table.columns:
        if _is_narrow_key(column):
            yield "R9", _at(column, RULES["narrow_key"])
        if column.onupdate is not None and (found := VOLATILE.search(str(getattr(column.onupdate, "arg", "")))):
            yield "R10", _at(column, RULES["volatile"].format(name=found[1]))
    for constraint in table.constraints:
        if constraint.deferrable or constraint.initially:
            yield "R8", _at(_name(table, constraint), RULES["deferrable"])


def _leaving(table: sa.Table) -> Iterator[tuple[str, Text]]:
    for element in sorted(table.foreign_keys, key=lambda element: str(element.parent.name)):
        *schema, _, _ = element.target_fullname.split(".")
        if schema not in ([], [table.schema]):
            yield "R15", _at(element.parent, RULES["other_schema"].format(schema=schema[0]))


def _of_plugin(table: sa.Table, prefix: str, core_tables: frozenset[str]) -> Iterator[tuple[str, Text]]:
    for key in sorted(table.foreign_key_constraints, key=lambda key: _name(table, key)):
        target = key.elements[0].target_fullname.split(".")[-2]
        if (key.ondelete or "").upper() not in ("CASCADE", "SET NULL"):
            yield "ONDELETE", _at(_name(table, key), RULES["on_delete"])
        if not target.startswith(prefix) and target not in core_tables:
            yield "NEIGHBOUR", _at(_name(table, key), RULES["neighbour"].format(target=target))


def _is_narrow_key(column: sa.Column[object]) -> bool:
    kind = getattr(column.type, "impl_instance", column.type)
    if not isinstance(kind, sa.Integer):
        return False
    serial = column.table.autoincrement_column is column and column.identity is None
    if isinstance(kind, sa.BigInteger):
        return serial  # bigserial: its sequence is no identity and does not travel with the table
    counted = column.identity is not None or isinstance(column.default, sa.Sequence)
    return serial or counted or list(column.table.primary_key.columns) == [column]


def _names(table: sa.Table) -> Iterator[str]:
    yield table.name
    yield from sorted(str(index.name) for index in table.indexes if index.name)
    yield from sorted(_name(table, constraint) for constraint in table.constraints)


def _name(table: sa.Table, constraint: sa.Constraint) -> str:
    """Its name, or the one that PostgreSQL will give it."""
    if isinstance(constraint.name, str):
        return constraint.name
    columns = "_".join(column.name for column in getattr(constraint, "columns", ()))
    match constraint:
        case sa.PrimaryKeyConstraint():
            return f"{table.name}_pkey" if constraint.columns else ""
        case sa.UniqueConstraint():
            return f"{table.name}_{columns}_key"
        case sa.ForeignKeyConstraint():
            return f"{table.name}_{columns}_fkey"
        case ExcludeConstraint():
            return f"{table.name}_{columns}_excl"
        case _:
            return f"{table.name}_check"


def _at(where: object, text: Text) -> Text:
    name = where.name if isinstance(where, sa.Column) else str(where)
    return Text(zh=f"{name}：{text.zh}", en=f"{name}: {text.en}")
