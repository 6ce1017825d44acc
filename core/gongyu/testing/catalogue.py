"""What a schema is made of, so that two ways of making it can be compared."""

from typing import Final

import sqlalchemy as sa

from gongyu.database.engine import Database

__all__ = ["catalogue"]

_QUERY: Final = sa.text("""
    SELECT table_name, column_name,
        concat_ws(' ', ordinal_position, data_type, is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = :schema
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = to_regnamespace(:schema)
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = :schema
    UNION ALL SELECT relname, tgname, pg_get_triggerdef(pg_trigger.oid)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = to_regnamespace(:schema) AND NOT tgisinternal
    UNION ALL SELECT '', proname, prosrc FROM pg_proc WHERE pronamespace = to_regnamespace(:schema)
    UNION ALL SELECT relname, 'rights', array_to_string(relacl, ' ')
    FROM pg_class WHERE relnamespace = to_regnamespace(:schema) AND relkind = 'r'
""")


async def catalogue(database: Database, schema: str) -> set[tuple[str, str, str]]:
    """Every column, constraint, index, trigger, function and right: table, name, definition."""
    async with database.owner.connect() as connection:
        rows = await connection.execute(_QUERY, {"schema": schema})
        return {(row[0], row[1], row[2]) for row in rows}
