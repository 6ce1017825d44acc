"""Migrations: every distribution its own linear Alembic history, with its own version table in each district's schema.

With one shared history, removing a package stops everybody ("Can't locate revision"); with a table for each, the rest
goes on. One history of one district is one transaction under a lock, so a killed run leaves it before or after, never
between, and two runners at once do no harm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import DowngradeOps, UpgradeOps
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.database.engine import APP_ROLE, Database, DatabaseUnfitError, quoted
from gongyu.database.model import Base, RegistryBase
from gongyu.text import Text

__all__ = [
    "History",
    "core_history",
    "differences",
    "heads",
    "keys_for_sealing",
    "make_schema",
    "pending",
    "registry_history",
    "revisions_of",
    "schema_of_migration",
    "upgrade_schema",
    "write_revision",
]

_ROOT: Final = Path(str(resources.files("gongyu"))) / "migrations"


@dataclass(frozen=True, slots=True)
class History:
    """The migrations of one distribution: its tables, and the folder of revisions that makes exactly these."""

    name: str
    metadata: sa.MetaData
    folder: Path

    @property
    def version_table(self) -> str:
        return f"alembic_{self.name}"

    def script(self) -> ScriptDirectory:
        return ScriptDirectory(str(_ROOT), version_locations=[str(self.folder)], messaging_opts={"quiet": True})

    @property
    def head(self) -> str | None:
        return self.script().get_current_head()


def core_history() -> History:
    """The core's tables in a district's schema."""
    return History("core", Base.metadata, _ROOT / "district")


def registry_history() -> History:
    """The tables of the `gongyu` schema."""
    return History("registry", RegistryBase.metadata, _ROOT / "registry")


def heads(histories: Iterable[History]) -> dict[str, str | None]:
    return {history.name: history.head for history in histories}


async def revisions_of(connection: AsyncConnection, schemas: Sequence[str]) -> dict[str, dict[str, str]]:
    """What each schema is at: `{schema: {history: revision}}`, in two queries for any number of schemas."""
    tables = await connection.execute(
        sa.text(
            "SELECT schemaname, tablename FROM pg_catalog.pg_tables "
            "WHERE tablename LIKE 'alembic\\_%' AND schemaname = ANY(:schemas)"
        ),
        {"schemas": list(schemas)},
    )
    found: dict[str, dict[str, str]] = {schema: {} for schema in schemas}
    selects = [
        sa.select(
            sa.literal(schema).label("schema"),
            sa.literal(table).label("history"),
            sa.column("version_num"),
        ).select_from(sa.table(table, schema=schema))
        for schema, table in tables
    ]
    for start in range(0, len(selects), 500):  # a bounded statement, whatever the number of districts
        for schema, table, revision in await connection.execute(sa.union_all(*selects[start : start + 500])):
            found[schema][table.removeprefix("alembic_")] = revision
    return found


def pending(have: Mapping[str, str], histories: Iterable[History], want: Mapping[str, str | None]) -> list[History]:
    return [history for history in histories if have.get(history.name) != want[history.name]]


async def upgrade_schema(
    database: Database,
    schema: str,
    lock: int,
    histories: Iterable[History],
    *,
    target: str = "heads",
    keys: object = None,
) -> list[str]:
    """Bring one schema to the newest (or a given) revision, history by history.

    Args:
        database: Its owner connection defines the tables.
        schema: The district's schema; it must exist.
        lock: The district's number; two runners take turns on it.
        histories: Core first, then plugins in starting order.
        target: `heads`, `base`, or a revision of the only history given.
        keys: The deployment's key ring, for revisions that seal what stood readable; an empty schema needs none.

    Returns:
        `history: old → new` for each step taken; empty when there was nothing to do.
    """
    steps = []
    async with database.migrating:
        for history in histories:
            async with database.owner.begin() as connection:
                await connection.execute(sa.text("SELECT pg_advisory_xact_lock(7092, :lock)"), {"lock": lock})
                # Migrations name tables without a schema; trigger bodies must name it, see citus.md R4.
                await connection.execute(sa.text(f"SET LOCAL search_path TO {quoted(schema)}"))
                before, after = await connection.run_sync(_run, schema, history, target, keys)
            if before != after:
                steps.append(f"{history.name}: {before or '∅'} → {after or '∅'}")
    return steps


def _context(connection: sa.Connection, schema: str, history: History, **options: Any) -> MigrationContext:  # noqa: ANN401 - Alembic's own
    return MigrationContext.configure(
        connection,
        opts={
            "version_table": history.version_table,
            "version_table_schema": schema,
            "target_metadata": history.metadata,
            "compare_type": True,
            "compare_server_default": True,
            "district_schema": schema,
            **options,
        },
    )


def keys_for_sealing() -> Any:  # noqa: ANN401 - the database does not know what a key ring is
    """The key ring, for a revision that found something to seal or to open.

    Raises:
        DatabaseUnfitError: Whoever runs the migration gave none; nothing has changed.
    """
    keys = op.get_context().opts["keys"]
    if keys is None:
        raise DatabaseUnfitError(
            Text(
                zh="这一步要加密 {schema} 中的数据，需要密钥；请用 gongyu db upgrade 升级",
                en="this step seals data of {schema} and needs the keys; upgrade with gongyu db upgrade",
            ).format(schema=schema_of_migration())
        )
    return keys


def schema_of_migration() -> str:
    """The schema that is being migrated."""
    schema: str = op.get_context().opts["district_schema"]
    return schema


def _run(
    connection: sa.Connection, schema: str, history: History, target: str, keys: object
) -> tuple[str | None, str | None]:
    script = history.script()

    def steps(current: Any, _: MigrationContext) -> Any:  # noqa: ANN401 - Alembic's internal step lists
        if target == "heads":
            return script._upgrade_revs("heads", current)  # noqa: SLF001 - what alembic.command itself calls
        if target == "base" or any(r.revision == target for r in script.iterate_revisions(current or "base", "base")):
            return script._downgrade_revs(target, current)  # noqa: SLF001 - as above
        return script._upgrade_revs(target, current)  # noqa: SLF001 - as above

    context = _context(connection, schema, history, fn=steps, keys=keys)
    before = context.get_current_revision()
    with Operations.context(context):
        context.run_migrations()
    return before, context.get_current_revision()


async def write_revision(database: Database, history: History, others: Sequence[History], message: str) -> Path | None:
    """Write the migration from the newest revision to the models, or None when they agree.

    It is worked out in a scratch schema that is dropped again, and compares only this history's tables.

    Args:
        database: Any PostgreSQL that may make a schema.
        history: The distribution to write for.
        others: What must stand in the schema before it (the core, for a plugin's foreign keys).
        message: A few words; they become part of the file name.
    """
    found = await _compare(database, history, others)
    if not found.changes:
        return None
    script = history.script()
    history.folder.mkdir(parents=True, exist_ok=True)
    number = len(list(script.walk_revisions())) + 1
    written = script.generate_revision(
        f"{history.name}_{number:04d}",
        message,
        head="head",
        upgrades=found.upgrade,
        downgrades=found.downgrade,
        imports="",
    )
    return Path(written.path) if written else None


async def differences(database: Database, history: History, others: Sequence[History]) -> list[str]:
    """How the models differ from what the migrations make; empty when they agree."""
    return (await _compare(database, history, others)).changes


@dataclass(frozen=True, slots=True)
class _Comparison:
    changes: list[str]
    upgrade: str
    downgrade: str


async def _compare(database: Database, history: History, others: Sequence[History]) -> _Comparison:
    scratch = f"scratch_{history.name}"
    async with database.owner.begin() as connection:
        await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {quoted(scratch)} CASCADE"))
        await connection.execute(sa.text(f"CREATE SCHEMA {quoted(scratch)}"))
    try:
        await upgrade_schema(database, scratch, -1, [*others, history])
        async with database.owner.connect() as connection:
            await connection.execute(sa.text(f"SET search_path TO {quoted(scratch)}"))
            return await connection.run_sync(_produce, scratch, history)
    finally:
        async with database.owner.begin() as connection:
            await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {quoted(scratch)} CASCADE"))


def _produce(connection: sa.Connection, schema: str, history: History) -> _Comparison:
    own = set(history.metadata.tables)
    prefix = None if history.name in ("core", "registry") else f"{history.name}_"

    def only_own(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:  # noqa: FBT001 - Alembic's signature
        if kind != "table" or not reflected or name is None:
            return True
        return name in own or (name.startswith(prefix) if prefix else not name.startswith("alembic_"))

    connection.dialect.default_schema_name = schema  # the connection's own path, so that names compare unqualified
    context = _context(connection, schema, history, include_object=only_own)
    script = produce_migrations(context, history.metadata)
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    if upgrade is None or downgrade is None:
        raise RuntimeError("Alembic produced no operations")

    def code(operations: UpgradeOps | DowngradeOps) -> str:
        written = render_python_code(operations, migration_context=context).splitlines()
        return "\n".join(
            line for line in written if "commands auto generated" not in line and "end Alembic" not in line
        ).strip()

    return _Comparison([str(diff) for diff in upgrade.as_diffs()], code(upgrade), code(downgrade))


async def make_schema(database: Database, schema: str) -> None:
    """Create a district's schema and open it to the application's role, before any table stands in it.

    The schema is committed on its own (citus.md R1); tables made later are granted by default, and a migration takes
    back what must not be done to one (`REVOKE UPDATE, DELETE …`).
    """
    name = quoted(schema)
    # CREATE SCHEMA IF NOT EXISTS still fails when two do it at the same moment, and so does GRANT.
    one_at_a_time = sa.text("SELECT pg_advisory_xact_lock(7095, hashtext(:schema))").bindparams(schema=schema)
    async with database.owner.begin() as connection:
        await connection.execute(one_at_a_time)
        if schema.startswith("d_"):
            await connection.execute(sa.text("SET LOCAL citus.enable_schema_based_sharding TO on"))
        await connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
    async with database.owner.begin() as connection:
        await connection.execute(one_at_a_time)
        for statement in (
            f"GRANT USAGE ON SCHEMA {name} TO {APP_ROLE}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT USAGE ON SEQUENCES TO {APP_ROLE}",
        ):
            await connection.execute(sa.text(statement))
