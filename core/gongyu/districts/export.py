"""Leaving is a feature: all of a district, or of one plugin in it, as a zip of JSON lines, one file for each table.

Encrypted columns stay sealed (base64): the export is the operator's copy, not a reader's; a person's own data comes
readable from the person's export.
"""

import base64
import contextlib
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu import __version__
from gongyu.access import audit
from gongyu.database.engine import quoted
from gongyu.database.model import Base
from gongyu.districts.file import render
from gongyu.districts.service import current_file, find_district
from gongyu.host.discovery import RESERVED
from gongyu.platform import Platform

__all__ = ["erase_plugin", "export_district", "row_counts"]


#: A plugin's functions carry its prefix like its tables; left behind, they would stand in the way of its return.
_ROUTINES: Final = sa.text(
    "SELECT oid::regprocedure::text FROM pg_proc "
    "WHERE pronamespace = to_regnamespace(:schema) AND starts_with(proname, :prefix)"
)


async def row_counts(platform: Platform, slug: str, *, plugin: str | None = None) -> dict[str, int]:
    """How many rows each table holds: what would go."""
    schema = (await find_district(platform, slug)).schema
    async with platform.database.owner.connect() as connection:
        return {
            name: (await connection.execute(sa.select(sa.func.count()).select_from(_table(schema, name)))).scalar_one()
            for name in await _tables(connection, schema, plugin)
        }


async def export_district(
    platform: Platform, slug: str, target: Path, *, actor: str, plugin: str | None = None
) -> Mapping[str, int]:
    """Write the zip under a temporary name and rename it, so that a killed export leaves no half file.

    Returns:
        Rows written, by table.
    """
    state = platform.state(slug)
    schema = state.district.schema
    written: dict[str, int] = {}
    temporary = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            async with platform.database.owner.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():  # one moment in time, whatever is written meanwhile
                    for name in await _tables(connection, schema, plugin):
                        with archive.open(f"tables/{name}.jsonl", "w") as out:
                            written[name] = 0
                            result = await connection.stream(sa.text(f"SELECT * FROM {quoted(schema)}.{quoted(name)}"))  # noqa: S608 - names from the catalogue
                            async for row in result.mappings():
                                out.write(msgspec.json.encode(dict(row), enc_hook=_encoded) + b"\n")
                                written[name] += 1
            file = current_file(platform, slug)
            archive.writestr("district.toml", render(file) if file else "")
            manifest = {
                "gongyu": __version__,
                "district": slug,
                "plugin": plugin,
                "written_at": datetime.now(UTC),
                "rows": written,
            }
            archive.writestr("manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))
        temporary.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    async with platform.database.work(state.district) as session:
        await audit.record(
            session,
            action="district.exported",
            actor=actor,
            subject=plugin or slug,
            details={"rows": sum(written.values())},
        )
    return written


async def erase_plugin(platform: Platform, slug: str, plugin: str, *, actor: str) -> list[str]:
    """Drop a plugin's tables and functions in one district, and its version table, so that it can start afresh.

    The caller has seen to it that the plugin is off, asked, and exported.
    """
    state = platform.state(slug)
    schema = state.district.schema
    if plugin in RESERVED:  # no plugin can be called so, and `alembic_core` is not a plugin's
        return []
    async with platform.database.owner.begin() as connection:
        names = await _tables(connection, schema, plugin)
        for name in [*names, f"alembic_{plugin}"]:
            await connection.execute(sa.text(f"DROP TABLE IF EXISTS {quoted(schema)}.{quoted(name)} CASCADE"))
        for routine in await connection.execute(_ROUTINES, {"schema": schema, "prefix": f"{plugin}_"}):
            await connection.execute(sa.text(f"DROP ROUTINE {routine[0]} CASCADE"))
    async with platform.database.work(state.district) as session:
        await audit.record(session, action="plugin.erased", actor=actor, subject=plugin, details={"tables": names})
    return names


async def _tables(connection: AsyncConnection, schema: str, plugin: str | None) -> list[str]:
    found = await connection.execute(
        sa.text("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = :schema ORDER BY tablename"),
        {"schema": schema},
    )
    names = [name for name in found.scalars() if not name.startswith("alembic_")]
    if plugin is None:
        return names
    return [name for name in names if name.startswith(f"{plugin}_") and name not in Base.metadata.tables]


def _table(schema: str, name: str) -> sa.TableClause:
    return sa.table(name, schema=schema)


def _encoded(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return str(value)
